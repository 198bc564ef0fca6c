// The top line: how far the campaign is, which model serves, what the running round does.

import { fill, show, write } from "./dom.js";
import { timeLeft } from "./format.js";
import { state } from "./state.js";

/** Show the top line. */
export function renderTop(parts) {
  const { campaign, annotator } = state;
  write(parts.annotator, annotator);
  if (!campaign) return;
  const { samples } = campaign;
  write(parts.campaign, campaign.name);
  const pool = samples.total - samples.reserve;
  fill(parts.barDone, samples.labelled / pool);
  fill(parts.barLeased, samples.leased / pool);
  const leased = samples.leased ? ` · ${samples.leased} handed out` : "";
  say(parts.progress, parts.counts, `${samples.labelled.toLocaleString("en")} of ${pool.toLocaleString("en")} labelled${leased}`);
  show(parts.reserve, samples.reserve > 0);
  fill(parts.barReserve, samples.reserve_labelled / samples.reserve);
  say(parts.reserve, parts.reserveCounts, `test reserve ${samples.reserve_labelled} of ${samples.reserve}`);
  write(parts.model, modelText());
}

function say(meter, line, text) {
  write(line, text);
  if (meter.getAttribute("aria-label") !== text) meter.setAttribute("aria-label", text);
}

function modelText() {
  const model = state.campaign.current_model;
  const sentences = [model ? `Model ${[model.version, ...measures(model.version)].join(" · ")}` : "No model yet"];
  if (state.round) sentences.push(roundText(state.round));
  return sentences.join("   ");
}

function measures(version) {
  const points = state.curve.filter((point) => point.version === version);
  return points.map(({ task, metric, value, low, high }) => {
    const name = points.length > 1 ? `${task} ${metric}` : metric;
    return `${name.replaceAll("_", " ")} ${value.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  });
}

function roundText({ number, state: doing, progress }) {
  const steps = progress?.total ? ` ${progress.done} of ${progress.total}` : "";
  const left = progress?.seconds_left ? `, ${timeLeft(1000 * progress.seconds_left)} left` : "";
  return `Round ${number}: ${doing}${steps}${left}`;
}
