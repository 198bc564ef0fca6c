// Tables, facts, buttons and times, as all sections of the ops page show them.

import { metricName } from "../core/format.js";
import { element } from "../start/cards.js";
import { ServiceError } from "../start/service.js";

export { element };

/** "2026-03-01 14:05" in the time of the browser, as an element; a dash for no time. */
export function when(time) {
  if (!time) return "–";
  const at = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  const made = element("time", "", `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`);
  made.dateTime = time;
  return made;
}

/** "42 s", "3 min", "2 h 05 min" between two times, the second being now if it is missing. */
export function duration(from, to) {
  if (!from) return "–";
  const seconds = Math.max(0, Math.round((new Date(to ?? Date.now()) - new Date(from)) / 1000));
  return inWords(seconds);
}

/** Seconds as people say them. */
export function inWords(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** "accuracy .917 (.800 to .979)". */
export function measured({ metric, value, low, high }) {
  return `${metricName(metric)} ${share(value)} (${share(low)} to ${share(high)})`;
}

/** Three digits, as tables of results have them. */
export const share = (value) => value.toFixed(3).replace(/^(-?)0\./, "$1.");

/** A table; cells are text or elements. Its box scrolls where there is no room, and on a phone each row is a list. */
export function table(label, columns, rows) {
  const made = element("table");
  made.setAttribute("aria-label", label);
  const head = element("tr");
  for (const name of columns) {
    const cell = element("th", "", name);
    cell.scope = "col";
    head.append(cell);
  }
  made.createTHead().append(head);
  const body = made.createTBody();
  for (const row of rows) {
    const line = element("tr", row.kind ?? "");
    for (const [index, cell] of (row.cells ?? row).entries()) {
      const box = element("td");
      box.dataset.column = columns[index] ?? ""; // where the page is narrow, each cell is a line with its name
      box.append(cell ?? "");
      line.append(box);
    }
    body.append(line);
  }
  const box = element("div", "scroll");
  box.tabIndex = 0; // scrolled by keys
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", label);
  box.append(made);
  return box;
}

/** Terms and what they are. */
export function facts(rows) {
  const list = element("dl", "facts");
  for (const [term, text, kind] of rows) {
    const row = element("div", kind ?? "");
    const answer = element("dd");
    answer.append(text ?? "–");
    row.append(element("dt", "", term), answer);
    list.append(row);
  }
  return list;
}

/** Say how the last action ended, until the next one; null: well. */
export function tell(sentence) {
  const said = document.getElementById("said");
  said.textContent = sentence ?? "";
  said.hidden = sentence === null;
}

/** A button that is busy while its action runs, and says why it was refused; `key` finds it again after a redraw. */
export function button(text, action, key, kind = "") {
  const made = element("button", `small ${kind}`, text);
  made.type = "button";
  made.dataset.key = key;
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await action();
      tell(null);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      tell(error.message);
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

/** A link below the root of the service. */
export function link(text, address) {
  const made = element("a", "", text);
  made.href = address;
  return made;
}

/** A sentence for a section with nothing in it. */
export const nothing = (sentence) => element("p", "soft", sentence);

/** Ask before something is done; resolves with the reason that was given, or null: leave it. */
export function confirmed(title, text, yes) {
  const dialog = document.getElementById("ask-dialog");
  document.getElementById("ask-title").textContent = title;
  document.getElementById("ask-text").textContent = text;
  document.getElementById("ask-yes").textContent = yes;
  const field = document.getElementById("ask-reason");
  field.value = "";
  dialog.returnValue = "no";
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes" ? field.value.trim() || "from the ops page" : null);
    dialog.showModal();
    field.focus();
  });
}
