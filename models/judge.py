"""`python -m models.judge SNAPSHOT_DIR CANDIDATE_DIR INCUMBENT_DIR --out DIR`: measure a trained version again.

For a version that began to serve while the candidate was trained. Both are measured on the test reserve of the
candidate's snapshot; leaves `evaluation.json`. Known failures leave one sentence in `DIR/error.txt` and exit code 2.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from models.card import ModelCard
from models.errors import ModelsError
from models.manifest import read_manifest
from models.progress import Progress
from models.registry import CARD_FILE, ONNX_FILE
from models.train import count_training_labels, labelled_for, leave_sentence
from models.training.data.dataset import ChipReader, read_samples
from models.training.data.left_out import LeftOut
from models.training.evaluate import Contender, evaluate
from models.training.incumbent import load_incumbent, onnx_infer


def judge(directory: Path, trained: Path, incumbent: Path, out: Path, progress: Progress) -> None:
    """Measure a trained candidate and a published version on the same samples.

    Args:
        directory: The snapshot that the candidate was trained on.
        trained: What the training left.
        incumbent: A published version, its folder named by it.
        out: Existing folder for `evaluation.json`.
        progress: Called during the phase `evaluating`.

    Raises:
        TrainingDataError: The samples cannot be read.
    """
    own = read_manifest(directory)
    manifest = msgspec.structs.replace(own, incumbent_onnx=str(incumbent / ONNX_FILE), incumbent_version=incumbent.name)
    card = msgspec.json.decode((trained / CARD_FILE).read_bytes(), type=ModelCard)
    left_out = LeftOut()
    splits, reader = read_samples(directory, manifest, left_out), ChipReader(manifest, left_out=left_out)
    counts = count_training_labels(splits["train"], manifest, reader)
    tasks = [spec for spec in manifest.tasks if spec in card.tasks and spec.task in counts]
    serving, message = load_incumbent(manifest)
    reserve = labelled_for(splits["test"], tasks)
    progress.enter("evaluating", total=len(reserve), message=message)
    candidate = Contender(version=manifest.version, tasks=tasks, infer=onnx_infer(trained / ONNX_FILE))
    evaluation = evaluate(reserve, reader, counts, candidate, serving, card.tile_px)
    (out / "evaluation.json").write_bytes(msgspec.json.format(msgspec.json.encode(evaluation), indent=1))


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of one comparison; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.judge", description="Measure a trained version again.")
    parser.add_argument("snapshot", type=Path, help="folder of manifest.json and samples.parquet")
    parser.add_argument("candidate", type=Path, help="what its training left")
    parser.add_argument("incumbent", type=Path, help="the version to compare with")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results; made if missing")
    parser.add_argument("--supervised", action="store_true", help="wait for the parent's answer before each phase")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        with Progress(options.out, supervised=options.supervised) as progress:
            judge(options.snapshot, options.candidate, options.incumbent, options.out, progress)
    except ModelsError as error:
        return leave_sentence(options.out, str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
