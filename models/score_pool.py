"""Pool scoring as a subprocess: `python -m models.score_pool SPEC.json --out DIR [--supervised]`.

Reads a `ScoreSpec`, writes a part (see `models.scoring.embeddings`) to DIR and reports in `progress.jsonl`, phase
"scoring".
A known failure exits with code 2 after one sentence in `DIR/error.txt`.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq

from models.errors import ModelsError, ScoringError
from models.inference.predictor import Predictor
from models.progress import Progress
from models.scoring.pool import score_with_features, score_with_model
from models.scoring.results import ScoringResults
from models.scoring.spec import FEATURES, ScoreSpec

ERROR_FILE = "error.txt"
KNOWN_FAILURE = 2


def main(arguments: Sequence[str]) -> int:
    """Run one scoring; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.score_pool", description="Score samples with one model.")
    parser.add_argument("spec", type=Path, help="spec.json, see models.scoring.spec.write_spec")
    parser.add_argument("--out", type=Path, required=True, help="existing directory for the part's files")
    parser.add_argument("--supervised", action="store_true", help="ask on stdin before working, die with the parent")
    options = parser.parse_args(arguments)
    try:
        with Progress(options.out, supervised=options.supervised) as progress:
            score_pool(msgspec.json.decode(options.spec.read_bytes(), type=ScoreSpec), options.out, progress)
    except (ModelsError, msgspec.MsgspecError, OSError) as error:
        (options.out / ERROR_FILE).write_text(f"{error}\n")
        return KNOWN_FAILURE
    return 0


def score_pool(
    spec: ScoreSpec, directory: Path, progress: Progress, load: Callable[[Path, int | None], Predictor] | None = None
) -> None:
    """Score the samples of a spec and write the part.

    Args:
        spec: What to do.
        directory: Of the part; it must exist.
        progress: Called during the phase "scoring".
        load: Gives the model of a directory, with a number of threads; None: it is loaded.

    Raises:
        ScoringError: The spec names a task that the model does not have, or no model.
        CorruptVersionError: The model's files do not match its card.
        OSError: The spec's files are missing, or the disk is full.
    """
    table = pq.read_table(spec.samples, columns=["sample_id", "path"]).sort_by("sample_id")
    sample_ids: np.ndarray = table["sample_id"].to_numpy()
    paths = [Path(path) for path in table["path"].to_pylist()]
    if spec.version == FEATURES:
        progress.enter("scoring", total=len(paths))
        results = ScoringResults(sample_ids, [""], np.float32)
        score_with_features(paths, spec.bands, results, progress, spec.band_policy)
    else:
        model = _model(spec, load or _load)
        progress.enter("scoring", total=len(paths))
        results = ScoringResults(sample_ids, [task.task for task in spec.tasks] or [""], np.float16)
        score_with_model(model, paths, spec.tasks, results, progress)
    results.write(directory)


def _load(directory: Path, threads: int | None) -> Predictor:
    return Predictor(directory, threads=threads)


def _model(spec: ScoreSpec, load: Callable[[Path, int | None], Predictor]) -> Predictor:
    if spec.model_dir is None:
        raise ScoringError(f"version {spec.version!r} needs a model directory; only {FEATURES!r} does without")
    model = load(Path(spec.model_dir), spec.threads)
    known = [task.task for task in model.card.tasks]
    missing = [task.task for task in spec.tasks if task.task not in known]
    if missing:
        raise ScoringError(f"model {model.version} has no {missing[0]} head; it has {', '.join(known)}")
    if list(spec.bands) != model.card.bands:
        raise ScoringError(f"model {model.version} reads bands {model.card.bands}, the spec says {spec.bands}")
    return model


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
