// Start of the page: who labels what, and the wiring of state, views, keys and the service.

import { makeActions } from "./actions.js";
import { campaignApi, onTokenNeeded } from "./api.js";
import { askName, askToken, showHelp } from "./dialogs.js";
import { fromTemplate, partsOf, write } from "./dom.js";
import { listenToKeys } from "./keys.js";
import { recall, remember } from "./memory.js";
import { Pictures } from "./pictures.js";
import { ROOT } from "./root.js";
import { change, onChange, state } from "./state.js";
import { Sync } from "./sync.js";
import { ListView } from "./view_list.js";
import { PanelView } from "./view_panel.js";
import { StageView } from "./view_stage.js";
import { showStart } from "./view_start.js";
import { renderTop } from "./view_top.js";

const app = document.getElementById("app");
const address = new URL(location.href);

async function start() {
  onTokenNeeded(askToken);
  const given = address.searchParams.get("annotator")?.trim();
  const annotator = given || recall("annotator") || (await askName());
  remember("annotator", annotator);
  const campaign = decodeURIComponent(address.pathname.slice(ROOT.length).split("/")[1] ?? "");
  if (campaign) showWorkspace(campaign, annotator);
  else await showStart(app, annotator);
}

function showWorkspace(campaign, annotator) {
  app.replaceChildren(fromTemplate("workspace"));
  const parts = partsOf(app);
  write(parts.campaign, campaign);
  document.title = `${campaign} · al-loop`;
  const api = campaignApi(campaign, annotator);
  const pictures = new Pictures(api.picture);
  const sync = new Sync(api);
  change({ annotator, selected: Number(address.searchParams.get("sample")) || null });
  const actions = { ...makeActions(api, sync, pictures), help: showHelp, name: changeName };

  const list = new ListView(parts, pictures);
  const stage = new StageView(parts, pictures);
  const panel = new PanelView(parts, actions.chooseClass);
  let version;
  onChange(() => {
    if (state.campaign && version !== state.campaign.current_model?.version) {
      if (version !== undefined) pictures.forgetAll("uncertainty"); // another model is unsure elsewhere
      version = state.campaign.current_model?.version;
    }
    renderTop(parts);
    list.render();
    stage.render();
    panel.render();
    noteAddress();
  });

  app.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action], [data-overlay]");
    if (!button || button.type === "submit") return;
    if (button.dataset.overlay) actions.overlay(button.dataset.overlay);
    else actions[button.dataset.action]();
  });
  parts.more.addEventListener("submit", (event) => {
    event.preventDefault();
    actions.more();
  });
  parts.size.addEventListener("change", () => actions.size(Number(parts.size.value)));
  listenToKeys(actions);
  sync.start();
  setInterval(() => {
    sync.tick();
    list.render(); // leases lapse between two answers of the service
    panel.render();
  }, 1000);
}

async function changeName() {
  const annotator = await askName();
  if (annotator === state.annotator) return;
  location.search = new URLSearchParams({ annotator }).toString();
}

/** Name and sample stand in the address, so that a reload comes back to them. */
function noteAddress() {
  const values = new URLSearchParams({ annotator: state.annotator });
  if (state.selected !== null) values.set("sample", String(state.selected));
  const search = `?${values}`;
  if (search !== location.search) history.replaceState(null, "", search);
}

start();
