"""What a fast simulation works on: embeddings and right answers of every sample of a folder, as arrays."""

import dataclasses
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

EMBEDDINGS = "embeddings.npy"
ANSWERS = "answers.npz"
_ANSWERS = ("targets", "reserve", "weights", "cells", "sample_embeddings", "features_only")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedPool:
    """N samples whose answers are known, each of one or several cells, M in all.

    In a classification a sample is its only cell. In a segmentation samples are chips of images, and a head answers for
    their cells.
    """

    embeddings: NDArray[np.float16]
    """Of the cells, shape (M, D), of one `models.scoring.embedding_space`; a memory map when it was read from disk."""
    targets: NDArray[np.float32]
    """Shape (M, K): share of each class, rows summing to 1; one-hot for classification, 0 where nothing is known."""
    reserve: NDArray[np.bool_]
    """Shape (N,): the test reserve, never asked about and never trained on."""
    weights: NDArray[np.float32]
    """Shape (M,): labelled pixels of a cell, 1 for a sample."""
    cells: NDArray[np.int64] | None = None
    """Sample of each cell, shape (M,), ascending; None: every sample is its only cell."""
    sample_embeddings: NDArray[np.float16] | None = None
    """What coverage looks at, shape (N, D); None: `embeddings`."""

    features_only: bool = False
    """Whether `embeddings` are simple image features, without an encoder's."""

    @property
    def reserved(self) -> int:
        """Samples in the test reserve."""
        return int(self.reserve.sum())

    @property
    def table(self) -> NDArray[np.float16]:
        """One embedding a sample, shape (N, D)."""
        return self.embeddings if self.sample_embeddings is None else self.sample_embeddings

    def cells_of(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """All cells of some samples: in the order of `samples` if each is its only cell, else ascending."""
        return samples if self.cells is None else np.flatnonzero(np.isin(self.cells, samples))

    def known_cells_of(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of them with a labelled pixel."""
        cells = self.cells_of(samples)
        return cells[self.weights[cells] > 0]

    def area(self, samples: NDArray[np.int64]) -> float | None:
        """Labelled pixels of some samples as a share of all outside of the reserve; None without cells."""
        if self.cells is None:
            return None
        askable = self.cells_of(np.flatnonzero(~self.reserve))
        return float(self.weights[self.cells_of(samples)].sum() / self.weights[askable].sum())

    def write(self, directory: Path) -> None:
        """Write two files into an existing directory."""
        np.save(directory / EMBEDDINGS, self.embeddings)
        answers: dict[str, Any] = {name: getattr(self, name) for name in _ANSWERS}
        np.savez(directory / ANSWERS, **{name: values for name, values in answers.items() if values is not None})

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read them; embeddings of cells stay on disk until they are used."""
        with np.load(directory / ANSWERS) as answers:
            return cls(embeddings=np.load(directory / EMBEDDINGS, mmap_mode="r"), **dict(answers))
