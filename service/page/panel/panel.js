// The right side: why this sample, the answer, and what else can be done with it.

import { givenTo } from "../actions/pointing.js";
import { element, show, write } from "../core/dom.js";
import { answerText, counted, fileName, folderInBatch, timeLeft } from "../core/format.js";
import { activeTask, answerOf, drawnOn, draws, isAnswered, isBoxed, isDrawn, isPointed, msLeft, selectedLease, state, stateOf, tasks, togglesOf } from "../core/state.js";
import { waiting } from "../outbox/outbox.js";

const TIME_WORDS = { labelled: "done", skipped: "skipped by you", lapsed: "time ran out", taken: "somebody else has it" };
const SOON_MS = 5 * 60_000;
const TASK_WORDS = { classification: "Class", segmentation: "Areas", detection: "Objects" };

/** The panel around the classes. */
export class PanelView {
  #parts;
  #tasksOf = "";
  #noticesOf = "";

  constructor(parts) {
    this.#parts = parts;
  }

  render() {
    const lease = selectedLease();
    const spec = activeTask();
    const parts = this.#parts;
    parts.panel.classList.toggle("idle", !lease);
    parts.panel.classList.toggle("points", isPointed(lease));
    this.#showWhy(lease);
    this.#showTasks(lease);
    this.#showSuggestion(lease, spec);
    this.#showTools(lease);
    const now = lease ? stateOf(lease) : null;
    show(parts.renew, now === "lapsed");
    show(parts.save, Boolean(spec?.multi_label) || isDrawn(spec));
    const points = isPointed(lease) ? givenTo(lease) : null;
    write(parts.saveText, points ? `Save ${counted(points.filter(Boolean).length, "point")}` : isBoxed(spec) ? "Save boxes" : isDrawn(spec) ? "Save drawing" : "Save");
    parts.save.disabled = !lease || (points ? !points.some(Boolean) : !isDrawn(spec) && !togglesOf(lease).length);
    write(parts.nothingText, points ? "Leave out" : isBoxed(spec) ? "No object" : isDrawn(spec) ? "All background" : spec?.multi_label ? "Nothing here" : "None of these");
    write(parts.skipText, points ? "Skip image" : "Skip");
    parts.skip.disabled = !lease || now === "labelled" || now === "skipped";
    show(parts.alike, !isDrawn(spec)); // one class for several images: there is no such thing for areas
    parts.nothing.disabled = parts.comment.disabled = !lease;
    this.#showScaneo(lease);
    const last = state.undo.at(-1);
    const strokes = lease && draws() ? drawnOn(lease.sample_id)?.past.length : 0;
    parts.undo.disabled = !last && !strokes && !points?.length;
    const what = strokes ? "Undo stroke" : points?.length ? "Undo point" : last ? `Undo ${fileName(last.path)}` : "Undo";
    write(parts.undoText, what);
    parts.undo.title = what;
    this.#showRefusal(lease);
    this.#showQueue();
  }

  /** Only what changes every second. */
  renderTime() {
    const lease = selectedLease();
    const now = lease ? stateOf(lease) : null;
    const left = lease?.expires_at ? timeLeft(msLeft(lease)) : "–";
    write(this.#parts.time, lease ? (TIME_WORDS[now] ?? left) : "–");
    this.#parts.time.classList.toggle("soon", now === "lapsed" || (now === "open" && lease.expires_at && msLeft(lease) < SOON_MS));
  }

  #showWhy(lease) {
    const parts = this.#parts;
    write(parts.reason, lease ? lease.reason ?? "Opened by name." : "No sample is selected.");
    write(parts.version, lease?.reason ? chosenBy(lease.version) : "–");
    this.renderTime();
  }

