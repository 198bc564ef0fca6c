// Fingers on the image: a quick stroke to the left or right goes to the next or previous sample.

const FARTHEST_DOWN_PX = 60;
const SHORTEST_PX = 70;
const LONGEST_MS = 600;

/** Act on swipes over `canvas`, while no tool is in hand and the image is not zoomed in. */
export function listenToSwipes(canvas, image, actions) {
  let begun = null;
  canvas.addEventListener("touchstart", (event) => {
    const isSwipe = event.touches.length === 1 && image.isAtFit && !image.map.getTargetElement().dataset.tool;
    const [touch] = event.touches;
    begun = isSwipe ? { x: touch.clientX, y: touch.clientY, at: event.timeStamp } : null;
  }, { passive: true });
  canvas.addEventListener("touchend", (event) => {
    if (!begun || event.touches.length) return;
    const [touch] = event.changedTouches;
    const [right, down] = [touch.clientX - begun.x, touch.clientY - begun.y];
    const isQuick = event.timeStamp - begun.at < LONGEST_MS;
    begun = null;
    if (!isQuick || Math.abs(down) > FARTHEST_DOWN_PX || Math.abs(right) < SHORTEST_PX) return;
    image.fit();
    if (right < 0) actions.next();
    else actions.previous();
  }, { passive: true });
}
