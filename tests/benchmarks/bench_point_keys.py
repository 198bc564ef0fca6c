"""How long an annotator who answers points waits on the page, from the key to the next ring, in Chromium.

Scenes are generated, a query asks about points of each, and a script presses the class key as soon as the next ring and
the pixels around it are on screen. "Ring": the frame after the one that shows it. The tile is the one of full
resolution that shows the asked pixel; images that fit into one picture need none.

Run: python -m tests.benchmarks.bench_point_keys [side of the scenes in px] [--scenes 5] [--points 8]
"""

import argparse
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.bench_serving import service
from tests.benchmarks.bench_tiles import LAYOUTS, make_large
from tests.data.debian import program

SETTLED_MS = 250
"""After the ring, for the map to ask for the tiles that it needs."""
WATCH = """() => {
    window.shown = [];
    window.pressed = 0;
    addEventListener("keydown", () => { window.pressed = performance.now(); }, true);
    const ring = document.querySelector(".asked");
    new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => {
        window.shown.push([window.pressed, performance.now(), ring.textContent]);
    }))).observe(ring, { childList: true, characterData: true, subtree: true });
}"""
TILES = """
    window.tiles = { waiting: 0, arrived: {} };
    const ask = window.fetch;
    window.fetch = async (address, ...more) => {
        const tile = String(address).match(/samples[/](.*[/]tiles[/].*)[.]png/)?.[1];
        tiles.waiting += Boolean(tile);
        try {
            return await ask(address, ...more);
        } finally {
            tiles.waiting -= Boolean(tile);
            if (tile) tiles.arrived[tile] = performance.now();
        }
    };
"""
"""Tiles on their way, those fetched ahead included, and when each came last."""
TILE_PX = 256


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("side", type=int, nargs="?", default=800)
    parser.add_argument("--scenes", type=int, default=5)
    parser.add_argument("--points", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "pool"
        root.mkdir()
        for number in range(arguments.scenes):
            make_large(root / f"scene_{number}.tif", arguments.side, LAYOUTS["tiled, deflate"])
        with service(Path(folder)) as (url, _), httpx.Client(base_url=url, timeout=120) as client:
            ask(client, root, arguments.scenes, arguments.points)
            chromium = program("chromium", "chromium", "chromium-browser", "google-chrome", install_s=600)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
                page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
                page.add_init_script(TILES)
                page.goto(f"{url}/annotate/demo?annotator=anna")
                held = client.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()["leases"]
                report(page, [tile_of(lease, point) for lease in held for point in lease["points"]], arguments.points)
                browser.close()
            labels = client.get("/campaigns/demo/labels").json()["labels"]
            saved = sum(len(label["features"]["features"]) for label in labels)
            print(f"{saved} points saved in {len(labels)} labels")


def ask(client: httpx.Client, root: Path, scenes: int, points: int) -> None:
    """A campaign over the scenes, and a query about points of all of them."""
    body = {
        "name": "demo",
        "tasks": [{"task": "segmentation", "classes": ["water", "land"]}],
        "root": str(root),
        "settings": {"reserve": {"share": 0.0, "minimum": 0}},
        "policy": {"new_labels": None},
    }
    client.post("/campaigns", json=body).raise_for_status()
    client.post("/campaigns/demo/samples", json={"scan": True}).raise_for_status()
    query = {"annotator": "anna", "query_size": scenes, "unit": "point", "points": points}
    client.post("/campaigns/demo/queries", json=query).raise_for_status()


def tile_of(lease: dict[str, Any], point: dict[str, float]) -> str:
    """The end of the address of the tile that shows a point's pixel, without loss."""
    zoom = max(0, math.ceil(math.log2(max(lease["width"], lease["height"]) / TILE_PX)))
    return f"{lease['sample_id']}/tiles/{zoom}/{int(point['column'] // TILE_PX)}/{int(point['row'] // TILE_PX)}"


def report(page: Page, tiles: list[str], points: int) -> None:
    """Answer all points, which lie in `tiles`; times of each but the first, which is there before any key."""
    page.wait_for_selector('.map[data-shows]:not([data-shows=""])')
    page.wait_for_timeout(2000)
    page.evaluate(WATCH)
    rings: dict[str, list[float]] = {"in the same image": [], "in the next image": []}
    pixels: list[float] = []
    for number, tile in enumerate(tiles[1:], 1):
        page.keyboard.press("12"[number % 2])
        page.wait_for_function("(n) => window.shown.length === n", arg=number)
        page.wait_for_timeout(SETTLED_MS)
        page.wait_for_function("() => tiles.waiting === 0")
        pressed, drawn, _ = page.evaluate("window.shown.at(-1)")
        where = "in the next image" if number % points == 0 else "in the same image"
        rings[where].append(drawn - pressed)
        arrived = page.evaluate("(tile) => tiles.arrived[tile] ?? 0", tile)
        pixels.append(max(0.0, arrived - pressed))
    page.keyboard.press("1")
    page.wait_for_selector(".finished")
    page.wait_for_selector(".queue", state="hidden")
    for where, times in rings.items():
        if times:
            print(f"key to next ring {where}: {summary(times)}")
    print(f"key to the tile with the pixel: {summary(pixels)}")


def summary(times: list[float]) -> str:
    """Median and tail of times in ms."""
    ordered = sorted(times)
    p90 = ordered[int(0.9 * (len(ordered) - 1))]
    return f"p50 {statistics.median(times):.0f} ms, p90 {p90:.0f} ms, most {ordered[-1]:.0f} ms of {len(times)}"


if __name__ == "__main__":
    main()
