// Programs that are told of events, and what they did not take. Only operators may see it.

import { ServiceError, ask, change } from "../start/service.js";
import { button, nothing, table, when } from "./parts.js";

const SHOWN = 10;

/** Webhooks and the newest deliveries of each that were given up; no section where there is no webhook, or no right to see it. */
export async function webhookSection(refresh) {
  let hooks;
  try {
    hooks = await ask("webhooks");
  } catch (error) {
    if (!(error instanceof ServiceError) || error.status !== 403) throw error;
    return [];
  }
  if (!hooks.length) return [];
  const lost = hooks.filter((hook) => hook.dead);
  const pages = await Promise.all(lost.map((hook) => ask(`webhooks/${hook.webhook_id}/deliveries?state=dead&limit=${SHOWN}`)));
  const dead = pages.flatMap(({ deliveries }) => deliveries);
  return [{ id: "webhooks", heading: "Webhooks", about: [hooks, dead], body: () => [webhookTable(hooks, refresh), ...deadTable(hooks, dead, refresh)] }];
}

function webhookTable(hooks, refresh) {
  const rows = hooks.map((hook) => ({
    kind: hook.dead ? "look" : "",
    cells: [
      String(hook.webhook_id), hook.url, hook.events.join(", "), hook.campaigns?.join(", ") ?? "all", String(hook.waiting), String(hook.dead),
      hook.dead ? again("Send all again", `webhooks/${hook.webhook_id}/redeliver`, `all-${hook.webhook_id}`, refresh) : "",
    ],
  }));
  return table("Webhooks", ["id", "address", "events", "campaigns", "waiting", "given up", ""], rows);
}

function deadTable(hooks, dead, refresh) {
  if (!dead.length) return [];
  const total = hooks.reduce((sum, hook) => sum + hook.dead, 0);
  const told = total === 1 ? "1 delivery was given up." : `${total.toLocaleString("en")} deliveries were given up.`;
  const rows = dead.map((one) => [
    String(one.webhook_id), when(one.occurred_at), one.kind, one.campaign ?? "–", String(one.attempts), one.problem ?? "–",
    again("Send again", `webhooks/${one.webhook_id}/deliveries/${one.delivery_id}/redeliver`, `one-${one.delivery_id}`, refresh),
  ]);
  const columns = ["webhook", "happened", "event", "campaign", "attempts", "why", ""];
  return [nothing(total > dead.length ? `${told} The newest are:` : told), table("Deliveries that were given up", columns, rows)];
}

/** A button that sends something once more. */
const again = (text, path, key, refresh) => button(text, async () => {
  await change("POST", path);
  await refresh();
}, key);
