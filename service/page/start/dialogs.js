// Asks for the annotator's name and for a token.

/** Ask for a token; resolves with it. */
export function askToken(sentence) {
  const otherwise = "Its operator gives you one. It is kept in this browser only.";
  document.getElementById("token-text").textContent = sentence || otherwise;
  return new Promise((resolve) => {
    const dialog = document.getElementById("token-dialog");
    const field = document.getElementById("token-field");
    field.value = "";
    dialog.oncancel = (event) => event.preventDefault(); // there is nothing to see without one
    dialog.onclose = () => resolve(field.value.trim());
    dialog.querySelector("form").onsubmit = (event) => {
      if (!field.value.trim()) event.preventDefault();
    };
    if (!dialog.open) dialog.showModal();
  });
}

/** The spelling that is known already of a name, such as "Anna" of " anna"; null: it is a new name. */
export function knownSpelling(name, names) {
  const folded = name.trim().toLocaleLowerCase();
  return names.find((known) => known.toLocaleLowerCase() === folded) ?? null;
}

/** Ask for the annotator's name among those who labelled before; resolves with it, or null if it was not given. */
export function askName(current, names) {
  const dialog = document.getElementById("name-dialog");
  const field = document.getElementById("name-field");
  const hint = document.getElementById("name-hint");
  field.value = current ?? "";
  document.getElementById("names").replaceChildren(...names.map((name) => new Option(name, name)));
  const say = () => {
    const known = knownSpelling(field.value, names);
    const other = known !== null && known !== field.value.trim();
    hint.textContent = other ? `You are taken for ${known}, who has labelled here before.` : "";
  };
  field.oninput = say;
  say();
  return new Promise((resolve) => {
    dialog.oncancel = () => {
      field.value = "";
    };
    dialog.onclose = () => {
      const name = field.value.trim();
      resolve(name ? (knownSpelling(name, names) ?? name) : null);
    };
    dialog.querySelector("form").onsubmit = (event) => {
      if (!field.value.trim()) event.preventDefault();
    };
    dialog.showModal();
    field.select();
  });
}
