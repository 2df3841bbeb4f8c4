// How the server is, on one quiet line.

import {askJSON} from "./api.js";
import {count, put} from "./dom.js";
import {usedKey} from "./keep.js";

const EVERY_MS = 5000;

async function now() {
  try {
    if (!closed || usedKey()) return of(await askJSON("v1/status"));
  } catch (error) {
    if (error.status !== 401) return gone(error);
    closed = true; // its figures want a key; whether it is ready, everybody may know
  }
  try {
    await askJSON("health/ready");
    return ["good", "Ready"];
  } catch (error) {
    return gone(error);
  }
}
let closed = false;

const gone = error => error.status
  ? ["warn", "Not ready"] : ["bad", "The server cannot be reached"];

function of({draining, checks, queue}) {
  if (draining) return ["warn", "About to stop"];
  const failing = checks.filter(check => !check.passed && check.needed && check.name !== "queue");
  if (failing.length) return ["warn", `Not ready: ${failing[0].name}`];
  if (queue.in_progress >= queue.capacity) return ["warn", "Busy: no place is free"];
  const speaking = queue.in_progress ? `speaking ${count(queue.in_progress)}` : "idle";
  return ["good", queue.waiting ? `Ready, ${speaking}, ${count(queue.waiting)} waiting` : `Ready, ${speaking}`];
}

/** Keeps the line up to date, as long as somebody can see it. */
export function watch(line) {
  let timer = 0;
  const look = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    const [state, text] = await now();
    line.dataset.state = state;
    put(line, text);
    timer = setTimeout(look, EVERY_MS);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return look;
}
