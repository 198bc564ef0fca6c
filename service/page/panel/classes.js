// The buttons of the classes: whole names, colours, a field to find one by typing, descriptions and example pictures.

import { element, show, write } from "../core/dom.js";
import { activeTask, answerOf, classesOf, isDrawn, isPointed, selectedLease, state, togglesOf } from "../core/state.js";

const MOST_WITHOUT_SEARCH = 10;
const EXAMPLE_PX = 96;

/** The classes of the task that is asked; `choose(name)` is told which one was pressed. */
export class ClassesView {
  #parts;
  #choose;
  #pictures;
  #buttons = [];
  #of = null; // the classes that the buttons are made of

  constructor(parts, pictures, choose) {
    this.#parts = parts;
    this.#pictures = pictures;
    this.#choose = choose;
    parts.find.addEventListener("input", () => this.#filter());
    parts.find.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Put the cursor into the search. */
  find() {
    if (this.#buttons.length) {
      show(this.#parts.find, true);
      this.#parts.find.focus();
    }
  }

  render() {
    const spec = activeTask();
    const classes = classesOf(spec);
    if (this.#of !== classes && JSON.stringify(this.#of) !== JSON.stringify(classes)) this.#make(classes, spec);
    show(this.#parts.quick, classes.length > 0);
    const lease = selectedLease();
    write(this.#parts.question, isPointed(lease) ? "What is in the ring?" : question(spec));
    const on = !lease || isPointed(lease) ? [] : isDrawn(spec) ? [state.paint ?? classes[0]?.name]
      : spec.multi_label ? togglesOf(lease) : answerOf(lease, spec.task)?.classes ?? [];
    const suggested = (lease && !isDrawn(spec) && state.suggestions.get(lease.sample_id)?.top) || [];
    for (const { button, name } of this.#buttons) {
      if (button.disabled === Boolean(lease)) button.disabled = !lease;
      const pressed = String(on.includes(name));
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
      button.classList.toggle("suggested", suggested.includes(name));
    }
  }

  #make(classes, spec) {
    this.#of = classes;
    this.#buttons = classes.map(({ name, colour, description }, index) => {
      const button = element("button", "class");
      button.type = "button";
      const swatch = element("i", "swatch");
      swatch.style.setProperty("background", colour);
      const text = element("span", "", name);
      text.dir = "auto";
      button.append(swatch, text);
      if (index < MOST_WITHOUT_SEARCH) button.append(element("kbd", "", String((index + 1) % 10)));
      if (description) button.title = description;
      button.addEventListener("click", () => this.#choose(name));
      return { button, name, folded: fold(name) };
    });
    this.#parts.find.value = "";
    show(this.#parts.find, classes.length > MOST_WITHOUT_SEARCH);
    this.#parts.classes.replaceChildren(...this.#buttons.map(({ button }) => button));
    this.#parts.classes.classList.toggle("two", classes.length > 6 && classes.every(({ name }) => name.length <= 12));
    show(this.#parts.about, classes.some(({ description, examples }) => description || examples?.length) || Boolean(state.guidelines));
    this.#parts.classes.dataset.task = spec?.task ?? "";
  }

  #filter() {
    const sought = fold(this.#parts.find.value);
    for (const { button, folded } of this.#buttons) show(button, folded.includes(sought));
  }

  #onKey(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      const sought = fold(this.#parts.find.value);
      const found = this.#buttons.filter(({ folded }) => folded.includes(sought));
      const best = found.find(({ folded }) => folded === sought) ?? found.find(({ folded }) => folded.startsWith(sought)) ?? found[0];
      if (!sought || !best) return;
      this.#choose(best.name);
    } else if (event.key !== "Escape") return;
    this.#parts.find.value = "";
    this.#filter();
    this.#parts.find.blur();
  }

  /** Guidelines, descriptions and example pictures, in a dialog. */
  about() {
    const text = document.getElementById("about-guidelines");
    write(text, state.guidelines);
    show(text, Boolean(state.guidelines));
    const list = document.getElementById("about-classes");
    list.replaceChildren(...classesOf(activeTask()).map((one) => this.#described(one)));
    document.getElementById("about-dialog").showModal();
  }

  #described({ name, colour, description, examples }) {
    const item = element("li");
    const swatch = element("i", "swatch");
    swatch.style.setProperty("background", colour);
    const title = element("strong", "", name);
    title.dir = "auto";
    item.append(swatch, title, element("p", "soft", description ?? ""));
    const row = element("p", "examples");
    for (const id of (examples ?? []).slice(0, 6)) {
      const picture = element("img");
      picture.alt = `Example of ${name}`;
      this.#pictures.get(id, EXAMPLE_PX, { view: state.view }).then((url) => { picture.src = url; }, () => picture.remove());
      row.append(picture);
    }
    item.append(row);
    return item;
  }
}

function question(spec) {
  if (!spec) return "";
  if (isDrawn(spec)) return "Draw with";
  return spec.multi_label ? "What is here?" : "Which class is it?";
}

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
