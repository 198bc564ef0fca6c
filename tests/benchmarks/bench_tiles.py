"""How long an annotator waits for the first picture of a large scene without overviews, over HTTP.

A scene of 10,000 px and 4 bands (uint16, tiled and deflated, and again in plain strips) is generated. "First picture":
the tiles that fill a screen at the zoom where the whole scene fits it, asked for together as a browser does. Measured
at the first opening, at the second in a service that was restarted, and tile by tile at every zoom.

Run: python -m tests.benchmarks.bench_tiles [side in px]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from tests.benchmarks.bench_idle import cpu_s
from tests.benchmarks.bench_serving import service

BANDS = 4
SCREEN_PX = 1024
"""A screen shows the scene at the first zoom that has at least half as many pixels."""
CONNECTIONS = 6
"""As many as a browser opens to one server."""
TILES_A_ZOOM = 12
LAYOUTS: dict[str, dict[str, object]] = {
    "tiled, deflate": {
        "tiled": True,
        "compress": "deflate",
        "predictor": 2,
        "zlevel": 1,
        "blockxsize": 256,
        "blockysize": 256,
    },
    "strips, as they are": {"interleave": "pixel"},
}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", type=int, nargs="?", default=10_000)
    side = parser.parse_args().side
    for number, (layout, options) in enumerate(LAYOUTS.items()):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            imagery = directory / "imagery"
            imagery.mkdir()
            path = make_large(imagery / "large.tif", side, options)
            print(f"{layout}: {side} px, {BANDS} bands, {path.stat().st_size / 1e6:.0f} MB")
            with service(directory) as (url, pid), httpx.Client(base_url=url, timeout=120) as client:
                create(client, imagery, f"tiles-{number}")
                before = cpu_s(pid)
                wall = opening(client, f"tiles-{number}")
                print(f"  first opening: {wall:.2f} s (goal: 8), {cpu_s(pid) - before:.1f} s of processor time")
            with service(directory) as (url, pid), httpx.Client(base_url=url, timeout=120) as client:
                before = cpu_s(pid)
                wall = opening(client, f"tiles-{number}")
                print(f"  second, service restarted: {wall:.2f} s (goal: 2), {cpu_s(pid) - before:.1f} s")
                print(f"  again, from memory: {opening(client, f'tiles-{number}'):.2f} s")
                by_zoom(client, f"tiles-{number}")


def make_large(path: Path, side: int, options: dict[str, object]) -> Path:
    """A scene of smooth fields and noise, without overviews."""
    random = np.random.default_rng(0)
    x = np.linspace(0, 40, side, dtype=np.float32)
    profile = {"driver": "GTiff", "width": side, "height": side, "count": BANDS, "dtype": "uint16"}
    with rasterio.open(
        path, "w", crs="EPSG:32631", transform=Affine(10, 0, 5e5, 0, -10, 4.6e6), **profile, **options
    ) as dataset:
        noise = random.integers(0, 120, (512, side), np.uint16)
        for row in range(0, side, 512):
            rows = min(512, side - row)
            y = np.linspace(40 * row / side, 40 * (row + rows) / side, rows, dtype=np.float32)[:, None]
            fields = (np.sin(x)[None] * np.cos(y) + 1) * 1200 + 300
            strip = np.stack([(fields * (1 + 0.3 * band)).astype(np.uint16) + noise[:rows] for band in range(BANDS)])
            dataset.write(strip, window=Window(0, row, side, rows))
    return path


def create(client: httpx.Client, imagery: Path, name: str) -> None:
    """A campaign over the scene."""
    tasks = [{"task": "classification", "classes": ["water", "land"]}]
    client.post("/campaigns", json={"name": name, "tasks": tasks, "root": str(imagery)}).raise_for_status()
    client.post(f"/campaigns/{name}/samples", json={"scan": True}).raise_for_status()


def opening(client: httpx.Client, name: str) -> float:
    """Seconds until the tiles of a screen are there, all of the page's requests for them included."""
    started = time.perf_counter()
    (sample,) = client.get(f"/campaigns/{name}/samples").json()["samples"]
    address = f"/campaigns/{name}/samples/{sample['sample_id']}"
    around = client.get(f"{address}/view").json()
    zoom = next(z for z, *_ in zooms(around) if max(shape(around, z)) >= SCREEN_PX / 2)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda tile: get(client, address, *tile), tiles(around, zoom)))
    return time.perf_counter() - started


def by_zoom(client: httpx.Client, name: str) -> None:
    """Time of single tiles that nobody asked for before, by zoom."""
    (sample,) = client.get(f"/campaigns/{name}/samples").json()["samples"]
    address = f"/campaigns/{name}/samples/{sample['sample_id']}"
    around = client.get(f"{address}/view").json()
    random = np.random.default_rng(0)
    for zoom, factor in zooms(around):
        all_tiles = list(tiles(around, zoom))
        chosen = [all_tiles[index] for index in random.permutation(len(all_tiles))[:TILES_A_ZOOM]]
        times = [get(client, f"{address}", *tile, query="?view=infrared") for tile in chosen]
        print(f"  zoom {zoom} (1:{factor}): p50 {1000 * statistics.median(times):.0f} ms of {len(times)} tiles")


def zooms(around: dict[str, int]) -> Iterator[tuple[int, int]]:
    """Each zoom and the factor it is reduced by."""
    for zoom in range(around["max_zoom"] + 1):
        yield zoom, 2 ** (around["max_zoom"] - zoom)


def shape(around: dict[str, int], zoom: int) -> tuple[int, int]:
    """Height and width at a zoom."""
    factor = 2 ** (around["max_zoom"] - zoom)
    return -(-around["height"] // factor), -(-around["width"] // factor)


def tiles(around: dict[str, int], zoom: int) -> Iterator[tuple[int, int, int]]:
    """All tiles of a zoom: z, x, y."""
    height, width = shape(around, zoom)
    for y in range(-(-height // around["tile_size"])):
        for x in range(-(-width // around["tile_size"])):
            yield zoom, x, y


def get(client: httpx.Client, address: str, z: int, x: int, y: int, query: str = "") -> float:
    """Seconds that one tile takes."""
    started = time.perf_counter()
    client.get(f"{address}/tiles/{z}/{x}/{y}.png{query}").raise_for_status()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
