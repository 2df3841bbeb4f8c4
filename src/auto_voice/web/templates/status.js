"use strict";

const POLL_MS = 2000;
const LATE_MS = 8000; // an answer that takes longer counts as none
const SHOWN_ERRORS = 10;
const NOTICE_S = 300; // how long the page tells of a restart
const STORED = "autovoice-key";
const KEPT_S = 300, STEP_S = 5; // of the history that the server keeps
const NONE = "–";

const $ = id => document.getElementById(id);
// Relative to the page, which may lie behind a proxy, under another path.
const source = location.pathname.replace(/\/+$/, "").replace(/[^/]*$/, "v1/status");

// --- words for figures ---------------------------------------------------------------------------

const number = (value, digits) => value.toLocaleString("en", {maximumFractionDigits: digits});
const pad = value => String(value).padStart(2, "0");

const formats = {
  text: String,
  count: value => number(value, 0),
  rate: value => number(value, value < 10 ? 2 : value < 100 ? 1 : 0),
  percent: value => `${number(100 * value, 100 * value < 10 ? 1 : 0)} %`,
  celsius: value => `${number(value, 0)} °C`,
  seconds: value =>
    value < 0.01 ? `${number(1000 * value, 1)} ms`
    : value < 0.9995 ? `${number(1000 * value, 0)} ms`
    : `${number(value, value < 10 ? 2 : 1)} s`,
  quantile(value) {
    const [last] = latest.speech.first_audio.buckets.slice(-2); // the one after it has no end
    return (last && value >= last.upto_s ? "≥ " : "") + formats.seconds(value);
  },
  duration(value) {
    const s = Math.max(0, Math.floor(value));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${pad(s % 60)} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${pad(Math.floor(s / 60) % 60)} min`;
    return `${number(Math.floor(s / 86400), 0)} d ${Math.floor(s / 3600) % 24} h`;
  },
  ago: value => latest.now - value < 1 ? "just now" : `${formats.duration(latest.now - value)} ago`,
  bytes(value) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
    return `${number(value, unit && value < 100 ? 1 : 0)} ${units[unit]}`;
  },
  time(value) {
    const date = new Date(1000 * value);
    const day = date.toDateString() === new Date().toDateString() ? "" : `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} `;
    return `${day}${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  },
  reasons(value) {
    const some = Object.entries(value).filter(([, count]) => count);
    return some.map(([reason, count]) => `${number(count, 0)} ${reason}`).join(", ") || "none";
  },
};

// --- figures on the page -------------------------------------------------------------------------

const at = (data, path) => path.split(".").reduce((value, key) => value == null ? value : value[key], data);

function put(node, text) {
  if (node.textContent !== text) node.textContent = text; // what somebody has selected stays so
}

/** Fills what is `root`'s own, but not the items of lists in it: those have data of their own. */
function fill(root, data) {
  const item = root.closest("[data-item]");
  const own = name => [root, ...root.querySelectorAll(`[data-${name}]`)].filter(
    node => node.hasAttribute(`data-${name}`) && node.closest("[data-item]") === item);
  for (const node of own("show")) {
    const value = at(data, node.dataset.show);
    put(node, value == null ? node.dataset.none || NONE : formats[node.dataset.as || "text"](value));
  }
  for (const node of own("if")) {
    const value = at(data, node.dataset.if);
    node.hidden = !value || value === node.dataset.unless;
  }
  for (const node of own("class")) {
    const always = node.dataset.always ??= node.getAttribute("class");
    node.setAttribute("class", `${always} ${at(data, node.dataset.class)}`);
  }
  for (const node of own("bar")) {
    const whole = node.dataset.of ? at(data, node.dataset.of) : 1;
    const part = Math.min(1, (at(data, node.dataset.bar) || 0) / (whole || 1));
    node.firstElementChild.setAttribute("width", 100 * part);
    node.toggleAttribute("data-high", part >= 0.8);
  }
}

function list(name, items) {
  const into = document.querySelector(`[data-list="${name}"]`);
  while (into.children.length > items.length) into.lastElementChild.remove();
  while (into.children.length < items.length) into.append($(into.dataset.template).content.cloneNode(true));
  items.forEach((item, index) => fill(into.children[index], item));
}

const CHECKS = {draining: "not draining", queue: "room in the queue"}; // others name what works

const KINDS = {
  success: "good", cancelled: "none", invalid: "none", rejected: "warn", timeout: "bad", error: "bad", empty: "bad",
  "2xx": "good", "3xx": "none", "4xx": "none", "5xx": "bad",
};

