// Numbers and names for people.

/** Milliseconds as "1 h 05 min", "12 min" or "0:42"; under ten minutes to the second. */
export function timeLeft(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds >= 3600) {
    return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
  }
  if (seconds >= 600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** The last part of a path. */
export function fileName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** "1 sample", "3 samples". */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

const METRIC_NAMES = {
  miou: "mean IoU", iou: "IoU", macro_f1: "macro F1", f1: "F1", map50: "mAP50",
  map30: "mean average precision at IoU .3", map50_95: "mean average precision at IoU .5 to .95",
  ap50: "average precision at IoU .5", ece: "expected calibration error",
  f1_1px: "F1 within 1 px", f1_2px: "F1 within 2 px", cldice: "clDice",
};

/** A metric as people call it, as `al_loop_records/metric_names.py` has it: "miou" is "mean IoU". */
export const metricName = (metric) => METRIC_NAMES[metric] ?? metric.replaceAll("_", " ");

const CLASS_METRICS = { accuracy: "recall", macro_f1: "f1", miou: "iou", map50: "ap50" };

/** What is measured of one class where a task is measured by a metric: of "miou" "IoU". */
export const classMetric = (metric) => metricName(CLASS_METRICS[metric] ?? metric);

/** A list of class names as an answer: "forest, water" or "nothing". */
export function answerText(classes) {
  return classes?.length ? classes.join(", ") : "nothing here";
}

/** How many objects of each class: "3 ship · 1 buoy". */
export function boxesText(features) {
  const counts = new Map();
  for (const { properties } of features) counts.set(properties.label, (counts.get(properties.label) ?? 0) + 1);
  return counts.size ? [...counts].map(([name, count]) => `${count} ${name ?? "not judged"}`).join(" · ") : "no object";
}

/** 0..1 as "53 %"; what is there but small as "<1 %". */
export function percent(share) {
  return share > 0 && share < 0.005 ? "<1 %" : `${Math.round(100 * share)} %`;
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** The folder in which a batch in SCANEO shows a sample, which is its rank there; null: it is in no batch. */
export function folderInBatch({ path, scaneo_path: place }) {
  return /^\d+\//.test(place ?? "") && !path.endsWith(place) ? place.split("/")[0] : null;
}
