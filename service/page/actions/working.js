// What a person does besides answering: get samples, ask for more time, go to SCANEO, walk the list, choose views.

import { ApiError } from "../net/api.js";
import { counted, fileName, folderInBatch } from "../core/format.js";
import { recall, remember } from "../core/memory.js";
import { toast } from "../core/messages.js";
import { select, selectNextOpen, step } from "../core/selection.js";
import { activeTask, change, draws, isPointed, selectedLease, shownOverlay, state, stateOf, tasks, unitAsked } from "../core/state.js";

const OVERLAYS = ["none", "uncertainty", "suggestion"];

/** The actions; `sync` fetches news, `getStage` gives what shows the image, `onNew` is called when there are new samples. */
export function workingActions(api, sync, getStage, onNew) {
  let busy = false;

  /** Run one request at a time; trouble becomes one sentence. */
  const alone = (work) => async (...given) => {
    if (busy) return;
    busy = true;
    try {
      await work(...given);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(error.isOffline ? "The service does not answer. Try again when it is back." : error.message, "problem");
    } finally {
      busy = false;
    }
  };

  async function show({ samples, reason }) {
    change({ exhausted: samples.length ? null : reason });
    await sync.refresh();
    if (samples.length) {
      onNew();
      select(samples[0].sample_id);
    }
    toast(samples.length ? `${counted(samples.length, "new sample")} for you` : `Nothing to get: ${reason}.`);
  }

  const gamma = (factor) => {
    const wanted = Math.min(3, Math.max(0.3, (state.gamma ?? state.usualGamma) * factor));
    const isUsual = Math.abs(wanted - state.usualGamma) < 0.005; // as many steps back as forth: the campaign's own again
    change({ gamma: isUsual ? null : Number(wanted.toFixed(4)) });
  };
  const look = (by) => {
    const at = state.views.findIndex((one) => one.name === state.view);
    if (state.views.length) actions.view(state.views.at((Math.max(0, at) + by) % state.views.length).name);
  };

  const actions = {
    more: alone(async () => {
      if (!state.campaign) await sync.refresh(); // its tasks say whether there are points to ask about
      await show(await api.more(state.querySize, unitAsked() && state.unit));
    }),
    relabel: alone(async () => show(await api.relabels(state.querySize))),

    renew: alone(async () => {
      const lease = selectedLease();
      if (!lease || stateOf(lease) !== "lapsed") return;
      const { lost } = await api.extend([lease.sample_id]);
      await sync.refresh();
      if (lost.length) toast(`Somebody else has ${fileName(lease.path)} by now. Get more samples instead.`, "problem");
    }),

    open: () => {
      const lease = selectedLease();
      if (!lease?.scaneo_url) return;
      const folder = folderInBatch(lease);
      if (folder) toast(`In SCANEO: folder ${folder}.`);
      else copyName(lease, "In SCANEO: the file name is copied: paste it into SCANEO's search box.");
      window.open(lease.scaneo_url, "scaneo");
    },

    batch: alone(async () => {
      if (!selectedLease()?.scaneo_url) return;
      const made = await api.batch();
      await sync.refresh();
      const url = made.url ?? selectedLease()?.scaneo_url;
      toast(made.url ? `In SCANEO: ${counted(made.samples, "image")} in folders 1, 2, 3 … by rank.` : `No new batch: ${made.reason}.`);
      if (url) window.open(url, "scaneo");
    }),

    copy: () => {
      const lease = selectedLease();
      if (lease) copyName(lease, `${fileName(lease.path)} is copied.`);
    },

    next: () => step(1),
    previous: () => step(-1),
    nextOpen: () => selectNextOpen(),
    task: (name) => {
      const names = tasks().map((spec) => spec.task);
      change({ task: name ?? names[(names.indexOf(activeTask()?.task) + 1) % names.length], tool: null });
    },

    overlay: (name) => {
      const there = OVERLAYS.filter((one) => one !== "suggestion" || draws());
      change({ overlay: name ?? there[(there.indexOf(shownOverlay()) + 1) % there.length] });
      remember("overlay", state.overlay);
    },
    view: (name) => {
      change({ view: name });
      remember(`view.${api.name}`, name);
    },
    nextView: () => look(1),
    previousView: () => look(-1),
    stretch: () => {
      const next = (state.stretch ?? state.usualStretch) === "image" ? "campaign" : "image";
      change({ stretch: next });
      toast(next === "image" ? "Brightness of this image alone" : "Brightness of the whole campaign: images can be compared");
    },
    brighter: () => gamma(1.25),
    darker: () => gamma(0.8),
    zoomIn: () => getStage().image.zoom(1),
    zoomOut: () => getStage().image.zoom(-1),
    actual: () => (isPointed(selectedLease()) ? change({ whole: !state.whole }) : getStage().image.toggleActualSize()),
    fit: () => getStage().image.fit(undefined, 150),
    around: async () => {
      if (await getStage().around()) toast("No other image of this campaign lies around this one.");
    },
    hide: () => getStage().image.showOver(false),
    unhide: () => getStage().image.showOver(true),
    fullScreen: () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else document.querySelector(".workspace").requestFullscreen?.();
    },
    unit: (unit) => {
      change({ unit });
      remember(`unit.${api.name}`, unit);
    },
    size: (size) => {
      change({ querySize: size });
      remember("query-size", size);
    },
  };
  change({
    overlay: recall("overlay", "none"),
    querySize: recall("query-size", 10),
    unit: recall(`unit.${api.name}`, null),
    opacity: recall("opacity", 0.45),
    view: recall(`view.${api.name}`, null),
  });
  return actions;
}

async function copyName(lease, said) {
  const name = fileName(lease.path);
  try {
    await navigator.clipboard.writeText(name);
    toast(said);
  } catch {
    toast(`This browser does not let the page copy. The file name is ${name}`, "problem");
  }
}