/** Counts by name as rows: those that are to be expected, and those that happened. */
const rows = (counts, always) => Object.entries(counts)
  .map(([name, count]) => ({name, kind: KINDS[name] || "none", ...count}))
  .filter(row => row.total || row.name === always)
  .sort((one, other) => Object.keys(KINDS).indexOf(one.name) - Object.keys(KINDS).indexOf(other.name));

// --- drawings ------------------------------------------------------------------------------------

function shape(svg, name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  svg.append(node);
  return node;
}

/** A line with a step for each point and gaps where there is no value, down to the ground. */
function steps(points, valueOf, x, y) {
  let line = "", open = false;
  points.forEach((point, index) => {
    const value = valueOf(point);
    if (value !== null) {
      if (!open) line += `M${x(index ? points[index - 1].at : point.at - STEP_S)},${y(0)}`;
      line += `V${y(value)}H${x(point.at)}`;
    } else if (open) line += `V${y(0)}`;
    open = value !== null;
  });
  return open ? `${line}V${y(0)}` : line;
}

/** A figure over the last minutes, and the part of it that `marked` gives; tells the highest. */
function plot(id, {now, history}, valueOf, format, marked = null) {
  const svg = $(`plot-${id}`);
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const top = Math.max(0, ...history.map(valueOf));
  const x = time => (width * (1 - (now - time) / KEPT_S)).toFixed(1);
  const y = value => (height - 1 - (height - 4) * (top ? value / top : 0)).toFixed(1);
  svg.replaceChildren();
  shape(svg, "path", {d: steps(history, valueOf, x, y)});
  if (marked) shape(svg, "path", {d: steps(history, point => marked(point) || null, x, y), class: "failed"});
  put($(`peak-${id}`), top ? format(top) : NONE);
}

const LABELLED = [0.01, 0.1, 1, 10]; // seconds: others have no room

/** How many values fell into each bucket. */
function histogram(svg, buckets) {
  const most = Math.max(...buckets.map(bucket => bucket.recent), 1);
  const step = 294 / buckets.length, height = 46;
  svg.replaceChildren();
  let lower = 0;
  buckets.forEach(({upto_s: upper, recent}, index) => {
    const tall = recent ? Math.max(2, height * recent / most) : 1;
    const bar = shape(svg, "rect", {
      x: index * step + 1, y: height - tall, width: step - 2, height: tall, class: recent ? "" : "base",
    });
    const range = upper === null ? `more than ${formats.seconds(lower)}` : `${formats.seconds(lower)} to ${formats.seconds(upper)}`;
    shape(bar, "title", {}).textContent = `${range}: ${number(recent, 0)}`;
    if (LABELLED.includes(upper)) {
      shape(svg, "text", {x: (index + 1) * step, y: 59}).textContent = formats.seconds(upper);
    }
    lower = upper;
  });
}

/** Parts of a whole, side by side. */
function stack(svg, parts) {
  const whole = parts.reduce((sum, part) => sum + part.recent, 0);
  svg.replaceChildren();
  let x = 0;
  for (const part of parts) {
    const width = whole ? 300 * part.recent / whole : 0;
    shape(svg, "rect", {x, y: 0, width, height: 10, class: part.kind});
    x += width;
  }
}

// --- the server's state --------------------------------------------------------------------------

let latest = null; // the last answer
let restarted = null; // when the server was restarted while we looked
let lost = null; // since when it does not answer
let allErrors = false;

function state(kind, words) {
  $("state").dataset.state = kind;
  put($("state"), words);
  document.title = `${words} – AutoVoice status`;
}

function notice(words) {
  $("notice").hidden = !words;
  put($("notice"), words);
}

/** Either the figures and what belongs to them are on the page, or the form for the key. */
function unlock(open) {
  for (const id of ["figures", "facts", "pause"]) $(id).hidden = !open;
  $("access").hidden = open;
  $("forget").hidden = !open || !key;
}

