// What answers that still wait do to the samples on the list, so that the page need not wait for the service.

/**
 * Leases as they will be when everything that waits is saved.
 *
 * `outbox` holds entries in the order they were made: {kind, sample_ids, labels, of, ...}; `taskNames` are the tasks
 * that a sample is asked for.
 */
export function withPending(leases, outbox, taskNames) {
  if (!outbox.length) return leases;
  return leases.map((lease) => outbox.reduce((shown, entry) => applied(shown, entry, taskNames), lease));
}

function applied(lease, entry, taskNames) {
  if (!entry.sample_ids.includes(lease.sample_id)) return lease;
  if (entry.kind === "label" || entry.kind === "accept") return answered(lease, entry, taskNames);
  if (entry.kind === "skip") return { ...lease, state: "skipped" };
  if (entry.kind === "unskip") return { ...lease, state: "open" };
  if (entry.kind === "retract") return takenBack(lease, entry);
  return lease;
}

function answered(lease, entry, taskNames) {
  const given = entry.labels
    .filter((label) => label.sample_id === lease.sample_id)
    .map(({ task, classes, features }) => ({ task, label_id: null, classes: classes ?? namesIn(features), waits: entry.state !== "done" }));
  const answers = [...lease.answers.filter((own) => !given.some((one) => one.task === own.task)), ...given];
  const done = taskNames.every((task) => answers.some((own) => own.task === task) || lease.tasks?.[task]?.answered);
  const closes = lease.points?.length ? entry.labels.some((label) => label.finished) : done;
  return { ...lease, answers, state: closes ? "labelled" : lease.state };
}

function takenBack(lease, entry) {
  const answers = lease.answers.filter((own) => !entry.tasks.includes(own.task));
  const tasks = lease.tasks && Object.fromEntries(
    Object.entries(lease.tasks).map(([task, had]) => [task, entry.tasks.includes(task) ? { ...had, answered: false } : had]),
  );
  return { ...lease, answers, tasks, state: "open" };
}

/** The classes that a FeatureCollection names, each once. */
export function namesIn(features) {
  return [...new Set((features?.features ?? []).map((feature) => feature.properties.label).filter((name) => name !== null))];
}
