// Tabs, as the ARIA Authoring Practices describe them: arrow keys go through, and choose.

/** Tells of a panel that comes to be seen: "show", with its `id`. */
export class Tabs extends EventTarget {
  #tabs;

  constructor(list) {
    super();
    this.#tabs = [...list.querySelectorAll("[role=tab]")];
    list.addEventListener("click", event => {
      const tab = event.target.closest("[role=tab]");
      if (tab) this.show(tab.getAttribute("aria-controls"));
    });
    list.addEventListener("keydown", event => {
      const at = this.#tabs.indexOf(document.activeElement), count = this.#tabs.length;
      const to = {
        ArrowLeft: (at + count - 1) % count, ArrowRight: (at + 1) % count, Home: 0, End: count - 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.#tabs[to].focus();
      this.show(this.#tabs[to].getAttribute("aria-controls"));
    });
  }

  get shown() {
    return this.#tabs.find(tab => tab.getAttribute("aria-selected") === "true").getAttribute("aria-controls");
  }

  show(id) {
    for (const tab of this.#tabs) {
      const panel = tab.getAttribute("aria-controls"), chosen = panel === id;
      tab.setAttribute("aria-selected", `${chosen}`);
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen) tab.scrollIntoView({block: "nearest", inline: "nearest"});
      document.getElementById(panel).hidden = !chosen;
    }
    this.dispatchEvent(Object.assign(new Event("show"), {id}));
  }
}
