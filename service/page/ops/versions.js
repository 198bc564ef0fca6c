// Model versions: what they measured, which serves, and promotion, rollback and comparison by button.

import { classMetric, metricName } from "../core/format.js";
import { ask, change } from "../start/service.js";
import { cardButton, reportButton } from "./report.js";
import { button, confirmed, element, inWords, measured, nothing, share, table, when } from "./parts.js";

const chosen = new Set(); // versions to compare, two at most
let compared = null; // the cards of two versions, once they were read

/** The newest versions, newest first. */
export function versionSection(context, models, points) {
  const about = [models, points, [...chosen], compared?.map((card) => card.version)];
  return { id: "versions", heading: "Model versions", about, body: () => versions(context, models, points) };
}

function versions(context, models, points) {
  if (!models.length) return nothing("There is no version yet.");
  const current = models.find((model) => model.current);
  const rows = [...models].reverse().map((model) => ({
    kind: model.problem ? "look" : model.current ? "current" : "",
    cells: [
      model.version, String(model.round_number), metricsOf(model, points), when(model.created_at),
      stands(model), model.problem ?? (model.pruned_at ? "its files were pruned" : model.standing_reason ?? ""), actions(context, model, current),
    ],
  }));
  const made = [table("Model versions", ["version", "round", "on the test reserve", "made", "standing", "why", ""], rows)];
  if (compared) made.push(comparison(...compared));
  else if (chosen.size === 1) made.push(nothing(`Choose a second version to compare with ${[...chosen][0]}.`));
  return made;
}

function stands({ standing, promoted_at: promoted }) {
  if (standing === "champion") return element("strong", "live", "champion, serves");
  return standing ?? (promoted ? "served before" : "never served");
}

function metricsOf(model, points) {
  const told = points.filter((point) => point.version === model.version);
  return told.map((point) => (told.length > 1 ? `${point.task}: ${measured(point)}` : measured(point))).join("; ") || "–";
}

function actions({ base, campaign, refresh }, model, current) {
  const box = element("span", "actions");
  if (!model.current && !model.problem && !model.pruned_at) {
    const back = current && model.round_number < current.round_number;
    const title = back ? `Roll back to ${model.version}?` : `Promote ${model.version}?`;
    const rejected = model.standing === "rejected";
    const replaced = current ? `It replaces ${current.version}; requests in flight are answered.` : "It begins to serve.";
    const told = rejected ? `It was rejected: ${model.standing_reason}. ${replaced}` : replaced;
    box.append(button(back ? "Roll back" : "Promote", async () => {
      const reason = await confirmed(title, told, back ? "Roll back" : "Promote");
      if (reason === null) return;
      await change("POST", `${base}/models/${encodeURIComponent(model.version)}/promote`, { reason, force: rejected });
      await refresh();
    }, `promote-${model.version}`));
  }
  if (!model.pruned_at) {
    box.append(button(model.pinned_at ? "Unpin" : "Pin", async () => {
      await change(model.pinned_at ? "DELETE" : "PUT", `${base}/models/${encodeURIComponent(model.version)}/pin`);
      await refresh();
    }, `pin-${model.version}`));
  }
  box.append(reportButton(base, model.round_number));
  if (!model.pruned_at) box.append(cardButton(base, model.version));
  const compare = button(chosen.has(model.version) ? "Compared" : "Compare", async () => {
    if (!chosen.delete(model.version)) chosen.add(model.version);
    if (chosen.size > 2) chosen.delete([...chosen][0]);
    compared = chosen.size === 2 ? await Promise.all([...chosen].sort().map((one) => ask(`${base}/models/${encodeURIComponent(one)}`))) : null;
    await refresh();
  }, `compare-${model.version}`);
  compare.setAttribute("aria-pressed", String(chosen.has(model.version)));
  box.append(compare);
  return box;
}

function comparison(first, second) {
  const rows = [
    ["labels", first.labels.toLocaleString("en"), second.labels.toLocaleString("en")],
    ["training took", inWords(first.seconds), inWords(second.seconds)],
    ["encoder", first.model.encoder, second.model.encoder],
    ["samples of the test reserve", reserve(first), reserve(second)],
  ];
  const figures = (card) => new Map((card.evaluation?.candidate ?? []).flatMap((task) => [
    [`${task.task}: ${metricName(task.metric)}`, task.value],
    ...Object.entries(task.per_class ?? {}).map(([name, value]) => [`${task.task}: ${classMetric(task.metric)} of ${name}`, value]),
  ]));
  const [one, two] = [figures(first), figures(second)];
  for (const name of new Set([...one.keys(), ...two.keys()])) {
    const [a, b] = [one.get(name), two.get(name)];
    rows.push([name, shown(a), a != null && b != null ? `${shown(b)} (${b >= a ? "+" : "−"}${share(Math.abs(b - a))})` : shown(b)]);
  }
  return table(`${first.version} and ${second.version}`, ["", first.version, second.version], rows);
}

/** Of how many samples the figures of a card are: those of two versions may differ, as the reserve is labelled on. */
const reserve = (card) => (card.evaluation?.candidate ?? []).map((task) => task.samples.toLocaleString("en")).join(", ");

const shown = (value) => (value == null ? "–" : typeof value === "number" ? share(value) : JSON.stringify(value));
