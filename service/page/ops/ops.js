// The ops page: all campaigns at a glance, or one in depth. What changed is drawn again, nothing else moves.

import { ROOT } from "../root.js";
import { ServiceError, ask } from "../start/service.js";
import { campaignSections } from "./campaign.js";
import { overviewSections } from "./overview.js";

const REFRESH_MS = 3_000;
const part = (id) => document.getElementById(id);
const asked = location.pathname.slice(ROOT.length).split("/")[1];
const campaign = asked ? decodeURIComponent(asked) : null;
const drawn = new Map(); // by section: what it shows, as text
let running = false;

/** Read everything, draw the sections whose content changed, and say in one line how things stand. */
async function refresh() {
  if (running) return; // the one before takes long
  running = true;
  try {
    const { title, summary, sections } = await (campaign ? campaignSections(campaign, refresh) : overviewSections());
    part("title").textContent = title;
    part("summary").textContent = summary;
    document.title = `${title} · al-loop`;
    for (const section of sections) draw(section);
    say(null);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    say(error.message);
  } finally {
    running = false;
  }
}

/** A section with a heading; it stays as it is while what it is about (`about`) does, or while it is being used. */
function draw({ id, heading, about, body }) {
  const known = JSON.stringify(about);
  let box = part(id);
  if (box && (drawn.get(id) === known || (box.contains(document.activeElement) && box.querySelector("form")))) return;
  drawn.set(id, known);
  const held = box?.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const next = document.createElement("section");
  next.id = id;
  next.setAttribute("aria-labelledby", `${id}-heading`);
  const title = document.createElement("h2");
  title.id = `${id}-heading`;
  title.textContent = heading;
  next.append(title, ...[body()].flat());
  if (box) box.replaceWith(next);
  else part("sections").append(next);
  if (held) next.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
}

function say(sentence) {
  part("banner").textContent = sentence ?? "";
  part("banner").hidden = sentence === null;
}

async function start() {
  if (campaign === null) part("all").setAttribute("aria-current", "page");
  await refresh();
  const { version } = await ask("version");
  part("version").textContent = `al-loop ${version}`;
  setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_MS);
}

start();
