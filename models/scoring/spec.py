"""The border to pool scoring: what the subprocess is asked, what it leaves behind, and its embeddings as one table.

A part is a directory `<campaign dir>/scores/<version>/<part>/` with

    scores.parquet        sample_id, task, least_confidence, margin, entropy, pixel_hash, content_hash, modified_ns; a
                          row a (sample, task), and for features and encoders one row a sample with task "" and zeros
    embeddings.npy        (N, D), float16 of a model, float32 of features (raw, in the units of the bands)
    embedding_ids.npy     (N,) int64, ascending; written last: a part without it is unfinished and ignored
    probabilities.npy     (N, K) float16: class probabilities of a single-label classification model
    strata.npy            (N, K + 1) float16 of a segmentation model: highest entropy among the grid cells predicted as
                          each class, background first; NaN where no cell is
    unsure.npy            (N, (K + 1) * 16) float16 of a segmentation model: share of the pixels that are predicted as
                          each class, background first, and have a margin score of 0 to 1/16, 1/16 to 2/16, ...; parts
                          of earlier versions lack it. All three by rows of embedding_ids.npy
    skipped.json          samples that could not be scored, and why
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from models.card import BandPolicy, TaskSpec

FEATURES = "features"
"""Version name of simple image features, which serve before there is a model."""
FROZEN = "imagenet-1"
"""Version name of the shipped encoder, which no training changes, and of its embeddings."""
SPEC_FILE = "spec.json"
SAMPLES_FILE = "samples.parquet"
SCORES_FILE = "scores.parquet"
EMBEDDINGS_FILE = "embeddings.npy"
IDS_FILE = "embedding_ids.npy"
PROBABILITIES_FILE = "probabilities.npy"
STRATA_FILE = "strata.npy"
UNSURE_FILE = "unsure.npy"
ROW_FILES = (EMBEDDINGS_FILE, PROBABILITIES_FILE, STRATA_FILE, UNSURE_FILE)
"""Arrays of a row for each of `IDS_FILE`; all but the first only where the model's tasks have them."""
SKIPPED_FILE = "skipped.json"


class ScoreSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of `models.score_pool` does."""

    format: int = 1
    version: str
    model_dir: str | None
    """Absolute directory of the version in its registry; None for features."""
    samples: str
    """Absolute path of a Parquet file with columns sample_id (int64) and path (string, absolute)."""
    bands: list[int]
    """1-based bands to read, in the model's order."""
    tasks: list[TaskSpec]
    """Tasks to score; empty for features and for encoders without tasks."""
    threads: int | None = None
    """Threads of ONNX Runtime; None: its own choice."""
    band_policy: BandPolicy = BandPolicy()
    """Features: how bands are read; a model's card says it for the model."""


class SkippedSample(msgspec.Struct, frozen=True, kw_only=True):
    """A sample that could not be scored."""

    sample_id: int
    reason: str
    unreadable: bool = False
    """Its file is damaged or gone, rather than of no use to this version."""
    gone: bool = False
    """Its file was not there: it may come back as it was."""


def write_spec(
    directory: Path,
    samples: Sequence[tuple[int, str]],
    *,
    version: str,
    model_dir: Path | None,
    bands: Sequence[int],
    tasks: Sequence[TaskSpec],
    threads: int | None = None,
    band_policy: BandPolicy | None = None,
) -> Path:
    """Write `spec.json` and `samples.parquet` into an existing directory.

    Args:
        directory: Where to.
        samples: Sample ids and absolute paths.
        version: A model version, an encoder's, or `FEATURES`.
        model_dir: The version's directory; None for features.
        bands: 1-based bands in the model's order.
        tasks: Tasks to score.
        threads: Threads of ONNX Runtime.
        band_policy: How bands are read; None: each file as it says.

    Returns:
        Path of the spec, the first argument of `python -m models.score_pool`.
    """
    listed = directory / SAMPLES_FILE
    sample_ids, paths = [item[0] for item in samples], [item[1] for item in samples]
    pq.write_table(
        pa.table({"sample_id": pa.array(sample_ids, pa.int64()), "path": pa.array(paths, pa.string())}), listed
    )
    spec = ScoreSpec(
        version=version,
        model_dir=None if model_dir is None else str(model_dir),
        samples=str(listed.resolve()),
        bands=list(bands),
        tasks=list(tasks),
        threads=threads,
        band_policy=band_policy or BandPolicy(),
    )
    path = directory / SPEC_FILE
    path.write_bytes(msgspec.json.format(msgspec.json.encode(spec), indent=1))
    return path


def next_part(directory: Path) -> Path:
    """Where the next part of a version goes: `0001`, `0002`, ... Older parts may be numbered without zeros.

    Args:
        directory: Of the version, `<campaign dir>/scores/<version>`; made if it is missing, the part is not.
    """
    directory.mkdir(parents=True, exist_ok=True)
    numbers = [int(part.name) for part in directory.iterdir() if part.name.isdecimal()]
    return directory / f"{max(numbers, default=0) + 1:04d}"
