// What a person can do to the drawing of the sample on screen.

import { ApiError } from "../net/api.js";
import { toast } from "../core/messages.js";
import { activeTask, change, classesOf, drawnOn, draws, isBoxed, selectedLease, state } from "../core/state.js";
import { BoxDrawing } from "./boxes.js";
import { Drawing } from "./drawing.js";
import { intersection, rectangle } from "./geometry.js";

/** How a task is drawn: as areas that never overlap, or as boxes. */
export const kindOf = (spec) => (isBoxed(spec) ? BoxDrawing : Drawing);

/** The drawing of a sample for a task; an empty one where nothing was drawn yet. */
export function drawingOf(lease, spec = activeTask()) {
  return drawnOn(lease.sample_id, spec) ?? new (kindOf(spec))({ width: lease.width, height: lease.height });
}

/** Put a drawing in place of the one of a sample and task. */
export function setDrawing(sampleId, drawing, spec = activeTask()) {
  change({ drawings: new Map(state.drawings).set(`${sampleId} ${spec.task}`, drawing) });
}

/** The actions; `tools` is the map's side of them, `api` outlines what is clicked. */
export function drawingActions(api, getTools) {
  const drawn = () => (draws() ? selectedLease() : null);
  const act = (work) => {
    const lease = drawn();
    if (!lease) return;
    const before = drawingOf(lease);
    const after = work(before, lease);
    if (after === before) return;
    setDrawing(lease.sample_id, after);
    if (after.thinned) sayThinned(after);
  };
  const sayThinned = ({ thinned }) => toast(`This outline had very many corners; it was smoothed by at most ${thinned} px.`);
  const usualTool = () => (isBoxed(activeTask()) ? "box" : "brush");
  const paint = () => state.paint ?? classesOf(activeTask())[0]?.name;
  let given = null; // the tool that came with a class: its own key, pressed next, keeps it

  return {
    area: (area) => {
      given = null;
      act((drawing) => drawing.add(area, paint()));
    },
    erase: (area) => act((drawing) => drawing.erase(area)),
    reshape: (id, area) => act((drawing) => drawing.reshape(id, area)),
    choose: (column, row) => {
      const lease = drawn();
      if (lease) getTools().choose(drawingOf(lease).at(column, row)?.id ?? null);
      change({});
    },
    outline: async (column, row) => {
      const lease = drawn();
      if (!lease) return;
      const form = new FormData();
      form.set("sample_id", String(lease.sample_id));
      form.set("points", JSON.stringify([[column, row]]));
      form.set("label", paint());
      try {
        const { geometry } = await api.outline(form);
        const area = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
        const current = drawingOf(lease);
        const after = current.add(intersection(area, rectangle(0, 0, lease.width, lease.height)), form.get("label"));
        setDrawing(lease.sample_id, after);
        if (after !== current && after.thinned) sayThinned(after);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        toast(error.message, "problem");
      }
    },
    tool: (name) => {
      if (!drawn() || (isBoxed(activeTask()) && name !== "box")) return;
      const kept = given === name;
      given = null;
      change({ tool: state.tool === name && !kept ? null : name });
    },
    fill: () => act((drawing) => drawing.fill(paint())),
    deleteRegion: () => act((drawing) => {
      const { chosen } = getTools();
      if (chosen === null) return drawing;
      getTools().choose(null);
      return drawing.remove(chosen);
    }),
    /** Paint with a class; a chosen region becomes that class. */
    paint: (name) => {
      const tool = state.tool ?? (getTools().chosen === null ? usualTool() : null);
      given = state.tool === null ? tool : given;
      change({ paint: name, tool });
      act((drawing) => {
        const { chosen } = getTools();
        const region = drawing.regions.find((one) => one.id === chosen);
        return region && region.label !== name ? drawing.relabel(chosen, name) : drawing;
      });
    },
    /** Take the last stroke back; says whether there was one. */
    undoStroke: () => {
      const lease = drawn();
      if (!lease) return false;
      if (getTools().undoCorner()) return true;
      const drawing = drawingOf(lease);
      if (!drawing.past.length) return false;
      setDrawing(lease.sample_id, drawing.undo());
      return true;
    },
    redo: () => act((drawing) => drawing.redo()),
    thicker: (factor) => {
      const { brush } = getTools();
      brush.diameter = Math.min(200, Math.max(3, Math.round(brush.diameter * factor)));
      change({ brushPx: brush.diameter });
    },
  };
}
