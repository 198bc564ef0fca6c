"""The files of a model from elsewhere that a round takes in place of a training, and the program that does so.

rounds/7/added/FILE.onnx, card.json     as they came
rounds/7/added/ask                      there: a person has the last word, whatever the policy says
"""

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from al_loop.domain.round_limits import RoundLimits
from al_loop.errors import InvalidValueError

FOLDER, CARD, ASK = "added", "card.json", "ask"
MOST_S, MOST_STALLED_S, MOST_MEMORY_MB = 3_600.0, 600.0, 8_000
"""What the program may take that runs what a stranger exported, unless the campaign's limits are lower."""


class Program(NamedTuple):
    """What a round runs."""

    module: str
    arguments: list[str]
    limits: RoundLimits


class AddedFiles:
    """Files that were sent, in a folder of their own until a round takes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def keep(cls, temporary: Path, name: str, data: bytes, card: bytes, *, ask: bool) -> Self:
        """Write what was sent.

        Args:
            temporary: On the disk of the data directory; made if missing.
            name: Of the ONNX file, for people.
            data: The file.
            card: What is said about it.
            ask: Whether a person has the last word.

        Raises:
            InvalidValueError: The name is none of an ONNX file, or the file is empty.
            OSError: The disk is full.
        """
        if Path(name).name != name or not name.isprintable() or not name.lower().endswith(".onnx") or len(name) > 200:
            raise InvalidValueError("name", f"{name!r} is no name of an ONNX file, such as roads.onnx")
        if not data:
            raise InvalidValueError("model", "the file is empty")
        temporary.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="added-", dir=temporary))
        try:
            (folder / name).write_bytes(data)
            (folder / CARD).write_bytes(card)
            if ask:
                (folder / ASK).touch()
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(folder)

    def move_to(self, root: Path) -> None:
        """Give them to a round, by its directory."""
        root.mkdir(parents=True, exist_ok=True)
        self._folder.rename(root / FOLDER)

    def discard(self) -> None:
        """Remove what no round took."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def ask(root: Path) -> bool:
        """Whether a person has the last word on the model of a round."""
        return (root / FOLDER / ASK).exists()


def add_program(root: Path, limits: RoundLimits) -> Program | None:
    """What runs in place of a training in a round's directory; None: the round trains."""
    folder = root / FOLDER
    if not folder.is_dir():
        return None
    file = next(path for path in sorted(folder.iterdir()) if path.name.lower().endswith(".onnx"))
    narrow = msgspec.structs.replace(
        limits,
        wall_s=min(limits.wall_s or MOST_S, MOST_S),
        stalled_s=min(limits.stalled_s or MOST_STALLED_S, MOST_STALLED_S),
        memory_mb=min(limits.memory_mb or MOST_MEMORY_MB, MOST_MEMORY_MB),
        memory_retries=0,
    )
    return Program(
        "models.add_model", ["--file", str(file.resolve()), "--card", str((folder / CARD).resolve())], narrow
    )
