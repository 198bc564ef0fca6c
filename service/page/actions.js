// What a person can do. Each action saves first and moves on when the service has it.

import { ApiError } from "./api.js";
import { answerText, counted, fileName } from "./format.js";
import { recall, remember } from "./memory.js";
import { toast } from "./messages.js";
import {
  change, changeLease, classification, emptyAnswers, select, selectNextOpen, selectedLease, state,
  stateOf, step,
} from "./state.js";

const MOST_UNDO = 20;
const OVERLAYS = ["none", "uncertainty", "suggestion"];

/** The actions of one workspace; `api` acts for the annotator, `sync` fetches news, `pictures` are kept. */
export function makeActions(api, sync, pictures) {
  let busy = false;

  /** Run one action at a time; trouble becomes one sentence, and nothing on screen is lost. */
  const alone = (work) => async (...given) => {
    if (busy) return;
    busy = true;
    try {
      await work(...given);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(error.isOffline ? "Not saved: the service does not answer. Try again when it is back." : error.message, "problem");
      if (!error.isOffline) await sync.refresh().catch(() => {});
    } finally {
      busy = false;
    }
  };

  const noteUndo = (entry) => {
    change({ undo: [...state.undo, entry].slice(-MOST_UNDO) });
    remember(`undo.${state.campaign.name}`, state.undo, sessionStorage);
  };

  const news = () => sync.refresh().catch(() => {}); // the poll says what is wrong

  async function saveAnswers(lease, answers, said) {
    const labelIds = await api.label(answers);
    sync.outdate();
    const saved = answers.map(({ task, classes }, index) => ({ task, label_id: labelIds[index], classes: classes ?? [] }));
    const others = lease.answers.filter((own) => !answers.some((answer) => answer.task === own.task));
    changeLease(lease.sample_id, { state: "labelled", answers: [...others, ...saved] });
    noteUndo({ sample_id: lease.sample_id, path: lease.path, label_ids: labelIds });
    toast(`${fileName(lease.path)}: ${said}`);
    selectNextOpen();
    news();
  }

  const actions = {
    /** Class number `index` of the classification task: the answer, or switched on or off where several are right. */
    chooseClass: alone(async (index) => {
      const lease = selectedLease();
      const task = classification();
      const name = task?.classes[index];
      if (!lease || name === undefined) return;
      if (task.multi_label) {
        const on = state.toggles.includes(name);
        change({ toggles: on ? state.toggles.filter((one) => one !== name) : [...state.toggles, name] });
        return;
      }
      await saveAnswers(lease, [{ sample_id: lease.sample_id, task: task.task, classes: [name] }], name);
    }),

    /** Save the classes that are switched on. */
    save: alone(async () => {
      const lease = selectedLease();
      const task = classification();
      if (!lease || !task?.multi_label) return;
      if (!state.toggles.length) {
        toast("No class is switched on. Press n if none of them is here.", "problem");
        return;
      }
      const classes = task.classes.filter((name) => state.toggles.includes(name));
      await saveAnswers(lease, [{ sample_id: lease.sample_id, task: task.task, classes }], answerText(classes));
    }),

    nothing: alone(async () => {
      const lease = selectedLease();
      const answers = lease ? emptyAnswers(lease.sample_id) : [];
      if (answers.length) await saveAnswers(lease, answers, "nothing here");
    }),

    skip: alone(async () => {
      const lease = selectedLease();
      if (!lease || ["labelled", "skipped"].includes(stateOf(lease))) return;
      await api.skip(lease.sample_id);
      sync.outdate();
      changeLease(lease.sample_id, { state: "skipped" });
      noteUndo({ sample_id: lease.sample_id, path: lease.path, skip: true });
      toast(`${fileName(lease.path)} is left to others.`);
      selectNextOpen();
      news();
    }),

    suggest: alone(async () => {
      const lease = selectedLease();
      if (!lease) return;
      const answers = await api.suggest(lease.sample_id);
      pictures.forget(lease.sample_id, "suggestion");
      const shown = answers.map((answer) => answer.prediction_id);
      const suggestion = { text: answers.map(suggestionText).join("; "), shown };
      const suggestions = new Map(state.suggestions).set(lease.sample_id, suggestion);
      change({ suggestions, overlay: "suggestion" });
    }),

    accept: alone(async () => {
      const lease = selectedLease();
      const suggestion = lease && state.suggestions.get(lease.sample_id);
      if (!suggestion) return;
      const labelIds = await api.accept(lease.sample_id, suggestion.shown);
      noteUndo({ sample_id: lease.sample_id, path: lease.path, label_ids: labelIds });
      await sync.refresh();
      toast(`${fileName(lease.path)}: suggestion accepted`);
      if (state.selected === lease.sample_id) selectNextOpen();
    }),

    undo: alone(async () => {
      const last = state.undo.at(-1);
      if (!last) return;
      change({ undo: state.undo.slice(0, -1) });
      remember(`undo.${state.campaign.name}`, state.undo, sessionStorage);
      if (last.skip) {
        toast(`A skip stays, but ${fileName(last.path)} can still be labelled here.`);
        select(last.sample_id);
        return;
      }
      for (const labelId of last.label_ids) await api.retract(labelId);
      const { lost } = await api.extend([last.sample_id]);
      await sync.refresh();
      select(last.sample_id);
      toast(lost.length ? "Taken back; somebody else has this image by now." : `${fileName(last.path)}: taken back`);
    }),

    more: alone(async () => {
      const { samples, reason } = await api.more(state.querySize);
      change({ exhausted: samples.length ? null : reason });
      await sync.refresh();
      if (samples.length) select(samples[0].sample_id);
      toast(samples.length ? `${counted(samples.length, "new sample")} for you` : `Nothing to get: ${reason}.`);
    }),

    renew: alone(async () => {
      const lease = selectedLease();
      if (!lease || stateOf(lease) !== "lapsed") return;
      const { lost } = await api.extend([lease.sample_id]);
      await sync.refresh();
      if (lost.length) toast(`Somebody else has ${fileName(lease.path)} by now. Get more samples instead.`, "problem");
    }),

    open: () => {
      const lease = selectedLease();
      if (!lease) return;
      const paste = "the file name is copied: paste it into SCANEO's search box.";
      const folder = inBatch(lease) ? lease.scaneo_path.split("/")[0] : null;
      if (folder) toast(`In SCANEO: folder ${folder}.`);
      else copyName(lease, lease.scaneo_url ? `In SCANEO: ${paste}` : `There is no link to SCANEO yet, so ${paste}`);
      if (lease.scaneo_url) window.open(lease.scaneo_url, "scaneo");
    },

    batch: alone(async () => {
      if (!selectedLease()?.scaneo_url) {
        toast("There is no link to SCANEO yet: an operator makes one with `al-loop scaneo connect`.", "problem");
        return;
      }
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
    overlay: (name) => {
      const next = name ?? OVERLAYS[(OVERLAYS.indexOf(state.overlay) + 1) % OVERLAYS.length];
      change({ overlay: next });
      remember("overlay", next);
    },
    size: (size) => {
      change({ querySize: size });
      remember("query-size", size);
    },
  };
  change({
    overlay: recall("overlay", "none"),
    querySize: recall("query-size", 10),
    undo: recall(`undo.${api.name}`, [], sessionStorage),
  });
  return actions;
}

/** Whether SCANEO shows a sample in a batch, where its folder is its rank. */
function inBatch(lease) {
  return /^\d+\//.test(lease.scaneo_path ?? "") && !lease.path.endsWith(lease.scaneo_path);
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

function suggestionText({ probabilities, pixels }) {
  const shares = Object.entries(probabilities ?? pixels ?? {}).sort((a, b) => b[1] - a[1]).slice(0, 3);
  if (!shares.length) return "nothing drawn";
  const unit = (value) => (probabilities ? `${Math.round(100 * value)} %` : `${value.toLocaleString("en")} px`);
  return shares.map(([name, value]) => `${name} ${unit(value)}`).join(" · ");
}
