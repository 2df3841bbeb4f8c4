// The outline of a recording, as it comes; what has been heard stands out. A slider to seek with.

import {spoken} from "./dom.js";
import {OUTLINE_HZ} from "./recording.js";

const BAR = 3, GAP = 2; // pixels
const STEP_S = 2, LEAP_S = 10;

/** Tells of a place that somebody chose: "seek", with `seconds`. */
export class Waveform extends EventTarget {
  #host;
  #canvas;
  #colors;
  #recording = null;
  #expected = 0;
  #position = 0;
  #drawn = {of: "", heights: []}; // the bars, as long as nothing has changed

  constructor(host) {
    super();
    this.#host = host;
    this.#canvas = host.querySelector("canvas");
    const repaint = () => {
      this.#colors = null;
      this.#paint();
    };
    new ResizeObserver(repaint).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    host.addEventListener("pointerdown", event => this.#drag(event));
    host.addEventListener("pointermove", event => {
      if (host.hasPointerCapture(event.pointerId)) this.#seekTo(event);
    });
    host.addEventListener("keydown", event => this.#key(event));
  }

  /** `expected`: seconds that the whole may take, as long as nobody knows. */
  begin(recording, expected) {
    this.#recording = recording;
    this.#expected = expected;
    this.#drawn.of = "";
    this.show(0);
  }

  clear() {
    this.#recording = null;
    this.show(0);
  }

  show(position) {
    const duration = this.#recording?.duration || 0, host = this.#host;
    this.#position = position;
    host.setAttribute("aria-disabled", !duration);
    host.setAttribute("aria-valuemax", Math.round(duration));
    // In whole seconds, so that nothing is read out sixty times in one.
    if (host.getAttribute("aria-valuenow") !== `${Math.floor(position)}` || !position) {
      host.setAttribute("aria-valuenow", Math.floor(position));
      host.setAttribute("aria-valuetext", duration
        ? `${spoken(Math.floor(position))} of ${spoken(duration)}` : "Nothing spoken yet");
    }
    this.#paint();
  }

  /** Seconds from one edge to the other. */
  get #span() {
    const {duration, complete} = this.#recording;
    return complete ? duration : Math.max(this.#expected, 1.05 * duration);
  }

  #drag(event) {
    if (!this.#recording || event.button) return;
    this.#host.setPointerCapture(event.pointerId);
    this.#seekTo(event);
  }

  #seekTo(event) {
    const box = this.#host.getBoundingClientRect();
    this.#seek(this.#span * (event.clientX - box.left) / box.width);
  }

  #seek(seconds) {
    const to = Math.max(0, Math.min(seconds, this.#recording.duration));
    this.dispatchEvent(Object.assign(new Event("seek"), {seconds: to}));
    this.show(to);
  }

  #key(event) {
    if (!this.#recording || event.ctrlKey || event.altKey || event.metaKey) return;
    const by = {
      ArrowLeft: -STEP_S, ArrowDown: -STEP_S, ArrowRight: STEP_S, ArrowUp: STEP_S,
      PageDown: -LEAP_S, PageUp: LEAP_S, Home: -Infinity, End: Infinity,
    }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.#seek(this.#position + by);
  }

  #paint() {
    const canvas = this.#canvas, density = devicePixelRatio || 1;
    const width = this.#host.clientWidth, height = this.#host.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * density) || canvas.height !== Math.round(height * density)) {
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
    }
    const style = this.#colors ||= getComputedStyle(this.#host);
    const colors = {
      none: style.getPropertyValue("--line"),
      ahead: style.getPropertyValue("--wave"),
      heard: style.getPropertyValue("--accent"),
    };
    const pen = canvas.getContext("2d");
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, width, height);
    const bars = Math.floor((width + GAP) / (BAR + GAP));
    const heights = this.#bars(bars);
    const now = this.#recording ? this.#position / this.#span * bars : 0;
    for (let bar = 0; bar < bars; bar++) {
      const value = heights[bar];
      const tall = value === undefined ? 2 : Math.max(3, value * (height - 8));
      pen.fillStyle = value === undefined ? colors.none : bar < now ? colors.heard : colors.ahead;
      pen.beginPath();
      pen.roundRect(bar * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
      pen.fill();
    }
  }

  /** How loud each bar is, 0 to 1; undefined where nothing is known yet. */
  #bars(count) {
    if (!this.#recording?.outline.length) return [];
    const {outline, complete} = this.#recording;
    const of = `${count} ${outline.length} ${complete}`;
    if (of === this.#drawn.of) return this.#drawn.heights;
    const each = this.#span * OUTLINE_HZ / count; // values to a bar
    const known = Math.min(count, Math.ceil(outline.length / each));
    const loudest = outline.reduce((most, value) => Math.max(most, value), 0.05);
    const heights = Array.from({length: known}, (_, bar) => {
      const from = Math.floor(bar * each), to = Math.max(from + 1, Math.floor((bar + 1) * each));
      let most = 0;
      for (let i = from; i < to && i < outline.length; i++) most = Math.max(most, outline[i]);
      return Math.sqrt(most / loudest); // to the ear, half of the samples' height is not half as loud
    });
    this.#drawn = {of, heights};
    return heights;
  }
}
