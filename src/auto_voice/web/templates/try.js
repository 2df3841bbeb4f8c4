// The form on /docs: asks for speech, and plays it in whatever form it comes.
"use strict";

const $ = id => document.getElementById(id);
const TYPES = {
  mp3: "audio/mpeg", opus: "audio/ogg", aac: "audio/aac", flac: "audio/flac", wav: "audio/wav", pcm: "audio/wav",
};
let running = null; // what aborts the request under way

function tell(status, problem = "") {
  $("status").textContent = status;
  $("problem").textContent = problem;
}

function headers() {
  const key = $("key").value;
  return key ? {Authorization: "Bearer " + key} : {};
}

function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) { all.set(piece, at); at += piece.length; }
  return all;
}

// Browsers do not play bare samples: 16 bits, little-endian, one channel.
function wavOf(samples, rate) {
  const header = new DataView(new ArrayBuffer(44));
  const word = (at, text) => [...text].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF"); word(8, "WAVEfmt "); word(36, "data");
  header.setUint32(16, 16, true); // bytes of this part
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, rate, true);
  header.setUint32(28, 2 * rate, true); // bytes a second
  header.setUint16(32, 2, true); // bytes a sample
  header.setUint16(34, 16, true); // bits a sample
  return withSizes(joined([new Uint8Array(header.buffer), samples]));
}

// A WAV that was sent before its end was known does not tell its length.
function withSizes(wav) {
  const header = new DataView(wav.buffer);
  header.setUint32(4, wav.length - 8, true);
  header.setUint32(40, wav.length - 44, true);
  return wav;
}

// The bytes of an answer as they come.
async function* pieces(answer) {
  const reader = answer.body.getReader();
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    yield value;
  }
}

// The audio in server-sent events, piece by piece.
async function* audioOfEvents(answer) {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of pieces(answer)) {
    const events = (text + decoder.decode(piece, {stream: true})).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const data = JSON.parse(event.slice("data: ".length));
      if (data.type === "error") throw new Error(data.error.message);
      if (data.type === "speech.audio.done") return;
      yield Uint8Array.from(atob(data.audio), c => c.charCodeAt(0));
    }
  }
  throw new Error("The answer was cut off.");
}

async function problemOf(answer) {
  try {
    return (await answer.json()).error.message;
  } catch {
    return `The server answered ${answer.status}.`; // or something between it and here did
  }
}

async function speak(signal) {
  const format = $("format").value, stream = $("stream").value;
  const began = performance.now();
  const answer = await fetch("/v1/audio/speech", {
    method: "POST",
    signal,
    headers: {"Content-Type": "application/json", ...headers()},
    body: JSON.stringify({
      input: $("text").value,
      voice: $("voice").value || null,
      response_format: format,
      stream_format: stream,
      speed: Number($("speed").value),
    }),
  });
  if (!answer.ok) throw new Error(await problemOf(answer));
  const found = [];
  let firstMs = 0;
  for await (const piece of stream === "sse" ? audioOfEvents(answer) : pieces(answer)) {
    firstMs = firstMs || performance.now() - began;
    found.push(piece);
  }
  const ms = performance.now() - began;
  let audio = joined(found);
  const bytes = audio.length;
  if (format === "pcm") audio = wavOf(audio, Number(answer.headers.get("X-Sample-Rate")));
  if (format === "wav") audio = withSizes(audio);
  tell(
    `Voice ${answer.headers.get("X-Voice")}: ${bytes.toLocaleString()} bytes in ${Math.round(ms)} ms,` +
    ` the first after ${Math.round(firstMs)} ms.`
  );
  return {blob: new Blob([audio], {type: TYPES[format]}), name: "speech." + (format === "pcm" ? "wav" : format)};
}

$("try").addEventListener("submit", async event => {
  event.preventDefault();
  if (running) running.abort();
  const mine = running = new AbortController();
  tell("Speaking…");
  try {
    const {blob, name} = await speak(mine.signal);
    const audio = $("audio"), url = URL.createObjectURL(blob);
    URL.revokeObjectURL(audio.src);
    audio.src = $("download").href = url;
    $("download").download = name;
    $("result").hidden = false;
    audio.play().catch(error => {
      // A browser that wants another click for sound has the button for it.
      if (error.name === "NotSupportedError") tell("", "This browser does not play this format.");
    });
  } catch (error) {
    if (mine.signal.aborted) return;
    $("audio").pause();
    $("result").hidden = true;
    tell("", error instanceof TypeError ? "The server cannot be reached, or broke off." : error.message);
  } finally {
    if (running === mine) running = null;
  }
});

$("text").addEventListener("keydown", event => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("try").requestSubmit();
});

$("voice").addEventListener("focus", async () => {
  const answer = await fetch("/v1/audio/voices", {headers: headers()}).catch(() => null);
  if (!answer || !answer.ok) return; // one can still type
  for (const voice of (await answer.json()).voices) {
    for (const id of [voice.id, ...voice.aliases]) $("voices").append(new Option(voice.name, id));
  }
}, {once: true});
