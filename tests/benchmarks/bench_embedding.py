"""How fast the shipped encoder describes a pool: `python -m tests.benchmarks.bench_embedding FOLDER [--samples N]`.

Times one part, as `al_loop.scoring.pool_scorer` has it made: a process that reads the images, runs the encoder and
writes the embeddings. A folder of fewer images is gone through again. Processor time is printed beside wall time, which
other work on the machine stretches.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio

from al_loop.campaigns.register import RASTER_SUFFIXES
from models.card import BandPolicy, ModelCard
from models.encoders.wheel import SHIPPED_ENCODER
from models.pretrain_config import PretrainConfig
from models.pretraining.spec import PretrainSpec, write_spec
from models.registry import ModelRegistry, read_card
from models.scoring import spec as scoring
from models.scoring.spec import EMBEDDINGS_FILE, FROZEN


def make_encoder(paths: list[str], bands: int, home: Path) -> ModelCard:
    """Fit the shipped encoder to some images and publish it below `home`."""
    asked = PretrainSpec(
        version=FROZEN,
        campaign="bench",
        config=PretrainConfig(method="pretrained", encoder=SHIPPED_ENCODER),
        source_bands=bands,
        bands=list(range(1, bands + 1)),
        paths=paths[:1000],
        band_policy=BandPolicy(),
    )
    write_spec(home / "spec", asked)
    staged = home / "training"
    subprocess.run([sys.executable, "-m", "models.pretrain", home / "spec", "--out", staged], check=True)
    return ModelRegistry(home / "encoders").publish(FROZEN, staged, read_card(staged))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=5_000)
    options = parser.parse_args()
    found = sorted(str(path) for path in options.folder.rglob("*") if path.suffix.lower() in RASTER_SUFFIXES)
    paths = [found[index] for index in np.random.default_rng(0).permutation(len(found))]
    with rasterio.open(paths[0]) as image:
        bands, side = image.count, image.width
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        card = make_encoder(paths, bands, home)
        part = home / "part"
        part.mkdir()
        samples = [(number, paths[number % len(paths)]) for number in range(options.samples)]
        model = (home / "encoders" / FROZEN).resolve()
        asked = scoring.write_spec(part, samples, version=FROZEN, model_dir=model, bands=card.bands, tasks=[])
        started = time.monotonic()
        process = subprocess.Popen([sys.executable, "-m", "models.score_pool", asked, "--out", part])
        _, status, used = os.wait4(process.pid, 0)
        assert status == 0
        wall, busy = time.monotonic() - started, used.ru_utime + used.ru_stime
        assert len(np.load(part / EMBEDDINGS_FILE, mmap_mode="r")) == len(samples)
    figures = {
        "samples": len(samples), "bands": bands, "side_px": side, "wall_s": round(wall, 1),
        "processor_s": round(busy, 1), "samples_a_second": round(len(samples) / wall, 1),
        "samples_a_processor_second": round(len(samples) / busy, 1), "most_memory_mb": used.ru_maxrss // 1024,
    }  # fmt: skip
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
