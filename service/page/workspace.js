// The working page: wires state, views, keys, outbox and the service together.

import { answeringActions } from "./actions/answering.js";
import { Pointing } from "./actions/pointing.js";
import { sender } from "./actions/sending.js";
import { suggestingActions } from "./actions/suggesting.js";
import { workingActions } from "./actions/working.js";
import { colourOf } from "./core/colours.js";
import { askComment, askName, showHelp } from "./core/dialogs.js";
import { fromTemplate, partsOf, show, write } from "./core/dom.js";
import { listenToKeys } from "./core/keys.js";
import { toast } from "./core/messages.js";
import { activeTask, change, drawnOn, draws, isBoxed, isDrawn, onChange, selectedLease, state, tasks } from "./core/state.js";
import { renderTop } from "./core/top.js";
import { drawingActions } from "./draw/actions.js";
import { LegendView, coloursOf } from "./draw/legend.js";
import { Tools } from "./draw/tools.js";
import { AlikeView } from "./list/alike.js";
import { FinderView } from "./list/finder.js";
import { ListView } from "./list/list.js";
import { UnitsView } from "./list/units.js";
import { ApiError } from "./net/api.js";
import { campaignApi } from "./net/campaign_api.js";
import { Pictures } from "./net/pictures.js";
import { ROOT } from "./root.js";
import { Sync } from "./net/sync.js";
import { Outbox } from "./outbox/outbox.js";
import { ClassesView } from "./panel/classes.js";
import { PanelView } from "./panel/panel.js";
import { PointsView } from "./stage/points.js";
import { StageView } from "./stage/stage.js";
import { listenToSwipes } from "./stage/swipe.js";
import { ViewsView } from "./stage/views.js";

const BOX_FILL = 0.3; // of the opacity: an object has to be seen in its box

/** Show a campaign's work for an annotator; `isNamed`: the token says who that is. */
export function showWorkspace(app, campaign, annotator, isNamed) {
  app.replaceChildren(fromTemplate("workspace"));
  const parts = partsOf(app);
  write(parts.campaign, campaign);
  document.title = `${campaign} · al-loop`;
  const api = campaignApi(campaign, annotator);
  const pictures = new Pictures(api.picture);
  const news = () => sync.refresh().catch(() => {}); // the poll says what is wrong
  const outbox = new Outbox(`${ROOT} ${campaign} ${annotator}`, {
    send: sender(api),
    onSaved: (entry, answer) => { answering.saved(entry, answer); news(); },
    onRefused: (entry, error) => { answering.refused(entry, error); news(); },
  });
  const sync = new Sync(api, outbox);
  const given = new URL(location.href).searchParams;
  const sample = Number(given.get("sample")) || null;
  change({ annotator, selected: sample });

  const stage = new StageView(parts, api, pictures);
  const drawing = drawingActions(api, () => tools);
  const tools = new Tools(stage.image, drawing);
  const answering = answeringActions(campaign, outbox, drawing, new Pointing(`${campaign}.${annotator}`));
  const suggesting = suggestingActions(api, pictures);
  const working = workingActions(api, sync, () => stage, () => finder.tab("yours"));
  const classes = new ClassesView(parts, pictures, answering.chooseName);
  const alike = new AlikeView(api, pictures, answering.labelAll);
  const finder = new FinderView(parts, api, pictures);
  const list = new ListView(parts, pictures);
  const units = new UnitsView(app);
  const panel = new PanelView(parts);
  const legend = new LegendView(parts, stage);
  const views = new ViewsView(parts, working);
  const points = new PointsView(parts, stage);
  if (["image", "point"].includes(given.get("unit"))) working.unit(given.get("unit"));

  const brushing = () => state.tool === "brush" || state.tool === "erase";
  const actions = {
    ...working, ...suggesting, ...answering, ...drawing,
    help: () => showHelp({ draws: tasks().some(isDrawn), scaneo: Boolean(selectedLease()?.scaneo_url) }),
    name: () => (isNamed ? undefined : changeName()),
    find: () => classes.find(),
    about: () => classes.about(),
    alike: () => alike.open(),
    comment: () => comment(api, outbox),
    list: () => parts.list.classList.toggle("open"),
    brush: () => drawing.tool("brush"),
    eraser: () => drawing.tool("erase"),
    polygon: () => drawing.tool("polygon"),
    box: () => drawing.tool("box"),
    trace: () => drawing.tool("trace"),
    drop: () => { if (!tools.abort()) { change({ tool: null }); tools.choose(null); parts.list.classList.remove("open"); } },
    zoomIn: () => (brushing() ? drawing.thicker(1.25) : working.zoomIn()),
    zoomOut: () => (brushing() ? drawing.thicker(0.8) : working.zoomOut()),
  };

  let version;
  let colours = new Map();
  let coloured = null;
  onChange(() => {
    if (state.campaign && version !== state.campaign.current_model?.version) {
      if (version !== undefined) pictures.forget(null, "uncertainty"); // another model is unsure elsewhere
      version = state.campaign.current_model?.version;
    }
    const spec = activeTask();
    if (coloured !== state.classes || colours.task !== spec?.task) {
      coloured = state.classes;
      colours = Object.assign(coloursOf(spec), { task: spec?.task });
    }
    const lease = selectedLease();
    renderTop(parts);
    list.render();
    units.render();
    stage.render();
    points.render(colours);
    const fill = isBoxed(spec) ? BOX_FILL * state.opacity : state.opacity;
    tools.show(lease && draws() ? drawnOn(lease.sample_id) : null, colours, fill);
    tools.brush.colour = colours.get(state.paint ?? spec?.classes[0]) ?? "#ffffff";
    tools.take(state.tool, Boolean(lease) && draws(), lease?.sample_id);
    show(parts.deleteRegion, tools.chosen !== null);
    classes.render();
    panel.render();
    legend.render();
    views.render();
    suggesting.fetch();
    noteAddress();
  });

  app.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action], [data-overlay], [data-task], [data-tab], [data-unit]");
    if (!button || button.type === "submit" || button.matches(".classes")) return;
    const { action, overlay, task, tab, unit } = button.dataset;
    if (overlay) actions.overlay(overlay);
    else if (tab) finder.tab(tab);
    else if (unit) actions.unit(unit);
    else if (action) actions[action]();
    else actions.task(task);
    if (event.target.closest(".list .row, .relabel")) parts.list.classList.remove("open");
  });
  parts.more.addEventListener("submit", (event) => {
    event.preventDefault();
    parts.list.classList.remove("open");
    actions.more();
  });
  parts.size.addEventListener("change", () => actions.size(Number(parts.size.value)));
  parts.brushPx.addEventListener("input", () => drawing.thicker(Number(parts.brushPx.value) / tools.brush.diameter));
  listenToKeys(actions, (key) => state.views.find((one) => one.key === key)?.name);
  listenToSwipes(parts.canvas, stage.image, actions);
  show(parts.fullScreen, Boolean(document.fullscreenEnabled));
  outbox.start();
  sync.start();
  describe(api);
  setInterval(() => {
    sync.tick();
    answering.saveEnded();
    list.render(); // leases lapse between two answers of the service
    panel.render();
  }, 1000);
}

