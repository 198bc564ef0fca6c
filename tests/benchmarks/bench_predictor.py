"""What serving adds to ONNX Runtime, on a small real network.

Measured, always against the plain loop in the same process and interleaved with it:
- one client: time that `answer` of a pinned `Batcher` adds to `session.run` on the same array;
- eight clients: images a second against the best batch size of raw `session.run`;
- decode: `open_upload` + hash + `encode_codes` against the same with bare rasterio.

Run: python -m tests.benchmarks.bench_predictor
"""

import functools
import platform
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from models.inference.batching import Batcher
from models.inference.predictor import Predictor
from models.rasters.masks import encode_codes
from models.rasters.reading import open_upload
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_conv_onnx

ROUNDS = 400
CLIENTS = 8
SLICES, SLICE_S = 12, 0.25


def main() -> None:
    """Print the table."""
    print(f"onnxruntime {onnxruntime.__version__}, rasterio {rasterio.__version__}, {platform.processor() or 'cpu'}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for task, side in (("classification", 64), ("segmentation", 128)):
            version = make_conv_onnx(directory / task / "models", tasks=[task])
            predictor = Predictor(version)
            image = np.random.default_rng(0).uniform(0, 3000, (4, side, side)).astype(np.float32)
            one_client(task, predictor, image)
            many_clients(task, predictor, image)
        decoding(make_scene(directory / "chip.tif", width=64, height=64, bands=13))


def one_client(task: str, predictor: Predictor, image: NDArray[np.float32]) -> None:
    """Added latency of one call."""
    serve = functools.partial(Batcher(predictor).pin().answer, task)
    raw, served = interleaved(lambda: predictor.run(image[None]), lambda: serve(image))
    added = np.sort(served) - np.sort(raw)
    print(
        f"{task:14} {image.shape[1]} px, 1 client: session.run p50 {np.median(raw):.2f} ms; "
        f"added p50 {np.median(added):.3f} ms, p99 {np.percentile(served, 99) - np.percentile(raw, 99):.3f} ms"
    )


def many_clients(task: str, predictor: Predictor, image: NDArray[np.float32]) -> None:
    """Throughput of eight threads against raw batches, in turn, a fraction of a second each."""
    serve = functools.partial(Batcher(predictor).pin().answer, task)
    raw: dict[int, list[float]] = {size: [] for size in (1, 2, 4, 8, 16)}
    served = []
    for _ in range(SLICES):
        for size, rates in raw.items():
            rates.append(raw_throughput(predictor, image, size))
        served.append(served_throughput(serve, image))
    size, top = max(((size, float(np.median(rates))) for size, rates in raw.items()), key=lambda item: item[1])
    ratios = np.array(served) / np.array(raw[size])
    print(
        f"{task:14} {image.shape[1]} px, {CLIENTS} clients: {np.median(served):.0f}/s; best raw batch ({size}) "
        f"{top:.0f}/s, batch of 1 {np.median(raw[1]):.0f}/s; ratio {np.median(ratios):.2f}"
    )


def served_throughput(serve: Callable[[NDArray[np.float32]], object], image: NDArray[np.float32]) -> float:
    """Images a second that eight threads get answered."""
    counts = [0] * CLIENTS
    stop = threading.Event()

    def client(index: int) -> None:
        while not stop.is_set():
            serve(image)
            counts[index] += 1

    threads = [threading.Thread(target=client, args=(index,)) for index in range(CLIENTS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    time.sleep(SLICE_S)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started)


def decoding(path: Path) -> None:
    """Decode and encode of one upload."""
    data = path.read_bytes()

    def bare() -> None:
        with MemoryFile(data) as memory, memory.open(driver="GTiff") as dataset:
            dataset.read()

    def ours() -> None:
        upload = open_upload(data)
        upload.read([1, 2, 3])
        assert upload.pixel_hash

    raw, served = interleaved(bare, ours)
    print(
        f"decode 64 px x 13 bands: rasterio p50 {np.median(raw):.2f} ms; with checks, NaN, hash {np.median(served):.2f}"
    )
    header = open_upload(data).header
    codes = np.zeros((512, 512), np.uint8)
    encoded, _ = interleaved(lambda: encode_codes(codes, header.crs, header.transform), lambda: None)
    print(f"encode codes 512 px: p50 {np.median(encoded):.2f} ms")


def raw_throughput(predictor: Predictor, image: NDArray[np.float32], size: int) -> float:
    """Images a second of plain `session.run` in a loop."""
    batch = np.repeat(image[None], size, axis=0)
    predictor.run(batch)
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < SLICE_S:
        predictor.run(batch)
        count += size
    return count / (time.perf_counter() - started)


def interleaved(
    first: Callable[[], object], second: Callable[[], object]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Milliseconds of each call of two functions, called in turn after a warm-up."""
    times = np.empty((2, ROUNDS))
    for function in (first, second) * 10:
        function()
    for index in range(ROUNDS):
        for row, function in enumerate((first, second)):
            started = time.perf_counter()
            function()
            times[row, index] = (time.perf_counter() - started) * 1e3
    return times[0], times[1]


if __name__ == "__main__":
    main()
