"""Progress that a subprocess reports to its parent, and its end when the parent dies.

One JSON line a step goes to `progress.jsonl`. Under supervision (`--supervised`) the child asks before it enters a
phase and waits for one line on stdin, so that the parent can store the state before it is acted on; when stdin ends,
the parent is gone and the whole process group is killed.
"""

import os
import queue
import runpy
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from al_loop_records.runs import ProgressLine as ProgressLine

PROGRESS_FILE = "progress.jsonl"


_lines: queue.SimpleQueue[str] | None = None
"""What the parent said and nobody has taken yet; None: it is not listened to."""


def follow_parent() -> queue.SimpleQueue[str]:
    """Listen to the parent on stdin from now on, and end with it; returns the lines that it says. Done once.

    When stdin ends, the parent is gone, and the whole process group is killed.
    """
    global _lines  # a process has one stdin
    if _lines is None:
        _lines = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(_lines,), name="parent", daemon=True).start()
    return _lines


def run_followed() -> None:
    """Run the module that the first argument names with the others, as `python -m` does, and follow the parent."""
    follow_parent()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _listen(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line)
    os.killpg(os.getpgrp(), signal.SIGKILL)


class Progress:
    """Writer of `progress.jsonl`, used as a context manager."""

    def __init__(self, directory: Path, *, supervised: bool = False) -> None:
        self._file = (directory / PROGRESS_FILE).open("ab", buffering=0)
        self._phase = "starting"
        self._said: tuple[object, ...] = ()
        self._phase_started = time.monotonic()
        self._answers = follow_parent() if supervised else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def enter(self, phase: str, total: int = 0, message: str = "") -> None:
        """Announce a phase and, under supervision, wait until the parent has stored it.

        Another call for the same phase tells what is done in it now; the parent answers a change of phase only.
        """
        announced = phase == self._phase
        self._phase, self._phase_started = phase, time.monotonic()
        self._write(ProgressLine(time=time.time(), phase=phase, total=total, message=message))
        if self._answers is not None and not announced:
            self._answers.get()

    def step(
        self,
        done: int,
        total: int,
        *,
        loss: float | None = None,
        metric: float | None = None,
        message: str = "",
        seconds_left: float | None = None,
        epoch: int | None = None,
        epochs: int | None = None,
        samples_per_s: float | None = None,
    ) -> None:
        """Report that `done` of `total` steps of the phase are finished; the time left is extrapolated if not given."""
        elapsed = time.monotonic() - self._phase_started
        left = elapsed / done * (total - done) if done and seconds_left is None else seconds_left
        self._write(
            ProgressLine(
                time=time.time(), phase=self._phase, done=done, total=total, loss=loss, metric=metric,
                seconds_left=left, message=message, epoch=epoch, epochs=epochs, samples_per_s=samples_per_s,
            )
        )  # fmt: skip

    def forward(self, line: ProgressLine) -> bool:
        """Report what another program reported; returns whether that begins a phase, which the parent has stored then.

        For a program that runs elsewhere, with this process between it and the parent.
        """
        begins = line.phase != self._phase
        self._phase, self._phase_started = line.phase, time.monotonic()
        self._write(line)
        if begins and self._answers is not None:
            self._answers.get()
        return begins

    def _write(self, line: ProgressLine) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        said = line.phase, line.message, line.loss, line.metric
        if said != self._said:  # for the log; where it cannot be written, the file above has said so already
            self._said = said
            with suppress(OSError):
                print(in_words(line), flush=True)


def in_words(line: ProgressLine) -> str:
    """A line of progress for people: "2026-03-01 14:05:09 training: step 40 of 100, epoch 8 of 20, loss 0.376"."""
    parts = [f"step {line.done} of {line.total}"] if line.done else []
    if line.epoch is not None:
        parts.append(f"epoch {line.epoch} of {line.epochs}")
    parts += [
        f"{name} {value:.3g}" for name, value in (("loss", line.loss), ("metric", line.metric)) if value is not None
    ]
    if line.samples_per_s is not None:
        parts.append(f"{line.samples_per_s:.3g} samples/s")
    if line.message:
        parts.append(line.message)
    when = datetime.fromtimestamp(line.time, UTC)
    return f"{when:%Y-%m-%d %H:%M:%S} {line.phase}{': ' if parts else ''}{', '.join(parts)}"
