// A speech as it is made: server-sent events with samples and the times of words.

import {ask} from "./api.js";
import {BrokenOff, problemIn} from "./problem.js";

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0));
}

async function* eventsOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) yield JSON.parse(event.slice("data: ".length));
  }
}

/** Whole samples out of pieces that may end within one: 16 bits, little-endian, one channel. */
class Samples {
  #odd = new Uint8Array(0);

  from(bytes) {
    const all = new Uint8Array(this.#odd.length + bytes.length);
    all.set(this.#odd);
    all.set(bytes, this.#odd.length);
    const samples = new Int16Array(all.length >> 1), view = new DataView(all.buffer);
    for (let i = 0; i < samples.length; i++) samples[i] = view.getInt16(2 * i, true);
    this.#odd = all.slice(2 * samples.length);
    return samples;
  }
}

/**
 * Gives `{rate, voice}` first, then any number of `{samples}` and `{words}` as they come.
 * Throws a Problem where it fails, also half-way, or the AbortError of `signal`.
 */
export async function* speech(body, signal) {
  const answer = await ask("v1/audio/speech", {
    method: "POST",
    signal,
    body: {...body, response_format: "pcm", stream_format: "sse", timestamps: "word"},
  });
  yield {rate: Number(answer.headers.get("X-Sample-Rate")), voice: answer.headers.get("X-Voice")};
  const samples = new Samples();
  try {
    for await (const event of eventsOf(answer)) {
      if (event.type === "speech.audio.delta") yield {samples: samples.from(bytesOf(event.audio))};
      else if (event.type === "speech.audio.timestamps") yield {words: event.words};
      else if (event.type === "error") throw problemIn(event.error);
      else if (event.type === "speech.audio.done") return;
    }
  } catch (error) {
    throw error instanceof TypeError ? new BrokenOff() : error; // TypeError: the network's
  }
  throw new BrokenOff();
}
