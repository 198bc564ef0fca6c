"""Learning curves on an already labelled folder: each strategy against the random baseline, before anybody labels.

The labels of the folder answer the queries. Runs with the same seed have the same test reserve (drawn by block) and
the same training seed and budget for every strategy; the first labels come from the strategy's own cold start.
"""

import hashlib
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from al_loop.curve_plot import curve_png
from al_loop.curves import CurveRuns, LearningCurves, write_curves
from al_loop.errors import InvalidValueError, UnsupportedError
from al_loop.importing import ImportPlan, plan_import
from al_loop.simulation.one_run import SimulatedRun, play
from al_loop.simulation.oracle import Oracle
from al_loop.simulation.records import RUNS, RoundRecord, RunProgress, RunRecord, SimulationConfig
from al_loop.strategies import Random, StrategyConfig

__all__ = ["CURVE_PICTURE", "RunProgress", "SimulationConfig", "run"]

CURVE_PICTURE = "curve.png"
WORK = "work"
"""Folder of the runs under way, removed at the end."""

_METRICS = {"segmentation": "miou", "classification": "accuracy"}
_MULTI_LABEL_METRIC = "macro_f1"

Report = Callable[[RunProgress], None]


def run(config: SimulationConfig, report: Report) -> LearningCurves:
    """Simulate every strategy with every seed; write `curve.json` and `curve.png` after each finished run.

    A finished run is kept in `OUT/runs`; the same call later does only what is missing.

    Args:
        config: What to simulate.
        report: Called from several threads after every round.

    Returns:
        The curves; a label count that the pool was too small for is left out.

    Raises:
        UnsupportedError: `mode` is "fast".
        InvalidValueError: An unknown strategy, a folder that cannot be imported, or an `out` of another simulation.
        ProcessFailedError: A training or scoring subprocess died; the other runs are stopped.
    """
    if config.mode == "fast":
        raise UnsupportedError(
            "fast simulation (heads refitted on cached embeddings) is not built yet; use the mode `full`"
        )
    strategies = {name: _strategy(name, index) for index, name in enumerate(config.strategies)}
    plan = plan_import(config.directory)
    todo = [(name, seed) for seed in range(config.seeds) for name in strategies]
    finished = {key: record for key in todo if (record := _finished(config, *key)) is not None}
    (config.out / RUNS).mkdir(parents=True, exist_ok=True)
    missing = [key for key in todo if key not in finished]
    if missing:
        oracle, cancelled = Oracle.read(plan), threading.Event()
        with ThreadPoolExecutor(config.workers) as pool:
            waiting = {
                (name, seed): pool.submit(
                    _simulate, config, plan, oracle, name, strategies[name], seed, cancelled, report
                )
                for name, seed in missing
            }
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


def _strategy(name: str, index: int) -> StrategyConfig:
    try:
        strategy: StrategyConfig = msgspec.convert({"type": name}, StrategyConfig)
    except msgspec.ValidationError as error:
        raise InvalidValueError(f"$.strategies[{index}]", f"unknown strategy {name!r}") from error
    return strategy


def _finished(config: SimulationConfig, strategy: str, seed: int) -> RunRecord | None:
    file = _record_file(config, strategy, seed)
    if not file.is_file():
        return None
    record = msgspec.json.decode(file.read_bytes(), type=RunRecord)
    if record.fingerprint != _fingerprint(config):
        raise InvalidValueError("$.out", f"{file} is of a simulation with other settings; use another folder")
    return record


def _record_file(config: SimulationConfig, strategy: str, seed: int) -> Path:
    return config.out / RUNS / f"{strategy}-{seed}.json"


def _fingerprint(config: SimulationConfig) -> str:
    parts = (str(config.directory.resolve()), config.label_counts, config.reserve_share, config.model, config.train)
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


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
    directory = config.out / WORK / f"{name}-{seed}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    simulated = SimulatedRun(config, plan, oracle, strategy, seed, directory.resolve(), cancelled)

    def report_round(number: int, record: RoundRecord) -> None:
        report(RunProgress(strategy=name, seed=seed, round_number=number, rounds=config.rounds, record=record))

    try:
        reserve = simulated.label_reserve()
        if not isinstance(strategy, Random):
            simulated.score()
        record = RunRecord(
            strategy=name, seed=seed, fingerprint=_fingerprint(config), metric=_metric(plan), reserve=reserve,
            rounds=play(simulated, config, report_round), refused=simulated.refused,
        )  # fmt: skip
    finally:
        simulated.store.close()
    _record_file(config, name, seed).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    shutil.rmtree(directory)
    return record


def _metric(plan: ImportPlan) -> str:
    spec = plan.tasks[0]
    return _MULTI_LABEL_METRIC if spec.multi_label else _METRICS[spec.task]


def _write(config: SimulationConfig, plan: ImportPlan, records: dict[tuple[str, int], RunRecord]) -> LearningCurves:
    points = max((len(record.rounds) for record in records.values()), default=0)
    runs: dict[str, CurveRuns] = {}
    for name in config.strategies:
        found = [records[name, seed] for seed in range(config.seeds) if (name, seed) in records]
        if found:
            values: list[list[float | None]] = [[entry.value for entry in record.rounds] for record in found]
            runs[name] = CurveRuns(runs=[run + [None] * (points - len(run)) for run in values])
    curves = LearningCurves(metric=_metric(plan), labels=config.label_counts[:points], strategies=runs)
    write_curves(config.out, curves)
    (config.out / CURVE_PICTURE).write_bytes(curve_png(curves, title=config.directory.name))
    return curves
