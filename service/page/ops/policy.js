// When the next round starts and why, and the policy that says so.

import { change } from "../start/service.js";
import { element, facts, table, when } from "./parts.js";

const NAMES = { interval_s: "interval", new_labels_share: "share of new labels" };

/** What each trigger says now, and a form that changes the policy. */
export function policySection({ base, campaign, refresh }, preview) {
  const { as_of: _, ...about } = preview;
  return {
    id: "policy",
    heading: "Retraining",
    about: [about, campaign.policy],
    body: () => [element("p", "", preview.sentence), ...waits(preview), triggers(preview), form(base, campaign.policy, refresh)],
  };
}

function waits({ waits_for: waiting }) {
  return waiting.length ? [facts([["waits for", waiting.join("; ")]])] : [];
}

function triggers(preview) {
  const rows = preview.triggers.map((one) => ({
    kind: one.on ? "" : "off",
    cells: [NAMES[one.trigger] ?? one.trigger.replaceAll("_", " "), one.on ? (one.holds ? element("strong", "live", "asks for a round") : "on") : "off", one.sentence, when(one.at)],
  }));
  return table("Triggers", ["trigger", "state", "what it looks at", "at the earliest"], rows);
}

/** The policy as lines of JSON values: an operator sees all fields, also those that came after this page. */
function form(base, policy, refresh) {
  const made = element("details");
  made.append(element("summary", "", "Change the policy"));
  const box = element("form", "policy");
  for (const [name, value] of Object.entries(policy)) {
    const label = element("label", "", name);
    const field = element("input");
    field.name = name;
    field.value = JSON.stringify(value);
    field.spellcheck = false;
    label.append(field);
    box.append(label);
  }
  const said = element("p", "soft");
  said.setAttribute("role", "status");
  const save = element("button", "small primary", "Save");
  box.append(save, said);
  box.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await change("PATCH", `${base}/policy`, changed(box, policy));
      said.textContent = "Saved.";
      save.focus();
      document.activeElement.blur();
      await refresh();
    } catch (error) {
      said.textContent = error.message;
    }
  });
  made.append(box);
  return made;
}

function changed(box, policy) {
  const patch = {};
  for (const field of box.querySelectorAll("input")) {
    if (field.value.trim() === JSON.stringify(policy[field.name])) continue;
    try {
      patch[field.name] = JSON.parse(field.value);
    } catch {
      patch[field.name] = field.value.trim(); // words need no quotes
    }
  }
  return patch;
}
