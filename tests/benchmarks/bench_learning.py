"""Learning curves on the frozen features of the shipped encoder, with intervals over paired seeds.

Features are made once by the package's own code and kept in `--cache`, outside of the repository, and so is every
finished run: the same call later goes on where it was stopped (delete `runs` there after a change of the code). Each
seed draws another quarter of the chips as its test set, of EuroSAT RGB from the 4,500 chips that no choice of features
or strategy was tested on.

Tables: `served`, what a quick round serves with random labels; `curves`, `auto` beside random choice with a light head
refitted after each query, as a service ranks its pool; `rounds`, the same queries, and what a quick round serves with
their labels at some of them; `strategies`, all of them with fewer and larger queries.

Run: python -m tests.benchmarks.bench_learning SHARED_DATA --cache DIR [--table curves] [--set eurosat_ms] [--rare]
"""

import argparse
import tempfile
from pathlib import Path
from typing import cast, get_args

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from al_loop.querying.strategies import StrategyConfig
from al_loop.querying.strategies.selection import Selection
from al_loop.scoring.pool_scores import Candidates
from al_loop.simulation.comparing import compare
from al_loop.simulation.curve_plot import curve_png
from al_loop.simulation.curves import CurveRuns, Interval, LearningCurves, values_of
from al_loop.simulation.fast.measuring import measure
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.fast.run import play_fast
from al_loop.simulation.records import RoundRecord
from al_loop.simulation.run import parse_strategy
from models.heads.best_head import fit_best_head
from models.scoring.embedding_space import fit_space
from models.training.data.pool import POOL_CHIPS
from models.training.data.scaling import scaling_of
from models.training.quick import views_of
from tests.benchmarks.labelled_chips import SETS, LabelledChips, labelled_chips, turned_chips

TEST_SHARE = 0.25
SEEN_PIXELS = 128 * 128
"""Of a chip, as the encoder sees it."""

RARE = ("Highway", "PermanentCrop", "River")
RARE_SHARE = 0.05
LABELS = {
    ("eurosat_rgb", "served"): [50, 200, 216, 1000, 2160],
    ("eurosat_ms", "served"): [34, 70, 118],
    ("eurosat_rgb", "curves"): [10, 20, 30, 40, 50, 70, 90, 120, 150, 200, 250, 310, 400, 520, 670, 830, 1000],
    ("eurosat_rgb", "strategies"): [10, 20, 40, 80, 150, 310],
    ("eurosat_ms", "strategies"): [10, 20, 40, 80, 118],
    ("eurosat_ms", "curves"): [10, 20, 34, 46, 58, 70, 82, 94, 106, 118],
}  # fmt: skip

ROUNDS = {"eurosat_rgb": (40, 150, 310, 1000), "eurosat_ms": (34, 70, 118)}
"""Labels at which `rounds` fits what a quick round would serve."""

EVERY = [kind.__struct_config__.tag for kind in get_args(StrategyConfig)]
STRATEGIES = {"served": ["random"], "curves": ["random", "auto"], "rounds": ["random", "auto"], "strategies": EVERY}


