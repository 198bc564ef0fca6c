"""`python -m al_loop.runtime.cluster.driver --out DIR`: follows one program on a Ray cluster, as a process of its own.

Speaks `models.progress` with the service on one side and with the cluster on the other. Leaves `ended` in DIR once it
knows how the program ended; without it the cluster was lost, and another driver may take over.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from al_loop.runtime.cluster.artefacts import ArtefactError, Artefacts
from al_loop.runtime.cluster.config import (
    CANCELLED,
    FAILED,
    LEAVE_CHILDREN,
    LEAVE_FILE,
    NAMESPACE,
    OUTCOME_FILE,
    REFUSED,
    SPEC_FILE,
    DriverSpec,
    Training,
    driver_directory,
)
from al_loop.runtime.cluster.program import RemoteProgram, Report
from al_loop.runtime.cluster.shards import score_in_shards
from al_loop.runtime.cluster.shipping import fetch_results, ship_inputs
from al_loop.runtime.processes import ERROR_FILE, LOG_FILE
from models.errors import ModelsError
from models.limits import OUT_OF_MEMORY
from models.manifest import read_manifest
from models.progress import Progress
from models.training.plan import plan_candidates

CONNECT_S = 60.0
"""Seconds for joining a cluster whose head answers; Ray itself gives up after minutes."""
CANCEL_S = 6.0
"""Seconds for the end of a program on its machine, which takes up to three."""
LOOK_S = 1.0
RESTARTS = 3
"""Machines that may be lost under one program."""
SCORING, TRAINING = "models.score_pool", "models.train"
CALLS = 8
"""Calls of a program's actor at once: who follows it, and workers that train together."""
LOST = 4
"""Exit code of a driver whose cluster was lost."""
told = threading.Event()
"""The service has asked for the end."""


class RefusedError(Exception):
    """The cluster cannot be worked with; the message says why."""


class FailedError(Exception):
    """The program failed; the message is its sentence."""

    def __init__(self, sentence: str, code: int = 2) -> None:
        super().__init__(sentence)
        self.code = code
        """Exit code that says how."""


def main(arguments: Sequence[str]) -> int:
    """Follow one program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m al_loop.runtime.cluster.driver", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder with driver.json")
    parser.add_argument("--end", action="store_true", help="end the program, should it run, instead of following it")
    parser.add_argument("--supervised", action="store_true", help="wait for the parent's answer before each phase")
    options = parser.parse_args(arguments)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to the makers of Ray
    spec = msgspec.json.decode((options.out / SPEC_FILE).read_bytes(), type=DriverSpec)
    try:
        with Progress(options.out, supervised=options.supervised) as progress, joined(spec.config.address, options.out):
            if options.end:
                _end(spec, options.out)
            elif spec.module == SCORING:
                score_in_shards(spec, progress)
            else:
                _follow(spec, options.out, progress)
    except RefusedError as error:
        return _leave(options.out, REFUSED, str(error))
    except FailedError as error:
        return _leave(options.out, FAILED, str(error), error.code)
    except (ArtefactError, ModelsError) as error:
        return _leave(options.out, FAILED, str(error))
    except RayTaskError as error:  # a fault of ours, there
        return _leave(options.out, FAILED, f"{type(error.cause).__name__}: {error.cause}")
    except (RayError, ConnectionError) as error:
        first = str(error).strip().splitlines()[0]
        (options.out / ERROR_FILE).write_text(f"the Ray cluster at {spec.config.address} was lost: {first}\n")
        return LOST
    if not options.end:
        (options.out / OUTCOME_FILE).write_text("well")
    return 0


def _leave(directory: Path, outcome: str, sentence: str, code: int = 2) -> int:
    (directory / ERROR_FILE).write_text(f"{sentence}\n")
    (directory / OUTCOME_FILE).write_text(outcome)
    return code


def _give_up(address: str, out: Path) -> None:
    """End this process: Ray tries on for minutes."""
    (out / ERROR_FILE).write_text(
        f"the head of the Ray cluster at {address} answers, but this machine could not join it in {CONNECT_S:.0f} s; "
        f"start a node here (ray start --address {address}), at the address that the head itself uses\n"
    )
    os._exit(LOST)


@contextmanager
def joined(address: str, out: Path) -> Iterator[None]:
    """Be a driver of a cluster for the block; Ray may take minutes to give up, this takes one, and says so in `out`.

    Raises:
        RefusedError: The cluster has another version of Ray or Python, or this machine is no node of it.
    """
    late = threading.Timer(CONNECT_S, _give_up, (address, out))
    late.daemon = True
    late.start()
    try:
        ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, include_dashboard=False)
    except (RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise RefusedError(
            f"the Ray cluster at {address} cannot be used: {said}; install the same Ray and Python on all machines"
            if "ersion mismatch" in said
            else f"the Ray cluster at {address} cannot be used: {said}"
        ) from error
    finally:
        late.cancel()
    # After Ray has set its own handler, which ends the process; no other exception gets through a call of Ray.
    signal.signal(signal.SIGTERM, _be_told)
    try:
        yield
    finally:
        ray.shutdown()


def _be_told(*_: object) -> None:
    """The service asks for the end: told at once, and at the next look where the exception comes to nothing."""
    told.set()
    raise KeyboardInterrupt


def _follow(spec: DriverSpec, out: Path, progress: Progress) -> None:
    """Start the program, unless it runs already, and forward what it reports to its end.

    Raises:
        FailedError: It ended badly.
        RayError: The cluster was lost.
    """
    store = None if spec.config.artefacts is None else Artefacts(spec.config.artefacts)
    shipment, directory = f"jobs/{spec.submission_id}", Path(spec.directory)
    if store is not None:
        ship_inputs(store, shipment, spec.arguments, Path(spec.config.data))
    try:
        program = _submit(spec, shipment)
        last = _forward(program, None if store is None else directory / LOG_FILE, progress)
    except KeyboardInterrupt:
        if not (out / LEAVE_FILE).exists():
            _end(spec, out)
        os._exit(1)
    if store is not None and last.problem is None:
        fetch_results(store, shipment, directory)
    ray.kill(program)
    if last.problem is not None:
        raise FailedError(last.problem, OUT_OF_MEMORY if last.lacks_memory else 2)


def _submit(spec: DriverSpec, shipment: str) -> Any:  # noqa: ANN401  # an actor's handle
    """Start the program unless it runs already."""
    together = _together(spec, shipment)
    return ray.remote(RemoteProgram).options(
        name=spec.submission_id, lifetime="detached", get_if_exists=True, max_restarts=RESTARTS, max_concurrency=CALLS,
        num_cpus=0 if together else spec.config.cpus, num_gpus=0 if together else spec.config.gpus,
        scheduling_strategy=_beside_this() if together else None, runtime_env=LEAVE_CHILDREN,
    ).remote(
        spec.module, spec.arguments, spec.directory, version=spec.version, artefacts=spec.config.artefacts,
        shipment=shipment, together=together,
    )  # fmt: skip


def _together(spec: DriverSpec, shipment: str) -> bytes | None:
    """What several workers are told, where they share the program: a training of a network; None: one runs it."""
    config = spec.config
    if config.train_workers == 1 or spec.module != TRAINING or "--again" in spec.arguments:
        return None
    manifest = read_manifest(Path(spec.arguments[0]))
    if "deep" not in plan_candidates(manifest, manifest.tasks, 0).kinds:
        return None  # it fits linear heads, which takes seconds
    training = Training(
        submission_id=spec.submission_id, module=spec.module, arguments=spec.arguments, directory=spec.directory,
        shipment=shipment, artefacts=config.artefacts, workers=config.train_workers, cpus=config.cpus, gpus=config.gpus,
        storage=str(driver_directory(Path(spec.directory)) / "train"),
    )  # fmt: skip
    return msgspec.json.encode(training)


def _beside_this() -> NodeAffinitySchedulingStrategy:
    """On the machine of the service: what watches over several workers is not lost with one of theirs."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)


