"""Scores a pool in shards on a Ray cluster. A shard is scored at most once, however often it is looked at.

A shard is a folder beside the part that is being made, named by what is in it: `.shards/<digest>/`. It is made under
another name and renamed, so that it is whole or missing; what is there already is not scored again. No Ray Data: its
pools of actors wait for ever where a machine is lost (ray#62746).
"""

import hashlib
import shutil
import time
import uuid
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.exceptions import RayError, RayTaskError

from al_loop.runtime.cluster.artefacts import Artefacts
from al_loop.runtime.cluster.config import DriverSpec, RayConfig
from al_loop.runtime.cluster.shipping import fetch_inputs, ship_inputs
from models.errors import ScoringError
from models.inference.predictor import Predictor
from models.progress import Progress
from models.scoring.joining import join_parts
from models.scoring.spec import SAMPLES_FILE, ScoreSpec

ATTEMPTS = 4
POLL_S = 0.5
SHARDS = ".shards"


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """Some samples to score."""

    name: str
    spec: ScoreSpec
    sample_ids: list[int]
    paths: list[str]
    home: str
    """Folder of finished shards; on the machine that scores, where the disk is not shared."""
    version: str
    """Of al-loop."""
    artefacts: str | None = None
    shipment: str | None = None
    """Of the model, where the disk is not shared."""

    @property
    def key(self) -> str:
        """What the result is called among artefacts."""
        return f"shards/{self.name}"


def score_in_shards(driver: DriverSpec, progress: Progress) -> None:
    """Score what a spec of `models.score_pool` asks for, and leave one part in the driver's directory.

    Raises:
        ScoringError: The model or the spec is unusable, or a shard was not scored in time by several workers.
        ArtefactError: What goes between machines cannot be reached.
        RayError: The cluster was lost.
    """
    directory, config = Path(driver.directory), driver.config
    store = None if config.artefacts is None else Artefacts(config.artefacts)
    shards = plan_shards(driver, directory.parent / SHARDS)
    if store is not None:
        for shipment, model_dir in {(shard.shipment, shard.spec.model_dir) for shard in shards}:
            if shipment is not None and model_dir is not None:
                ship_inputs(store, shipment, [model_dir], Path(config.data))
    total = sum(len(shard.sample_ids) for shard in shards)
    progress.enter("scoring", total=total)
    done = 0

    def finished(shard: Shard) -> None:
        nonlocal done
        if store is not None:
            store.get(shard.key, Path(shard.home) / shard.name)
        done += len(shard.sample_ids)
        progress.step(done, total)

    run_shards([shard for shard in shards if not is_finished(shard, store, finished)], config, finished)
    homes = [Path(shard.home) / shard.name for shard in shards]
    join_parts(homes, directory)
    shutil.rmtree(directory.parent / SHARDS)
    if store is not None:
        for shard in shards:
            store.remove(shard.key)


