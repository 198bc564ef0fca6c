// What the stage says where no sample is on it.

import { capital, counted } from "../core/format.js";
import { state } from "../core/state.js";

/** Title, sentence, and whether there may be more to ask for; `done`: samples of this person's that have an answer. */
export function ending(done) {
  if (state.missing) return ["No such campaign", "It may have been renamed, deleted or mistyped.", false];
  if (state.campaign?.samples.total === 0) return ["No images yet", "They are added with al-loop add.", false];
  if (state.exhausted) return ["Nothing left to give out", `${capital(state.exhausted)}.`, false];
  if (state.progress?.left_in_pool === 0) return ["Everything is labelled", "Every image of this campaign has an answer.", false];
  if (done) return ["All done", `You labelled ${counted(done, "sample")} in the last 12 hours.`, true];
  return ["Ready when you are", "You hold no samples yet.", true];
}
