// Audio and captions as files, made by the server for what is on screen.

import {ask} from "./api.js";
import {count} from "./dom.js";
import {BrokenOff} from "./problem.js";

/** A name that says what is in the file. */
export function nameFor(text, extension) {
  const words = text.replace(/<[^>]*>/g, " ").match(/[\p{L}\p{N}]+/gu) || [];
  return `${words.slice(0, 6).join("-").toLowerCase().slice(0, 60) || "speech"}.${extension}`;
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A WAV that was sent before its end was known does not tell its length. */
async function sized(blob) {
  const head = new DataView(await blob.slice(0, 44).arrayBuffer());
  if (head.getUint32(40, true) !== 0xffffffff) return blob;
  head.setUint32(4, blob.size - 8, true);
  head.setUint32(40, blob.size - 44, true);
  return new Blob([head.buffer, blob.slice(44)], {type: blob.type});
}

const asked = (path, body) => ask(path, {method: "POST", body});

async function saved(answer, name, change = blob => blob) {
  let blob;
  try {
    blob = await answer.blob();
  } catch {
    throw new BrokenOff();
  }
  blob = await change(blob);
  save(blob, name);
  return `${name}, ${count(Math.ceil(blob.size / 1000))} kB`;
}

/** Saves the audio; gives a line that says so. */
export async function saveAudio(body) {
  const format = body.response_format;
  const answer = await asked("v1/audio/speech", body);
  return saved(answer, nameFor(body.input, format), format === "wav" ? sized : undefined);
}

/** `format`: srt or vtt. */
export async function saveCaptions(body, format) {
  const answer = await asked("v1/audio/captions", {...body, captions_format: format});
  return saved(answer, nameFor(body.input, format));
}
