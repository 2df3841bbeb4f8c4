// The few things that every part of the page needs of the document.

export const $ = id => document.getElementById(id);

/** An element with these attributes; text among its children stays text, whatever is in it. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Changes a node's text only where it differs, so that nothing is announced twice. */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Calls `then` once nothing has called it for `ms` milliseconds. */
export function settled(then, ms) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(then, ms);
  };
}

export const count = value => value.toLocaleString("en");

/** 75.3 seconds: "1:15". */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** 75.3 seconds, for those who listen: "1 minute 15 seconds". */
export function spoken(seconds) {
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60);
  const some = (value, unit) => `${value} ${unit}${value === 1 ? "" : "s"}`;
  return minutes ? `${some(minutes, "minute")} ${some(whole % 60, "second")}` : some(whole, "second");
}
