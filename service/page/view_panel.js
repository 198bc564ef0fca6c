// The right side: why this sample, the answer, and what else can be done with it.

import { element, show, write } from "./dom.js";
import { answerText, fileName, timeLeft } from "./format.js";
import { classification, emptyAnswers, msLeft, segmentation, selectedLease, state, stateOf } from "./state.js";

const TIME_WORDS = { labelled: "done", skipped: "skipped by you", lapsed: "time ran out", taken: "somebody else has it" };
const SOON_MS = 5 * 60_000;

/** The panel; `chooseClass` is told the number of a class whose button was pressed. */
export class PanelView {
  #parts;
  #chooseClass;
  #buttons = [];
  #classesOf = "";

  constructor(parts, chooseClass) {
    this.#parts = parts;
    this.#chooseClass = chooseClass;
  }

  render() {
    const lease = selectedLease();
    const parts = this.#parts;
    parts.panel.classList.toggle("idle", !lease);
    this.#makeClasses();
    this.#showWhy(lease);
    this.#showClasses(lease);
    this.#showSuggestion(lease);
    const now = lease ? stateOf(lease) : null;
    show(parts.renew, now === "lapsed");
    show(parts.drawTitle, Boolean(segmentation()));
    write(parts.drawTitle, drawTitle(lease));
    show(parts.nothing, emptyAnswers(0).length > 0);
    parts.skip.disabled = !lease || now === "labelled" || now === "skipped";
    parts.nothing.disabled = parts.open.disabled = !lease;
    show(parts.batch, Boolean(lease?.scaneo_url));
    const last = state.undo.at(-1);
    parts.undo.disabled = !last;
    const what = last ? `Undo ${fileName(last.path)} ` : "Undo ";
    if (parts.undo.firstChild.nodeValue !== what) parts.undo.firstChild.nodeValue = what;
  }

  /** Only what changes every second. */
  renderTime() {
    const lease = selectedLease();
    const now = lease ? stateOf(lease) : null;
    write(this.#parts.time, lease ? (TIME_WORDS[now] ?? timeLeft(msLeft(lease))) : "–");
    this.#parts.time.classList.toggle("soon", now === "lapsed" || now === "open" && msLeft(lease) < SOON_MS);
  }

  #showWhy(lease) {
    const parts = this.#parts;
    write(parts.reason, lease?.reason ?? "No sample is selected.");
    write(parts.score, lease?.score == null ? "–" : lease.score.toFixed(2));
    write(parts.version, lease ? askedBy(lease.version) : "–");
    this.renderTime();
  }

  #makeClasses() {
    const task = classification();
    const key = JSON.stringify(task);
    if (key === this.#classesOf) return;
    this.#classesOf = key;
    show(this.#parts.quick, Boolean(task));
    write(this.#parts.question, task?.multi_label ? "What is here?" : "Which class is it?");
    show(this.#parts.save, Boolean(task?.multi_label));
    this.#buttons = (task?.classes ?? []).map((name, index) => {
      const button = element("button", "class");
      button.type = "button";
      button.append(element("span", "", name));
      if (index < 10) button.append(element("kbd", "", String((index + 1) % 10)));
      button.addEventListener("click", () => this.#chooseClass(index));
      return button;
    });
    this.#parts.classes.replaceChildren(...this.#buttons);
    this.#parts.classes.classList.toggle("two", this.#buttons.length > 6);
  }

  #showClasses(lease) {
    const task = classification();
    if (!task) return;
    const answered = lease?.answers.find((own) => own.task === "classification")?.classes ?? [];
    const on = task.multi_label ? state.toggles : answered;
    this.#buttons.forEach((button, index) => {
      button.disabled = !lease;
      button.setAttribute("aria-pressed", String(Boolean(lease) && on.includes(task.classes[index])));
    });
    this.#parts.save.disabled = !lease || !state.toggles.length;
  }

  #showSuggestion(lease) {
    const parts = this.#parts;
    const model = state.campaign?.current_model;
    const said = lease ? state.suggestions.get(lease.sample_id)?.text : undefined;
    show(parts.accept, said !== undefined);
    parts.suggest.disabled = !lease || !model;
    const otherwise = model ? "The model can propose an answer." : "There is no model yet: the first comes with enough labels.";
    write(parts.suggestionText, said ?? otherwise);
  }
}

function askedBy(version) {
  if (version === null) return "chance";
  return version === "features" ? "features" : `model ${version}`;
}

function drawTitle(lease) {
  const own = lease?.answers.find((answer) => answer.task === "segmentation");
  return own ? `Drawn: ${answerText(own.classes)}` : "Draw in SCANEO";
}
