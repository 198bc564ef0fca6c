"""What a backup of a live store costs: its time and size, how long labels wait for it, and restoring.

An annotator writes labels one after the other meanwhile, without a pause; the slowest shows how long the copy of the
database holds writes up.

Run: python -m tests.benchmarks.bench_backup [--samples 1000000]
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.labels import LabelInput
from al_loop.store import LabelStore
from al_loop.upkeep.archive import Compression
from al_loop.upkeep.backup import take_backup
from al_loop.upkeep.restore import restore_backup
from models.scoring.embeddings import EmbeddingStore
from tests.benchmarks.bench_query import fill, now


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        layout = DataLayout(Path(name) / "data")
        layout.database.parent.mkdir(parents=True)
        store = LabelStore.open(layout.database)
        campaign = fill(store, EmbeddingStore(layout.scores("bench")), arguments.samples, Path(name))
        waits: list[float] = []
        stop = threading.Event()

        def annotate() -> None:
            sample_id = 0
            while not stop.is_set():
                sample_id = sample_id % 1000 + 1
                label = LabelInput(sample_id=sample_id, task="classification", annotator="ann", classes=["a"])
                started = time.perf_counter()
                record_labels(store, campaign, [label], now())
                waits.append(time.perf_counter() - started)

        annotator = threading.Thread(target=annotate)
        annotator.start()
        time.sleep(2)
        print(f"{arguments.samples:,} samples; label writes before: slowest {1000 * max(waits):.0f} ms")
        for compression in ("none", "zstd"):
            waits.clear()
            measure(store, layout, Path(name), compression)
            print(f"  label writes meanwhile: slowest {1000 * max(waits):.0f} ms of {len(waits)}")
        stop.set()
        annotator.join()
        store.close()


def measure(store: LabelStore, layout: DataLayout, folder: Path, compression: Compression) -> None:
    """Back up and restore once."""
    archive = folder / f"backup-{compression}"
    started = time.perf_counter()
    stream = take_backup(store, layout, now, compression=compression)
    held = time.perf_counter() - started
    with archive.open("wb") as file:
        for part in stream:
            file.write(part)
    taken = time.perf_counter() - started
    started = time.perf_counter()
    restored = restore_backup(archive, folder / "restored")
    size = archive.stat().st_size / 1e6
    print(
        f"{compression}: copied in {held:.2f} s, whole in {taken:.1f} s, {size:.0f} MB of {restored.bytes / 1e6:.0f}; "
        f"restored and checked in {time.perf_counter() - started:.1f} s"
    )
    shutil.rmtree(folder / "restored")
    archive.unlink()


if __name__ == "__main__":
    main()
