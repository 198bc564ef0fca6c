"""Damaged images through the prediction routes and through registration of a real service.

Each is one of the valid images of `tests/data/odd/make.py`, changed at random: bytes, tags, ends, pieces twice or gone;
one in five of those that are registered gets a damaged sidecar. Prints crashes, answers of 5xx, paths of the server in
answers, the service's largest memory and the slowest answer. The same seed gives the same files.

Run: python -m tests.benchmarks.fuzz_rasters [--seed 0] [--count 2000] [--keep FOLDER for those that went wrong]
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx

from service.app import create_app
from service.settings import Settings
from tests.benchmarks.bench_serving import service
from tests.data.odd.make import VALID
from tests.e2e.campaigns import serve_tiny

ROUTES = ("classification", "segmentation", "sam")
SAM = {
    "points": "[[30, 30]]",
    "label": "class-1",
    "crs": "EPSG:32633",
    "transform": "[500000,10,0,4600000,0,-10]",
}
CLASSES = ["class-1", "class-2", "class-3"]
RIGHT = {200, 400, 409, 413, 415, 422}
BATCH = 500
SLOW_S = 5.0
SIDECARS = (".ovr", ".msk", ".aux.xml", ".aux")


def main() -> None:
    """Print the figures; the exit code is 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        prepare(directory)
        with service(directory) as (url, pid), httpx.Client(base_url=url, timeout=120) as client:
            before = peak_mb(pid)
            findings = [
                *predictions(client, chosen.seed, chosen.count, directory, chosen.keep),
                *registrations(client, chosen.seed, chosen.count, directory),
            ]
            client.get("/health/live").raise_for_status()
            print(f"largest memory: {before} MB at the start, {peak_mb(pid)} MB at the end")
    print(f"seed {chosen.seed}: {len(findings)} went wrong")
    for finding in findings[:50]:
        print(" ", finding)
    raise SystemExit(bool(findings))


def prepare(directory: Path) -> None:
    """A campaign `demo` with a tiny model of 3 bands, and room for images."""
    from litestar.testing import TestClient

    (directory / "demo").mkdir()
    settings = Settings(data=directory / "data", imagery=str(directory))
    running: list[TestClient] = []

    def start() -> TestClient:
        running.append(TestClient(create_app(settings), base_url="http://127.0.0.1"))
        return running[-1].__enter__()

    serve_tiny(start, settings, directory / "demo", classes=CLASSES, known=CLASSES)
    running[-1].__exit__(None, None, None)


def predictions(client: httpx.Client, seed: int, count: int, directory: Path, keep: Path | None) -> Iterator[str]:
    """Send damaged images; what went wrong."""
    statuses: Counter[tuple[str, int]] = Counter()
    slowest = 0.0
    for number, (kind, data) in enumerate(mutated(seed, count)):
        route = ROUTES[number % len(ROUTES)]
        form = SAM if route == "sam" else {}
        began = time.perf_counter()
        answer = client.post(f"/campaigns/demo/predictions/{route}", files={"image": ("image", data)}, data=form)
        seconds = time.perf_counter() - began
        slowest = max(slowest, seconds)
        statuses[route, answer.status_code] += 1
        said = answer.text if answer.status_code != 200 else ""
        if answer.status_code not in RIGHT or seconds > SLOW_S or leaks(said, directory):
            yield f"prediction {number} ({kind}, {route}): {answer.status_code} in {seconds:.1f} s: {said[:200]}"
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{seed}-{number}.bin").write_bytes(data)
    print(f"predictions: {dict(sorted(statuses.items()))}; slowest {slowest:.2f} s")


