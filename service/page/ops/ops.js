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
    const { title, summary, sections } = await (campaign ? campaignSections(campaign, refresh) : overviewSections(refresh));
    part("title").textContent = title;
    part("summary").textContent = summary;
    document.title = `${title} · al-loop`;
    clear(sections.map(({ id }) => id));
    for (const [place, section] of sections.entries()) draw(section, sections.slice(place + 1));
    say(null);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    say(error.message);
  } finally {
    running = false;
  }
}

/** Take away what is told of no more. */
function clear(ids) {
  for (const box of [...part("sections").children]) {
    if (ids.includes(box.id)) continue;
    drawn.delete(box.id);
    box.remove();
  }
}

/** A section with a heading, before those that come after it; it stays as it is while what it is about (`about`) does, or while it is being used. */
function draw({ id, heading, about, body }, after) {
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
  else part("sections").insertBefore(next, after.map((one) => part(one.id)).find(Boolean) ?? null);
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