def plan_shards(driver: DriverSpec, home: Path) -> list[Shard]:
    """Cut the samples of a spec into shards, by id; the same samples and files always make the same shard."""
    config = driver.config
    spec = msgspec.json.decode(Path(driver.arguments[0]).read_bytes(), type=ScoreSpec)
    spec = msgspec.structs.replace(spec, threads=spec.threads or max(1, int(config.cpus)))
    card = None if spec.model_dir is None else (Path(spec.model_dir) / "card.json").read_bytes()
    what = msgspec.json.encode(msgspec.structs.replace(spec, samples="")) + (card or b"")
    shipment = None if config.artefacts is None or card is None else f"models/{hashlib.sha256(card).hexdigest()}"
    home.mkdir(exist_ok=True)
    table = pq.read_table(spec.samples, columns=["sample_id", "path"]).sort_by("sample_id")
    ids, paths = table["sample_id"].to_pylist(), table["path"].to_pylist()
    bins: dict[int, list[int]] = {}
    for row, sample_id in enumerate(ids):
        bins.setdefault((sample_id - 1) // config.shard_samples, []).append(row)
    shards = []
    for rows in bins.values():
        mine = [ids[row] for row in rows]
        files = [paths[row] for row in rows]
        digest = hashlib.sha256(what + msgspec.json.encode([mine, files, [_modified(path) for path in files]]))
        shards.append(
            Shard(
                name=digest.hexdigest()[:32], spec=spec, sample_ids=mine, paths=files, home=str(home),
                version=driver.version, artefacts=config.artefacts, shipment=shipment,
            )
        )  # fmt: skip
    return shards


def is_finished(shard: Shard, store: Artefacts | None, finished: Callable[[Shard], None]) -> bool:
    """Whether a shard was scored before; `finished` is told of it."""
    there = (Path(shard.home) / shard.name).is_dir() or (store is not None and store.has(shard.key))
    if there:
        finished(shard)
    return there


def run_shards(waiting: list[Shard], config: RayConfig, finished: Callable[[Shard], None]) -> None:
    """Score shards on the cluster, some at once; what a worker does not bring in time is given to another one.

    Raises:
        ScoringError: A shard cannot be scored, whoever tries.
        RayError: The cluster was lost.
    """
    task = ray.remote(score_shard).options(num_cpus=config.cpus, max_retries=0)
    running: dict[Any, tuple[Shard, float]] = {}
    attempts: dict[str, int] = {}
    waiting = waiting[::-1]
    while waiting or running:
        while waiting and len(running) < config.workers:
            shard = waiting.pop()
            attempts[shard.name] = attempts.get(shard.name, 0) + 1
            running[task.remote(msgspec.json.encode(shard))] = shard, time.monotonic() + config.shard_s
        ready, _ = ray.wait(list(running), num_returns=1, timeout=POLL_S)
        late = [reference for reference, (_, deadline) in running.items() if time.monotonic() > deadline]
        for reference in dict.fromkeys([*ready, *late]):
            shard, _ = running.pop(reference)
            problem = _result(reference) if reference in ready else _cancel(reference, config.shard_s)
            if problem is None:
                finished(shard)
            elif attempts[shard.name] < ATTEMPTS:
                waiting.append(shard)
            else:
                raise ScoringError(f"a shard of {len(shard.sample_ids)} samples failed {ATTEMPTS} times: {problem}")


def _result(reference: Any) -> str | None:  # noqa: ANN401  # a reference to an object of the cluster
    """None, or why a worker brought nothing.

    Raises:
        ScoringError: Another worker would bring nothing either.
    """
    try:
        problem = ray.get(reference)
    except RayTaskError as error:
        return str(error.cause)
    except RayError as error:
        return str(error).strip().splitlines()[0]
    if problem is not None:
        raise ScoringError(problem)
    return None


def _cancel(reference: Any, seconds: float) -> str:  # noqa: ANN401  # a reference to an object of the cluster
    ray.cancel(reference, force=True)
    return f"not scored in {seconds:g} s"


def score_shard(encoded: bytes) -> str | None:
    """Score one shard on this machine, and let it appear under its name; returns why it cannot be scored, or None.

    Args:
        encoded: A `Shard` as JSON.
    """
    from al_loop import __version__
    from models.errors import ModelsError
    from models.score_pool import score_pool

    shard = msgspec.json.decode(encoded, type=Shard)
    if shard.version != __version__:
        return f"the service is al-loop {shard.version}, a machine of the Ray cluster has {__version__}"
    store = None if shard.artefacts is None else Artefacts(shard.artefacts)
    if store is not None and shard.shipment is not None:
        _fetch_once(shard.artefacts, shard.shipment)
    home = Path(shard.home)
    home.mkdir(parents=True, exist_ok=True)
    unfinished = home / f".{shard.name}-{uuid.uuid4().hex}"
    unfinished.mkdir()
    try:
        samples = unfinished / SAMPLES_FILE
        pq.write_table(pa.table({"sample_id": shard.sample_ids, "path": shard.paths}), samples)
        spec = msgspec.structs.replace(shard.spec, samples=str(samples))
        try:
            with Progress(unfinished) as progress:
                score_pool(spec, unfinished, progress, _loaded)
        except ModelsError as error:
            return str(error)
        if store is not None:
            store.put(shard.key, {path.name: path for path in unfinished.iterdir()})
        elif not (home / shard.name).exists():
            unfinished.rename(home / shard.name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return None


@lru_cache(maxsize=1)
def _loaded(directory: Path, threads: int | None) -> Predictor:
    """The model of the shard before is that of the next one, mostly."""
    return Predictor(directory, threads=threads)


@lru_cache(maxsize=8)
def _fetch_once(artefacts: str, shipment: str) -> None:
    fetch_inputs(Artefacts(artefacts), shipment)


def _modified(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0  # scoring says what is wrong with it
