// The list on the left: one row a sample, made once and then only changed, so that nothing jumps.

import { givenTo } from "../actions/pointing.js";
import { fromTemplate, write, writeFile } from "../core/dom.js";
import { answerText, counted, fileName, timeLeft } from "../core/format.js";
import { select } from "../core/selection.js";
import { isAnswered, isOpen, msLeft, openLeases, state, stateOf, tasks } from "../core/state.js";
import { thumbWatcher } from "./thumbs.js";

const SOON_MS = 5 * 60_000;
const WORDS = { labelled: "done", skipped: "skipped", lapsed: "time ran out", taken: "with somebody else", open: "" };

/** The list below `parts.rows`. */
export class ListView {
  #parts;
  #rows = new Map(); // sample_id -> row
  #watcher;
  #shownSelection = null;

  constructor(parts, pictures) {
    this.#parts = parts;
    this.#watcher = thumbWatcher(parts.rows, pictures);
  }

  render() {
    const ids = new Set(state.leases.map((lease) => lease.sample_id));
    for (const [id, row] of this.#rows) {
      if (!ids.has(id)) {
        row.item.remove();
        this.#rows.delete(id);
      }
    }
    state.leases.forEach((lease, index) => {
      const row = this.#rows.get(lease.sample_id) ?? this.#add(lease);
      if (this.#parts.rows.children[index] !== row.item) {
        this.#parts.rows.insertBefore(row.item, this.#parts.rows.children[index] ?? null);
      }
      this.#show(row, lease);
    });
    const open = openLeases().length;
    const done = state.leases.filter((lease) => lease.state === "labelled").length;
    write(this.#parts.tally, state.leases.length ? `${open} open · ${done} done` : "");
    write(this.#parts.sizeText, String(state.querySize));
    if (this.#parts.size.value !== String(state.querySize)) this.#parts.size.value = String(state.querySize);
    this.#follow();
  }

  #add(lease) {
    const item = fromTemplate("row").firstElementChild;
    const button = item.querySelector("button");
    const row = {
      item, button, picture: item.querySelector("img"), file: item.querySelector(".file"),
      reason: item.querySelector(".reason"), state: item.querySelector(".state"),
    };
    button.dataset.sample = lease.sample_id;
    button.addEventListener("click", () => select(lease.sample_id));
    this.#rows.set(lease.sample_id, row);
    this.#watcher.observe(button);
    return row;
  }

  #show(row, lease) {
    const now = stateOf(lease);
    const chosen = lease.sample_id === state.selected;
    writeFile(row.file, fileName(lease.path));
    write(row.reason, now === "labelled" ? lease.answers.map((own) => answerText(own.classes)).join(" · ") : folderOf(lease.path));
    write(row.state, this.#stateText(lease, now));
    if (row.button.dataset.state !== now) row.button.dataset.state = now;
    row.button.classList.toggle("waits", lease.answers.some((own) => own.waits));
    if (row.button.title !== lease.path) row.button.title = lease.path;
    if ((row.button.getAttribute("aria-current") === "true") !== chosen) {
      if (chosen) row.button.setAttribute("aria-current", "true");
      else row.button.removeAttribute("aria-current");
    }
    const first = state.selected === null && lease === (state.leases.find(isOpen) ?? state.leases[0]);
    row.button.tabIndex = chosen || first ? 0 : -1;
  }

  #stateText(lease, now) {
    if (now !== "open") return WORDS[now];
    if (state.refused.has(lease.sample_id)) return "not saved";
    if (msLeft(lease) < SOON_MS) return timeLeft(msLeft(lease));
    if (lease.points?.length) {
      const given = givenTo(lease).length;
      return given ? `${given} of ${lease.points.length}` : counted(lease.points.length, "point");
    }
    const done = tasks().filter((spec) => isAnswered(lease, spec.task)).length;
    if (!done) return "";
    return tasks().length > 1 ? `${done} of ${tasks().length}` : "again";
  }

  /** Keep the chosen row in view, and the focus on it if the focus was in the list. */
  #follow() {
    if (state.selected === this.#shownSelection) return;
    this.#shownSelection = state.selected;
    const button = this.#rows.get(state.selected)?.button;
    if (!button) return;
    button.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (this.#parts.rows.contains(document.activeElement)) button.focus({ preventScroll: true });
  }
}

/** The folder of a path, as far as there is one. */
const folderOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
