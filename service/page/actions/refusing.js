// Answers that the service does not take: what was wrong, in the annotator's words, until the sample is answered again.

import { capital } from "../core/format.js";
import { change, state } from "../core/state.js";
import { boundsOf } from "../draw/geometry.js";

/** One sentence or more; of a drawing, which of its areas or boxes is meant. */
export function refusal(entry, error) {
  const said = capital(error.message.trim());
  const sentence = /[.!?]$/.test(said) ? said : `${said}.`;
  const feature = featureAt(entry, error.path);
  if (!feature?.geometry) return sentence;
  const { type, coordinates } = feature.geometry;
  const [left, top, right, bottom] = boundsOf(type === "Polygon" ? [coordinates] : coordinates);
  const [column, row] = [Math.round((left + right) / 2), Math.round((top + bottom) / 2)];
  return `${sentence} This is about "${feature.properties.label ?? "not judged"}" around column ${column}, row ${row}.`;
}

/** Keep why the samples of an entry are still open. */
export function keepRefusal(entry, text) {
  change({ refused: new Map([...state.refused, ...entry.sample_ids.map((id) => [id, text])]) });
}

/** Forget it, because the sample is answered again. */
export function forgetRefusal(sampleId) {
  if (!state.refused.has(sampleId)) return;
  const refused = new Map(state.refused);
  refused.delete(sampleId);
  change({ refused });
}

function featureAt(entry, path) {
  const [, label, feature] = /^\$(?:\[(\d+)\])?\.features\.features\[(\d+)\]/.exec(path ?? "") ?? [];
  return feature === undefined ? null : entry.labels?.[Number(label ?? 0)]?.features?.features?.[Number(feature)];
}