/** Ask for what changes rarely, each on its own: classes must not wait for the views, which read pixels the first time. */
function describe(api) {
  ask(api.classes, ({ tasks: described, guidelines = "" }) => {
    const classes = described.map(({ task, classes: all }) => [
      task, all.map((one, index) => ({ ...one, colour: /^#[0-9a-f]{6}$/i.test(one.colour) ? one.colour : colourOf(index) })),
    ]);
    change({ classes: new Map(classes), guidelines });
  });
  ask(api.views, ({ views, default: usual, stretch = "campaign", gamma = 1, synthetic = null }) => {
    const known = views.some((one) => one.name === state.view);
    change({ views, view: known ? state.view : usual, usualStretch: stretch, usualGamma: gamma, synthetic });
  });
}

/** Take the answer of a call; ask again while the service is away or busy. */
async function ask(call, take) {
  try {
    const answer = await call();
    if (answer) take(answer);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.isOffline || error.status === 429 || error.status >= 500) setTimeout(() => ask(call, take), 5000);
  }
}

async function comment(api, outbox) {
  const lease = selectedLease();
  if (!lease) return;
  const before = await api.comments(lease.sample_id).catch(() => []);
  const said = await askComment(Array.isArray(before) ? before : (before.comments ?? []));
  if (!said) return;
  outbox.add({ kind: "comment", sample_ids: [lease.sample_id], path: lease.path, ...said });
  toast(said.flag ? "Flagged for others to look at." : "Comment saved.");
}

async function changeName() {
  const annotator = await askName();
  if (annotator === state.annotator) return;
  location.search = new URLSearchParams({ annotator }).toString();
}

/** Name, sample and unit stand in the address, so that a reload comes back to them. */
function noteAddress() {
  const values = new URLSearchParams({ annotator: state.annotator });
  if (state.selected !== null) values.set("sample", String(state.selected));
  if (state.unit !== null) values.set("unit", state.unit);
  const search = `?${values}`;
  if (search !== location.search) history.replaceState(null, "", search);
}
