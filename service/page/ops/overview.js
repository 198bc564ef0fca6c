// All campaigns at a glance, the service's health, and what was done last.

import { ROOT } from "../root.js";
import { auditSection } from "./audit.js";
import { ask } from "../start/service.js";
import { element, facts, link, nothing, table } from "./parts.js";

/** Address of a campaign's part of the ops page. */
export const opsAddress = (name) => `${ROOT}ops/${encodeURIComponent(name)}`;

/** Everything that the first view shows. */
export async function overviewSections() {
  const [campaigns, ready, audit] = await Promise.all([ask("campaigns"), readiness(), auditSection(null)]);
  const running = campaigns.filter((one) => one.last_round && isRunning(one.last_round.state));
  const trouble = campaigns.filter((one) => needsHelp(one)).length;
  const words = [
    campaigns.length === 1 ? "1 campaign" : `${campaigns.length} campaigns`,
    running.length ? `${running.length} training` : "none is training",
    ready.ready ? "the service is ready" : "the service is not ready",
    trouble ? `${trouble} need a look` : "nothing needs a look",
  ];
  return {
    title: "Operations",
    summary: `${words.join(", ")}.`,
    sections: [
      { id: "campaigns", heading: "Campaigns", about: campaigns, body: () => campaignTable(campaigns) },
      { id: "health", heading: "Health", about: ready, body: () => health(ready) },
      ...audit,
    ],
  };
}

export const isRunning = (state) => !["promoted", "rejected", "failed", "cancelled", "interrupted"].includes(state);

const needsHelp = (one) => one.notices.length > 0 || one.last_round?.state === "failed" || Boolean(one.current_model?.problem);

/** What the readiness probe says, also where it says no. */
async function readiness() {
  return ask("health/ready", { also: [503] });
}

function campaignTable(campaigns) {
  if (!campaigns.length) return nothing("There is no campaign yet.");
  const rows = campaigns.map((one) => {
    const { samples, current_model: model, last_round: round } = one;
    const done = samples.labelled + samples.reserve_labelled;
    const state = round ? `${round.number} ${round.state}` : "none";
    return {
      kind: needsHelp(one) ? "look" : "",
      cells: [
        link(one.name, opsAddress(one.name)),
        `${done.toLocaleString("en")} of ${samples.total.toLocaleString("en")}`,
        model ? model.version : "none",
        round && isRunning(round.state) ? element("strong", "live", state) : state,
        one.next_round.sentence,
        one.notices.length ? String(one.notices.length) : "",
      ],
    };
  });
  return table("Campaigns", ["campaign", "labelled", "serves", "last round", "next round", "notices"], rows);
}

function health(ready) {
  const fine = (text) => [text, text === "ok" || text === "running" ? "done" : "bad"];
  const rows = [
    ["ready", ...(ready.ready ? ["yes", "done"] : ["no", "bad"])],
    ["store", ...fine(ready.store)],
    ["scheduler", ...fine(ready.scheduler)],
    ["training", ...fine(ready.training)],
    ["encoder", ...fine(ready.encoder)],
    ["disk", `${(ready.disk_free_mb / 1000).toFixed(1)} GB free`],
  ];
  for (const [name, said] of Object.entries(ready.models ?? {})) {
    if (said.includes("cannot")) rows.push([`model of ${name}`, said, "bad"]);
  }
  for (const [name, said] of Object.entries(ready.links ?? {})) rows.push([`SCANEO link of ${name}`, ...fine(said)]);
  for (const [name, number] of Object.entries(ready.failed_rounds ?? {})) rows.push([name, `round ${number} failed`, "bad"]);
  for (const [work, said] of Object.entries(ready.problems ?? {})) rows.push([work, said, "bad"]);
  return facts(rows);
}
