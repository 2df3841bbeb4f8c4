// A slider over factors, with the normal one in its middle.

const rounded = value => Math.round(value * 1000) / 1000;

/** `count` steps from one factor to another, both included. */
export const steps = (from, to, count) =>
  Array.from({length: count + 1}, (_, step) => rounded(from + (to - from) * step / count));

/** Tells of each change: "change". */
export class Slider extends EventTarget {
  #input;
  #reset;
  #values;

  /** `values`: in their order, 1 among them; `reset`: a button that shows the value. */
  constructor(input, reset, values) {
    super();
    Object.assign(input, {min: 0, max: values.length - 1, step: 1});
    this.#input = input;
    this.#reset = reset;
    this.#values = values;
    input.addEventListener("input", () => this.#changed());
    reset.addEventListener("click", () => {
      this.value = 1;
      this.#changed();
      input.focus();
    });
    this.value = 1;
  }

  get value() {
    return this.#values[this.#input.value];
  }

  /** The next one that the slider has. */
  set value(value) {
    const distance = at => Math.abs(this.#values[at] - value);
    this.#input.value = this.#values.reduce((best, _, at) => distance(at) < distance(best) ? at : best, 0);
    this.#show();
  }

  #changed() {
    this.#show();
    this.dispatchEvent(new Event("change"));
  }

  #show() {
    this.#reset.textContent = `${this.value}×`;
    this.#reset.disabled = this.value === 1;
    this.#input.setAttribute("aria-valuetext", `${this.value} times`);
    this.#input.style.setProperty("--part", `${100 * this.#input.value / this.#input.max}%`);
  }
}
