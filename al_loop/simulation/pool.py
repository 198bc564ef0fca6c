"""What a fast simulation works on: embeddings and right answers of every sample of a folder, as arrays."""

import dataclasses
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

EMBEDDINGS = "embeddings.npy"
ANSWERS = "answers.npz"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedPool:
    """N samples, or regions of samples, whose answers are known."""

    embeddings: NDArray[np.float16]
    """Shape (N, D), of one `al_loop.embedding_space`; a memory map when it was read from disk."""
    targets: NDArray[np.float32]
    """Shape (N, K): share of each class, rows summing to 1; one-hot for classification."""
    reserve: NDArray[np.bool_]
    """Shape (N,): the test reserve, never asked about and never trained on."""
    weights: NDArray[np.float32]
    """Shape (N,): labelled pixels of a region, 1 for a sample."""

    def write(self, directory: Path) -> None:
        """Write two files into an existing directory."""
        np.save(directory / EMBEDDINGS, self.embeddings)
        np.savez(directory / ANSWERS, targets=self.targets, reserve=self.reserve, weights=self.weights)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read them; embeddings stay on disk until they are used."""
        with np.load(directory / ANSWERS) as answers:
            return cls(
                embeddings=np.load(directory / EMBEDDINGS, mmap_mode="r"),
                targets=answers["targets"],
                reserve=answers["reserve"],
                weights=answers["weights"],
            )
