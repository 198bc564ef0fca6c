// The keyboard: one table of keys, used by the page and by its help.

export const KEYS = [
  { group: "Answer" },
  { keys: ["1", "…", "9", "0"], does: "class 1 to 10: answer, switch on or off, or paint with it" },
  { keys: ["/"], does: "find a class by typing", action: "find" },
  { keys: ["Enter"], does: "save what is switched on, drawn or answered so far, or accept the suggestion", action: "save" },
  { keys: ["n"], does: "none of these; nothing to draw; leave a point out", action: "nothing" },
  { keys: ["s"], does: "skip: leave it to others, with a reason", action: "skip" },
  { keys: ["u"], does: "undo the last stroke or point, else the last answer or skip", action: "undo" },
  { keys: ["t"], does: "the other task of this sample", action: "task" },
  { keys: ["g"], does: "ask the model for a suggestion", action: "suggest" },
  { keys: ["a"], does: "accept the suggestion", action: "accept" },
  { keys: [";"], does: "comment on this image or flag it", action: "comment" },
  { group: "Image" },
  { keys: ["+", "="], shown: ["+"], does: "zoom in; a thicker brush while brushing", action: "zoomIn" },
  { keys: ["-"], does: "zoom out; a thinner brush while brushing", action: "zoomOut" },
  { keys: ["z"], does: "one pixel on one pixel, or the whole image; a point, or the whole image", action: "actual" },
  { keys: ["f"], does: "full screen", action: "fullScreen" },
  { keys: ["]", "["], shown: ["[", "]"], does: "other band combination", action: "nextView" },
  { keys: ["w"], does: "brightness of this image, or of the whole campaign", action: "stretch" },
  { keys: [",", "."], does: "darker, brighter", action: "darker" },
  { keys: ["y"], does: "what lies around the image", action: "around" },
  { keys: ["v"], does: "image, uncertainty, suggestion", action: "overlay" },
  { keys: ["h"], does: "hold to hide what lies over the image", action: "hide" },
  { group: "SCANEO", scaneo: true },
  { keys: ["o"], does: "open in SCANEO", action: "open" },
  { keys: ["b"], does: "put all open samples into SCANEO in this order", action: "batch" },
  { group: "Samples" },
  { keys: ["j", "ArrowDown", "ArrowRight"], shown: ["j", "↓"], does: "next sample", action: "next" },
  { keys: ["k", "ArrowUp", "ArrowLeft"], shown: ["k", "↑"], does: "previous sample", action: "previous" },
  { keys: ["m"], does: "get more samples", action: "more" },
  { keys: ["l"], does: "look-alikes: give one class to several images", action: "alike" },
  { keys: ["r"], does: "ask again for a sample whose time ran out", action: "renew" },
  { keys: ["c"], does: "copy the file name", action: "copy" },
  { keys: ["?"], does: "these keys", action: "help" },
  { group: "Draw", drawing: true },
  { keys: ["d"], does: "brush", action: "brush" },
  { keys: ["e"], does: "eraser", action: "eraser" },
  { keys: ["p"], does: "polygon; hold Shift and drag to draw it freehand", action: "polygon" },
  { keys: ["x"], does: "box", action: "box" },
  { keys: ["q"], does: "click a thing to outline it", action: "trace" },
  { keys: ["i"], does: "fill the rest of the image with the class", action: "fill" },
  { keys: ["Delete", "Backspace"], shown: ["Delete"], does: "delete the chosen region", action: "deleteRegion" },
  { keys: ["U"], shown: ["Shift", "u"], does: "redo", action: "redo" },
  { keys: ["Escape"], does: "put the tool down", action: "drop" },
];

const ACTION_OF = new Map(KEYS.flatMap(({ keys, action }) => (action ? keys.map((key) => [key, action]) : [])));
ACTION_OF.set("[", "previousView");
ACTION_OF.set(".", "brighter");
const REPEATING = ["next", "previous", "zoomIn", "zoomOut", "darker", "brighter"];

/** Act on keys, unless somebody types, a dialog is open, or the browser means something by them. `viewOf` names the view of a key. */
export function listenToKeys(actions, viewOf) {
  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]") || event.target.closest("input, select, textarea")) return;
    const key = event.key.length === 1 && event.key !== "U" ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey) {
      if (key !== "z" && key !== "Z") return;
      event.preventDefault();
      actions[event.shiftKey ? "redo" : "undo"]();
      return;
    }
    const onButton = event.target.closest("button, a");
    if (event.key === "Enter" && onButton && !onButton.closest(".classes, .list ol")) return; // Enter presses it
    const number = "1234567890".indexOf(event.key);
    const action = ACTION_OF.get(key);
    if (event.repeat && !REPEATING.includes(action)) return;
    const view = action === undefined ? viewOf(key) : null;
    if (number < 0 && action === undefined && !view) return;
    event.preventDefault();
    if (number >= 0) actions.chooseClass(number);
    else if (view) actions.view(view);
    else actions[action]();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === "h") actions.unhide();
  });
}
