// The three dialogs: who labels, which token, which keys.

import { element, write } from "./dom.js";
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

/** Show the keys. */
export function showHelp() {
  const list = document.getElementById("help-keys");
  if (!list.children.length) {
    for (const { keys, shown, does } of KEYS) {
      const term = element("dt");
      for (const key of shown ?? keys) term.append(key === "…" ? " … " : element("kbd", "", key));
      list.append(term, element("dd", "", does));
    }
  }
  document.getElementById("help-dialog").showModal();
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
