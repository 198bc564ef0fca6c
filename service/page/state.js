// Everything the page knows, in one object; views are told after each change.

export const state = {
  campaign: null, // as the service shows it
  annotator: "",
  leases: [], // of this annotator, best first, ended ones included
  loaded: false, // whether the leases were read at least once
  selected: null, // sample_id
  overlay: "none",
  querySize: 10,
  toggles: [], // classes switched on for the selected sample, where several may be given
  suggestions: new Map(), // sample_id -> { text, shown }: what was suggested, ids of the predictions shown
  undo: [], // what can be taken back, newest last
  clockOffset: 0, // service's time minus ours, ms
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
  return lease.state === "open" && msLeft(lease) <= 0 ? "lapsed" : lease.state;
}

export const isOpen = (lease) => stateOf(lease) === "open";
export const openLeases = () => state.leases.filter(isOpen);
export const leaseOf = (sampleId) => state.leases.find((lease) => lease.sample_id === sampleId) ?? null;
export const selectedLease = () => leaseOf(state.selected);

/** Replace fields of one lease. */
export function changeLease(sampleId, part) {
  change({ leases: state.leases.map((lease) => (lease.sample_id === sampleId ? { ...lease, ...part } : lease)) });
}

/** Choose a sample; what was switched on for the one before is dropped. */
export function select(sampleId) {
  if (sampleId === state.selected) return;
  const own = leaseOf(sampleId)?.answers.find((answer) => answer.task === "classification");
  change({ selected: sampleId, toggles: own ? [...own.classes] : [] });
}

/** Choose the sample `steps` further down the list. */
export function step(steps) {
  const at = state.leases.findIndex((lease) => lease.sample_id === state.selected);
  const next = state.leases[at < 0 ? 0 : at + steps];
  if (next) select(next.sample_id);
}

/** Choose the next open sample after the selected one, from the top again at the end; none is left: no selection. */
export function selectNextOpen() {
  const at = state.leases.findIndex((lease) => lease.sample_id === state.selected);
  const ahead = [...state.leases.slice(at + 1), ...state.leases.slice(0, Math.max(0, at))];
  select(ahead.find(isOpen)?.sample_id ?? null);
}

/** The classification task of the campaign, or null. */
export const classification = () => state.campaign?.tasks.find((task) => task.task === "classification") ?? null;

/** The segmentation task of the campaign, or null. */
export const segmentation = () => state.campaign?.tasks.find((task) => task.task === "segmentation") ?? null;

/** The tasks that may be answered with "nothing here". */
export function emptyAnswers(sampleId) {
  const answers = [];
  if (classification()?.multi_label) answers.push({ sample_id: sampleId, task: "classification", classes: [] });
  if (segmentation()) {
    const features = { type: "FeatureCollection", features: [] };
    answers.push({ sample_id: sampleId, task: "segmentation", features });
  }
  return answers;
}
