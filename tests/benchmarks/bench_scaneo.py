"""What a link costs SCANEO, and how soon a brush stroke is a label: idle and with three annotators at work.

The annotators browse freely (images that nobody could guess), draw on what they have on lease, or work through a batch.
The real SCANEO is started from `.cache/`, where the tests install it.

Run: python -m tests.benchmarks.bench_scaneo [images ...] [--by requests file] [--ways browse leases batches]
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import httpx

from al_loop.scaneo.records import ScaneoImage
from service.app import create_app
from service.demo.server import free_port
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import running_server
from tests.service.scaneo.fixtures import HOME, AnnotatingClient, RunningScaneo

FILES = 20
IDLE_S = 60
WORK_S = 60
STROKE_EVERY_S = 2.0
STROKES = 3
"""Strokes on one image before an annotator goes on to the next."""
PATIENCE_S = 600


IMAGES_EACH = 12
"""Images on one annotator's lease or in one batch; more than a minute's work."""


def main() -> None:
    """Measure campaigns of some sizes, by requests alone and with SCANEO's file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--by", nargs="+", choices=["requests", "file"], default=["requests", "file"])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    arguments = parser.parse_args()
    for images in arguments.images:
        for by in arguments.by:
            with tempfile.TemporaryDirectory() as folder:
                measure(Path(folder), images, arguments.ways, by_file=by == "file")


def measure(folder: Path, images: int, ways: Sequence[str], *, by_file: bool) -> None:
    """One campaign: initial reading, an idle minute, a minute with three annotators for each way to work."""
    imagery = folder / "imagery"
    for number in range(FILES):
        make_scene(imagery / "files" / f"{number}.tif", origin=(500_000.0 + 3000 * number, 4_600_000.0), seed=number)
    (imagery / "pool").mkdir()
    for number in range(images):
        (imagery / "pool" / f"{number:05d}.tif").hardlink_to(imagery / "files" / f"{number % FILES}.tif")
    scaneo = RunningScaneo(HOME, folder / "cache")
    scaneo.start()
    settings = Settings(data=folder / "data", imagery=str(imagery), retrain_tick_s=3600, score_tick_s=3600)
    with AnnotatingClient.at(scaneo.url) as client, running_server(create_app(settings), free_port()) as url:
        api = httpx.Client(base_url=url, timeout=600)
        client.create_campaign("Pool", str(imagery / "pool"), [("water", "#0048f0"), ("urban", "#fd0d0d")])
        body = {"url": scaneo.url, "campaign": "Pool", "tasks": ["segmentation"]}
        if by_file:
            body["database"] = str(scaneo.database)
        started = time.monotonic()
        answer = api.put("/campaigns/demo/scaneo", json=body)
        if answer.is_error:
            raise SystemExit(answer.text)
        connected = time.monotonic() - started
        while (status := api.get("/campaigns/demo/scaneo").json())["images_read"] < images:
            time.sleep(0.5)
        read = time.monotonic() - started
        say(f"{images} images, {'its file' if by_file else 'requests only'}:")
        say(f"  connected in {connected:.1f} s, all images read after {read:.0f} s")
        time.sleep(IDLE_S + 5)
        say(f"  idle: {api.get('/campaigns/demo/scaneo').json()['requests_a_minute']:.0f} requests a minute")
        for way in ways:
            delays, latencies, status = work(client, api, WAYS[way](client, api))
            say(
                f"  three annotators, {way}: {status['requests_a_minute']:.0f} requests a minute; last stroke to label "
                f"p50 {statistics.median(delays):.1f} s, worst {max(delays):.1f} s of {len(delays)} images"
            )
            say(
                f"    SCANEO's answer to others meanwhile: p50 {1e3 * statistics.median(latencies):.0f} ms, "
                f"worst {1e3 * max(latencies):.0f} ms"
            )
        api.close()
    scaneo.stop()