function show(status) {
  if (latest && latest.started !== status.started) restarted = status.started;
  latest = status;
  lost = null;
  unlock(true);
  $("figures").removeAttribute("data-stale");

  const failing = status.checks.some(check => !check.passed);
  if (status.draining) state("warn", "Draining");
  else if (failing) state("bad", "Not ready");
  else state("good", "Ready");
  notice(
    status.draining ? "The server is stopping: it finishes what it has begun and takes no new requests for speech."
    : restarted !== null && status.uptime_s < NOTICE_S ? `The server was restarted at ${formats.time(restarted)}. All figures begin there.`
    : "");

  const outcomes = rows(status.speech.outcomes, "success");
  const lookups = Object.values(status.cache.results).reduce((sum, count) => sum + count.total, 0);
  fill(document.body, {...status, lookups});
  list("outcomes", outcomes);
  list("statuses", rows(status.http.statuses, "2xx"));
  list("engines", status.engines.map(engine => ({
    ...engine,
    word: engine.ready ? "ready" : "not ready",
    kind: !engine.ready ? "bad" : engine.workers_ready < engine.workers ? "warn" : "good",
  })));
  list("checks", status.checks.map(check => ({
    ...check, name: CHECKS[check.name] || check.name, word: check.passed ? "pass" : "fail", kind: check.passed ? "good" : "bad",
  })));
  $("gpus").hidden = status.gpus_complete === null;
  $("gpus-missing").hidden = status.gpus_complete !== false;
  list("gpus", status.gpus);
  showErrors();

  plot("speech", status, point => point.speech_per_s, value => `${formats.rate(value)} a second`, point => point.failed_per_s);
  plot("first", status, point => point.first_audio_p95_s, formats.seconds);
  plot("queue", status, point => point.in_progress, formats.count);
  histogram($("bars-first"), status.speech.first_audio.buckets);
  stack($("stack"), outcomes);
  put($("updated"), `Updated at ${formats.time(status.now)}.`);
}

function showErrors() {
  const errors = latest.errors;
  $("no-errors").hidden = errors.length > 0;
  $("errors").hidden = !errors.length;
  list("errors", errors.slice(0, allErrors ? errors.length : SHOWN_ERRORS).map(error => ({
    ...error,
    word: error.status < 400 ? "cut off" : String(error.status),
    request: `${error.method} ${error.route}`,
    kind: error.status >= 400 && error.status < 500 ? "none" : "bad",
  })));
  $("more").hidden = errors.length <= SHOWN_ERRORS;
  $("more").setAttribute("aria-expanded", allErrors);
  put($("more"), allErrors ? "Show fewer" : `Show all ${errors.length}`);
}

function unanswered(why) {
  lost ??= Date.now() / 1000;
  state("bad", "No answer");
  notice(`${why} since ${formats.time(lost)}. Trying again every few seconds.${latest ? " The figures below are old." : ""}`);
  $("figures").setAttribute("data-stale", "");
}

// --- asking --------------------------------------------------------------------------------------

let key = "";
try { key = sessionStorage.getItem(STORED) || ""; } catch { /* this browser keeps nothing: so do we */ }

function keep(value) {
  key = value;
  try {
    if (value) sessionStorage.setItem(STORED, value);
    else sessionStorage.removeItem(STORED);
  } catch { /* as above */ }
}

let timer = 0;
let asking = null; // what ends the question under way
let paused = false;

function stop() {
  clearTimeout(timer);
  if (asking) asking.abort();
  asking = null;
}

async function ask() {
  stop();
  const mine = asking = new AbortController();
  const late = setTimeout(() => mine.abort(), LATE_MS);
  try {
    const headers = key ? {Authorization: `Bearer ${key}`} : {};
    const answer = await fetch(source, {headers, signal: mine.signal, cache: "no-store", credentials: "same-origin"});
    if (mine !== asking) return;
    if (answer.status === 401) return wantKey();
    if (!answer.ok) throw new Error(`The server has answered ${answer.status}`);
    const status = await answer.json();
    if (mine !== asking) return;
    show(status);
  } catch (error) {
    if (mine !== asking) return;
    unanswered(error.message.startsWith("The server") ? error.message : "The server has not answered");
  } finally {
    clearTimeout(late);
    if (mine === asking) asking = null;
  }
  if (!paused && !document.hidden) timer = setTimeout(ask, POLL_MS);
}

function wantKey() {
  state("wait", "Locked");
  notice("");
  put($("why"), key ? "This key is not valid. Another one?" : "This server shows its status to holders of an API key.");
  put($("updated"), "");
  keep("");
  latest = restarted = lost = null;
  unlock(false);
  $("key").value = "";
  $("key").focus();
}

$("access").addEventListener("submit", event => {
  event.preventDefault();
  keep($("key").value.trim());
  ask();
});
$("forget").addEventListener("click", () => { keep(""); begin(); });
$("more").addEventListener("click", () => { allErrors = !allErrors; showErrors(); });
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", paused);
  if (paused) stop();
  else ask();
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden && !paused && $("access").hidden) ask();
});

/** Where a key is needed and there is none, there is no use in asking. */
function begin() {
  stop();
  if (key || !("locked" in document.body.dataset)) ask();
  else wantKey();
}

begin();
