// Asking the server that this page came from.

import {usedKey} from "./keep.js";
import {problemOf, Unreachable} from "./problem.js";

// The page may lie behind a proxy, under another path: this file knows where.
const ROOT = new URL("../", import.meta.url);

export const address = path => new URL(path, ROOT).href;

const onRefusal = new Set();

/** `then` is called with each problem that a key may solve. */
export const whenRefused = then => onRefusal.add(then);

/**
 * The answer, once its status is there and good.
 * Throws a Problem, or the AbortError of `signal`.
 */
export async function ask(path, {method = "GET", body, signal, keepalive = false} = {}) {
  const headers = {};
  if (usedKey()) headers.Authorization = `Bearer ${usedKey()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address(path), {
      method, headers, signal, keepalive, body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Unreachable();
  }
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (problem.status === 401) for (const then of onRefusal) then(problem);
  throw problem;
}

export const askJSON = async (path, options) => (await ask(path, options)).json();
