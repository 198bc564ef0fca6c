"""One run of a fast simulation as a subprocess: `python -m al_loop.simulation.fast.worker SPEC.json --out DIR`.

A process of its own, so that runs use all cores; leaves `rounds.json` and reports each round in `progress.jsonl`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from al_loop.querying.strategies import StrategyConfig
from al_loop.simulation.fast.points import PointPool, PointStrategy, play_points
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.fast.run import play_fast
from al_loop.simulation.records import RoundRecord
from models.progress import Progress

SPEC_FILE = "spec.json"
ROUNDS_FILE = "rounds.json"


class FastRunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What one run does."""

    pool: str
    """Absolute directory of a `SimulatedPool`, or of a `PointPool`."""
    strategy: StrategyConfig | None
    """None: `points` are chosen."""
    points: PointStrategy | None = None
    seed: int
    label_counts: list[int]


def main(arguments: Sequence[str]) -> int:
    """Play one run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m al_loop.simulation.fast.worker", description="One fast run.")
    parser.add_argument("spec", type=Path, help="spec.json")
    parser.add_argument("--out", type=Path, required=True, help="existing directory for the results")
    parser.add_argument("--supervised", action="store_true", help="ask on stdin before working, die with the parent")
    options = parser.parse_args(arguments)
    spec = msgspec.json.decode(options.spec.read_bytes(), type=FastRunSpec)
    with Progress(options.out, supervised=options.supervised) as progress:
        total = len(spec.label_counts)
        progress.enter("simulating", total=total)

        def report(number: int, record: RoundRecord) -> None:
            progress.step(number + 1, total, metric=record.value, message=str(record.labels))

        if spec.points is not None:
            rounds = play_points(PointPool.read(Path(spec.pool)), spec.points, spec.seed, spec.label_counts, report)
        elif spec.strategy is not None:
            pool = SimulatedPool.read(Path(spec.pool))
            rounds = play_fast(pool, spec.strategy, spec.seed, spec.label_counts, report)
        else:
            raise ValueError("neither a strategy nor a choice of points")
    (options.out / ROUNDS_FILE).write_bytes(msgspec.json.encode(rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
