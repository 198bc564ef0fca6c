// Everything the page knows, in one object; views are told after each change.

import { withPending } from "../outbox/pending.js";

export const state = {
  campaign: null, // as the service shows it
  annotator: "",
  served: [], // leases as the service gave them, best first, ended ones included
  leases: [], // the same with the answers that still wait to be sent
  outbox: [], // answers on their way: see outbox/outbox.js
  visits: new Map(), // sample_id -> something like a lease: samples opened from history, search or look-alikes
  missing: false, // whether there is no campaign of this name
  loaded: false, // whether the leases were read at least once
  selected: null, // sample_id
  task: null, // name of the task that keys answer now
  classes: new Map(), // task -> [{name, colour, description, retired, examples}]
  guidelines: "",
  paint: null, // name of the class that is drawn
  tool: null, // drawing tool, or null
  overlay: "none", // what the annotator wants over the image
  overlaid: false, // whether a picture of the model lies over the image
  views: [], // ways to see the images: [{name, title, key}]
  view: null, // name of the one shown
  synthetic: null, // the view whose pixels a model makes up: {name, extra_zooms, words}, or null
  stretch: null, // "image", "campaign" or null: as the campaign has it
  usualStretch: "campaign", // how the campaign has it
  gamma: null, // chosen here, or null: as the campaign has it
  usualGamma: 1,
  around: false, // whether neighbours are shown
  opacity: 0.45, // of what lies over the image
  brushPx: 24, // diameter on the screen
  unkept: false, // whether this browser refuses to store answers that wait
  sendingTrouble: null, // why the service takes no answers, in its words
  querySize: 10,
  unit: null, // "image" or "point": what new samples are asked about; null: as the campaign has it
  toggles: new Map(), // sample_id -> classes switched on, where several may be given
  drawings: new Map(), // sample_id and task -> Drawing
  pointed: new Map(), // sample_id -> answers of its points so far: see actions/pointing.js
  whole: false, // whether all of the image is shown while one of its points is asked
  suggestions: new Map(), // sample_id -> { text, shown, top }: what was suggested, ids of the predictions shown
  refused: new Map(), // sample_id -> why the service did not take the last answer
  undo: [], // what can be taken back, newest last
  clockOffset: 0, // service's time minus ours, ms
  progress: null, // as the service counts it
  curve: [],
  round: null, // the round that runs, with its progress
  exhausted: null, // why the last query gave nothing
};

const listeners = new Set();
let told = true;

/** Call `listener` after changes. */
export function onChange(listener) {
  listeners.add(listener);
}

/** Change some of the state; all changes of one turn are shown together. */
export function change(part) {
  Object.assign(state, part);
  if ("served" in part || "outbox" in part || "campaign" in part) {
    state.leases = withPending(state.served, state.outbox, tasks().map((spec) => spec.task));
  }
  if (!told) return;
  told = false;
  queueMicrotask(() => {
    told = true;
    for (const listener of listeners) listener();
  });
}

/** Milliseconds until a lease ends, by the service's clock. */
export function msLeft(lease) {
  return Date.parse(lease.expires_at) - (Date.now() + state.clockOffset);
}

/** State of a lease now: an open one lapses between two answers of the service. */
export function stateOf(lease) {
  return lease.state === "open" && lease.expires_at && msLeft(lease) <= 0 ? "lapsed" : lease.state;
}

export const isOpen = (lease) => stateOf(lease) === "open";
export const openLeases = () => state.leases.filter(isOpen);
export const heldLease = (sampleId) => state.leases.find((lease) => lease.sample_id === sampleId) ?? null;
export const leaseOf = (sampleId) => heldLease(sampleId) ?? visitOf(sampleId);
export const selectedLease = () => leaseOf(state.selected);

function visitOf(sampleId) {
  const visit = state.visits.get(sampleId);
  return visit ? withPending([visit], state.outbox, tasks().map((spec) => spec.task))[0] : null;
}

/** The tasks of the campaign. */
export const tasks = () => state.campaign?.tasks ?? [];

/** The task that keys answer now, or null. */
export const activeTask = () => tasks().find((spec) => spec.task === state.task) ?? tasks()[0] ?? null;

/** Whether a task is answered by drawing. */
export const isDrawn = (spec) => spec?.task !== "classification";

/** Whether a task is answered with boxes around objects. */
export const isBoxed = (spec) => spec?.task === "detection";

/** Whether a task is answered by drawing areas; only of these single pixels can be asked. */
export const isPainted = (spec) => isDrawn(spec) && !isBoxed(spec);

/** What is drawn on a sample for a task, or undefined. */
export const drawnOn = (sampleId, spec = activeTask()) => state.drawings.get(`${sampleId} ${spec?.task}`);

/** Whether a sample is asked about single pixels, in the task that keys answer now. */
export const isPointed = (lease) => Boolean(lease?.points?.length) && isPainted(activeTask());

/** Whether the sample on screen is answered by drawing. */
export const draws = () => isDrawn(activeTask()) && !isPointed(selectedLease());

/** What new samples are asked about, where a campaign leaves the choice; else undefined. */
export const unitAsked = () => (tasks().some(isPainted) ? state.unit ?? state.campaign.settings.query?.unit ?? "image" : undefined);

/** What lies over the image: a suggested class is marked among the classes, there is no picture of it. */
export const shownOverlay = () => (state.overlay === "suggestion" && !draws() ? "none" : state.overlay);

/** The classes of a task that may be given, with what the campaign says of them. */
export const classesOf = (spec) => (spec ? (state.classes.get(spec.task) ?? []).filter((one) => !one.retired) : []);

/** The annotator's answer for a task of a sample, or null. */
export const answerOf = (lease, task) => lease?.answers.find((own) => own.task === task) ?? null;

/** Whether a task of a sample needs no answer any more. */
export const isAnswered = (lease, task) => Boolean(answerOf(lease, task) || lease?.tasks?.[task]?.answered);

/** The first task of a sample without an answer, or null; points are asked also where there are answers already. */
export function nextTask(lease) {
  if (lease.points?.length) return lease.state === "labelled" ? null : tasks().find(isPainted) ?? null;
  return tasks().find((spec) => !isAnswered(lease, spec.task)) ?? null;
}

/** Classes switched on for a sample: what was toggled, else what was answered. */
export function togglesOf(lease) {
  return state.toggles.get(lease.sample_id) ?? answerOf(lease, "classification")?.classes ?? [];
}

/** Zooms beyond 1:1 that the view on screen has, whose pixels a model makes up. */
export const madeZooms = () => (state.synthetic && state.view === state.synthetic.name ? state.synthetic.extra_zooms : 0);