  /** The tasks of a sample, where there are several, and which are answered. */
  #showTasks(lease) {
    const all = tasks();
    show(this.#parts.tasks, all.length > 1);
    if (all.length < 2) return;
    const done = lease ? all.filter((spec) => isAnswered(lease, spec.task)).length : 0;
    write(this.#parts.tasksDone, lease ? `${done} of ${all.length} answered` : "");
    const names = all.map((spec) => spec.task).join();
    if (names !== this.#tasksOf) {
      this.#tasksOf = names;
      this.#parts.taskButtons.replaceChildren(...all.map((spec) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.task = spec.task;
        return button;
      }));
    }
    for (const button of this.#parts.taskButtons.children) {
      const { task } = button.dataset;
      const own = answerOf(lease, task);
      const mark = own ? ` ✓ ${answerText(own.classes)}` : isAnswered(lease, task) ? " ✓" : "";
      write(button, (TASK_WORDS[task] ?? task) + mark);
      button.setAttribute("aria-pressed", String(task === activeTask()?.task));
    }
  }

  /** Where the sample is in SCANEO, and what annotators have to put right there. */
  #showScaneo(lease) {
    const parts = this.#parts;
    const isThere = Boolean(lease?.scaneo_url);
    const notices = state.progress?.notices ?? [];
    const folder = isThere ? folderInBatch(lease) : null;
    show(parts.scaneo, isThere || notices.length > 0);
    show(parts.inScaneo, isThere);
    show(parts.folder, folder !== null);
    write(parts.folder, folder === null ? "" : `Folder ${folder} of your batch.`);
    show(parts.notices, notices.length > 0);
    if (notices.join("\n") === this.#noticesOf) return;
    this.#noticesOf = notices.join("\n");
    parts.notices.replaceChildren(...notices.map((text) => element("li", "", text)));
  }

  #showTools(lease) {
    const parts = this.#parts;
    const isShown = draws() && Boolean(lease);
    show(parts.tools, isShown);
    show(parts.tools.querySelector("[data-action=fill]"), !isBoxed(activeTask()));
    show(parts.brushSize, isShown && (state.tool === "brush" || state.tool === "erase"));
    for (const button of parts.tools.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === state.tool));
      show(button, !isBoxed(activeTask()) || button.dataset.tool === "box");
    }
  }

  #showSuggestion(lease, spec) {
    const parts = this.#parts;
    const model = state.campaign?.current_model;
    const suggestion = lease ? state.suggestions.get(lease.sample_id) : undefined;
    const isEdited = lease && isDrawn(spec) && drawnOn(lease.sample_id)?.isTouched;
    show(parts.suggestion, !isPointed(lease));
    show(parts.accept, suggestion !== undefined && !isEdited);
    parts.suggest.disabled = !lease || !model;
    const next = state.progress?.next_round?.sentence ?? state.campaign?.next_round?.sentence;
    const none = next ? `There is no model yet: ${next}.` : "There is no model yet: the first comes with enough labels.";
    write(parts.suggestionText, suggestion?.text ?? (model ? "The model can propose an answer." : none));
  }

  #showRefusal(lease) {
    const said = lease && state.refused.get(lease.sample_id);
    show(this.#parts.refused, Boolean(said));
    write(this.#parts.refused, said ? `Not saved. ${said}` : "");
  }

  #showQueue() {
    const left = waiting();
    const stuck = left.filter((entry) => entry.tried && entry.state === "waiting").length;
    show(this.#parts.queue, left.length > 0);
    const lost = state.unkept ? " This browser cannot store them: keep this page open." : "";
    const why = state.sendingTrouble ? ` ${state.sendingTrouble}` : stuck ? ` ${left.length === 1 ? "It is" : "They are"} sent when the service is back.` : "";
    write(this.#parts.queue, left.length ? `${left.length} ${left.length === 1 ? "answer waits" : "answers wait"} to be saved.${why}${lost}` : "");
  }
}

function chosenBy(version) {
  if (version === null || version === undefined) return "chance";
  if (version.startsWith("head:")) return "the newest labels";
  return version.startsWith("features") ? "image features" : `model ${version}`;
}
