// What the page says: short-lived toasts for what was done, one banner for trouble that lasts.

import { element, show, write } from "./dom.js";

const TOAST_MS = 4000;
const MOST_TOASTS = 2;
const LEFT_MS = 1000;

/** Say one sentence for a few seconds. `kind`: "done" or "problem". Returns what takes it away sooner. */
export function toast(text, kind = "done") {
  const area = document.getElementById("toasts");
  const made = element("p", `toast ${kind}`, text);
  made.dataset.at = String(performance.now());
  for (const done of area.querySelectorAll(".done")) done.remove(); // only the last thing done is news
  area.append(made);
  while (area.children.length > MOST_TOASTS) area.firstElementChild.remove();
  setTimeout(() => made.remove(), kind === "problem" ? 2 * TOAST_MS : TOAST_MS);
  return () => made.remove();
}

/** Drop what was said before this tab was left; what is said on leaving it is read in the other one, or not at all. */
addEventListener("focus", () => {
  const now = performance.now();
  for (const one of document.querySelectorAll("#toasts .done")) if (now - Number(one.dataset.at) > LEFT_MS) one.remove();
});

/** Keep one sentence at the top; null takes it away. */
export function banner(text) {
  const area = document.getElementById("banner");
  write(area, text ?? "");
  show(area, text !== null);
}
