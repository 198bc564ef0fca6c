"""Runs the training program of a round to its end: again where it was killed or memory did not suffice, within limits.

A further attempt goes on from the checkpoint of the one before; what was unusual is told.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import msgspec

from al_loop.domain.round_limits import RoundLimits
from al_loop.runtime.executor import Executor, run_program
from al_loop.runtime.processes import (
    LOG_FILE,
    OutOfMemoryError,
    ProcessCancelledError,
    ProcessFailedError,
    ProcessKilledError,
)
from al_loop.training.running.added_model import Program
from al_loop.training.running.round_files import RoundFiles
from models.limits import lack_of_space
from models.progress import ProgressLine

MOST_DEATHS = 3
"""How often a program that a signal ended is started again in one round."""
KILLS_FOR_LACK_OF_MEMORY = 2
"""SIGKILL this often, without another reason known, is taken for lack of memory: the system kills for it."""
POLL_S = 0.1


class TrainingProgram:
    """The program of one round."""

    def __init__(
        self,
        executor: Executor,
        files: RoundFiles,
        limits: RoundLimits,
        on_note: Callable[[str, str | None], object],
        added: Program | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            executor: Runs it.
            files: Where, and what became of attempts before.
            limits: What it may take.
            on_note: Called with what was unusual, and with all of it so far, before another attempt begins.
            added: What takes the place of the training; None: nothing does.
        """
        self._executor, self._files, self._on_note = executor, files, on_note
        self._limits, self._added = limits if added is None else added.limits, added

    def run(
        self,
        snapshot: Path,
        *,
        on_phase: Callable[[str], None],
        on_progress: Callable[[ProgressLine], None],
        cancelled: threading.Event,
    ) -> Path:
        """Train; returns the folder of what came out.

        Args:
            snapshot: What is trained on.
            on_phase: As for the executor.
            on_progress: As for the executor.
            cancelled: As for the executor.

        Raises:
            ProcessCancelledError: `cancelled` was set.
            ProcessFailedError: It ended badly as often as it may, or broke a limit.
            OSError: It could not be started, or its directory cannot be written.
        """
        self._files.root.mkdir(parents=True, exist_ok=True)
        while True:
            if (lack := lack_of_space(self._files.root, self._limits.least_free_mb)) is not None:
                raise ProcessFailedError(lack)
            out, begun = self._files.next_run(), monotonic()
            attempts = self._files.attempts
            if attempts.notes and not out.exists():
                out.mkdir()
                (out / LOG_FILE).write_text(f"{attempts.notes[-1]}\n", encoding="utf-8")
            checkpoint = str(self._files.checkpoint.resolve())
            own = ["--checkpoint", checkpoint, "--halvings", str(attempts.halvings)]
            arguments = [
                str(snapshot.resolve()), *(own if self._added is None else self._added.arguments),
                "--limits", msgspec.json.encode(self._limits.of_the_program).decode(),
            ]  # fmt: skip
            module = "models.train" if self._added is None else self._added.module
            try:
                with watched(self._limits, attempts.spent_s, cancelled, on_progress) as watch:
                    run_program(
                        self._executor, module, arguments, out,
                        on_phase=on_phase, on_progress=watch.note, cancelled=watch.stop,
                    )  # fmt: skip
            except ProcessCancelledError as error:
                if watch.why is None:
                    raise
                raise ProcessFailedError(watch.why) from error
            except (OutOfMemoryError, ProcessKilledError) as error:
                self._try_again(error, monotonic() - begun)
            else:
                return out

    def _try_again(self, error: OutOfMemoryError | ProcessKilledError, seconds: float) -> None:
        """Note why the program ended and with what the next attempt begins; raises `error` where there is none."""
        attempts = self._files.attempts
        deaths = attempts.deaths + isinstance(error, ProcessKilledError)
        lacks_memory = isinstance(error, OutOfMemoryError) or (
            error.signal == signal.SIGKILL and deaths >= KILLS_FOR_LACK_OF_MEMORY
        )
        halvings = attempts.halvings + lacks_memory
        if deaths > MOST_DEATHS or halvings > self._limits.memory_retries:
            if lacks_memory:
                raise OutOfMemoryError(f"{error}; {self._remedy(str(error))}") from error
            raise error
        again = "going on with half the batch" if lacks_memory else "going on from the last checkpoint"
        note = f"{error}; {again}"
        changed = msgspec.structs.replace(
            attempts,
            halvings=halvings,
            deaths=deaths,
            spent_s=attempts.spent_s + seconds,
            notes=(*attempts.notes, note),
        )
        self._files.keep(changed)
        self._on_note(note, changed.sentence)

    def _remedy(self, why: str) -> str:
        """What to do where memory did not suffice and is not tried again with less: which settings to change."""
        if self._added is not None:
            return "the model needs more memory than an added one gets: export a smaller one, or raise limits.memory_mb"
        raised = ["limits.memory_mb"] if "(limits.memory_mb)" in why else []
        if self._limits.gpu_share < 1 and "cuda" in why.lower():
            raised.append("limits.gpu_share")
        smaller = "set a smaller train.batch_size or train.chip_size_px"
        return f"raise {' or '.join(raised)}, or {smaller}" if raised else smaller


class Watch:
    """Says when a program has to end."""

    def __init__(self, on_progress: Callable[[ProgressLine], None]) -> None:
        self.stop = threading.Event()
        """Set when the job is cancelled or a limit is broken."""
        self.why: str | None = None
        """Which limit."""
        self.heard = monotonic()
        """When it said something last."""
        self._on_progress = on_progress

    def note(self, line: ProgressLine) -> None:
        """A line of progress came."""
        self.heard = monotonic()
        self._on_progress(line)


@contextmanager
def watched(
    limits: RoundLimits, spent_s: float, cancelled: threading.Event, on_progress: Callable[[ProgressLine], None]
) -> Iterator[Watch]:
    """Watch the time of a program that runs in the block.

    Args:
        limits: Of its round.
        spent_s: Seconds that earlier attempts took.
        cancelled: Ends it, too.
        on_progress: Gets its lines of progress.
    """
    watch, done, begun = Watch(on_progress), threading.Event(), monotonic()

    def look() -> None:
        while not done.wait(POLL_S):
            now = monotonic()
            if limits.wall_s is not None and spent_s + now - begun > limits.wall_s:
                watch.why = f"training took longer than {limits.wall_s:,.0f} s (limits.wall_s) and was ended"
            elif limits.stalled_s is not None and now - watch.heard > limits.stalled_s:
                said = f"training made no progress for {limits.stalled_s:,.0f} s (limits.stalled_s)"
                watch.why = f"{said}: it was taken to hang and was ended"
            if cancelled.is_set() or watch.why is not None:
                watch.stop.set()
                return

    thread = threading.Thread(target=look, name="limits of a round", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()
