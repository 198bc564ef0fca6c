// The challenger that waits for the last word, and what the gate decided about the newest round.

import { metricName } from "../core/format.js";
import { change } from "../start/service.js";
import { button, confirmed, element, facts, nothing, share, table, when } from "./parts.js";

/** The version that waits: for a person, or for labels that judge it in the shadow. None waits: no section. */
export function challengerSections(context, shadow) {
  const { challenger } = context.campaign;
  if (!challenger) return [];
  return [{ id: "challenger", heading: "Challenger", about: [challenger, shadow], body: () => waiting(context, challenger, shadow) }];
}

function waiting({ base, campaign, refresh }, challenger, shadow) {
  const { version } = challenger;
  const serves = campaign.current_model?.version ?? null;
  const rows = [
    ["version", `${version}, of round ${challenger.round_number}`],
    ["waits for", challenger.mode === "ask" ? "a decision" : "labels that judge it in the shadow"],
    ["since", when(challenger.since)],
    ["the gate said", challenger.reason],
  ];
  if (shadow) {
    rows.push(["so far", shadow.sentence]);
    rows.push(["answers", `${count(shadow.answered)} by both, ${count(shadow.dropped)} dropped, ${count(shadow.failed)} failed`, shadow.failed ? "bad" : ""]);
  }
  const act = (title, text, word, path) => async () => {
    const reason = await confirmed(title, text, word);
    if (reason === null) return;
    await change("POST", `${base}/models/${encodeURIComponent(version)}/${path}`, { reason });
    await refresh();
  };
  const told = serves ? `It replaces ${serves}; requests in flight are answered.` : "It begins to serve.";
  const buttons = element("span", "actions");
  buttons.append(
    button("Promote it", act(`Promote ${version}?`, told, "Promote", "promote"), "challenger-promote", "primary"),
    button("Reject it", act(`Reject ${version}?`, "The service does not promote it any more; a person may.", "Reject", "reject"), "challenger-reject"),
  );
  return [facts(rows), ...(shadow?.judgements.length ? [judgements(shadow)] : []), buttons];
}

function judgements({ version, champion, judgements: entries }) {
  const rows = entries.map((one) => [
    one.task, metricName(one.metric), `${count(one.samples)} (${count(one.unaided)} unaided)`, share(one.champion), share(one.challenger), changed(one.difference, one.low, one.high),
  ]);
  return table("Champion and challenger", ["task", "metric", "labels", champion ?? "champion", version, "difference"], rows);
}

/** Every check of the newest round that came to the gate. */
export function gateSection(round) {
  const gate = round?.gate ?? null;
  const body = () => {
    if (!gate) return nothing("No round has come to the gate yet, or what it looked at was not kept.");
    const against = gate.against ? ` against ${gate.against}` : "";
    const said = element("p", "", `Round ${round.number}: ${gate.version} ${gate.promote ? "passed" : "did not pass"}${against}.`);
    const rows = gate.checks.map((check) => ({
      kind: check.outcome === "failed" ? "look" : check.outcome === "not asked" ? "off" : "",
      cells: [
        [check.check, check.task, check.where].filter(Boolean).join(", "),
        check.outcome === "failed" ? element("strong", "", check.outcome) : check.outcome,
        figure(check), check.sentence,
      ],
    }));
    return [said, table("Checks of the gate", ["check", "outcome", "change", "what was measured and asked"], rows)];
  };
  return { id: "gate", heading: "Gate", about: [round?.number ?? null, gate], body };
}

/** The change against what served, with its interval where there is one; the value alone of a first model. */
function figure({ check, value, before, low, high }) {
  if (value == null) return "–";
  if (check === "latency") return before == null ? `${value.toFixed(1)} ms` : `${(value / before).toFixed(2)} times`;
  if (check === "parity") return value.toExponential(1);
  return before == null ? share(value) : changed(value - before, low, high);
}

const count = (number) => number.toLocaleString("en");
const signed = (value) => `${value < 0 ? "−" : "+"}${share(Math.abs(value))}`;
const changed = (value, low, high) => (value == null ? "–" : low == null ? signed(value) : `${signed(value)} (${signed(low)} to ${signed(high)})`);
