// The dialogs: who labels, which token, which keys, why a sample is skipped, whether all of it is background.

import { element, show, write } from "./dom.js";
import { KEYS } from "./keys.js";
import { recall, remember } from "./memory.js";

/** Ask for the annotator's name; resolves with it. Escape keeps the name there was, if there was one. */
export async function askName() {
  const known = recall("annotator", "");
  const given = await askText("name", known, Boolean(known));
  const name = given.trim() || known;
  remember("annotator", name);
  return name;
}

/** Ask for a token; resolves with it. */
export function askToken(sentence) {
  const otherwise = "Its operator gives you one for annotating. It is kept in this browser only.";
  write(document.getElementById("token-text"), sentence || otherwise);
  return askText("token", "", false);
}

/** Show the keys; those for drawing and for SCANEO only where there is something to draw or a link. */
export function showHelp({ draws, scaneo }) {
  const list = document.getElementById("help-keys");
  list.replaceChildren();
  let place = null; // of the group
  for (const { group, drawing, scaneo: linked, keys, shown, does } of KEYS) {
    if (group) {
      place = (!drawing || draws) && (!linked || scaneo) ? element("div") : null;
      place?.append(element("dt", "group", group));
      if (place) list.append(place);
    } else if (place) {
      const term = element("dt");
      for (const key of shown ?? keys) term.append(key === "…" ? " … " : element("kbd", "", key));
      place.append(term, element("dd", "", does));
    }
  }
  document.getElementById("help-dialog").showModal();
}

/** Ask whether an image really shows nothing; `discards`: something is drawn that would be lost; `objects`: of boxes. */
export function confirmBackground(discards = false, objects = false) {
  const otherwise = objects
    ? "No box is drawn. The image is then saved as one without any object."
    : "Nothing is drawn. The whole image is then saved as background: none of the classes is in it.";
  const lost = objects
    ? "The boxes are then discarded, and the image is saved as one without any object."
    : "What is drawn is then discarded, and the whole image is saved as background.";
  write(document.getElementById("background-title"), objects ? "No object?" : "All background?");
  write(document.getElementById("background-word"), objects ? "No object" : "All background");
  write(document.getElementById("background-text"), discards ? lost : otherwise);
  return new Promise((resolve) => ask("background", (value) => resolve(value === "yes")));
}

/** Ask why a sample is skipped; resolves with the reason, "" for none, or null if it shall not be skipped after all. */
export function askSkipReason() {
  const field = document.getElementById("skip-field");
  field.value = "";
  return new Promise((resolve) => {
    ask("skip", (value) => resolve(value === "" || value === "cancel" ? null : value === "other" ? field.value.trim() : value));
  });
}

/** Show a comment dialog; resolves with {text, flag} or null. */
export function askComment(comments) {
  const list = document.getElementById("comment-list");
  list.replaceChildren(...comments.map(({ annotator, text, flag }) => {
    const item = element("li", flag ? "flagged" : "", text);
    item.prepend(element("b", "", `${annotator}: `));
    return item;
  }));
  show(list, comments.length > 0);
  const [field, flag] = [document.getElementById("comment-field"), document.getElementById("comment-flag")];
  field.value = "";
  flag.checked = false;
  return new Promise((resolve) => {
    ask("comment", (value) => resolve(value === "save" && (field.value.trim() || flag.checked) ? { text: field.value.trim(), flag: flag.checked } : null));
  });
}

/** Show a dialog; `done` gets the value of the button that closed it, "" after Escape. */
function ask(kind, done) {
  const dialog = document.getElementById(`${kind}-dialog`);
  dialog.returnValue = "";
  const onKey = (event) => {
    const button = event.target.closest("input, textarea") ? null : dialog.querySelector(`button[data-key="${CSS.escape(event.key)}"]`);
    if (!button) return;
    event.preventDefault();
    button.click();
  };
  dialog.addEventListener("keydown", onKey);
  dialog.addEventListener("close", () => {
    dialog.removeEventListener("keydown", onKey);
    done(dialog.returnValue);
  }, { once: true });
  dialog.showModal();
}

function askText(kind, value, mayCancel) {
  const dialog = document.getElementById(`${kind}-dialog`);
  const field = document.getElementById(`${kind}-field`);
  field.value = value;
  return new Promise((resolve) => {
    const form = dialog.querySelector("form");
    const finish = () => {
      form.removeEventListener("submit", onSubmit);
      dialog.removeEventListener("cancel", onCancel);
      resolve(field.value.trim() || value);
    };
    const onSubmit = (event) => {
      if (field.value.trim()) finish();
      else event.preventDefault();
    };
    const onCancel = (event) => {
      if (!mayCancel) return event.preventDefault();
      field.value = value;
      return finish();
    };
    form.addEventListener("submit", onSubmit);
    dialog.addEventListener("cancel", onCancel);
    dialog.showModal();
    field.select();
  });
}