def browsed(client: AnnotatingClient, api: httpx.Client) -> list[list[ScaneoImage]]:
    """Images one after the other from three places of the campaign: nobody could guess them."""
    del api
    images = images_of(client, "Pool")
    return [
        list(islice(cycle(images), start, start + IMAGES_EACH)) for start in (0, len(images) // 3, len(images) // 2)
    ]


def leased(client: AnnotatingClient, api: httpx.Client) -> list[list[ScaneoImage]]:
    """What a query gave each annotator."""
    by_path = {image.path: image for image in images_of(client, "Pool")}
    found = []
    for name in ("anna", "ben", "eva"):
        body = {"annotator": name, "query_size": IMAGES_EACH, "strategy": {"type": "random"}}
        answer = api.post("/campaigns/demo/queries", json=body).raise_for_status().json()
        found.append([by_path[item["path"]] for item in answer["samples"]])
    return found


def batched(client: AnnotatingClient, api: httpx.Client) -> list[list[ScaneoImage]]:
    """A batch for each annotator, in the order of its folders."""
    found = []
    for name in ("anna-b", "ben-b", "eva-b"):
        body = {"annotator": name, "query_size": IMAGES_EACH, "strategy": {"type": "random"}}
        batch = api.post("/campaigns/demo/scaneo/batches", json=body).raise_for_status().json()
        found.append(sorted(images_of(client, batch["name"]), key=lambda image: int(image.path.split("/")[0])))
    return found


def images_of(client: AnnotatingClient, name: str) -> list[ScaneoImage]:
    """Images of one of SCANEO's campaigns."""
    campaign = client.find_campaign(name)
    assert campaign is not None
    return client.images(campaign.id)


WAYS = {"browse": browsed, "leases": leased, "batches": batched}


def work(
    client: AnnotatingClient, api: httpx.Client, plans: Sequence[Sequence[ScaneoImage]]
) -> tuple[list[float], list[float], dict[str, float]]:
    """Three annotators draw, each on images of their own; returns delays, SCANEO's latencies and the link's status."""
    finished: dict[str, float] = {}
    latencies: list[float] = []
    until = time.monotonic() + WORK_S

    def annotate(plan: Sequence[ScaneoImage]) -> None:
        for image in plan:
            if time.monotonic() >= until:
                break
            drawn = None
            for step in range(STROKES):
                if drawn is not None:
                    client.delete_annotation(drawn)
                started = time.monotonic()
                drawn = client.add_mask(image.id, "water", stroke(image.bbox, (step + 1) / (STROKES + 1))).id
                latencies.append(time.monotonic() - started)
                finished[image.path.rsplit("/", 1)[-1]] = time.monotonic()
                time.sleep(STROKE_EVERY_S)

    threads = [threading.Thread(target=annotate, args=(plan,)) for plan in plans]
    for thread in threads:
        thread.start()
    changed: dict[str, tuple[int, float]] = {}
    status: dict[str, float] = {}
    while time.monotonic() < until + PATIENCE_S:
        at_work = any(thread.is_alive() for thread in threads)
        for label in api.get("/campaigns/demo/labels").json()["labels"]:
            if changed.get(label["path"], (0, 0.0))[0] != label["label_id"]:
                changed[label["path"]] = label["label_id"], time.monotonic()
        if at_work:
            status = api.get("/campaigns/demo/scaneo").json()
        elif all(path in changed and changed[path][1] > moment for path, moment in finished.items()):
            break
        time.sleep(0.5)
    return [changed[path][1] - moment for path, moment in finished.items() if path in changed], latencies, status


def stroke(bbox: tuple[float, float, float, float], share: float) -> dict[str, object]:
    """A rectangle over the left part of an image."""
    west, south, east, north = bbox
    right = west + (east - west) * share
    ring = [[west, south], [right, south], [right, north], [west, north], [west, south]]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]}}


def say(text: str) -> None:
    """Print at once: a run takes a quarter of an hour."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
