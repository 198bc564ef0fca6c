"""Learning curves on an already labelled folder: each strategy against the random baseline, before anybody labels.

The labels of the folder answer the queries. Runs with the same seed have the same test reserve (drawn by block) and
the same training seed and budget for every strategy; the first labels come from the strategy's own cold start.
"""

import hashlib
import re
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import msgspec

from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.errors import InvalidValueError, UnsupportedError
from al_loop.querying.strategies import Random, StrategyConfig, removal
from al_loop.runtime.processes import run_supervised
from al_loop.simulation.comparing import compare
from al_loop.simulation.curve_plot import curve_png
from al_loop.simulation.curves import CurveRuns, LearningCurves, write_curves
from al_loop.simulation.fast.points import PointPool, PointStrategy, parse_point_strategy
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.fast.preparing import POOL_FORMAT, prepare
from al_loop.simulation.fast.worker import ROUNDS_FILE, SPEC_FILE, FastRunSpec
from al_loop.simulation.one_run import SimulatedRun, play
from al_loop.simulation.oracle import Oracle
from al_loop.simulation.records import RUNS, RoundRecord, RunProgress, RunRecord, SimulationConfig
from models.progress import ProgressLine
from models.tasks import task_of

__all__ = ["CURVE_PICTURE", "RunProgress", "SimulationConfig", "run"]

CURVE_PICTURE = "curve.png"
WORK = "work"
"""Folder of the runs under way, removed at the end."""

Report = Callable[[RunProgress], None]
Tell = Callable[[str], None]


def ignore(_: object) -> None:
    """Report to nobody."""


def run(config: SimulationConfig, report: Report, tell: Tell = ignore) -> LearningCurves:
    """Simulate every strategy with every seed; write `curve.json` and `curve.png` after each finished run.

    A finished run is kept in `OUT/runs`; the same call later does only what is missing. Mode "full" retrains the
    model in every round and ranks the pool as a service does. Mode "fast" describes the images once, with the shipped
    encoder or with one that it trains without labels and without the test reserve, and refits a linear head on these
    embeddings in every round (`al_loop.simulation.fast.preparing`). Asked about points it describes random pixels of
    the images and refits a head of pixels; cost is counted in clicks then (`al_loop.simulation.fast.points`).

    Args:
        config: What to simulate.
        report: Called from several threads after every round.
        tell: Called with what is being prepared.

    Returns:
        The curves; a label count that the pool was too small for is left out.

    Raises:
        UnsupportedError: Mode "fast" cannot simulate the folder's task, or points in mode "full".
        InvalidValueError: An unknown strategy, a folder that cannot be imported, or an `out` of another simulation.
        ProcessFailedError: A training or scoring subprocess died; the other runs are stopped.
    """
    strategies = {name: _parse(config, name, index) for index, name in enumerate(config.strategies)}
    plan = plan_import(config.directory, task=config.task)
    todo = [(name, seed) for seed in range(config.seeds) for name in strategies]
    finished = {key: record for key in todo if (record := _finished(config, *key)) is not None}
    (config.out / RUNS).mkdir(parents=True, exist_ok=True)
    missing = [key for key in todo if key not in finished]
    if missing:
        cancelled = threading.Event()
        play_run = _player(config, plan, cancelled, report, tell)
        with ThreadPoolExecutor(config.workers) as pool:
            waiting = {(name, seed): pool.submit(play_run, name, strategies[name], seed) for name, seed in missing}
            try:
                for key, future in waiting.items():
                    finished[key] = future.result()
                    _write(config, plan, finished)
            except BaseException:
                cancelled.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        shutil.rmtree(config.out / WORK)
    return _write(config, plan, finished)


def _parse(config: SimulationConfig, name: str, index: int) -> StrategyConfig | PointStrategy:
    if config.unit == "image":
        return parse_strategy(name, index)
    if config.mode == "full":
        raise UnsupportedError("points are simulated in fast mode only")
    return parse_point_strategy(name, f"$.strategies[{index}]")


