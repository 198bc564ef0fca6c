// One's own labels, and samples found by name: a second list beside the one of leased samples.

import { ApiError } from "../net/api.js";
import { element, fromTemplate, show, write, writeFile } from "../core/dom.js";
import { answerText, fileName } from "../core/format.js";
import { toast } from "../core/messages.js";
import { select } from "../core/selection.js";
import { change, drawnOn, heldLease, state, tasks } from "../core/state.js";
import { kindOf, setDrawing } from "../draw/actions.js";
import { namesIn } from "../outbox/pending.js";
import { thumbWatcher } from "./thumbs.js";

const TYPING_MS = 250;

/** The history and the search by name. */
export class FinderView {
  #parts;
  #api;
  #tab = "yours";
  #timer = null;
  #asked = 0;
  #watcher;

  constructor(parts, api, pictures) {
    this.#parts = parts;
    this.#api = api;
    this.#watcher = thumbWatcher(parts.found, pictures);
    parts.search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#look(), TYPING_MS);
    });
    parts.search.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      parts.search.value = "";
      parts.search.blur();
      this.#look();
    });
  }

  /** "yours": leased samples; "history": what one has answered, newest first. Ends a search. */
  tab(name) {
    this.#tab = name;
    this.#parts.search.value = "";
    this.#look();
  }

  async #look() {
    const text = this.#parts.search.value.trim();
    const isFound = Boolean(text) || this.#tab === "history";
    for (const button of this.#parts.tabs.children) button.setAttribute("aria-pressed", String(!text && button.dataset.tab === this.#tab));
    show(this.#parts.rows, !isFound);
    show(this.#parts.found, isFound);
    const asked = ++this.#asked;
    if (!isFound) return undefined;
    try {
      const rows = text ? (await this.#api.search(text)).samples.map(found) : await this.#history();
      if (asked !== this.#asked) return undefined;
      this.#watcher.disconnect();
      this.#parts.found.replaceChildren(...rows.map((row) => this.#row(row)));
      if (!rows.length) this.#parts.found.append(element("li", "soft none", text ? "No sample has this in its name." : "You have not answered anything yet."));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#parts.found.replaceChildren(element("li", "soft none", error.message));
    }
    return undefined;
  }

  async #history() {
    const { labels } = await this.#api.history();
    return labels.filter((label) => label.annotator === this.#api.annotator).map((label) => ({
      sample_id: label.sample_id, path: label.path, said: answerText(label.classes ?? namesIn(label.features)),
    }));
  }

  #row({ sample_id: id, path, said }) {
    const item = fromTemplate("row").firstElementChild;
    const button = item.querySelector("button");
    button.title = path;
    button.tabIndex = 0;
    button.dataset.sample = id;
    writeFile(item.querySelector(".file"), fileName(path));
    write(item.querySelector(".reason"), said);
    button.addEventListener("click", () => this.open(id, path));
    this.#watcher.observe(button);
    return item;
  }

  /** Show any sample of the campaign, with one's own answers, so that they can be changed. */
  async open(id, path) {
    if (heldLease(id)) return select(id);
    try {
      const [facts, labels] = await Promise.all([this.#api.view(id), this.#api.labelsOf(id)]);
      if (!facts) return toast("This service cannot show single samples yet.", "problem");
      const own = currentOf(labels, this.#api.annotator);
      const answers = own.map(({ task, label_id, classes, features }) => ({ task, label_id, classes: classes ?? namesIn(features) }));
      const visit = {
        sample_id: id, path: facts.path ?? path, width: facts.width, height: facts.height, answers, reason: null,
        state: answers.length ? "labelled" : "open", score: null, version: null, expires_at: null,
      };
      change({ visits: new Map(state.visits).set(id, visit) });
      for (const { task, features, crs } of own) {
        const spec = tasks().find((one) => one.task === task);
        if (!features || crs !== "pixel" || !spec || drawnOn(id, spec)) continue;
        setDrawing(id, kindOf(spec).from(features, facts.width, facts.height), spec);
      }
      return select(id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return toast(error.message, "problem");
    }
  }
}

/** The state stays unsaid: it would tell which samples are the test reserve. */
const found = ({ sample_id, path }) => ({ sample_id, path, said: "" });

/** The newest label of each task of an annotator that was not withdrawn. */
function currentOf(events, annotator) {
  const newest = new Map();
  for (const event of events.filter((one) => one.annotator === annotator)) newest.set(event.task, event);
  return [...newest.values()].filter((event) => event.retracts === null);
}
