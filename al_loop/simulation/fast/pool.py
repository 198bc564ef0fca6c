"""What a fast simulation works on: embeddings and right answers of every sample of a folder, as arrays."""

import dataclasses
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

EMBEDDINGS = "embeddings.npy"
ANSWERS = "answers.npz"
_ANSWERS = ("targets", "reserve", "features_only")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedPool:
    """N samples of one class each, which is known."""

    embeddings: NDArray[np.float16]
    """Shape (N, D), of one `models.scoring.embedding_space`; a memory map when it was read from disk."""
    targets: NDArray[np.float32]
    """Shape (N, K): 1 for the class of a sample, else 0."""
    reserve: NDArray[np.bool_]
    """Shape (N,): the test reserve, never asked about and never trained on."""
    features_only: bool = False
    """Whether `embeddings` are simple image features, without an encoder's."""

    @property
    def reserved(self) -> int:
        """Samples in the test reserve."""
        return int(self.reserve.sum())

    def write(self, directory: Path) -> None:
        """Write two files into an existing directory."""
        np.save(directory / EMBEDDINGS, self.embeddings)
        answers: dict[str, Any] = {name: getattr(self, name) for name in _ANSWERS}
        np.savez(directory / ANSWERS, **answers)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read them; embeddings stay on disk until they are used."""
        with np.load(directory / ANSWERS) as answers:
            known = {name: answers[name] for name in _ANSWERS}
        return cls(embeddings=np.load(directory / EMBEDDINGS, mmap_mode="r"), **known)