def parse_strategy(text: str, index: int = 0) -> StrategyConfig:
    """A strategy by its name, with options behind colons: `power:beta=2`.

    Raises:
        InvalidValueError: No such strategy or option, with its path.
    """
    name, *options = text.split(":")
    known = [kind.__struct_config__.tag for kind in get_args(StrategyConfig)]
    if name not in known:
        reason = removal(name) or f"no strategy {name!r}; it is one of {', '.join(known)}"
        raise InvalidValueError(f"$.strategies[{index}]", reason)
    fields: dict[str, str] = dict(option.split("=", 1) for option in options if "=" in option)
    if len(fields) < len(options):
        raise InvalidValueError(f"$.strategies[{index}]", f"{text!r}: options are written as name:option=value")
    try:
        strategy: StrategyConfig = msgspec.convert({"type": name, **fields}, StrategyConfig, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidValueError(f"$.strategies[{index}]", f"{text!r}: {error}") from error
    return strategy


def _player(
    config: SimulationConfig, plan: ImportPlan, cancelled: threading.Event, report: Report, tell: Tell
) -> Callable[[str, StrategyConfig | PointStrategy, int], RunRecord]:
    """What plays one run, with all that the runs share made ready."""
    if config.mode == "fast":
        pool = prepare(config, plan, tell, cancelled)

        def play_run(name: str, strategy: StrategyConfig | PointStrategy, seed: int) -> RunRecord:
            return _simulate_fast(config, plan, pool, name, strategy, seed, cancelled, report)

    elif config.thin:
        raise UnsupportedError("classes are thinned in fast mode only")
    else:
        oracle = Oracle.read(plan)

        def play_run(name: str, strategy: StrategyConfig | PointStrategy, seed: int) -> RunRecord:
            assert not isinstance(strategy, PointStrategy)  # noqa: S101  # refused by `_parse`
            return _simulate(config, plan, oracle, name, strategy, seed, cancelled, report)

    return play_run


def _finished(config: SimulationConfig, strategy: str, seed: int) -> RunRecord | None:
    file = _record_file(config, strategy, seed)
    if not file.is_file():
        return None
    record = msgspec.json.decode(file.read_bytes(), type=RunRecord)
    if record.fingerprint != _fingerprint(config):
        raise InvalidValueError("$.out", f"{file} is of a simulation with other settings; use another folder")
    return record


def _record_file(config: SimulationConfig, strategy: str, seed: int) -> Path:
    return config.out / RUNS / f"{_file_name(strategy, seed)}.json"


def _file_name(strategy: str, seed: int) -> str:
    return f"{re.sub(r'[^a-z0-9_.=]+', '-', strategy)}-{seed}"


def _fingerprint(config: SimulationConfig) -> str:
    parts = (
        POOL_FORMAT, str(config.directory.resolve()), config.label_counts, config.reserve_share, config.model,
        config.train, config.mode, config.pretrain_minutes, *([config.thin] if config.thin else []),
        *(["point"] if config.unit == "point" else []), *([config.task] if config.task else []),
    )  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def _empty_directory(config: SimulationConfig, name: str, seed: int) -> Path:
    """Where one run works; what an earlier one left there is removed."""
    directory = config.out / WORK / _file_name(name, seed)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def _simulate_fast(
    config: SimulationConfig,
    plan: ImportPlan,
    pool: Path,
    name: str,
    strategy: StrategyConfig | PointStrategy,
    seed: int,
    cancelled: threading.Event,
    report: Report,
) -> RunRecord:
    directory = _empty_directory(config, name, seed)

    def report_round(line: ProgressLine) -> None:
        if line.done:
            record = RoundRecord(
                labels=int(line.message), value=line.metric, query_seconds=0, training_seconds=0, scoring_seconds=0
            )
            report(RunProgress(strategy=name, seed=seed, round_number=line.done, rounds=config.rounds, record=record))

    points = strategy if isinstance(strategy, PointStrategy) else None
    spec = FastRunSpec(
        pool=str(pool.resolve()), strategy=None if isinstance(strategy, PointStrategy) else strategy, points=points,
        seed=seed, label_counts=config.label_counts,
    )  # fmt: skip
    (directory / SPEC_FILE).write_bytes(msgspec.json.encode(spec))
    run_supervised(
        "al_loop.simulation.fast.worker", [str((directory / SPEC_FILE).resolve())], directory, on_phase=ignore,
        on_progress=report_round, cancelled=cancelled, environment={"OMP_NUM_THREADS": str(config.threads)},
    )  # fmt: skip
    rounds = msgspec.json.decode((directory / ROUNDS_FILE).read_bytes(), type=list[RoundRecord])
    record = RunRecord(
        strategy=name, seed=seed, fingerprint=_fingerprint(config), metric=_metric(plan),
        reserve=(SimulatedPool if points is None else PointPool).read(pool).reserved, rounds=rounds, refused=0,
    )  # fmt: skip
    return _keep(config, record, directory)


def _simulate(
    config: SimulationConfig,
    plan: ImportPlan,
    oracle: Oracle,
    name: str,
    strategy: StrategyConfig,
    seed: int,
    cancelled: threading.Event,
    report: Report,
) -> RunRecord:
    directory = _empty_directory(config, name, seed)
    simulated = SimulatedRun(config, plan, oracle, strategy, seed, directory.resolve(), cancelled)

    def report_round(number: int, record: RoundRecord) -> None:
        report(RunProgress(strategy=name, seed=seed, round_number=number, rounds=config.rounds, record=record))

    try:
        reserve = simulated.label_reserve()
        if not isinstance(strategy, Random):
            simulated.describe()
        record = RunRecord(
            strategy=name, seed=seed, fingerprint=_fingerprint(config), metric=_metric(plan), reserve=reserve,
            rounds=play(simulated, config, report_round), refused=simulated.refused,
        )  # fmt: skip
    finally:
        simulated.store.close()
    return _keep(config, record, directory)


def _keep(config: SimulationConfig, record: RunRecord, directory: Path) -> RunRecord:
    """Store a finished run and remove its working directory."""
    file = _record_file(config, record.strategy, record.seed)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    shutil.rmtree(directory)
    return record


def _metric(plan: ImportPlan) -> str:
    return task_of(plan.tasks[0]).metric.name


def _write(config: SimulationConfig, plan: ImportPlan, records: dict[tuple[str, int], RunRecord]) -> LearningCurves:
    counts = max((len(record.rounds) for record in records.values()), default=0)
    runs: dict[str, CurveRuns] = {}
    for name in config.strategies:
        found = [records[name, seed] for seed in range(config.seeds) if (name, seed) in records]
        if found:
            boxes = [_filled([_count(entry.boxes) for entry in record.rounds], counts) for record in found]
            areas = [_filled([entry.area for entry in record.rounds], counts) for record in found]
            runs[name] = CurveRuns(
                runs=[_filled([entry.value for entry in record.rounds], counts) for record in found],
                worst_class=[_filled([_worst(entry) for entry in record.rounds], counts) for record in found],
                points=[entry.points or 0 for entry in found[0].rounds] if config.unit == "point" else None,
                areas=areas if any(area is not None for run in areas for area in run) else None,
                boxes=boxes if any(count is not None for run in boxes for count in run) else None,
            )
    curves = LearningCurves(
        metric=_metric(plan), labels=_label_counts(records.values()), strategies=runs,
        counted_in="clicks" if config.unit == "point" else "labels",
    )  # fmt: skip
    curves = msgspec.structs.replace(curves, comparisons=compare(curves))
    write_curves(config.out, curves)
    (config.out / CURVE_PICTURE).write_bytes(curve_png(curves, title=config.directory.name))
    return curves


def _label_counts(records: Iterable[RunRecord]) -> list[int]:
    """Labels that were really spent: the last round of an exhausted pool has fewer than it asked for."""
    longest = max(records, key=lambda record: len(record.rounds), default=None)
    return [] if longest is None else [entry.labels for entry in longest.rounds]


def _filled(values: list[float | None], counts: int) -> list[float | None]:
    return values + [None] * (counts - len(values))


def _count(boxes: int | None) -> float | None:
    return None if boxes is None else float(boxes)


def _worst(entry: RoundRecord) -> float | None:
    return min((part for part in entry.per_class if part is not None), default=None)
