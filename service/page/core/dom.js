// The few things done to the document: find marked parts, write only what changed, show and hide.

const TAIL = 10; // last characters of a file's name that stay in sight

/** The elements below `root` that are marked with `data-part`, by that name in camel case. */
export function partsOf(root) {
  const parts = {};
  for (const element of root.querySelectorAll("[data-part]")) {
    parts[element.dataset.part.replace(/-(.)/g, (_, letter) => letter.toUpperCase())] = element;
  }
  return parts;
}

/** A copy of a template's content. */
export function fromTemplate(id) {
  return document.getElementById(id).content.cloneNode(true);
}

/** Set the text of an element, unless it says so already. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set the text of an element to a file's name whose middle gives way where there is no room for all of it. */
export function writeFile(place, name) {
  if (place.textContent === name) return;
  const at = Math.max(0, name.length - TAIL);
  place.replaceChildren(span("head", name.slice(0, at)), span("tail", name.slice(at)));
}

/** Show an element or hide it. */
export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

/** Width of a bar in percent. */
export function fill(bar, share) {
  bar.style.setProperty("width", `${(100 * Math.min(1, Math.max(0, share || 0))).toFixed(2)}%`);
}

/** A new element with a class and text. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

const span = (className, text) => element("span", className, text);
