// One campaign in depth: what runs, how good it is, which versions there are, when it trains next, who did what.

import { ROOT } from "../root.js";
import { auditSection } from "./audit.js";
import { curveSection } from "./curve.js";
import { challengerSections, gateSection } from "./gate.js";
import { policySection } from "./policy.js";
import { liveSection, roundSection } from "./rounds.js";
import { versionSection } from "./versions.js";
import { ServiceError, ask } from "../start/service.js";
import { element, facts, link, nothing } from "./parts.js";

export const SHOWN = 20; // rounds and versions, the newest
const POINTS = 200; // of a curve

/** Everything that the view of one campaign shows; `refresh` reads it again after something was done. */
export async function campaignSections(name, refresh) {
  const base = `campaigns/${encodeURIComponent(name)}`;
  const [campaign, { rounds }, { points }, { models }, preview, savings, advice, audit] = await Promise.all([
    ask(base),
    ask(`${base}/rounds?limit=${SHOWN}`),
    ask(`${base}/learning-curve?most=${POINTS}`),
    ask(`${base}/models?limit=${SHOWN}`),
    unlessRefused(ask(`${base}/policy/preview`)), // for operators
    unlessRefused(ask(`${base}/savings`)),
    unlessRefused(ask(`${base}/advice`)),
    auditSection(name),
  ]);
  const active = rounds.find((round) => !round.ended_at);
  const judged = rounds.findLast((round) => round.ended_at && round.verdict) ?? null;
  const [live, decided, shadow] = await Promise.all([
    active ? ask(`${base}/rounds/${active.number}`) : null,
    judged ? ask(`${base}/rounds/${judged.number}`) : null,
    campaign.challenger?.mode === "shadow" ? unlessRefused(ask(`${base}/models/challenger/shadow`)) : null,
  ]);
  const context = { base, campaign, refresh };
  return {
    title: name,
    summary: (preview ?? campaign.next_round).sentence,
    sections: [
      ...(campaign.notices.length ? [notices(campaign)] : []),
      { id: "pool", heading: "Pool", about: [campaign.samples, campaign.scoring, campaign.head], body: () => pool(campaign) },
      liveSection(context, live, rounds),
      ...challengerSections(context, shadow),
      curveSection(context, points, savings, advice),
      versionSection(context, models, points),
      ...(preview ? [policySection(context, preview)] : []),
      gateSection(decided),
      roundSection(context, rounds),
      ...audit,
    ],
  };
}

/** What was asked for, or null where the service says why it has none. */
async function unlessRefused(answer) {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof ServiceError) || error.status === 0) throw error;
    return null;
  }
}

function pool(campaign) {
  const { samples, scoring, head } = campaign;
  const number = (count) => count.toLocaleString("en");
  const rows = [
    ["images", number(samples.total)],
    ["labelled", number(samples.labelled)],
    ["to label", `${number(samples.pool)}, ${number(samples.leased)} on lease`],
    ["test reserve", samples.reserve ? `${number(samples.reserve_labelled)} of ${number(samples.reserve)} labelled` : "drawn by the first query"],
  ];
  if (samples.unusable) rows.push(["cannot be used", number(samples.unusable), "bad"]);
  if (scoring) rows.push(["features", scoring.sentence]);
  if (head) rows.push(["ranked by", head.ranks ? "heads refitted with the newest labels" : "the serving model"]);
  return [facts(rows), link("Label images", `${ROOT}annotate/${encodeURIComponent(campaign.name)}`)];
}

function notices(campaign) {
  const body = () => {
    const list = element("ul", "notices");
    list.append(...campaign.notices.map((text) => element("li", "", text)));
    return campaign.notices.length ? list : nothing("None.");
  };
  return { id: "notices", heading: "Notices", about: campaign.notices, body };
}
