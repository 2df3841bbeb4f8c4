// The studio: puts the parts together.

import {address, whenRefused} from "./api.js";
import {$, clock, count, put, settled, spoken} from "./dom.js";
import {saveAudio, saveCaptions} from "./downloads.js";
import {forget, keep, kept, usedKey, useKey} from "./keep.js";
import {Lexicons} from "./lexicon.js";
import {Listening} from "./listening.js";
import {watch} from "./live.js";
import {Plan} from "./plan.js";
import {BrokenOff, Problem} from "./problem.js";
import {Recent} from "./recent.js";
import {forgotten, remember, remembered} from "./session.js";
import {Slider, steps} from "./slider.js";
import {curl, openai} from "./snippets.js";
import {Tabs} from "./tabs.js";
import {Voices} from "./voices.js";
import {Waveform} from "./waveform.js";
import {Words} from "./words.js";

const WELCOME = "Good morning. This text is spoken while you read it: each word lights up as it is heard. "
  + "Change it, choose another voice, and press Speak.";
const LIMIT = Number(document.body.dataset.limit); // characters, as the server counts them
const SPEEDS = [...steps(0.25, 1, 30), ...steps(1, 4, 30).slice(1)];
const PITCHES = [...steps(0.5, 1, 20), ...steps(1, 2, 20).slice(1)];

const last = kept();
let touched = Object.keys(last).length > 0; // whether the page is not as it comes
const text = $("text");
const voices = new Voices({voice: last.voice || document.body.dataset.voice, variant: last.variant});
const speed = new Slider($("speed"), $("speed-reset"), SPEEDS);
const pitch = new Slider($("pitch"), $("pitch-reset"), PITCHES);
const lexicons = new Lexicons(last.lexicon);
const words = new Words($("mirror"), $("sheet"));
const listening = new Listening(new Waveform($("wave")), words);
const tabs = new Tabs(document.querySelector("[role=tablist]"));
const plan = new Plan($("plan"), $("plan-note"));
const lookAtServer = watch($("live"));

const recent = new Recent($("recent"), $("recent-note"));

function restore(state) {
  text.value = state.text ?? WELCOME;
  speed.value = state.speed ?? 1;
  pitch.value = state.pitch ?? 1;
  $("ssml").checked = state.ssml ?? false;
  $("normalize").checked = state.normalize ?? true;
  if (state.format) $("format").value = state.format;
  if (!$("format").value) $("format").selectedIndex = 0;
  recent.texts = state.recent ?? [];
}
restore(last);

// --- what is on screen ---------------------------------------------------------------------------

/** The request for speech that stands for it; what is as usual is left out. */
function body() {
  return {
    input: text.value,
    voice: voices.name,
    speed: speed.value,
    ...(pitch.value !== 1 && {pitch: pitch.value}),
    ...($("ssml").checked && {ssml: true}),
    ...(!$("normalize").checked && {normalize: false}),
    ...(lexicons.name && {lexicon: lexicons.name}),
  };
}

const bodyOfFile = () => ({...body(), response_format: $("format").value});

const state = () => ({
  text: text.value, voice: voices.voice, variant: voices.variant, speed: speed.value,
  pitch: pitch.value, ssml: $("ssml").checked, normalize: $("normalize").checked,
  lexicon: lexicons.name, format: $("format").value, recent: recent.texts,
});
const save = () => keep(state());
const saveSoon = settled(save, 200);
const rememberSoon = settled(() => touched && remember(state()), 1000);
addEventListener("pagehide", () => {
  save();
  if (touched) remember(state());
});

const planSoon = settled(() => plan.show(body()), 400);

function showCode() {
  const python = document.querySelector("[name=code]:checked").value === "python";
  const request = {url: address(""), body: bodyOfFile(), needsKey: Boolean(usedKey())};
  put($("code"), python ? openai(request) : curl(request));
  put($("copied"), "");
}

function changed() {
  words.text = text.value;
  const length = [...text.value].length, over = length - LIMIT;
  put($("count"), over > 0 ? `${count(length)} of ${count(LIMIT)} characters: ${count(over)} too many`
    : `${count(length)} of ${count(LIMIT)} characters`);
  $("count").toggleAttribute("data-bad", over > 0);
  showButton();
  if (tabs.shown === "panel-plan") planSoon();
  if (tabs.shown === "panel-code") showCode();
  saveSoon();
  rememberSoon();
}

function touch() {
  touched = true;
  changed();
}

for (const part of [voices, speed, pitch, lexicons]) part.addEventListener("change", touch);
for (const id of ["text", "ssml", "normalize", "format"]) $(id).addEventListener("input", touch);
tabs.addEventListener("show", ({id}) => {
  if (id === "panel-plan") plan.show(body());
  if (id === "panel-code") showCode();
});

// --- listening -----------------------------------------------------------------------------------

// Where something was changed meanwhile, it speaks that: whoever moves a slider wants to hear it.
const BUTTON = {idle: "Speak", ended: "Speak", waiting: "Pause", playing: "Pause", paused: "Go on"};
const TOLD = {idle: "", waiting: "Waiting for the sound…", paused: "Paused.", ended: "That was all."};
let firstMs = null; // until the first sound, where it was asked for

