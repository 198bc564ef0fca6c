"""Samples that a training run goes on without: their files broke after the snapshot was taken."""

import logging
from collections.abc import Iterable
from pathlib import Path

import msgspec

from models.files import write_atomically

logger = logging.getLogger(__name__)

LEFT_OUT_FILE = "left-out.json"
NAMED = 5


class LeftOutSample(msgspec.Struct, frozen=True, kw_only=True):
    """One such sample."""

    sample_id: int
    path: str
    reason: str
    unreadable: bool
    """Its pixels cannot be read, rather than that the file is gone or another one now."""


class LeftOut:
    """Collects them; each is named in the log once."""

    def __init__(self) -> None:
        self._samples: dict[int, LeftOutSample] = {}

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self._samples

    def __len__(self) -> int:
        return len(self._samples)

    def add(self, sample_id: int, path: Path, reason: str, *, unreadable: bool) -> None:
        """This sample cannot be read, or is not what it was."""
        if sample_id not in self._samples:
            self._samples[sample_id] = LeftOutSample(
                sample_id=sample_id, path=str(path), reason=reason, unreadable=unreadable
            )
            logger.warning("left out: %s: %s", path, reason)

    @property
    def samples(self) -> list[LeftOutSample]:
        """All of them, in the order in which they were found."""
        return list(self._samples.values())

    def add_all(self, samples: Iterable[LeftOutSample]) -> None:
        """Leave out what an earlier process of this run left out."""
        for entry in samples:
            self.add(entry.sample_id, Path(entry.path), entry.reason, unreadable=entry.unreadable)

    @property
    def sentence(self) -> str:
        """How many there are, and the first of them."""
        named = [f"{Path(entry.path).name} ({entry.reason})" for entry in self._samples.values()]
        more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
        return f"{len(named)} left out as their files cannot be used: {', '.join(named[:NAMED])}{more}"

    def write(self, directory: Path) -> None:
        """Leave them in `left-out.json`, an empty list if all samples were read."""
        with write_atomically(directory / LEFT_OUT_FILE) as file:
            file.write(msgspec.json.format(msgspec.json.encode(self.samples), indent=1))


def read_left_out(directory: Path) -> list[LeftOutSample]:
    """What a run left out; empty where it did not come so far as to say so.

    Raises:
        msgspec.MsgspecError: The file is not what `LeftOut.write` leaves.
    """
    path = directory / LEFT_OUT_FILE
    return msgspec.json.decode(path.read_bytes(), type=list[LeftOutSample]) if path.exists() else []