def main() -> None:
    """Print one table, and leave it as `curve.json` and `curve.png` in the cache."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"), help="folder with eurosat_rgb")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "al-loop-learning")
    parser.add_argument("--set", choices=list(SETS), default="eurosat_rgb")
    parser.add_argument("--table", choices=list(STRATEGIES), default="served")
    parser.add_argument("--strategies", help="separated by commas; default: random,auto for curves, all for strategies")
    parser.add_argument("--rare", action="store_true", help=f"keep {RARE_SHARE:.0%}% of {', '.join(RARE)} to ask about")
    parser.add_argument("--multispectral", action="store_true", help="join features of ukis-csmask; eurosat_ms only")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--most", type=int, default=10_000, help="labels at most")
    parser.add_argument("--least", type=int, default=0, help="labels at least")
    parser.add_argument("--start", type=int, default=0, help="first seed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chips = labelled_chips(arguments.data, arguments.set, arguments.cache, multispectral=arguments.multispectral)
    table_of = "curves" if arguments.table == "rounds" else arguments.table
    asked_at = [count for count in LABELS[arguments.set, table_of] if arguments.least <= count <= arguments.most]
    labels = [count for count in asked_at if arguments.table != "rounds" or count in ROUNDS[arguments.set]]
    views = [chips.frozen]
    if arguments.table in ("served", "rounds"):
        needed = range(1, views_of(labels[0] * SEEN_PIXELS))
        views += [
            turned_chips(arguments.data, arguments.set, arguments.cache, view, multispectral=arguments.multispectral)
            for view in needed
        ]
    names = arguments.strategies.split(",") if arguments.strategies else STRATEGIES[arguments.table]
    kind = f"{'-rare' if arguments.rare else ''}{'-multispectral' if arguments.multispectral else ''}"
    folder = arguments.cache / "runs" / f"{arguments.set}{kind}-{arguments.table}"
    folder.mkdir(parents=True, exist_ok=True)
    runs: dict[str, list[list[RoundRecord]]] = {name: [] for name in names}
    for seed in range(arguments.start, arguments.start + arguments.seeds):
        asked, test = draw(chips, seed, unseen=arguments.set == "eurosat_rgb", rare=arguments.rare)
        for name in names:
            found = kept(folder, name, seed, labels)
            if found is None:
                if arguments.table == "served":
                    order = np.random.default_rng(seed).permutation(asked)
                    found = served(chips, views, asked, test, order, seed, labels)
                elif arguments.table == "rounds":
                    order = asked[order_of(chips, asked, test, name, seed, asked_at)]
                    found = served(chips, views, asked, test, order, seed, labels)
                else:
                    found = curve(chips, asked, test, name, seed, labels)
                file = folder / f"{name.replace(':', '-')}-{labels[-1]}-{seed}.json"
                file.write_bytes(msgspec.json.encode(found))
            runs[name].append(found)
    curves = curves_of(labels, runs)
    title = f"{arguments.set}{', three rare classes' if arguments.rare else ''}, {len(asked)} chips to ask about"
    print(f"{title}, {len(test)} for the test, {arguments.seeds} seeds\n")
    print("\n".join(table(curves)))
    (folder / "curve.json").write_bytes(msgspec.json.encode(curves))
    (folder / "curve.png").write_bytes(curve_png(curves, title=title))


def kept(folder: Path, name: str, seed: int, labels: list[int]) -> list[RoundRecord] | None:
    """A finished run, also the beginning of a longer one."""
    for file in folder.glob(f"{name.replace(':', '-')}-[0-9]*-{seed}.json"):
        rounds = msgspec.json.decode(file.read_bytes(), type=list[RoundRecord])[: len(labels)]
        if [entry.labels for entry in rounds] == labels:
            return rounds
    return None


def draw(chips: LabelledChips, seed: int, *, unseen: bool, rare: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that can be asked about, and rows of the test.

    Args:
        chips: All of them, N.
        seed: Of the draw.
        unseen: Whether the test leaves out the quarter on which features, weights and `auto` were once chosen.
        rare: Whether three classes are thinned in the pool.
    """
    count = len(chips.codes)
    size = round(TEST_SHARE * count)
    seen = np.random.default_rng(0).choice(count, size, replace=False) if unseen else np.empty(0, np.int64)
    rng = np.random.default_rng((2026, seed))
    test = rng.choice(np.setdiff1d(np.arange(count), seen), size, replace=False)
    asked = np.setdiff1d(np.arange(count), test)
    if rare:
        thinned = np.isin(np.array(chips.names)[chips.codes[asked]], RARE)
        asked = asked[~thinned | (rng.random(len(asked)) < RARE_SHARE)]
    return asked, test


def curve(
    chips: LabelledChips, asked: NDArray[np.int64], test: NDArray[np.int64], name: str, seed: int, labels: list[int]
) -> list[RoundRecord]:
    """A strategy on the space that a service ranks by, features and shipped encoder, fitted on what can be asked."""
    return play_fast(ranked_pool(chips, asked, test), parse_strategy(name), seed, labels, lambda *_: None)


def order_of(
    chips: LabelledChips, asked: NDArray[np.int64], test: NDArray[np.int64], name: str, seed: int, labels: list[int]
) -> NDArray[np.int64]:
    """In which order a strategy asks about the chips of `asked`: positions in it."""
    asker = Asker(parse_strategy(name))
    play_fast(ranked_pool(chips, asked, test), cast(StrategyConfig, asker), seed, labels, lambda *_: None)
    return np.array(asker.asked)