function buttonState() {
  const {state} = listening;
  return listening.has(body()) ? state : "idle";
}

function showButton() {
  const state = buttonState();
  put($("speak-word"), BUTTON[state]);
  $("speak").dataset.state = state;
}

function speak() {
  complain(null);
  recent.add(text.value, voices.name);
  touch();
  firstMs = null;
  listening.speak(body());
}

$("speak").addEventListener("click", () => {
  const state = buttonState();
  if (state === "paused") listening.resume();
  else if (state === "playing" || state === "waiting") listening.pause();
  else speak();
});
$("stop").addEventListener("click", () => {
  listening.stop();
  $("speak").focus();
});
lexicons.addEventListener("speak", speak);
addEventListener("keydown", event => {
  if (event.key === "Escape") listening.stop();
  else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    speak();
  }
});

listening.addEventListener("state", ({state}) => {
  showButton();
  document.body.dataset.state = state;
  $("stop").disabled = state === "idle" || state === "ended";
  const after = firstMs === null ? "" : ` The first sound came after ${Math.round(firstMs)} ms.`;
  put($("told"), TOLD[state] ?? `Speaking.${after}`);
  if (state === "playing" || state === "ended") lookAtServer();
});
listening.addEventListener("first", ({ms}) => {
  firstMs = ms;
});
listening.addEventListener("progress", () => {
  const [position, duration] = listening.progress;
  put($("at"), clock(position));
  put($("of"), clock(duration));
});

// --- what goes wrong -----------------------------------------------------------------------------

let counting = 0;

/** Says what went wrong, and offers another try where that can help; `null`: all is well. */
function complain(problem, again = speak) {
  clearInterval(counting);
  $("problem").hidden = !problem;
  if (!problem) return;
  put($("problem-title"), problem.title);
  put($("problem-text"), problem.message);
  put($("problem-code"), problem.code);
  $("again").hidden = !problem.retryable;
  $("again").onclick = () => {
    complain(null);
    again();
  };
  let left = Math.ceil(problem.retryAfterS);
  const tell = () => {
    $("again").disabled = left > 0;
    put($("again"), left > 0 ? `Try again in ${spoken(left)}` : "Try again");
    if (left-- <= 0) clearInterval(counting);
  };
  tell();
  if (left >= 0) counting = setInterval(tell, 1000);
}

listening.addEventListener("problem", ({problem}) => complain(problem));

whenRefused(problem => {
  if ($("access").hidden) put($("key-kept"), `${problem.message} It stays in this tab until you close it.`);
  $("access").hidden = false;
});
$("access").addEventListener("submit", event => {
  event.preventDefault();
  useKey($("key").value);
  $("key").value = "";
  $("access").hidden = true;
  complain(null);
  changed();
  load();
  text.focus();
});

// --- files and code ------------------------------------------------------------------------------

async function saving(save) {
  put($("saved"), "It is being made…");
  complain(null);
  try {
    put($("saved"), `Saved: ${await save()}.`);
  } catch (error) {
    put($("saved"), "");
    complain(error instanceof Problem ? error : new BrokenOff(), () => saving(save));
  }
}

$("save-audio").addEventListener("click", () => saving(() => saveAudio(bodyOfFile())));
$("save-captions").addEventListener("click", () => saving(() => saveCaptions(bodyOfFile(), $("captions").value)));

for (const choice of document.querySelectorAll("[name=code]")) choice.addEventListener("change", showCode);
$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("code").textContent);
    put($("copied"), "Copied.");
  } catch {
    // Without TLS, pages of other machines may not write there: then one can do it by hand.
    getSelection().selectAllChildren($("code"));
    put($("copied"), "The code is selected; copy it with Ctrl C.");
  }
});

// --- how a word is said --------------------------------------------------------------------------

function selectedWord() {
  const word = text.value.slice(text.selectionStart, text.selectionEnd).trim();
  return word.length <= 80 && !word.includes("\n") ? word : "";
}

document.addEventListener("selectionchange", () => {
  const word = document.activeElement === text ? selectedWord() : "";
  if (document.activeElement === text) put($("pick"), word ? `Say “${word}” as…` : "Change how a word is said");
});
$("pick").addEventListener("click", () => {
  tabs.show("panel-words");
  lexicons.edit(selectedWord());
});

recent.addEventListener("choose", chosen => {
  text.value = chosen.text;
  voices.name = chosen.voice;
  touch();
  text.focus();
});

$("forget").addEventListener("click", () => {
  recent.texts = [];
  text.value = WELCOME;
  speed.value = pitch.value = 1;
  $("ssml").checked = false;
  $("normalize").checked = true;
  voices.name = document.body.dataset.voice;
  changed();
  touched = false;
  forgotten();
  forget();
  text.focus();
});

// -------------------------------------------------------------------------------------------------

function load() {
  // Without these lists one can still type and speak; what is wrong is said then.
  voices.load().catch(() => {});
  lexicons.load().catch(() => {});
  lookAtServer();
}

/** Where this browser keeps nothing, the server may; whoever has begun meanwhile keeps that. */
async function recall() {
  const state = touched ? null : await remembered();
  if (!state || touched) return;
  restore(state);
  if (state.voice) voices.restore(state);
  lexicons.name = state.lexicon;
  touch();
}

changed();
recall();
load();
