"""Ships as boxes: a round's model against the recipe of the tutorials, at equal processor time, split by place.

Each seed cuts the places into folds; every chip is tested once a seed, by models that saw no chip of its place. Rounds
are real training runs, exported and checked. The recipe is a U-Net trained with BCE, whose components are boxes.
A third of the labels is wrong (`README.md` of the data), so that even a perfect answer is right for two thirds. Chips
were cut around their ships: a box in the middle of the chip is a way of its own, which says nothing about ships.

Run: python -m tests.benchmarks.bench_boxes SHARED_DATA [--seeds 2] [--folds 5] [--candidate quick] [--encoder resnet18]
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from models import metrics
from models.arrays import Floats
from models.card import ModelCard, TaskSpec, TrainConfig
from models.inference.predictor import Predictor
from models.registry import ModelRegistry
from models.tasks.detection import matching
from models.train import main as train
from tests.benchmarks.ships import Ship, brightest, folds_by_place, read_ships, recipe_boxes, train_recipe
from tests.models.training.fixtures import write_snapshot

TASK = TaskSpec(task="detection", classes=["Boat"])
SENSOR = {"source_bands": 12, "bands": list(range(1, 13)), "sensor": "sentinel-2"}
CALIBRATED = 8
"""One place in so many calibrates."""


WAYS = ("round", "recipe", "brightest", "middle")


class Outcome(NamedTuple):
    """Of one way on all chips, by seed and chip."""

    tables: NDArray[np.float64]
    """(seeds, S, rows, bins), see `matching`."""
    hits: NDArray[np.bool_]
    """(seeds, S): the likeliest box's middle lies in the label's."""


def main() -> None:
    """Print a line a fold, then both ways with intervals by place."""
    parser = argparse.ArgumentParser(description="AP50 and top-1 of boxes on s2_ships, against the tutorials' recipe.")
    parser.add_argument("data", type=Path, help="folder that holds s2_ships")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--start", type=int, default=0, help="first seed")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--candidate", choices=["quick", "deep"], default="quick")
    parser.add_argument("--encoder", default="resnet18", help="of the recipe")
    parser.add_argument("--keep", type=Path, help="folder for the answers of each seed, to look at")
    options = parser.parse_args()
    ships = read_ships(options.data / "s2_ships")
    ways = {name: [] for name in WAYS}
    for seed in range(options.start, options.start + options.seeds):
        found = run_seed(ships, seed, options.folds, options.candidate, options.encoder)
        for name, answers in found.items():
            ways[name].append(answers)
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            for name, answers in found.items():
                np.savez(
                    options.keep / f"seed-{seed}-{name}.npz", **{f"chip-{n}": box for n, box in enumerate(answers)}
                )
        report(ships, {name: outcome(ships, answers) for name, answers in ways.items()})


def run_seed(ships: list[Ship], seed: int, folds: int, candidate: str, encoder: str) -> dict[str, list[Floats]]:
    """Boxes (m, 6) of each chip by each way."""
    fold_of = folds_by_place(ships, folds, seed)
    found: dict[str, list[Floats]] = {name: [np.empty((0, 6), np.float32)] * len(ships) for name in WAYS}
    for fold in range(folds):
        tested = np.flatnonzero(fold_of == fold).tolist()
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            predictor, card = run_round(ships, fold_of == fold, Path(folder), seed, candidate)
            seconds = time.process_time() - started
            for place in tested:
                found["round"][place] = predictor.answer("detection", ships[place].image)
        network = train_recipe([ships[place] for place in np.flatnonzero(fold_of != fold)], encoder, seconds, seed)
        for place in tested:
            found["recipe"][place] = recipe_boxes(network, ships[place].image)
            x, y = brightest(ships[place].image)
            found["brightest"][place] = _box_around(x, y)
            found["middle"][place] = _box_around(*np.array(ships[place].image.shape[:0:-1]) / 2)
        value = card.evaluation.candidate[0].value
        print(
            f"seed {seed} fold {fold}: {len(tested)} chips, {seconds:.0f} s of processor, mAP50 {value:.3f}", flush=True
        )
    return found


def run_round(
    ships: list[Ship], tested: NDArray[np.bool_], folder: Path, seed: int, candidate: str
) -> tuple[Predictor, ModelCard]:
    """Train, export, publish and load a version."""
    places = np.unique([ship.place for ship, held in zip(ships, tested, strict=True) if not held])
    calibrating = set(np.random.default_rng(seed).permutation(places)[: len(places) // CALIBRATED].tolist())
    rows = [
        {
            "path": ship.path,
            "split": "test" if held else "calibration" if ship.place in calibrating else "train",
            "block": f"place-{ship.place}",
            "detection": [(1, shapely.to_wkb(shapely.box(*ship.box)))],
        }
        for ship, held in zip(ships, tested, strict=True)
    ]
    recipe = TrainConfig(candidates=candidate, seed=seed)  # type: ignore[arg-type]  # of argparse
    write_snapshot(folder / "snapshot", rows, [TASK], **SENSOR, train=recipe)
    if train([str(folder / "snapshot"), "--out", str(folder / "out")]) != 0:
        raise SystemExit((folder / "out" / "error.txt").read_text())
    card = msgspec.json.decode((folder / "out" / "card.json").read_bytes(), type=ModelCard)
    registry = ModelRegistry(folder / "models")
    registry.publish("v1", folder / "out", card)
    return Predictor(registry.path("v1"), device="cpu"), card


def outcome(ships: list[Ship], seeds: list[list[Floats]]) -> Outcome:
    """Count answers of each seed."""
    tables = [
        [
            matching.counted(np.array([[*ship.box, 0]], np.float32), boxes, 1)[0]
            for ship, boxes in zip(ships, answers, strict=True)
        ]
        for answers in seeds
    ]
    hits = [[hit(ship, boxes) for ship, boxes in zip(ships, answers, strict=True)] for answers in seeds]
    return Outcome(np.array(tables, np.float64), np.array(hits, np.bool_))


def hit(ship: Ship, boxes: Floats) -> bool:
    """Whether the middle of the likeliest box lies in the label's."""
    if not len(boxes):
        return False
    left, top, right, bottom = boxes[boxes[:, 4].argmax(), :4]
    x, y = (left + right) / 2, (top + bottom) / 2
    return bool(ship.box[0] <= x <= ship.box[2] and ship.box[1] <= y <= ship.box[3])


