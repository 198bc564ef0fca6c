// Start of the page: who labels what.

import { askName, askToken } from "./core/dialogs.js";
import { recall, remember } from "./core/memory.js";
import { banner } from "./core/messages.js";
import { ApiError, onTokenNeeded } from "./net/api.js";
import { whoAmI } from "./net/campaign_api.js";
import { placeOf } from "./net/root.js";
import { showWorkspace } from "./workspace.js";

const app = document.getElementById("app");
const address = new URL(location.href);

async function start() {
  onTokenNeeded(askToken);
  const named = await nameOfToken();
  const given = address.searchParams.get("annotator")?.trim().slice(0, 200);
  const annotator = named || given || recall("annotator") || (await askName());
  if (!named) remember("annotator", annotator);
  showWorkspace(app, placeOf(address)[1], annotator, Boolean(named));
}

/** The name that the token stands for, if it does; a service that does not answer yet is no reason to stop. */
async function nameOfToken() {
  try {
    return (await whoAmI()).name;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (!error.isOffline) banner(error.message);
    return null;
  }
}

start();
