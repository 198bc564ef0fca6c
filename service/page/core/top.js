// The top line: how far the campaign is, which model serves, what the running round does.

import { fill, write } from "./dom.js";
import { metricName, timeLeft } from "./format.js";
import { state } from "./state.js";

/** Show the top line. */
export function renderTop(parts) {
  const { campaign, annotator, progress } = state;
  write(parts.annotator, annotator);
  if (!campaign) return;
  const { samples } = campaign;
  write(parts.campaign, campaign.name);
  parts.campaign.title = campaign.name;
  const all = samples.total; // one bar: nothing here tells which samples are kept for the test
  const answered = progress?.answered ?? samples.labelled + samples.reserve_labelled;
  fill(parts.barDone, answered / all);
  fill(parts.barLeased, (samples.leased + samples.reserve_leased) / all);
  const counts = `${answered.toLocaleString("en")} of ${all.toLocaleString("en")}`;
  const yours = ` labelled${progress ? ` · ${progress.answered_by_you.toLocaleString("en")} by you` : ""}`;
  const text = counts + yours;
  write(parts.counts, counts);
  write(parts.yours, yours); // a phone has no room for it
  if (parts.progress.getAttribute("aria-label") !== text) parts.progress.setAttribute("aria-label", text);
  write(parts.model, modelText());
  drawCurve(parts.curve);
}

function modelText() {
  const { campaign, progress, round } = state;
  const model = campaign.current_model;
  const sentences = [model ? `Model ${[model.version, ...measures(model.version)].join(" · ")}` : "No model yet"];
  const next = progress?.next_round?.sentence ?? campaign.next_round?.sentence;
  if (round) sentences.push(roundText(round));
  else if (next) sentences.push(next);
  return sentences.join("   ");
}

function measures(version) {
  const points = state.curve.filter((point) => point.version === version);
  return points.map(({ task, metric, value, low, high }) => {
    const name = metricName(metric);
    return `${points.length > 1 ? `${task} ${name}` : name} ${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  });
}

function roundText({ number, state: doing, progress }) {
  const steps = progress?.total ? ` ${progress.done} of ${progress.total}` : "";
  const seconds = progress?.total_seconds_left ?? progress?.seconds_left;
  const left = seconds ? `, ${timeLeft(1000 * seconds)} left` : "";
  return `Round ${number}: ${doing}${steps}${left}`;
}

/** A small learning curve of the first task: what the labels have brought so far. */
function drawCurve(svg) {
  const task = state.curve[0]?.task;
  const points = state.curve.filter((point) => point.task === task);
  svg.toggleAttribute("hidden", points.length < 2);
  if (points.length < 2) return;
  const [first, last] = [points[0].labels ?? 0, points.at(-1).labels ?? points.length - 1];
  const place = ({ labels, value }, index) => {
    const x = last > first ? ((labels ?? index) - first) / (last - first) : index / (points.length - 1);
    return `${(2 + 76 * x).toFixed(1)},${(26 - 24 * value).toFixed(1)}`;
  };
  svg.querySelector("polyline").setAttribute("points", points.map(place).join(" "));
  svg.setAttribute("aria-label", `Learning curve: ${points.map((point) => point.value.toFixed(2)).join(", ")}`);
}
