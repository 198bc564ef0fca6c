// All campaigns at a glance, the service's health, and what was done last.

import { ROOT } from "../root.js";
import { auditSection } from "./audit.js";
import { ask } from "../start/service.js";
import { element, facts, link, nothing, table, when } from "./parts.js";
import { webhookSection } from "./webhooks.js";

/** Address of a campaign's part of the ops page. */
export const opsAddress = (name) => `${ROOT}ops/${encodeURIComponent(name)}`;

/** Everything that the first view shows. */
export async function overviewSections(refresh) {
  const [campaigns, ready, webhooks, audit] = await Promise.all([
    ask("campaigns"), readiness(), webhookSection(refresh), auditSection(null),
  ]);
  const waiting = await queued(campaigns);
  const notices = campaigns.flatMap((one) => one.notices.map((text) => [one.name, text]));
  const running = campaigns.filter((one) => one.last_round && isRunning(one.last_round.state));
  const lost = Object.entries(ready.links ?? {}).filter(([, said]) => said !== "ok").map(([name]) => name);
  const looks = new Set([...campaigns.filter((one) => needsHelp(one)).map(({ name }) => name), ...lost]).size;
  const trouble = looks + (ready.webhooks && ready.webhooks !== "ok" ? 1 : 0);
  const words = [
    campaigns.length === 1 ? "1 campaign" : `${campaigns.length} campaigns`,
    running.length ? `${running.length} training` : "none is training",
    ready.ready ? "the service is ready" : "the service is not ready",
    trouble === 0 ? "nothing needs a look" : trouble === 1 ? "1 thing needs a look" : `${trouble} things need a look`,
  ];
  return {
    title: "Operations",
    summary: `${words.join(", ")}.`,
    sections: [
      ...(waiting.length ? [{ id: "queue", heading: "Queue", about: waiting, body: () => queue(waiting) }] : []),
      ...(notices.length ? [{ id: "notices", heading: "Notices", about: notices, body: () => noticeList(notices) }] : []),
      { id: "campaigns", heading: "Campaigns", about: campaigns, body: () => campaignTable(campaigns) },
      { id: "health", heading: "Health", about: ready, body: () => health(ready) },
      ...webhooks,
      ...audit,
    ],
  };
}

export const isRunning = (state) => !["candidate", "promoted", "rejected", "failed", "cancelled", "interrupted"].includes(state);

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

/** What trains, waits to train, or is scored, of all campaigns. */
async function queued(campaigns) {
  const busy = campaigns.filter((one) => one.last_round && isRunning(one.last_round.state));
  const lists = await Promise.all(busy.map((one) => ask(`campaigns/${encodeURIComponent(one.name)}/rounds?limit=5`)));
  const rounds = lists.flatMap(({ rounds: own }, place) => own.filter((round) => isRunning(round.state)).map((round) => [
    busy[place].name, `round ${round.number}${round.background ? ", in the background" : ""}`, round.state, round.reason, round.requested_at,
  ]));
  const scored = campaigns.filter((one) => one.scoring).map((one) => [one.name, "pool", "being described or scored", one.scoring.sentence, null]);
  return [...rounds, ...scored];
}

function queue(waiting) {
  const rows = waiting.map(([name, what, state, why, at]) => [link(name, opsAddress(name)), what, state, why, when(at)]);
  return table("Queue", ["campaign", "work", "state", "why", "asked for"], rows);
}

function noticeList(notices) {
  const list = element("ul", "notices");
  list.append(...notices.map(([name, text]) => {
    const line = element("li", "", ": ");
    line.prepend(link(name, opsAddress(name)));
    line.append(text);
    return line;
  }));
  return list;
}

function health(ready) {
  const fine = (text) => [text, text === "ok" || text === "running" ? "done" : "bad"];
  const rows = [
    ["ready", ...(ready.ready ? ["yes", "done"] : ["no", "bad"])],
    ["store", ...fine(ready.store)],
    ["scheduler", ...fine(ready.scheduler)],
    ["training", ...fine(ready.training)],
    ["encoder", ...fine(ready.encoder)],
    ...(ready.cluster && ready.cluster !== "none" ? [["Ray cluster", ...fine(ready.cluster)]] : []),
    ...(ready.cluster_returned ? [["", ready.cluster_returned]] : []),
    ...(ready.webhooks && ready.webhooks !== "ok" ? [["webhooks", ...fine(ready.webhooks)]] : []),
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
