"""Several machines train one network: Ray's `TorchTrainer` places the workers, and each runs the same program.

    RemoteProgram  ->  TorchTrainer  ->  worker 0 .. N-1 (actors)  ->  program (a subprocess of each)

Ray Train meets the workers and tells them of each other by the variables that `torchrun` sets; the program does the
rest (`models.training.running.workers`). The worker of rank 0 alone reports, and leaves results. Where a worker is
lost, Ray Train starts all of them again, and the program goes on from its checkpoint.
"""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.fs
import ray
import ray.train
from ray.train.torch import TorchTrainer

from al_loop.runtime.cluster.alone import alone
from al_loop.runtime.cluster.artefacts import Artefacts
from al_loop.runtime.cluster.checkpoints import carried
from al_loop.runtime.cluster.config import LEAVE_CHILDREN, NAMESPACE, Training
from al_loop.runtime.cluster.shipping import fetch_inputs, send_results
from al_loop.runtime.processes import (
    ERROR_FILE,
    LOG_FILE,
    OutOfMemoryError,
    ProcessFailedError,
    run_supervised,
)
from models.progress import PROGRESS_FILE, ProgressLine

LOST_WORKERS = 3
"""How often workers may be lost under one training."""
AGENT = {"TORCHELASTIC_USE_AGENT_STORE": "True"}
"""Tells the program that the one who started it serves the meeting place, as torchrun does."""


def train_together(training: Training) -> None:
    """Run the program on all workers, to its end. A training of the same name that was cut off is taken up.

    Raises:
        ray.train.TrainingFailedError: Workers were lost, or their programs ended for no reason known, too often.
        ArtefactError: The place of the artefacts cannot be used.
    """
    if training.artefacts is None:
        where: dict[str, Any] = {"storage_path": training.storage}
    else:
        files, root = Artefacts(training.artefacts).filesystem
        handler = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(files))
        where = {"storage_path": f"{root}/{training.shipment}/train", "storage_filesystem": handler}
    how = where | {"worker_runtime_env": LEAVE_CHILDREN}  # of Train V2, which the type of `RunConfig` does not show
    TorchTrainer(
        run_worker,
        train_loop_config=msgspec.to_builtins(training),
        scaling_config=ray.train.ScalingConfig(
            num_workers=training.workers,
            use_gpu=training.gpus > 0,
            resources_per_worker={"CPU": training.cpus, **({"GPU": training.gpus} if training.gpus else {})},
        ),
        run_config=ray.train.RunConfig(
            name=training.submission_id,
            failure_config=ray.train.FailureConfig(max_failures=LOST_WORKERS),
            **how,
        ),
    ).fit()


def run_worker(told: dict[str, Any]) -> None:
    """What each worker does: run the program, and tell `RemoteProgram` of it.

    A failure that another try would only repeat is told, and all workers return. Whatever else ends a program, such as
    the loss of another worker, is raised: Ray Train starts all of them again.
    """
    training = msgspec.convert(told, Training)
    program: Any = ray.get_actor(training.submission_id, namespace=NAMESPACE)
    leads = ray.train.get_context().get_world_rank() == 0
    store = None if training.artefacts is None else Artefacts(training.artefacts)
    with ExitStack() as held:
        if leads:
            held.enter_context(alone(Path(training.directory)))
        directory = held.enter_context(_directory(training, leads))
        if store is not None:
            fetch_inputs(store, training.shipment)
        if leads:
            ray.get(program.begin.remote())
        teller = _Teller(program if leads else None, directory / LOG_FILE if store is not None else None)
        try:
            with carried(training.arguments, store if leads else None, training.shipment):
                run_supervised(
                    training.module, training.arguments, directory, on_phase=teller.announce, on_progress=teller.note,
                    cancelled=threading.Event(), environment=AGENT,
                )  # fmt: skip
        except ProcessFailedError as error:
            lacks_memory = isinstance(error, OutOfMemoryError)
            known = lacks_memory or (directory / ERROR_FILE).exists()
            if not ray.get(program.worker_failed.remote(str(error), known, lacks_memory)):
                raise
        else:
            if leads and store is not None:
                send_results(store, training.shipment, directory)
        finally:
            teller.tell_log()


@contextmanager
def _directory(training: Training, leads: bool) -> Iterator[Path]:
    """Where a worker's program works: all but the first leave nothing."""
    if not leads:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
        return
    directory = Path(training.directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name in (PROGRESS_FILE, ERROR_FILE):
        (directory / name).unlink(missing_ok=True)  # of workers that were lost
    yield directory


class _Teller:
    """Tells `RemoteProgram` what the first worker's program says."""

    def __init__(self, program: Any, log: Path | None) -> None:  # noqa: ANN401  # an actor's handle
        """Tell nothing yet.

        Args:
            program: Who is told; None: nobody.
            log: Output that is told, too; None: it is on a disk that all share.
        """
        self._program, self._log, self._logged = program, log, 0

    def announce(self, phase: str) -> None:
        if self._program is not None:
            ray.get(self._program.announce.remote(phase))

    def note(self, line: ProgressLine) -> None:
        if self._program is not None:
            self._program.note.remote(msgspec.json.encode(line))
            self.tell_log()

    def tell_log(self) -> None:
        if self._program is None or self._log is None or not self._log.exists():
            return
        with self._log.open("rb") as file:
            file.seek(self._logged)
            more = file.read()
        self._logged += len(more)
        if more:
            self._program.add_log.remote(more)
