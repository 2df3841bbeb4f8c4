// What the server keeps of this browser, for when the browser itself keeps nothing.

import {ask} from "./api.js";

const WHERE = "studio/session";
const MOST_BYTES = 60_000; // browsers send no more while a page is being left
const on = document.body.dataset.sessions === "on";

/** Without an answer, the page works as well: nothing here is worth a complaint. */
async function quietly(options) {
  try {
    return on ? await ask(WHERE, options) : null;
  } catch {
    return null;
  }
}

/** The last state that was sent there, or null. */
export async function remembered() {
  const answer = await quietly({});
  return answer?.status === 200 ? answer.json() : null;
}

let sent = "";

export function remember(state) {
  const text = JSON.stringify(state);
  if (text === sent || new TextEncoder().encode(text).length > MOST_BYTES) return;
  sent = text;
  quietly({method: "PUT", body: state, keepalive: true});
}

export const forgotten = () => quietly({method: "DELETE"});
