// Small pictures of the rows of a list, fetched when a row comes near the screen.

import { show } from "../core/dom.js";
import { THUMB_PX } from "../stage/stage.js";

/** Observes rows inside `list`: buttons with `data-sample` and an `img`. */
export function thumbWatcher(list, pictures) {
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      const picture = target.querySelector("img");
      pictures.get(Number(target.dataset.sample), THUMB_PX).then((url) => {
        picture.src = url;
        show(picture, true);
      }, () => {}); // the large picture says what is wrong with the file
    }
  }, { root: list, rootMargin: "300px" });
  return watcher;
}
