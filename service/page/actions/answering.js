// Answers: each is shown at once, goes to the sample that was on screen, and waits in the outbox until the service has it.

import { answerText, boxesText, counted, fileName } from "../core/format.js";
import { confirmBackground, askSkipReason } from "../core/dialogs.js";
import { toast } from "../core/messages.js";
import { recall, remember } from "../core/memory.js";
import { goOn, select } from "../core/selection.js";
import { activeTask, change, classesOf, drawnOn, isBoxed, isDrawn, isPainted, isPointed, leaseOf, selectedLease, state, stateOf, tasks, togglesOf } from "../core/state.js";
import { drawingOf } from "../draw/actions.js";
import { forgetRefusal, keepRefusal, refusal } from "./refusing.js";
import { givenTo, placesOf, pointFeatures } from "./pointing.js";

const MOST_UNDO = 50;

/** What of a drawing is sent: all of it where boxes are asked for, or where masks have every pixel that an area touches. */
const asAsked = (spec) => ({ slivers: isBoxed(spec) || Boolean(state.campaign?.settings.all_touched) });

/** The actions that answer; `outbox` keeps them, `drawing` are the actions of the drawing, `pointing` keeps points. */
export function answeringActions(campaign, outbox, drawing, pointing) {
  const memory = `undo.${campaign}`;
  change({ undo: recall(memory, [], true) });

  function note(lease, entry, key) {
    forgetRefusal(lease.sample_id);
    const { kind, given } = entry;
    const undo = { sample_id: lease.sample_id, path: lease.path, key, kind, given, at: Date.now(), tasks: (entry.labels ?? []).map((label) => label.task) };
    change({ undo: [...state.undo, undo].slice(-MOST_UNDO) });
    remember(memory, state.undo, true);
  }

  /** Answer one task of a sample. */
  function answer(lease, label, said, entry = { kind: "label" }) {
    const whole = { ...entry, sample_ids: [lease.sample_id], path: lease.path, labels: [{ sample_id: lease.sample_id, ...label }] };
    note(lease, whole, outbox.add(whole));
    if (state.toggles.has(lease.sample_id)) change({ toggles: without(state.toggles, lease.sample_id) });
    toast(`${fileName(lease.path)}: ${said}`);
    goOn(lease.sample_id);
  }

  async function saveDrawing(lease, spec) {
    const drawn = drawingOf(lease);
    if (!drawn.regions.length && !(await confirmBackground(false, isBoxed(spec)))) return;
    if (!drawn.isTouched && drawn.regions.length && state.suggestions.get(lease.sample_id)?.shown) return accept(lease);
    const names = [...new Set(drawn.regions.map((region) => region.label))];
    const said = isBoxed(spec) ? boxesText(drawn.features().features) : names.length ? answerText(names) : "all background";
    answer(lease, { task: spec.task, features: drawn.features(asAsked(spec)), crs: "pixel" }, said);
  }

  /** Answer the point that is asked, with null to leave it out; the last one of a sample sends the answer. */
  function answerPoint(lease, name) {
    if (pointing.give(lease, name)) savePoints(lease);
  }

  /** Send the points that are answered; the others are left out. */
  function savePoints(lease) {
    const given = givenTo(lease);
    const features = pointFeatures(placesOf(lease), given);
    pointing.forget(lease);
    if (!features.features.length) return skip(lease, "no point could be told", { given });
    const label = { task: activeTask().task, features, crs: "pixel", add: true, finished: true };
    return answer(lease, label, counted(features.features.length, "point"), { kind: "label", given });
  }

  function skip(lease, reason, more = {}) {
    const entry = { ...more, kind: "skip", sample_ids: [lease.sample_id], path: lease.path, reason };
    note(lease, entry, outbox.add(entry));
    toast(`${fileName(lease.path)} is left to others.`);
    goOn(lease.sample_id);
  }

  function accept(lease) {
    const suggestion = state.suggestions.get(lease.sample_id);
    const spec = activeTask();
    const ids = (suggestion?.given ?? []).filter((one) => one.task === spec.task).map((one) => one.prediction_id);
    if (!suggestion || (suggestion.given && !ids.length)) return toast("There is no suggestion for this image. Press g to ask for one.", "problem");
    const features = isDrawn(spec) ? drawingOf(lease).features(asAsked(spec)) : undefined;
    const label = { task: spec.task, classes: features ? undefined : suggestion.top ?? [], features };
    return answer(lease, label, "suggestion accepted", { kind: "accept", shown: ids.length ? ids : null });
  }

  function takeBack(last) {
    const lease = leaseOf(last.sample_id);
    const path = last.path;
    if (outbox.withdraw(last.key)) return toast(`${fileName(path)}: taken back`);
    if (last.kind === "skip") outbox.add({ kind: "unskip", sample_ids: [last.sample_id], path });
    else {
      const entry = state.outbox.find((one) => one.key === last.key);
      const ids = last.label_ids ?? entry?.answer ?? null;
      outbox.add({ kind: "retract", of: last.key, label_ids: ids, tasks: last.tasks, sample_ids: last.ids ?? [last.sample_id], path });
    }
    return toast(`${fileName(lease?.path ?? path)}: taken back`);
  }

  const actions = {
    /** Class number `index` of the task that is asked: the answer; switched on or off where several are right; or painted. */
    chooseClass: (index) => {
      if (!state.classes.size) return toast("The classes are still loading. Press the key again in a moment.", "problem");
      const name = classesOf(activeTask())[index]?.name;
      return name === undefined ? undefined : actions.chooseName(name);
    },
    chooseName: (name) => {
      const lease = selectedLease();
      const spec = activeTask();
      if (!lease || !spec) return;
      if (isPointed(lease)) answerPoint(lease, name);
      else if (isDrawn(spec)) drawing.paint(name);
      else if (spec.multi_label) {
        const on = togglesOf(lease);
        const toggled = on.includes(name) ? on.filter((one) => one !== name) : [...on, name];
        change({ toggles: new Map(state.toggles).set(lease.sample_id, toggled) });
      } else answer(lease, { task: spec.task, classes: [name] }, name);
    },

    /** Save what is switched on or drawn; where nothing is, take the suggestion. */
    save: () => {
      const lease = selectedLease();
      const spec = activeTask();
      if (!lease || !spec) return undefined;
      if (isPointed(lease)) return givenTo(lease).some(Boolean) ? savePoints(lease) : undefined;
      if (isDrawn(spec)) return saveDrawing(lease, spec);
      const on = spec.multi_label ? togglesOf(lease) : [];
      if (on.length) {
        const classes = spec.classes.filter((name) => on.includes(name));
        return answer(lease, { task: spec.task, classes }, answerText(classes));
      }
      if (state.suggestions.has(lease.sample_id)) return accept(lease);
      if (spec.multi_label) toast("No class is switched on. Press n if none of them is here.", "problem");
      return undefined;
    },

    accept: () => {
      const lease = selectedLease();
      if (!lease || isPointed(lease)) return;
      if (isDrawn(activeTask()) && drawnOn(lease.sample_id)?.isTouched) saveDrawing(lease, activeTask());
      else accept(lease);
    },

    nothing: async () => {
      const lease = selectedLease();
      const spec = activeTask();
      if (!lease || !spec) return;
      if (isPointed(lease)) answerPoint(lease, null);
      else if (!isDrawn(spec)) {
        answer(lease, { task: spec.task, classes: [] }, spec.multi_label ? "nothing here" : "none of these");
      } else if (await confirmBackground(drawingOf(lease).regions.length > 0, isBoxed(spec))) {
        const features = { type: "FeatureCollection", features: [] };
        answer(lease, { task: spec.task, features, crs: "pixel" }, isBoxed(spec) ? "no object" : "all background");
      }
    },

    skip: async () => {
      const lease = selectedLease();
      if (!lease || ["labelled", "skipped"].includes(stateOf(lease))) return;
      const reason = await askSkipReason();
      if (reason !== null) skip(lease, reason);
    },

    /** Save the points that were answered of samples that are not asked any more. */
    saveEnded: () => {
      if (!state.loaded) return;
      const spec = tasks().find(isPainted);
      for (const { sample_id, path, places, given } of pointing.ended()) {
        const features = pointFeatures(places, given);
        if (features.features.length) outbox.add({ kind: "label", sample_ids: [sample_id], path, labels: [{ sample_id, task: spec.task, features, crs: "pixel", add: true }] });
      }
    },

    /** Give one class to several samples at once. */
    labelAll: (samples, spec, name) => {
      const labels = samples.map(({ sample_id }) => ({ sample_id, task: spec.task, classes: [name] }));
      const entry = { kind: "label", sample_ids: samples.map((one) => one.sample_id), path: `${samples.length} images`, labels };
      const key = outbox.add(entry);
      const undo = { sample_id: samples[0].sample_id, ids: entry.sample_ids, path: entry.path, key, kind: "label", at: Date.now(), tasks: [spec.task] };
      change({ undo: [...state.undo, undo].slice(-MOST_UNDO) });
      remember(memory, state.undo, true);
      toast(`${samples.length} images: ${name}`);
    },

    undo: () => {
      if (drawing.undoStroke()) return;
      const last = state.undo.at(-1);
      const pointed = pointing.undo(last?.at ?? 0);
      if (pointed) select(pointed.sample_id);
      if (pointed || !last) return;
      change({ undo: state.undo.slice(0, -1) });
      remember(memory, state.undo, true);
      takeBack(last);
      if (leaseOf(last.sample_id)) {
        const lease = leaseOf(last.sample_id);
        if (last.given) pointing.restore(lease, last.given.slice(0, (lease.points?.length ?? 0) - 1)); // Enter may have saved fewer
        select(last.sample_id);
        if (last.tasks[0]) change({ task: last.tasks[0] });
      }
    },

    /** The service has an entry: later ones can name its labels. */
    saved: (entry, result) => {
      if (!Array.isArray(result)) return;
      change({ undo: state.undo.map((one) => (one.key === entry.key ? { ...one, label_ids: result } : one)) });
      remember(memory, state.undo, true);
    },

    /** The service refused an entry for good. */
    refused: (entry, error) => {
      change({ undo: state.undo.filter((one) => one.key !== entry.key) });
      remember(memory, state.undo, true);
      const said = refusal(entry, error);
      keepRefusal(entry, said);
      toast(`${fileName(entry.path ?? "")}: not saved. ${said}`, "problem");
    },
  };
  return actions;
}

function without(map, key) {
  const left = new Map(map);
  left.delete(key);
  return left;
}
