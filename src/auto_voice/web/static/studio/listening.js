// One speech at a time: asked for, played as it comes, drawn, its words lit up.

import {BrokenOff, Problem} from "./problem.js";
import {Player} from "./player.js";
import {Recording} from "./recording.js";
import {speech} from "./speech.js";

const RATE_HZ = 24_000; // of samples that come without being asked for another rate
const CHARACTERS_A_SECOND = 15; // about, until it is known

/**
 * Tells of what happens: "state" (`state`: idle, waiting, playing, paused, ended), "problem"
 * (`problem`), "first" (`ms` until the first sound had come).
 */
export class Listening extends EventTarget {
  #player = new Player();
  #waveform;
  #words;
  #running = null; // what aborts the request under way
  #spoken = ""; // the request whose recording is there
  #frame = 0;

  constructor(waveform, words) {
    super();
    this.#waveform = waveform;
    this.#words = words;
    this.#player.addEventListener("state", () => this.#told());
    waveform.addEventListener("seek", ({seconds}) => {
      this.#player.seek(seconds);
      this.#show();
    });
  }

  get state() {
    return this.#player.state;
  }

  /** Whether what is there, or on its way, is what this request gives. */
  has(body) {
    return JSON.stringify(body) === this.#spoken;
  }

  /** Seconds heard, and seconds that there are. */
  get progress() {
    return [this.#player.position, this.#player.recording?.duration || 0];
  }

  /** Plays what this request gives; what is there already is not asked for again. */
  async speak(body) {
    const again = this.has(body) && this.#player.recording?.complete;
    this.stop();
    if (again) return this.#player.seek(0);
    const mine = this.#running = new AbortController();
    this.#player.prepare(RATE_HZ);
    this.#spoken = JSON.stringify(body);
    this.#words.begin(body.input);
    const began = performance.now();
    let made = null;
    this.#waveform.clear();
    this.#emit("state", {state: "waiting"});
    try {
      for await (const {rate, samples, words} of speech(body, mine.signal)) {
        if (rate) {
          made = new Recording(rate);
          this.#player.begin(made);
          this.#waveform.begin(made, body.input.length / CHARACTERS_A_SECOND / body.speed);
        } else if (samples) {
          if (!made.length) this.#emit("first", {ms: performance.now() - began});
          made.append(samples);
          this.#player.fed();
          this.#show();
        } else if (words) this.#words.add(words);
      }
      made.complete = true;
    } catch (error) {
      if (mine.signal.aborted) return;
      this.#spoken = "";
      if (made?.length) made.complete = true; // as much as there will be
      this.#emit("problem", {problem: error instanceof Problem ? error : new BrokenOff()});
      if (!made?.length) this.#player.stop();
    } finally {
      if (this.#running === mine) this.#running = null;
    }
    if (made?.length) this.#player.fed();
    this.#told();
  }

  pause() {
    this.#player.pause();
  }

  resume() {
    this.#player.play();
  }

  /** Interrupts: falls silent at once, and lets the server know that nobody waits any more. */
  stop() {
    this.#running?.abort();
    if (this.#running) {
      this.#running = null;
      this.#spoken = ""; // only a part of it is there
      if (this.#player.recording) this.#player.recording.complete = true;
    }
    this.#player.stop();
    this.#show();
  }

  #told() {
    this.#emit("state", {state: this.#running && this.state === "idle" ? "waiting" : this.state});
    this.#show();
  }

  #show() {
    cancelAnimationFrame(this.#frame);
    const {state} = this, position = this.#player.position;
    this.#waveform.show(position);
    this.#words.at(state === "playing" || state === "paused" ? position : null);
    this.#emit("progress");
    if (state === "playing") this.#frame = requestAnimationFrame(() => this.#show());
  }

  #emit(type, fields = {}) {
    this.dispatchEvent(Object.assign(new Event(type), fields));
  }
}
