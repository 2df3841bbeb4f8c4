// Plays a recording while it is still growing, without a gap between its pieces.

const LEAD_S = 0.03; // between a decision and its sound: what the browser needs to be in time
const AHEAD_S = 10; // more than a tab in the background sleeps between two of its timers
const FEED_MS = 250;
const REST_MS = 1000;
const FADE_S = 0.01; // cutting a sound at once would click

/** States: idle, waiting (for samples), playing, paused, ended. Tells of each new one: "state". */
export class Player extends EventTarget {
  state = "idle";
  recording = null;
  #context = null;
  #out = null;
  #sources = new Set();
  #anchor = {frame: 0, index: 0}; // the context's frame at which a sample of the recording is due
  #next = 0; // the first sample that is not scheduled yet
  #timer = 0;

  /**
   * Makes ready to play samples of this rate (hertz). Browsers want this to come from a click.
   * The context has the recording's own rate: pieces that were resampled one by one would not fit
   * together.
   */
  prepare(rate) {
    clearTimeout(this.#timer);
    if (this.#context?.sampleRate !== rate) {
      this.#silence();
      this.#context?.close();
      this.#context = new AudioContext({sampleRate: rate, latencyHint: "interactive"});
    }
    this.#context.resume();
  }

  /** Plays a recording from its begin; `fed` is to be called whenever it has grown. */
  begin(recording) {
    this.#silence();
    this.prepare(recording.rate);
    this.recording = recording;
    this.#next = 0;
    this.#anchor = {frame: 0, index: 0};
    this.#become("waiting");
    this.fed();
  }

  fed() {
    if (this.state === "waiting" || this.state === "playing") this.#feed();
  }

  pause() {
    if (this.state !== "playing" && this.state !== "waiting") return;
    clearTimeout(this.#timer);
    this.#context.suspend();
    this.#become("paused");
  }

  play() {
    if (this.state === "ended") return this.seek(0);
    if (this.state !== "paused") return;
    this.#context.resume();
    this.#become("playing");
    this.#feed();
  }

  /** Falls silent within a few milliseconds, and goes back to the begin. */
  stop() {
    this.#silence();
    this.#next = 0;
    this.#anchor = {frame: 0, index: 0};
    this.#become("idle");
    this.#rest();
  }

  /** Goes on from there, in seconds; while paused, once it plays again. */
  seek(seconds) {
    const {recording} = this;
    if (!recording?.length) return;
    const paused = this.state === "paused";
    this.#silence();
    const last = Math.max(0, recording.length - 1);
    this.#next = Math.min(last, Math.max(0, Math.round(seconds * recording.rate)));
    this.#anchor = {frame: 0, index: this.#next};
    if (paused) return;
    this.#context.resume();
    this.#become("waiting");
    this.#feed();
  }

  /** Seconds of the recording that have been heard. */
  get position() {
    const {recording} = this;
    if (!recording) return 0;
    if (this.state === "ended") return recording.duration;
    const {frame, index} = this.#anchor;
    if (!frame || !this.#out) return index / recording.rate;
    // What is computed now is heard a little later, on some headphones a good deal.
    const heard = this.#context.currentTime - (this.#context.outputLatency || 0);
    const at = index + heard * recording.rate - frame;
    return Math.min(this.#next, Math.max(index, at)) / recording.rate;
  }

  #feed() {
    clearTimeout(this.#timer);
    const context = this.#context, {recording} = this;
    if (!this.#out) {
      this.#out = context.createGain();
      this.#out.connect(context.destination);
    }
    while (this.#next < recording.length) {
      const now = context.currentTime * recording.rate;
      let due = this.#anchor.frame + this.#next - this.#anchor.index;
      if (!this.#anchor.frame || due < now) {
        // The first sound, or the first after the samples had run out. Whole frames: between two
        // of them the browser would interpolate.
        due = Math.ceil(now + LEAD_S * recording.rate);
        this.#anchor = {frame: due, index: this.#next};
      }
      if (due > now + AHEAD_S * recording.rate) break;
      this.#schedule(recording.from(this.#next), due / recording.rate);
      if (this.state === "waiting") this.#become("playing");
    }
    if (this.#next < recording.length) this.#timer = setTimeout(() => this.fed(), FEED_MS);
    else this.#ending();
  }

  #schedule(samples, when) {
    const context = this.#context;
    const buffer = context.createBuffer(1, samples.length, context.sampleRate);
    const channel = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i++) channel[i] = samples[i] / 32768;
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#out);
    source.onended = () => {
      if (!this.#sources.delete(source)) return; // it was silenced
      if (!this.#sources.size) this.#ending();
    };
    source.start(when);
    this.#sources.add(source);
    this.#next += samples.length;
  }

  /** All that is there has been heard: that is the end, or more is awaited. */
  #ending() {
    if (this.#sources.size || this.#next < this.recording.length) return;
    if (!this.recording.complete) {
      if (this.state === "playing") this.#become("waiting");
    } else if (this.state === "playing" || this.state === "waiting") {
      this.#become("ended");
      this.#rest();
    }
  }

  #silence() {
    clearTimeout(this.#timer);
    if (!this.#out) return;
    const end = this.#context.currentTime + FADE_S;
    if (this.#context.state === "running") {
      this.#out.gain.setValueAtTime(1, this.#context.currentTime);
      this.#out.gain.linearRampToValueAtTime(0, end);
    } else this.#out.disconnect(); // else it would be heard when time goes on
    for (const source of this.#sources) source.stop(end);
    this.#sources.clear();
    this.#out = null;
  }

  /** Lets the sound card sleep, once the last sound has left it. */
  #rest() {
    this.#timer = setTimeout(() => this.#context?.suspend(), REST_MS);
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
