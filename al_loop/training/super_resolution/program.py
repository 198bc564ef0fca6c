"""Trains a model of super-resolution in a program of its own; what was cut off goes on where it was."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from al_loop.errors import NotInstalledError
from al_loop.runtime.executor import Executor, ignore, read_output, run_program
from al_loop.runtime.processes import run_supervised
from al_loop.training.installed import PACKAGES, missing_packages
from models.limits import RunLimits
from models.progress import ProgressLine
from models.super_resolution.card import (
    CARD_FILE,
    EXAMPLES_FILE,
    ONNX_FILE,
    SuperResolutionCard,
    SuperResolutionConfig,
    read_pair_set,
)

PROGRAM = "models.train_super_resolution"
_FILES = (EXAMPLES_FILE, ONNX_FILE, CARD_FILE)
"""In this order: a folder with a card is whole."""


def check_can_super_resolve() -> None:
    """Refuse to make pairs or to train where a package is missing.

    Raises:
        NotInstalledError: Says what is missing and how to install it.
    """
    missing = missing_packages((*PACKAGES, "skimage"))
    if missing:
        raise NotInstalledError(missing)


def train_on_pairs(
    pairs: Path,
    out: Path,
    config: SuperResolutionConfig,
    limits: RunLimits,
    *,
    on_phase: Callable[[str], None] = ignore,
    on_progress: Callable[[ProgressLine], None] = ignore,
    cancelled: threading.Event,
    executor: Executor = run_supervised,
) -> SuperResolutionCard:
    """Train a model and leave `model.onnx`, `card.json` and `examples.png` in a folder.

    What is on the way lies in `OUT.part`, the checkpoint too: another call for the same folder with the same pairs and
    recipe goes on from there.

    Args:
        pairs: Folder of `pairs.json`.
        out: Folder for the model; made, and files of these names in it replaced, at the end.
        config: The recipe.
        limits: What the program may take.
        on_phase: Called with each phase before the program enters it.
        on_progress: Called with each line of progress.
        cancelled: Set by another thread to end the training; its checkpoint stays.
        executor: Runs the program.

    Raises:
        SuperResolutionError: The folder holds no pairs.
        ProcessCancelledError: `cancelled` was set.
        ProcessFailedError: The training ended badly, in its own sentence if it left one.
        OSError: The disk is full or not writable.
    """
    read_pair_set(pairs)
    part = part_of(out)
    directory = part / f"run-{run_count(out) + 1}"
    arguments = [
        str(pairs.absolute()), "--config", msgspec.json.encode(config).decode(), "--limits",
        msgspec.json.encode(limits).decode(), "--checkpoint", str(part / "checkpoint"),
    ]  # fmt: skip
    run_program(
        executor, PROGRAM, arguments, directory, on_phase=on_phase, on_progress=on_progress, cancelled=cancelled
    )
    card = read_output(directory / CARD_FILE, SuperResolutionCard)
    out.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        (directory / name).replace(out / name)
    shutil.rmtree(part)
    return card


def part_of(out: Path) -> Path:
    """Where a training for a folder works: `checkpoint/` and `run-N/` of each attempt."""
    return out.absolute().with_name(f"{out.name}.part")


def run_count(out: Path) -> int:
    """How often the training for a folder was taken up and not brought to its end."""
    return max((int(path.name.removeprefix("run-")) for path in part_of(out).glob("run-[0-9]*")), default=0)


def newest_run(out: Path) -> Path:
    """Where the log of the newest attempt lies."""
    return part_of(out) / f"run-{max(1, run_count(out))}"