def report(ships: list[Ship], found: dict[str, Outcome]) -> None:
    """Both figures of each way, and the round's lead, with 95 % intervals by place; tables are summed over seeds."""
    weights = metrics.resample_weights([f"place-{ship.place}" for ship in ships], 0)
    draws: dict[str, tuple[NDArray[np.float64], NDArray[np.float64], float, float]] = {}
    for name, way in found.items():
        by_seed = [matching.map_50(tables.sum(axis=0)) for tables in way.tables]
        value, top = float(np.mean(by_seed)), float(way.hits.mean())
        sums = np.mean([metrics.resampled(matching.map_50, tables, weights) for tables in way.tables], axis=0)
        tops = weights @ way.hits.mean(axis=0) / weights.sum(axis=1)
        draws[name] = sums, tops, value, top
        print(f"{name:10} AP50 {value:.3f} {_between(sums, value)}   top-1 {top:.3f} {_between(tops, top)}", flush=True)
    for rival in WAYS[1:]:
        ap, top = (draws["round"][column] - draws[rival][column] for column in (0, 1))
        lead, top_lead = (draws["round"][column] - draws[rival][column] for column in (2, 3))
        print(
            f"round - {rival}: AP50 {lead:+.3f} {_between(ap, lead)}   top-1 {top_lead:+.3f} {_between(top, top_lead)}"
        )


def _box_around(x: float, y: float) -> Floats:
    return np.array([[x - 4, y - 4, x + 4, y + 4, 0.5, 0]], np.float32)


def _between(draws: NDArray[np.float64], value: float) -> str:
    low, high = metrics.interval(draws, value)
    return f"[{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    main()
