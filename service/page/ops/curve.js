// The learning curve: the metric of each round with its interval against labels, beside what random choice would give.

import { metricName } from "../core/format.js";
import { element, facts, nothing, share } from "./parts.js";
import { ticks } from "./ticks.js";

const WIDTH = 720;
const HEIGHT = 280;
const LEFT = 48;
const BOTTOM = 38;
const TOP = 12;
const RIGHT = 16;
const [MOST_ROWS, MOST_COLUMNS] = [6, 6];
const MANY_ROUNDS = 40; // whose points would hide one another
const SVG = "http://www.w3.org/2000/svg";

/** One drawing a task. */
export function curveSection({ campaign }, points, savings, advice) {
  const body = () => {
    if (!points.length) return nothing("The first round draws the first point.");
    const tasks = [...new Set(points.map((point) => point.task))];
    const drawings = tasks.map((task) => drawing(points.filter((point) => point.task === task), savings?.task === task ? savings : null));
    return [...drawings, facts([...saved(savings), ...advised(advice)])];
  };
  return { id: "curve", heading: "Learning curve", about: [campaign.name, points, savings, advice], body };
}

function saved(savings) {
  return savings ? [["against random choice", `${savings.verdict}; ${savings.note}`]] : [];
}

function advised(advice) {
  if (!advice) return [];
  const named = (what, one) => (advice.tasks.length > 1 ? `${what}, ${one.task}` : what);
  return [...advice.tasks.map((one) => [named("more labels", one), one.sentence]), ...advice.agreement.map((one) => [named("successive models", one), one.sentence])];
}

function drawing(points, savings) {
  const random = savings?.random_accuracy_at_same_labels ?? null;
  const values = points.flatMap((point) => [point.low, point.high]).concat(random ? [random.low, random.high] : []);
  const rows = ticks(Math.min(...values), Math.max(...values), MOST_ROWS);
  const columns = ticks(0, Math.max(...points.map((point) => point.labels), savings?.labels ?? 0, 1), MOST_COLUMNS, 1);
  const [low, high, most] = [rows.at(0), rows.at(-1), columns.at(-1)];
  const x = (labels) => LEFT + ((WIDTH - LEFT - RIGHT) * labels) / most;
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low || 1);
  const { metric, task } = points[0];
  const last = points.at(-1);
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "curve" });
  svg.setAttribute("aria-label", `${task}: ${metricName(metric)} ${share(last.value)} at ${last.labels} labels, ${points.length} rounds`);
  const digits = Math.max(...rows.map((value) => String(value).split(".")[1]?.length ?? 0));
  for (const value of rows) {
    svg.append(shape("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "grid" }), text(LEFT - 6, y(value) + 4, value.toFixed(digits).replace(/^0\./, "."), "end"));
  }
  for (const labels of columns) svg.append(text(x(labels), HEIGHT - 8, labels.toLocaleString("en"), labels === most ? "end" : "middle"));
  const radius = points.length > MANY_ROUNDS ? 2.5 : 4;
  for (const point of points) {
    svg.append(shape("line", { x1: x(point.labels), x2: x(point.labels), y1: y(point.low), y2: y(point.high), class: "interval" }));
  }
  const served = points.filter((point) => point.promoted);
  svg.append(shape("polyline", { points: served.map((point) => `${x(point.labels)},${y(point.value)}`).join(" "), class: "served" }));
  for (const point of points) {
    const dot = shape("circle", { cx: x(point.labels), cy: y(point.value), r: radius, class: point.promoted ? "promoted" : "rejected" });
    const told = shape("title", {});
    told.textContent = `round ${point.round_number}, ${point.version}: ${share(point.value)} (${share(point.low)} to ${share(point.high)}) at ${point.labels} labels${point.promoted ? "" : ", not promoted"}`;
    dot.append(told);
    svg.append(dot);
  }
  if (random) {
    const at = x(savings.labels);
    svg.append(shape("line", { x1: at, x2: at, y1: y(random.low), y2: y(random.high), class: "random" }));
    const dot = shape("rect", { x: at - 4, y: y(random.value) - 4, width: 8, height: 8, class: "random" });
    const told = shape("title", {});
    told.textContent = `random choice: ${share(random.value)} (${share(random.low)} to ${share(random.high)}) at ${savings.labels} labels, by light heads`;
    dot.append(told);
    svg.append(dot);
  }
  const figure = element("figure");
  const caption = element("figcaption", "soft", `${task}: ${metricName(metric)} on the test reserve against labels, 95 % intervals. Filled: promoted.${random ? " Square: random choice, by light heads." : ""}`);
  figure.append(svg, caption);
  return figure;
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function text(x, y, words, anchor) {
  const made = shape("text", { x, y, "text-anchor": anchor });
  made.textContent = words;
  return made;
}