def _forward(program: Any, log: Path | None, progress: Progress) -> Report:  # noqa: ANN401  # an actor's handle
    """Forward reports until the program has ended; returns the last one.

    Its output is written to `log`, where that is not written on a disk that is shared.

    Raises:
        ActorDiedError: The program was lost with its machine, and is not started again.
    """
    incarnation, seen, logged, lost, phase = "", 0, 0, False, ""
    while True:
        if told.is_set():
            raise KeyboardInterrupt
        try:
            answer = ray.get(program.follow.remote(seen, None if log is None else logged, LOOK_S))
        except RayActorError:
            if lost:
                raise
            lost = True  # Ray starts it on another machine, and the next question waits for that
            continue
        report, lost = msgspec.json.decode(answer, type=Report), False
        if report.incarnation != incarnation:
            restarted, incarnation = incarnation != "", report.incarnation
            if restarted:
                seen, logged, phase = 0, 0, ""
                continue
        for line in report.lines:
            progress.forward(line)
            if line.phase != phase:  # one that began again asks again, whether or not the service knows the phase
                phase = line.phase
                ray.get(program.allow.remote(seen))
            seen += 1
        if log is not None and report.log:
            with log.open("r+b" if log.exists() else "wb") as file:
                file.seek(logged)
                logged += file.write(report.log)
        if report.ended:
            return report


def _end(spec: DriverSpec, out: Path) -> None:
    """End a program on its machine with all it started, and its actor; leaves `ended` once the cluster knows of none.

    An actor that does not answer, as it waits for a free CPU or its machine is too busy, is killed as it is: a program
    whose parent has gone ends itself.
    """
    while (program := _found(spec)) is not None:
        with suppress(RayError):
            ray.get(program.cancel.remote(CANCEL_S), timeout=CANCEL_S)
        ray.kill(program)
    (out / OUTCOME_FILE).write_text(CANCELLED)


def _found(spec: DriverSpec) -> Any:  # noqa: ANN401  # an actor's handle
    """The program's actor; None: it was not begun, or has ended."""
    try:
        return ray.get_actor(spec.submission_id, NAMESPACE)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
