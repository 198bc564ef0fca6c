// Which sample is on screen, and which task of it is asked.

import { activeTask, change, isOpen, isPainted, leaseOf, nextTask, state, tasks } from "./state.js";

/** Choose a sample, and the task of it that is asked first. */
export function select(sampleId) {
  if (sampleId === state.selected) return;
  const lease = leaseOf(sampleId);
  change({ selected: sampleId, task: (lease && nextTask(lease)?.task) ?? usualTask(lease) });
}

const usualTask = (lease) => (lease?.points?.length ? tasks().find(isPainted) : tasks()[0])?.task ?? null;

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

/** After an answer: the next task of the same sample, or the next sample. */
export function goOn(sampleId) {
  if (state.selected !== sampleId) return;
  const lease = leaseOf(sampleId);
  const next = lease && lease.state === "open" ? nextTask(lease) : null;
  if (next && next.task !== activeTask()?.task) change({ task: next.task });
  else selectNextOpen();
}
