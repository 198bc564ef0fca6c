"""A whole scene predicted: peak memory, throughput against raw `session.run` on the same tiles, and the seam.

    python -m tests.benchmarks.bench_scene [--side 10000] [--version DIR] [--seam-side 1024]

Writes a scene of SIDE x SIDE px, 4 bands, uint16, tiled and deflated, to a temporary folder, and predicts it by the
program that the service and `al-loop predict` run, in a process of its own whose peak resident memory is read from the
kernel. The model is the small convolutional network of the tests with a segmentation head, or a version's directory.
`session.run` is timed on tiles of that scene that lie in memory, before and after, in turns with nothing else.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window as RasterWindow

from models.inference.predictor import Predictor
from models.inference.scenes.answers import PixelAnswers
from models.inference.scenes.spec import SceneResult, SceneSpec
from models.rasters.reading import read_raster
from models.rasters.tiling import Window
from models.registry import read_card
from tests.data.tiny_model import make_conv_onnx

RAW_TILES = 40


def write_scene(path: Path, side: int, bands: int) -> None:
    """A scene of smooth land with noise; the last tenth of its columns is nodata."""
    rng = np.random.default_rng(0)
    profile = {
        "driver": "GTiff", "width": side, "height": side, "count": bands, "dtype": "uint16", "crs": "EPSG:32631",
        "transform": Affine(10, 0, 500_000, 0, -10, 4_600_000), "nodata": 0, "tiled": True, "blockxsize": 512,
        "blockysize": 512, "compress": "deflate", "zlevel": 1, "predictor": 2, "bigtiff": "if_safer",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        for row in range(0, side, 512):
            rows = min(512, side - row)
            waves = np.sin(np.arange(row, row + rows)[:, None] / 90) + np.cos(np.arange(side)[None] / 70)
            values = np.stack([1200 + 300 * np.roll(waves, 40 * band, axis=1) for band in range(bands)])
            values += rng.integers(0, 60, values.shape)
            values[:, :, side - side // 10 :] = 0
            dataset.write(values.astype(np.uint16), window=RasterWindow(0, row, side, rows))


def raw_seconds(model: Predictor, tiles: list[np.ndarray]) -> list[float]:
    """Seconds of `session.run` on each tile."""
    taken = []
    for tile in tiles:
        began = time.perf_counter()
        model.run(tile)
        taken.append(time.perf_counter() - began)
    return taken


def seam(model: Predictor, task: str, image: np.ndarray) -> tuple[float, float, float]:
    """Largest and mean difference of probabilities, whole against tiled and blended; share of codes that differ."""
    height, width = image.shape[1:]
    whole = model.run(image[None])[task][0]
    tiled = np.zeros_like(whole)
    answers = PixelAnswers(model, model.task(task), height, width)

    def read(window: Window) -> np.ndarray:
        return image[:, window.row : window.row + window.height, window.column : window.column + window.width]

    for _, part, _, values in answers.probabilities(0, read):
        column, row, wide, tall = part.finished
        tiled[:, row : row + tall, column : column + wide] = values
    apart = np.abs(tiled - whole)
    return float(apart.max()), float(apart.mean()), float((tiled.argmax(axis=0) != whole.argmax(axis=0)).mean())


def main() -> None:
    """Run it and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--seam-side", type=int, default=1024, help="multiple of 32")
    parser.add_argument("--version", type=Path, help="directory of a version with a segmentation head")
    parser.add_argument("--task", default="segmentation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        version = options.version or make_conv_onnx(directory / "models", tasks=[options.task])
        card = read_card(version)
        scene, out = directory / "scene.tif", directory / "out"
        write_scene(scene, options.side, card.source_bands)
        out.mkdir()
        spec = SceneSpec(scene=str(scene), name="scene.tif", model_dir=str(version), task=options.task)
        (directory / "spec.json").write_bytes(msgspec.json.encode(spec))
        model = Predictor(version)
        plan = [tile for tile in model.plan(options.side, options.side) if tile.read.column < 0.8 * options.side]
        picked = plan[:: max(1, len(plan) // RAW_TILES)][:RAW_TILES]
        images = [read_raster(scene, card.bands, window=tile.read, policy=card.reading)[None] for tile in picked]
        images = [image for image in images if image.shape[2] == image.shape[3] == card.tile_px]
        raw = raw_seconds(model, images)
        command = [sys.executable, "-m", "models.predict_scene", str(directory / "spec.json"), "--out", str(out)]
        began, cpu = time.perf_counter(), os.times()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall, spent = time.perf_counter() - began, os.times()
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        raw += raw_seconds(model, images)
        result = msgspec.json.decode((out / "result.json").read_bytes(), type=SceneResult)
        size = options.seam_side
        image = read_raster(scene, card.bands, window=(0, 0, size, size), policy=card.reading)
        largest, mean, codes = seam(model, options.task, np.nan_to_num(image))
        report = {
            "side": options.side,
            "tiles": result.tiles,
            "tile_px": card.tile_px,
            "peak_mb": round(peak_mb),
            "seconds": round(wall, 1),
            "share_inside_session_run": round(result.model_seconds / result.seconds, 3),
            "cpu_seconds": round(
                spent.children_user + spent.children_system - cpu.children_user - cpu.children_system, 1
            ),
            "raw_tile_ms": {"median": round(1e3 * float(np.median(raw)), 1), "least": round(1e3 * min(raw), 1)},
            "seam": {"largest": largest, "mean": mean, "other_code": codes, "side": size},
            "load": os.getloadavg()[0],
        }
        print(json.dumps(report))


if __name__ == "__main__":
    main()
