// Who changed what, newest first. Only operators may see it; others are told so.

import { ServiceError, ask } from "../start/service.js";
import { nothing, table, when } from "./parts.js";

const SHOWN = 20;

/** The audit trail of the service (`campaign` null) or of one campaign, as a list of one section. */
export async function auditSection(campaign) {
  const about = { limit: SHOWN, ...(campaign ? { campaign } : {}) };
  let entries;
  try {
    ({ entries } = await ask(`audit?${new URLSearchParams(about)}`));
  } catch (error) {
    if (!(error instanceof ServiceError) || error.status !== 403) throw error;
    const sentence = "The audit trail is for tokens of the role ops.";
    return [{ id: "audit", heading: "Audit", about: sentence, body: () => nothing(sentence) }];
  }
  return [{ id: "audit", heading: "Audit", about: entries, body: () => trail(entries, campaign === null) }];
}

function trail(entries, named) {
  if (!entries.length) return nothing("Nothing was changed yet.");
  const rows = entries.map((entry) => [
    when(entry.done_at), entry.who ?? entry.role ?? "–", inWords(entry.action), ...(named ? [entry.campaign ?? "–"] : []), details(entry.detail),
  ]);
  return table("Audit trail", ["when", "who", "what", ...(named ? ["campaign"] : []), "with"], rows);
}

/** `promoteModel` as "promote model". */
const inWords = (action) => action.replace(/([A-Z])/g, " $1").toLowerCase();

function details(detail) {
  const told = Object.entries(detail).filter(([name]) => name !== "campaign");
  const text = told.map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join("; ");
  return text.length > 160 ? `${text.slice(0, 160)} …` : text;
}
