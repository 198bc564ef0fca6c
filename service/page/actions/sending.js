// How each kind of entry of the outbox is said to the service.

import { ApiError } from "../net/api.js";

/** An async function that sends an entry and resolves with the ids of its labels, or whatever the service answered. */
export function sender(api) {
  return async (entry) => {
    const { kind, key, sample_ids: ids } = entry;
    if (kind === "label") return api.label(entry.labels, key);
    if (kind === "accept") return api.accept(ids[0], entry.shown, entry.shown ? null : entry.labels[0].task, key);
    if (kind === "skip") return api.skip(ids, entry.reason, key);
    if (kind === "comment") return api.comment(ids[0], entry.text, entry.flag, key);
    if (kind === "unskip") return (await api.unskip(ids, key)) ?? api.extend(ids);
    return retract(api, entry);
  };
}

async function retract(api, entry) {
  for (const [index, labelId] of (entry.label_ids ?? []).entries()) {
    try {
      await api.retract(labelId, `${entry.key}-${index}`);
    } catch (error) {
      if (!(error instanceof ApiError) || error.isPassing || error.status !== 409) throw error; // 409: it is no answer any more
    }
  }
  try {
    return await api.extend(entry.sample_ids);
  } catch (error) {
    if (!(error instanceof ApiError) || error.isPassing) throw error;
    return null;
  }
}
