// One card a campaign: how far it is, what waits for whom, the model, the last round and the next one.

import { metricName } from "../core/format.js";
import { ROOT } from "../root.js";
import { strip } from "./pictures.js";

const MOST_CLASSES = 6;
const count = (number) => number.toLocaleString("en");

/** A new element with a class and text. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** How many samples of a campaign still wait for an answer. */
export function waiting({ samples }) {
  return samples.total - samples.labelled - samples.reserve_labelled;
}

/** Those with work come first, the fuller ones before the others; then by name. */
export function sorted(campaigns) {
  const work = (campaign) => (waiting(campaign) > 0 ? 0 : 1);
  return [...campaigns].sort((a, b) => work(a) - work(b) || a.name.localeCompare(b.name));
}

/** Address of the annotator page of a campaign. */
export function labellingAddress(campaign, annotator) {
  const who = annotator ? `?${new URLSearchParams({ annotator })}` : "";
  return `${ROOT}annotate/${encodeURIComponent(campaign.name)}${who}`;
}

/** The card of a campaign; `more`: open leases of the annotator and the learning curve, once they are known. */
export function card(campaign, annotator, more) {
  const item = element("li", "card");
  const title = element("h2");
  const link = element("a", "", campaign.name);
  link.href = labellingAddress(campaign, annotator);
  link.dataset.campaign = campaign.name;
  title.append(link);
  item.dataset.name = campaign.name;
  item.append(strip(campaign), title, element("p", "soft", questions(campaign)), progress(campaign));
  const facts = element("dl");
  for (const [term, text, kind] of lines(campaign, annotator, more)) {
    const row = element("div", kind);
    row.append(element("dt", "", term), element("dd", "", text));
    facts.append(row);
  }
  item.append(facts);
  if (campaign.notices.length) {
    const list = element("ul", "notices");
    list.setAttribute("aria-label", `Notices of ${campaign.name}`);
    list.append(...campaign.notices.map((text) => element("li", "", text)));
    item.append(list);
  }
  return item;
}

function questions({ tasks }) {
  const classes = [...new Set(tasks.flatMap((task) => task.classes))];
  const rest = classes.length - MOST_CLASSES;
  return classes.slice(0, MOST_CLASSES).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function progress(campaign) {
  const { samples } = campaign;
  const done = samples.labelled + samples.reserve_labelled;
  const box = element("div", "progress");
  const bar = element("div", "bar");
  const filled = element("i");
  filled.style.setProperty("width", `${samples.total ? (100 * done) / samples.total : 0}%`);
  bar.append(filled);
  const text = samples.total
    ? `${count(done)} of ${count(samples.total)} images labelled`
    : "No images yet: al-loop add reads the folder";
  box.append(bar, element("p", "", text));
  return box;
}

function* lines(campaign, annotator, more) {
  const { samples, current_model: model, last_round: round } = campaign;
  const left = waiting(campaign);
  if (more.open) yield ["For you", `${count(more.open)} reserved for ${annotator}`, "yours"];
  if (samples.total) {
    const others = samples.leased + samples.reserve_leased - (more.open ?? 0);
    const taken = others > 0 ? `, ${count(others)} with ${more.open ? "others" : "annotators"}` : "";
    yield ["To label", left ? `${count(left)}${taken}` : "nothing: all images have an answer", left ? "" : "done"];
  }
  const { share, minimum } = campaign.settings.reserve;
  if (samples.total && campaign.reserve_drawn === false && (share || minimum)) {
    yield ["Test images", "set aside at random by the first query", ""];
  }
  yield ["Model", model ? [model.version, ...measured(model, more.curve)].join(" · ") : "none yet", model?.problem ? "bad" : ""];
  if (round) {
    const said = round.error ?? round.verdict ?? "";
    const failed = round.state === "failed";
    yield ["Last round", `${round.number}: ${round.state}${said && said !== round.state ? `, ${said}` : ""}`, failed ? "bad" : ""];
  }
  if (campaign.scoring) yield ["Features", campaign.scoring.sentence, ""];
  const next = campaign.next_round?.sentence;
  if (next) yield ["Next round", next, ""];
}

function measured(model, curve = []) {
  const points = curve.filter((point) => point.version === model.version);
  return points.map(({ metric, value, low, high }) => {
    const range = `${low.toFixed(2)} to ${high.toFixed(2)}`;
    return `${metricName(metric)} ${value.toFixed(2)} (${range})`;
  });
}
