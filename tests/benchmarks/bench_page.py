"""How long an annotator waits from the key of an answer to the next picture on the screen, while others annotate too.

`al-loop serve` in a process of its own, a campaign of generated scenes (256 px, 4 bands, uint16), one annotator in
Chromium who presses "1" or "2" after a second with each picture, and others over HTTP who do what their pages
would: ask for 10 samples, fetch each picture, and answer a second later. Browser and annotators share the cores with
the service. Measured in the page: from the event of the key to the frame in which the next picture is drawn.

Run: python -m tests.benchmarks.bench_page [--annotators 8] [--answers 60]
"""

import argparse
import os
import random
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.bench_serving import service
from tests.data.debian import program
from tests.data.make_scene import make_scene

CAMPAIGN = "/campaigns/bench"
PICTURE_PX = 512
"""Longer side of the picture that a page asks for."""
WATCH = """() => {
  const map = document.querySelector(".map");
  const waits = (window.waits = []);
  let pressed = null;
  addEventListener("keydown", () => { pressed = performance.now(); }, true);
  new MutationObserver(() => {
    if (!map.dataset.shows || pressed === null) return;
    const from = pressed;
    pressed = null;
    requestAnimationFrame(() => requestAnimationFrame(() => waits.push(performance.now() - from)));
  }).observe(map, { attributes: true, attributeFilter: ["data-shows"] });
}"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotators", type=int, default=8, help="the one in the browser included")
    parser.add_argument("--answers", type=int, default=60)
    parser.add_argument("--think", type=float, default=1.0, help="seconds that each looks at a picture, about")
    options = parser.parse_args()
    others = options.annotators - 1
    scenes = 3 * options.answers * options.annotators
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number in range(scenes):
            make_scene(directory / "pool" / f"{number:05}.tif", width=256, height=256, bands=4, seed=number)
        with service(directory) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
            create(client, directory / "pool")
            ended, answered = threading.Event(), [0] * others
            crowd = [
                threading.Thread(target=annotate, args=(url, number, options.think, ended, answered))
                for number in range(others)
            ]
            for thread in crowd:
                thread.start()
            began = time.perf_counter()
            try:
                waits = in_browser(url, options.answers, options.think)
            finally:
                ended.set()
                for thread in crowd:
                    thread.join()
            seconds = time.perf_counter() - began
    p50, p95 = np.percentile(waits, [50, 95])
    rate, load = sum(answered) / seconds, os.getloadavg()[0]
    print(f"{options.annotators} annotators, {rate:.1f} answers a second by the others, load {load:.1f}")
    print(f"key to next picture: p50 {p50:.0f} ms, p95 {p95:.0f} ms, slowest {max(waits):.0f} ms ({len(waits)} keys)")


def create(client: httpx.Client, root: Path) -> None:
    """The campaign over all scenes; it never trains."""
    body = {
        "name": "bench",
        "root": str(root),
        "tasks": [{"task": "classification", "classes": ["dark", "bright"]}],
        "policy": {"new_labels": None},
    }
    client.post("/campaigns", json=body).raise_for_status()
    client.post(f"{CAMPAIGN}/samples", json={"scan": True}).raise_for_status()


def annotate(url: str, number: int, think_s: float, ended: threading.Event, answered: list[int]) -> None:
    """Ask, look, answer until the end."""
    rng, who = random.Random(number), f"annotator {number}"
    with httpx.Client(base_url=url, timeout=60) as client:
        while not ended.is_set():
            body = {"annotator": who, "query_size": 10}
            samples = client.post(f"{CAMPAIGN}/queries", json=body).raise_for_status().json()["samples"]
            if not samples:
                return
            for sample in samples:
                address = f"{CAMPAIGN}/samples/{sample['sample_id']}/thumbnail.png"
                client.get(address, params={"max_side": PICTURE_PX}).raise_for_status()
                if ended.wait(rng.uniform(0.5, 1.5) * think_s):
                    return
                classes = [rng.choice(["dark", "bright"])]
                label = {"sample_id": sample["sample_id"], "task": "classification", "annotator": who}
                client.post(f"{CAMPAIGN}/labels", json=label | {"classes": classes}).raise_for_status()
                answered[number] += 1


def in_browser(url: str, answers: int, think_s: float) -> list[float]:
    """Milliseconds from each key to the frame with the next picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program("chromium", "chromium", "chromium-browser", "google-chrome"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(60_000)
        page.goto(f"{url}/annotate/bench?annotator=measured")
        more(page)
        page.evaluate(WATCH)
        rng, waits = random.Random(0), list[float]()
        while len(waits) < answers:
            if page.locator('.list .row[data-state="open"]').count() < 2:
                page.keyboard.press(rng.choice("12"))
                more(page)
                page.evaluate("() => { window.waits.length = 0; }")
                continue
            time.sleep(rng.uniform(0.5, 1.5) * think_s)
            page.keyboard.press(rng.choice("12"))
            page.wait_for_function("() => window.waits.length > 0")
            waits += page.evaluate("() => window.waits.splice(0)")
        browser.close()
    return waits


def more(page: Page) -> None:
    """Ask for samples, and wait for the first picture."""
    page.wait_for_selector(".finished", state="visible")
    page.keyboard.press("m")
    page.wait_for_selector('.list .row[data-state="open"]')
    page.wait_for_selector('.map[data-shows]:not([data-shows=""])')
    time.sleep(1)


if __name__ == "__main__":
    main()
