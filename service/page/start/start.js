// The start page: all campaigns, what waits for whom, and who is labelling.

import { card, labellingAddress, sorted, waiting } from "./cards.js";
import { askName, knownSpelling } from "./dialogs.js";
import { fill } from "./pictures.js";
import { ServiceError, ask } from "./service.js";
import { recall, remember } from "./storage.js";

const REFRESH_MS = 10_000;
const part = (id) => document.getElementById(id);

let campaigns = [];
let names = [];
let person = null; // whom the token names
let annotator = new URLSearchParams(location.search).get("annotator")?.trim().slice(0, 200) || recall("annotator");
let showArchived = false;
const details = new Map(); // by campaign: open leases of the annotator, learning curve
const onScreen = new Set(); // names of campaigns whose card is in view: the others are not asked about
const watch = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) onScreen.add(target.dataset.name);
    else onScreen.delete(target.dataset.name);
  }
  readDetails([...onScreen].filter((name) => !details.has(name)));
}, { rootMargin: "200px" });
let shown = "";

async function start() {
  part("who").addEventListener("click", changeName);
  part("archived").addEventListener("click", () => {
    showArchived = !showArchived;
    render();
  });
  part("cards").addEventListener("click", nameFirst);
  await refresh();
  setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_MS);
}

/** Read everything again; what the service says goes on the page, trouble into the banner. */
async function refresh() {
  try {
    const who = await ask("whoami");
    person = who.name;
    annotator = person ?? annotator;
    [campaigns, names] = await Promise.all([ask("campaigns"), person ? [] : ask("annotators")]);
    if (annotator && !person) annotator = knownSpelling(annotator, names) ?? annotator;
    const { version } = await ask("version");
    part("version").textContent = `al-loop ${version}`;
    say(null);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    say(error.message);
    return;
  }
  render();
  await readDetails([...onScreen]);
}

/** Show what the cards of some campaigns hold beyond the list; a card without it is still right. */
async function readDetails(names) {
  const asked = campaigns.filter((one) => names.includes(one.name));
  await Promise.all(asked.flatMap((one) => [readDetail(one), fill(one)]));
  render();
}

async function readDetail(campaign) {
  const base = `campaigns/${encodeURIComponent(campaign.name)}`;
  const known = {};
  try {
    if (annotator && waiting(campaign)) {
      const { leases } = await ask(`${base}/leases?${new URLSearchParams({ annotator })}`);
      known.open = leases.filter((lease) => lease.state === "open").length;
    }
    if (campaign.current_model) known.curve = (await ask(`${base}/learning-curve`)).points;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
  }
  details.set(campaign.name, known);
}

const isShown = (campaign) => showArchived || !campaign.archived;

function render() {
  const archived = campaigns.filter((campaign) => campaign.archived).length;
  const state = JSON.stringify([campaigns, annotator, showArchived, [...details]]);
  if (state === shown) return; // nothing moves under a finger or a pointer
  shown = state;
  const visible = sorted(campaigns.filter(isShown));
  watch.disconnect();
  part("cards").replaceChildren(...visible.map((one) => card(one, annotator, details.get(one.name) ?? {})));
  for (const one of part("cards").children) watch.observe(one);
  part("first").hidden = campaigns.length > 0;
  part("title").textContent = campaigns.length ? "What would you like to label?" : "There is no campaign yet";
  part("summary").textContent = summary(visible);
  part("summary").hidden = !campaigns.length;
  part("archived").hidden = archived === 0;
  part("archived").textContent = showArchived ? "Hide archived campaigns" : `Show ${archived} archived`;
  part("archived").setAttribute("aria-expanded", String(showArchived));
  part("who").hidden = !campaigns.length;
  part("who").disabled = person !== null;
  part("who").textContent = annotator ? `Labelling as ${annotator}` : "Who is labelling?";
  part("who").title = person ? "The token says who you are" : "Change the name";
}

function summary(visible) {
  const work = visible.filter(waiting).length;
  const allKnown = visible.every((one) => details.has(one.name));
  const open = allKnown ? [...details.values()].reduce((sum, known) => sum + (known.open ?? 0), 0) : 0;
  const all = visible.length === 1 ? "1 campaign" : `${visible.length} campaigns`;
  const first = work ? `${all}, ${work} with images to label` : `${all}; all images have an answer`;
  return open ? `${first}; ${open} reserved for you.` : `${first}.`;
}

async function changeName() {
  const name = await askName(annotator, names);
  if (name === null) return null;
  annotator = name;
  remember("annotator", name);
  details.clear();
  render();
  refresh();
  return name;
}

/** A campaign that is opened before the name is known asks for it first. */
async function nameFirst(event) {
  const link = event.target.closest("a[data-campaign]");
  if (!link || annotator) return;
  event.preventDefault();
  if (await changeName()) location.href = labellingAddress({ name: link.dataset.campaign }, annotator);
}

function say(sentence) {
  part("banner").textContent = sentence ?? "";
  part("banner").hidden = sentence === null;
}

start();
