// The samples of a speech as they come, and their outline.

/** Values of the outline in a second. */
export const OUTLINE_HZ = 100;

export class Recording {
  #pieces = []; // {at: index of its first sample, samples}
  #block;
  #peak = 0;

  /** `rate`: hertz. */
  constructor(rate) {
    this.rate = rate;
    this.length = 0; // samples
    this.complete = false;
    this.outline = []; // the loudest sample of each block, 0 to 1
    this.#block = Math.round(rate / OUTLINE_HZ);
  }

  get duration() {
    return this.length / this.rate;
  }

  append(samples) {
    if (!samples.length) return;
    for (let i = 0; i < samples.length; i++) {
      this.#peak = Math.max(this.#peak, Math.abs(samples[i]));
      if ((this.length + i + 1) % this.#block === 0) {
        this.outline.push(this.#peak / 32768);
        this.#peak = 0;
      }
    }
    this.#pieces.push({at: this.length, samples});
    this.length += samples.length;
  }

  /** What there is from a sample on, until the end of the piece that it is in. */
  from(index) {
    let low = 0, high = this.#pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#pieces[middle].at <= index) low = middle;
      else high = middle - 1;
    }
    const {at, samples} = this.#pieces[low];
    return samples.subarray(index - at);
  }
}
