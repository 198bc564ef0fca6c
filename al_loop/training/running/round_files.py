"""The directory of one round: its snapshot, what each attempt at training left, and the checkpoint between them.

rounds/7/snapshot/           manifest.json, samples.parquet
rounds/7/training/           the first attempt; training-2, training-3 and so on are those after it
rounds/7/checkpoint/         what the next attempt goes on from; gone when the round has ended
rounds/7/attempts.json       how often and why
"""

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from al_loop.runtime.cluster.config import is_submitted
from al_loop.runtime.processes import ERROR_FILE, LOG_FILE
from models.files import write_atomically
from models.manifest import MANIFEST_FILE
from models.progress import PROGRESS_FILE
from models.registry import CARD_FILE

ATTEMPTS_FILE = "attempts.json"
RUN = re.compile(r"training(?:-(\d+))?")
KEPT = {LOG_FILE, ERROR_FILE, PROGRESS_FILE}
"""What stays of an attempt once its model is registered, or it came to nothing."""


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the attempts so far."""

    begun: int = 0
    """How often the round was taken up without a new checkpoint since the time before."""
    checkpoint_ns: int = 0
    """When the checkpoint was written that was there at the last time, in ns since 1970; 0: there was none."""
    halvings: int = 0
    """How often the batch was halved, as memory did not suffice."""
    deaths: int = 0
    """How often the program was ended by a signal."""
    spent_s: float = 0.0
    """Seconds of the attempts that came to an end."""
    notes: tuple[str, ...] = ()
    """What was unusual, for people."""

    @property
    def sentence(self) -> str | None:
        """All notes; None: nothing was unusual."""
        return "; ".join(self.notes) or None


class RoundFiles:
    """The files of one round; only its owner changes them."""

    def __init__(self, root: Path) -> None:
        """Look at nothing yet.

        Args:
            root: Directory of the round; made when it is first written to.
        """
        self.root = root
        self.snapshot = root / "snapshot"
        self.checkpoint = root / "checkpoint"

    @property
    def attempts(self) -> Attempts:
        """What is known of the attempts; nothing, where the file is missing or damaged."""
        try:
            return msgspec.json.decode((self.root / ATTEMPTS_FILE).read_bytes(), type=Attempts)
        except (OSError, msgspec.MsgspecError):
            return Attempts()

    def keep(self, attempts: Attempts) -> None:
        """Store what is known of the attempts.

        Raises:
            OSError: It could not be written (full disk).
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with write_atomically(self.root / ATTEMPTS_FILE) as file:
            file.write(msgspec.json.encode(attempts))

    @property
    def taken_up(self) -> int:
        """How often the round was taken up in vain; 0: for the first time, or training has come further since then."""
        known = self.attempts
        return known.begun if known.checkpoint_ns == self._checkpoint_ns() else 0

    def take_up(self) -> None:
        """Note that the round is taken up, for the first time or after a stop.

        Raises:
            OSError: It could not be written (full disk).
        """
        begun, at = self.taken_up + 1, self._checkpoint_ns()
        self.keep(msgspec.structs.replace(self.attempts, begun=begun, checkpoint_ns=at))

    def _checkpoint_ns(self) -> int:
        return max((path.stat().st_mtime_ns for path in self.checkpoint.glob("*.safetensors")), default=0)

    def has_snapshot(self, digest: str | None) -> bool:
        """Whether the snapshot is there that the store has the digest of."""
        try:
            return hashlib.sha256((self.snapshot / MANIFEST_FILE).read_bytes()).hexdigest() == digest
        except OSError:
            return False

    def runs(self) -> list[Path]:
        """Directories of the attempts, oldest first."""
        found = {}
        for path in self.root.iterdir() if self.root.is_dir() else ():
            if (match := RUN.fullmatch(path.name)) is not None:
                found[int(match[1] or 1)] = path
        return [found[number] for number in sorted(found)]

    @property
    def newest_run(self) -> Path:
        """Directory of the newest attempt; of the first, where there was none."""
        runs = self.runs()
        return runs[-1] if runs else self.root / "training"

    def next_run(self) -> Path:
        """A directory for the next attempt that none had before; those before it keep their logs only.

        Where a cluster may still run the newest attempt, as the service was stopped or killed meanwhile, it is that
        one's: the same program is followed again, and no second one is begun.
        """
        if is_submitted(newest := self.newest_run):
            return newest
        for run in self.runs():
            slim(run)
        return self.unused("training")

    def unused(self, name: str) -> Path:
        """A path in the directory that does not exist: the name, or with a number."""
        number, path = 1, self.root / name
        while path.exists():
            number, path = number + 1, self.root / f"{name}-{number + 1}"
        return path

    def finished(self) -> Path | None:
        """The newest attempt, if it came to its end: the card is written last."""
        run = self.newest_run
        return run if (run / CARD_FILE).exists() else None

    def registered(self) -> None:
        """Remove what the registry has now, and what only a further attempt would need."""
        for run in self.runs():
            slim(run)
        shutil.rmtree(self.checkpoint, ignore_errors=True)

    def log(self) -> Iterator[bytes]:
        """All that the programs wrote, attempt by attempt."""
        runs = self.runs()
        for number, run in enumerate(runs, start=1):
            if (run / LOG_FILE).is_file():
                if len(runs) > 1:
                    yield f"--- attempt {number} of {len(runs)} ---\n".encode()
                with (run / LOG_FILE).open("rb") as file:
                    while chunk := file.read(1 << 16):
                        yield chunk


def slim(run: Path) -> None:
    """Remove the artefacts of an attempt; its logs stay."""
    for path in run.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in KEPT:
            path.unlink(missing_ok=True)
