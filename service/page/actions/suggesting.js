// Suggestions of the model: asked for by key, or fetched with the sample where the campaign wants it.

import { ApiError } from "../net/api.js";
import { boxesText, percent } from "../core/format.js";
import { toast } from "../core/messages.js";
import { activeTask, change, isDrawn, isPointed, openLeases, state, selectedLease, tasks } from "../core/state.js";
import { drawingOf, kindOf, setDrawing } from "../draw/actions.js";

const AHEAD = 2;
const SLOW_MS = 500;

/** Actions about suggestions; `fetch` gets those that come with the lease. */
export function suggestingActions(api, pictures) {
  const asked = new Set();

  async function ask(lease) {
    const given = await api.suggest(lease.sample_id);
    pictures.forget(lease.sample_id, "suggestion");
    for (const one of given) {
      const features = one.regions ?? one.boxes;
      const spec = tasks().find((each) => each.task === one.task);
      if (!features || !spec || drawingOf(lease, spec).isTouched) continue;
      setDrawing(lease.sample_id, kindOf(spec).from(features, lease.width, lease.height), spec);
    }
    const suggestions = new Map(state.suggestions).set(lease.sample_id, read(given, lease));
    change({ suggestions });
  }

  return {
    suggest: async () => {
      const lease = selectedLease();
      if (!lease) return;
      if (isPointed(lease)) return void toast("Points are answered without a suggestion.");
      const isThere = () => state.selected === lease.sample_id; // who has moved on is told nothing of the image before
      let takeAway = () => {};
      const waiting = setTimeout(() => isThere() && (takeAway = toast("The model is being asked.")), SLOW_MS);
      try {
        await ask(lease);
        if (isThere() && isDrawn(activeTask())) change({ overlay: "suggestion" });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const isMeant = error.status === 409; // withheld on purpose, or no model yet: nothing is wrong
        const text = error.isOffline ? "No suggestion now: the service does not answer." : error.message;
        if (isThere()) toast(text, isMeant ? "done" : "problem");
      } finally {
        clearTimeout(waiting);
        takeAway(); // it has answered
      }
    },

    /** Fetch the suggestions of this and the next samples, once each, where leases carry them. */
    fetch: () => {
      if (!state.campaign?.current_model) return;
      const open = openLeases();
      const at = open.findIndex((lease) => lease.sample_id === state.selected);
      for (const lease of open.slice(Math.max(0, at), Math.max(0, at) + AHEAD)) {
        if (!lease.suggestion || lease.points?.length || asked.has(lease.sample_id) || state.suggestions.has(lease.sample_id)) continue;
        asked.add(lease.sample_id);
        ask(lease).catch(() => {}); // withheld here, or not now: the annotator can still ask by key
      }
    },
  };
}

function read(given, lease) {
  const classes = given.find((one) => one.probabilities);
  const ranked = Object.entries(classes?.probabilities ?? {}).sort((one, other) => other[1] - one[1]);
  const spec = state.campaign.tasks.find((task) => task.task === classes?.task);
  const top = spec?.multi_label ? ranked.filter(([, p]) => p >= 0.5).map(([name]) => name) : ranked.slice(0, 1).map(([name]) => name);
  return { given, top, text: given.map((one) => sentence(one, lease)).join("; "), shown: given.map((one) => one.prediction_id) };
}

function sentence({ probabilities, shares, pixels, boxes }, { width, height }) {
  if (boxes) return boxesText(boxes.features);
  const counted = pixels && Object.fromEntries(Object.entries(pixels).map(([name, count]) => [name, count / (width * height)]));
  const ranked = Object.entries(probabilities ?? shares ?? counted ?? {}).sort((one, other) => other[1] - one[1]).slice(0, 3);
  return ranked.length ? ranked.map(([name, share]) => `${name} ${percent(share)}`).join(" · ") : "nothing drawn";
}