def registrations(client: httpx.Client, seed: int, count: int, directory: Path) -> Iterator[str]:
    """Scan folders of damaged images among good ones; what went wrong."""
    rng = random.Random(seed)
    good = VALID["tiles"]()
    registered = skipped = 0
    slowest = 0.0
    images = mutated(seed + 1, count)
    for batch in range(0, count, BATCH):
        folder = directory / "demo" / f"batch-{batch}"
        folder.mkdir()
        wanted = 0
        for number in range(min(BATCH, count - batch)):
            _, data = next(images)
            path = folder / f"{number:04}{rng.choice(['.tif', '.jpg', '.png'])}"
            path.write_bytes(data)
            if rng.random() < 0.2:
                Path(f"{path}{rng.choice(SIDECARS)}").write_bytes(next(mutated(rng.randrange(2**32), 1))[1])
            if number % 10 == 0:
                (folder / f"good-{number:04}.tif").write_bytes(good)
                wanted += 1
        began = time.perf_counter()
        answer = client.post("/campaigns/demo/samples", json={"scan": True})
        slowest = max(slowest, time.perf_counter() - began)
        if answer.status_code >= 300:
            yield f"registration of batch {batch}: {answer.status_code}: {answer.text[:200]}"
            continue
        report = answer.json()
        new = [entry for entry in report["skipped"] if entry["path"].startswith(folder.name)]
        registered, skipped = registered + report["registered"], skipped + len(new)
        if report["registered"] < wanted or any("good-" in entry["path"] for entry in new):
            yield f"registration of batch {batch}: good images are missing"
        yield from (f"registration: {entry}" for entry in new if leaks(entry["reason"], directory))
        yield from pictures(client, folder.name)
    print(f"registration: {registered} registered, {skipped} skipped; slowest scan of {BATCH}: {slowest:.2f} s")


def pictures(client: httpx.Client, folder: str) -> Iterator[str]:
    """Thumbnails of some of the damaged images that were registered."""
    page = client.get("/campaigns/demo/samples", params={"limit": 25, "search": folder}).json()
    for sample in page["samples"]:
        began = time.perf_counter()
        answer = client.get(f"/campaigns/demo/samples/{sample['sample_id']}/thumbnail.png")
        if answer.status_code >= 500 or time.perf_counter() - began > SLOW_S:
            yield f"thumbnail of {sample['path']}: {answer.status_code} in {time.perf_counter() - began:.1f} s"


def leaks(text: str, directory: Path) -> bool:
    """Whether a sentence holds a path of the server."""
    return str(directory) in text or "/vsimem" in text


def mutated(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Damaged images, with how they came about."""
    rng = random.Random(seed)
    bases = {name: make() for name, make in VALID.items()}
    for _ in range(count):
        name = rng.choice(list(bases))
        how, data = mutate(rng, bases[name])
        yield f"{name}, {how}", data


def mutate(rng: random.Random, base: bytes) -> tuple[str, bytes]:
    """One change of some kind."""
    data = bytearray(base)
    size = len(data)
    how = rng.choice(["bytes", "head", "head", "tail", "number", "cut", "insert", "twice", "zeros", "swap"])
    if how == "bytes":
        for _ in range(rng.choice([1, 3, 10, 100])):
            data[rng.randrange(size)] = rng.randrange(256)
    elif how in ("head", "tail"):  # where the tags are
        low, high = (4, min(size, 600)) if how == "head" else (max(0, size - 600), size)
        for _ in range(rng.choice([1, 2, 5, 20])):
            data[rng.randrange(low, high)] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
    elif how == "number":  # a large one where sizes and offsets stand
        at = rng.randrange(4, min(size - 4, 400))
        data[at : at + 4] = rng.choice([2**31 - 1, 2**32 - 1, 2**16, 0, size, size - 1]).to_bytes(4, "little")
    elif how == "cut":
        del data[rng.randrange(size) :]
    elif how == "insert":
        at = rng.randrange(size)
        data[at:at] = rng.randbytes(rng.choice([1, 4, 512]))
    elif how == "twice":
        at = rng.randrange(size)
        data[at:at] = data[at : at + rng.choice([4, 12, 4096])]
    elif how == "zeros":
        at, length = rng.randrange(size), rng.choice([4, 64, 2048])
        data[at : at + length] = bytes(length)
    else:
        first, second = sorted(rng.sample(range(size), 2))
        length = min(32, second - first)
        data[first : first + length], data[second : second + length] = (
            data[second : second + length],
            data[first : first + length],
        )
    return how, bytes(data)


def peak_mb(process_id: int) -> int:
    """Most memory that a process has used, in MB (Linux)."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