class Asker(msgspec.Struct):
    """A strategy that remembers what it asked about."""

    strategy: StrategyConfig
    asked: list[int] = []

    @property
    def uses_scores(self) -> bool:
        """As of the strategy."""
        return self.strategy.uses_scores

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """As of the strategy."""
        found = self.strategy.select(pool, query_size, rng)
        self.asked += pool.sample_ids[found.indices].tolist()
        return found


def ranked_pool(chips: LabelledChips, asked: NDArray[np.int64], test: NDArray[np.int64]) -> SimulatedPool:
    """What can be asked about, and behind it the test."""
    sources = [chips.features, chips.frozen[:, : chips.stages]]
    embeddings = fit_space([source[asked] for source in sources], leading=1).apply(sources)
    rows = np.concatenate([asked, test])
    return SimulatedPool(
        embeddings=embeddings[rows],
        targets=np.eye(len(chips.names), dtype=np.float32)[chips.codes[rows]],
        reserve=np.arange(len(rows)) >= len(asked),
    )


def served(
    chips: LabelledChips,
    views: list[NDArray[np.float32]],
    asked: NDArray[np.int64],
    test: NDArray[np.int64],
    order: NDArray[np.int64],
    seed: int,
    labels: list[int],
) -> list[RoundRecord]:
    """What a quick round makes of labels in the order that they come in: scaling, then a head on all views.

    Scaling sees some of the pool, too, as in a round.
    """
    targets = np.eye(len(chips.names), dtype=np.float32)[chips.codes]
    some = np.random.default_rng(seed + 1).permutation(asked)[:POOL_CHIPS]
    rounds = []
    for count in labels:
        rows = np.tile(order[:count], views_of(count * SEEN_PIXELS))
        features = np.concatenate([view[order[:count]] for view in views[: len(rows) // count]])
        scaling = scaling_of(np.concatenate([features, chips.frozen[some]]), chips.stages)
        mixed = np.random.default_rng(0).permutation(len(rows))
        reference = scaling(np.concatenate([features, chips.frozen[some]]))
        head = fit_best_head(scaling(features)[mixed], targets[rows[mixed]], reference, rows[mixed])
        pool = SimulatedPool(
            embeddings=scaling(chips.frozen[test]).astype(np.float16),
            targets=targets[test],
            reserve=np.ones(len(test), bool),
        )
        value, parts = measure(pool, head)
        rounds.append(
            RoundRecord(
                labels=count, value=value, per_class=parts, query_seconds=0, training_seconds=0, scoring_seconds=0
            )
        )
    return rounds


def curves_of(labels: list[int], runs: dict[str, list[list[RoundRecord]]]) -> LearningCurves:
    """Runs as `al-loop simulate` keeps them."""
    strategies = {
        name: CurveRuns(
            runs=[[entry.value for entry in run] for run in found],
            worst_class=[[min(part for part in entry.per_class if part is not None) for entry in run] for run in found],
        )
        for name, found in runs.items()
    }
    curves = LearningCurves(metric="accuracy", labels=labels, strategies=strategies)
    return msgspec.structs.replace(curves, comparisons=compare(curves))


def table(curves: LearningCurves) -> list[str]:
    """Accuracy at each label count; of other strategies than random also paired differences in points, and ratios."""
    lines = []
    means = {name: values_of(runs, len(curves.labels)) for name, runs in curves.strategies.items()}
    for row, count in enumerate(curves.labels):
        cells = [f"{count:6}"]
        for name, values in means.items():
            value = values[row]
            assert value is not None
            cells.append(f"{name} {shown(Interval(value=value.mean, low=value.low, high=value.high), 1, '.3f')}")
            if name in curves.comparisons:
                found = curves.comparisons[name]
                cells.append(f"{shown(found.differences[row], 100, '+.1f')} points")
                cells.append(f"ratio {shown(found.ratios[row], 1, '.2f')}")
                cells.append(f"worst class {shown(found.worst_class[row], 100, '+.1f')}")
        lines.append(" | ".join(cells))
    return lines


def shown(interval: Interval, factor: float, form: str) -> str:
    """A value with its 95 % interval."""
    if interval.low is None or interval.high is None:
        return format(factor * interval.value, form)
    low, high = (format(factor * bound, form.removeprefix("+")) for bound in (interval.low, interval.high))
    return f"{factor * interval.value:{form}} ({low} to {high})"


if __name__ == "__main__":
    main()
