// The keyboard: one table of keys, used by the page and by its help.

export const KEYS = [
  { keys: ["1", "…", "9", "0"], does: "answer with class 1 to 10 (switch it on or off where several may be right)" },
  { keys: ["Enter"], does: "save the classes that are switched on", action: "save" },
  { keys: ["a"], does: "accept the suggestion", action: "accept" },
  { keys: ["g"], does: "ask the model for a suggestion", action: "suggest" },
  { keys: ["n"], does: "nothing here: none of the classes", action: "nothing" },
  { keys: ["s"], does: "cannot tell: leave it to others", action: "skip" },
  { keys: ["u"], does: "take the last answer back", action: "undo" },
  { keys: ["j", "ArrowDown", "ArrowRight"], shown: ["j", "↓"], does: "next sample", action: "next" },
  { keys: ["k", "ArrowUp", "ArrowLeft"], shown: ["k", "↑"], does: "previous sample", action: "previous" },
  { keys: ["m"], does: "get more samples", action: "more" },
  { keys: ["r"], does: "ask again for a sample whose time ran out", action: "renew" },
  { keys: ["v"], does: "image, uncertainty, suggestion", action: "overlay" },
  { keys: ["o"], does: "open in SCANEO", action: "open" },
  { keys: ["b"], does: "put all open samples into SCANEO in this order", action: "batch" },
  { keys: ["c"], does: "copy the file name, for SCANEO's search box", action: "copy" },
  { keys: ["?"], does: "these keys", action: "help" },
];

const ACTION_OF = new Map(KEYS.flatMap(({ keys, action }) => (action ? keys.map((key) => [key, action]) : [])));

/** Act on keys, unless somebody types, a dialog is open, or the browser means something by them. */
export function listenToKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.repeat && !event.key.startsWith("Arrow")) return;
    if (document.querySelector("dialog[open]") || event.target.closest("input, select, textarea")) return;
    const onButton = event.target.closest("button, a");
    if (event.key === "Enter" && onButton && !onButton.closest(".classes, .list ol")) return; // Enter presses it
    const number = "1234567890".indexOf(event.key);
    const action = ACTION_OF.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (number < 0 && action === undefined) return;
    event.preventDefault();
    if (number >= 0) actions.chooseClass(number);
    else actions[action]();
  });
}
