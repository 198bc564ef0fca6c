"""What a link costs SCANEO, and how soon a brush stroke is a label: idle and with three annotators at work.

Run: python tests/benchmarks/bench_scaneo.py [images ...]   (default: 1000 10000)
The real SCANEO is started from `.cache/`, where the tests install it.
"""

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

from service.app import create_app
from service.demo.server import free_port
from service.scaneo.client import ScaneoClient
from service.settings import Settings
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import running_server
from tests.fixtures_scaneo import HOME, RunningScaneo

FILES = 20
IDLE_S = 60
WORK_S = 60
STROKE_EVERY_S = 2.0
STROKES = 3
"""Strokes on one image before an annotator goes on to the next."""
PATIENCE_S = 600


def main(sizes: list[int]) -> None:
    """Measure campaigns of some sizes, by requests alone and with SCANEO's file."""
    for images in sizes:
        for by_file in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                measure(Path(folder), images, by_file=by_file)


def measure(folder: Path, images: int, *, by_file: bool) -> None:
    """One campaign: initial reading, an idle minute, a minute with three annotators."""
    imagery = folder / "imagery"
    for number in range(FILES):
        make_scene(imagery / "files" / f"{number}.tif", origin=(500_000.0 + 3000 * number, 4_600_000.0), seed=number)
    (imagery / "pool").mkdir()
    for number in range(images):
        (imagery / "pool" / f"{number:05d}.tif").hardlink_to(imagery / "files" / f"{number % FILES}.tif")
    scaneo = RunningScaneo(HOME, folder / "cache")
    scaneo.start()
    port = free_port()
    settings = Settings(data=folder / "data", imagery=str(imagery), retrain_tick_s=3600, score_tick_s=3600)
    with ScaneoClient.at(scaneo.url) as client, running_server(create_app(settings), port) as url:
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
        print(f"{images} images, {'its file' if by_file else 'requests only'}:")
        print(f"  connected in {connected:.1f} s, all images read after {read:.0f} s")
        time.sleep(IDLE_S + 5)
        print(f"  idle: {api.get('/campaigns/demo/scaneo').json()['requests_a_minute']:.0f} requests a minute")
        delays, latencies, status = work(client, api)
        print(
            f"  three annotators: {status['requests_a_minute']:.0f} requests a minute; last stroke to label "
            f"p50 {statistics.median(delays):.1f} s, worst {max(delays):.1f} s of {len(delays)} images"
        )
        print(
            f"  SCANEO's answer to others meanwhile: p50 {1e3 * statistics.median(latencies):.0f} ms, "
            f"worst {1e3 * max(latencies):.0f} ms"
        )
        api.close()
    scaneo.stop()


def work(client: ScaneoClient, api: httpx.Client) -> tuple[list[float], list[float], dict[str, float]]:
    """Three annotators draw on images of their own choice; returns delays, SCANEO's latencies and the link's status."""
    campaign = client.find_campaign("Pool")
    assert campaign is not None
    images = client.images(campaign.id)
    finished: dict[str, float] = {}
    latencies: list[float] = []
    until = time.monotonic() + WORK_S

    def annotate(offset: int) -> None:
        position = offset
        while time.monotonic() < until:
            image = images[position % len(images)]
            drawn = None
            for step in range(STROKES):
                if drawn is not None:
                    client.delete_annotation(drawn)
                started = time.monotonic()
                drawn = client.add_mask(image.id, "water", stroke(image.bbox, (step + 1) / (STROKES + 1))).id
                latencies.append(time.monotonic() - started)
                finished[image.path] = time.monotonic()
                time.sleep(STROKE_EVERY_S)
            position += 1

    threads = [threading.Thread(target=annotate, args=(len(images) // 3 * number,)) for number in range(3)]
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


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [1000, 10_000])
