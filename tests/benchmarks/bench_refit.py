"""What it costs to take new labels into the ranking: a head refitted on cached embeddings, the whole pool scored anew.

Measured for 10^4, 10^5 and 10^6 samples of 256 values with 1,000 labels of 10 classes:
- fit: cross-validation of penalty and temperature; again from the last head, as after a few more labels;
- score: probabilities and three uncertainties of every sample, from a memory map of float16;
- rank: the picks of a query of 20 by `auto`;
- beside it the floor: reading the embeddings and one matrix product, without uncertainties.

Run: python -m tests.benchmarks.bench_refit [samples ...]
"""

import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from al_loop.querying.strategies import Auto
from al_loop.scoring.pool_scores import Candidates
from models.heads.linear_head import fit_head
from models.heads.scores import head_scores

SIZE, CLASSES, LABELS, THREADS = 256, 10, 1000, 2


def main() -> None:
    """Print the table."""
    print(f"numpy {np.__version__}, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("samples   first fit   refit   score   with BALD   rank   refit + score + rank   floor   peak MB")
    for samples in [int(text) for text in sys.argv[1:]] or [10_000, 100_000, 1_000_000]:
        with tempfile.TemporaryDirectory() as name:
            row(samples, Path(name) / "embeddings.npy")


def row(samples: int, file: Path) -> None:
    """Measure one pool size."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CLASSES, SIZE), np.float32) / np.sqrt(SIZE)
    answers = rng.integers(0, CLASSES, samples)
    table = np.lib.format.open_memmap(file, "w+", np.float16, (samples, SIZE))
    for start in range(0, samples, 50_000):
        some = answers[start : start + 50_000]
        table[start : start + 50_000] = centres[some] + rng.standard_normal((len(some), SIZE), np.float32) / 12
    table = np.load(file, mmap_mode="r")
    labelled = rng.choice(samples, LABELS, replace=False)
    vectors, targets = np.asarray(table[labelled], np.float32), np.eye(CLASSES, dtype=np.float32)[answers[labelled]]
    first, head = timed(lambda: fit_head(vectors, targets, rng=rng))
    again, head = timed(lambda: fit_head(vectors, targets, rng=rng, start=head.weights, like=head))
    with_bald, _ = timed(lambda: head_scores(table, None, head, vectors, targets, rng, threads=THREADS))
    score, found = timed(
        lambda: head_scores(table, None, head, vectors, targets, rng, threads=THREADS, with_bald=False)
    )
    free = np.setdiff1d(np.arange(samples), labelled)
    scores, probabilities = found
    rank, _ = timed(
        lambda: Auto().select(
            Candidates(
                sample_ids=free, scores={key: values[free] for key, values in scores.items()}, table=table, rows=free,
                covered_rows=labelled, probability_table=probabilities, score_rows=free, labelled_count=LABELS,
            ), 20, rng,
        )
    )  # fmt: skip
    floor, _ = timed(
        lambda: [np.asarray(table[i : i + 16_384], np.float32) @ head.weights[:-1] for i in range(0, samples, 16_384)]
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{samples:9,} {first:8.2f} s {again:6.2f} s {score:5.2f} s {with_bald:9.2f} s {rank:4.2f} s "
        f"{again + score + rank:16.2f} s {floor:12.2f} s {peak:8.0f}"
    )


def timed(work):
    """Seconds and result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
