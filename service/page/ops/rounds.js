// The round that runs, with its progress, and those that ran.

import { askFile, change } from "../start/service.js";
import { button, confirmed, duration, element, facts, inWords, nothing, table, when } from "./parts.js";

/** What runs now, or the button that starts a round. */
export function liveSection({ base, campaign, refresh }, live, rounds) {
  const waiting = rounds.filter((round) => round.state === "queued").map((round) => round.number);
  const about = [live, waiting, campaign.archived, live ? Math.floor(Date.now() / 3000) : 0];
  return { id: "live", heading: "Training", about, body: () => (live ? running(base, live, waiting, refresh) : idle(base, campaign, refresh)) };
}

function running(base, live, waiting, refresh) {
  const { progress } = live;
  const bar = element("div", "bar");
  const filled = element("i");
  const share = progress?.total ? progress.done / progress.total : 0;
  filled.style.setProperty("width", `${(100 * share).toFixed(1)}%`);
  bar.append(filled);
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", `Progress of round ${live.number}`);
  bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  const rows = [
    ["round", `${live.number}, ${live.state}${live.background ? ", in the background" : ""}, for ${duration(live.started_at ?? live.requested_at)}`],
    ["why", live.reason],
  ];
  if (progress) rows.push(["phase", progressText(progress)]);
  if (progress?.total_seconds_left != null) rows.push(["time left", `about ${inWords(progress.total_seconds_left)} to the end of the round`]);
  if (progress?.epoch != null) rows.push(["epoch", `${progress.epoch} of ${progress.epochs}`]);
  if (progress?.samples_per_s != null) rows.push(["speed", `${Math.round(progress.samples_per_s).toLocaleString("en")} samples/s`]);
  if (progress?.loss != null) rows.push(["loss", progress.loss.toPrecision(3)]);
  if (progress?.metric != null) rows.push(["metric so far", progress.metric.toFixed(3)]);
  if (live.notes) rows.push(["note", live.notes]);
  if (waiting.length) rows.push(["waiting", `round ${waiting.join(", ")}`]);
  const cancel = button("Cancel it", async () => {
    const reason = await confirmed(`Cancel round ${live.number}?`, "Its training stops within seconds. What serves goes on serving.", "Cancel the round");
    if (reason === null) return;
    await change("POST", `${base}/rounds/${live.number}/cancel`);
    await refresh();
  }, "cancel");
  return [bar, facts(rows), cancel, logButton(base, live.number)];
}

function progressText({ phase, done, total, seconds_left: left, message }) {
  const parts = [phase];
  if (total) parts.push(`${done.toLocaleString("en")} of ${total.toLocaleString("en")}`);
  if (left != null) parts.push(`about ${inWords(left)} left of it`);
  if (message) parts.push(message);
  return parts.join(", ");
}

function idle(base, campaign, refresh) {
  if (campaign.archived) return nothing("The campaign is archived: no rounds start.");
  const start = button("Train now", async () => {
    await change("POST", `${base}/rounds`, { reason: "ops" });
    await refresh();
  }, "start", "primary");
  return [nothing("Nothing is training."), start];
}

/** The newest rounds. */
export function roundSection({ base }, rounds) {
  const body = () => {
    if (!rounds.length) return nothing("No round ran yet.");
    const rows = [...rounds].reverse().map((round) => ({
      kind: round.state === "failed" ? "look" : "",
      cells: [
        String(round.number), round.state, round.reason, round.labels?.toLocaleString("en") ?? "–",
        when(round.requested_at), round.ended_at ? duration(round.started_at, round.ended_at) : "–",
        [round.error ?? round.verdict ?? round.left_out, round.notes].filter(Boolean).join("; "),
        round.started_at ? logButton(base, round.number) : "",
      ],
    }));
    return table("Rounds", ["round", "state", "why", "labels", "asked for", "took", "outcome", ""], rows);
  };
  return { id: "rounds", heading: "Rounds", about: rounds, body };
}

/** Saves all that the training programs of a round wrote; a link could not send a token. */
function logButton(base, number) {
  return button("Log", async () => {
    const link = element("a");
    link.href = URL.createObjectURL(await askFile(`${base}/rounds/${number}/log.txt`));
    link.download = `round-${number}.log`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }, `log-${number}`);
}
