"""One space for coverage and heads from several kinds of embeddings: features, a self-supervised encoder, a model.

Each kind is standardised and has equal weight, so that what one misses the other brings: an encoder trained to ignore
changes of light knows little of spectra, and simple features know little of shapes. Arrays only, no files.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import NonFiniteScoresError

MAX_SIZE = 256
"""Values an embedding at most: 512 MB of float16 for a million samples."""

FITTED_ROWS = 20_000
CHUNK = 16_384
_CLIP = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingSpace:
    """How raw embeddings of S kinds, of D_1 to D_S values, become one vector of d values."""

    means: NDArray[np.float32]
    """Shape (D,), D the sum of all D_s."""
    factors: NDArray[np.float32]
    """Shape (D,): 1 / (standard deviation * sqrt(D_s * S)); 0 where nothing varies."""
    limits: NDArray[np.float32]
    """Shape (D,): values are clipped to five standard deviations."""
    projection: NDArray[np.float32] | None
    """Shape (D, d): principal axes, not whitened (that would lift noise to the size of signal); None: d = D."""

    def apply(self, sources: Sequence[NDArray[np.floating]]) -> NDArray[np.float16]:
        """Embeddings (N, d) of the same N samples from all sources (N, D_s), in chunks."""
        size = len(self.means) if self.projection is None else self.projection.shape[1]
        result = np.empty((len(sources[0]), size), np.float16)
        for start in range(0, len(result), CHUNK):
            rows = np.concatenate([np.asarray(part[start : start + CHUNK], np.float32) for part in sources], axis=1)
            scaled = np.clip((rows - self.means) * self.factors, -self.limits, self.limits)
            result[start : start + CHUNK] = scaled if self.projection is None else scaled @ self.projection
        return result


def fit_space(sources: Sequence[NDArray[np.floating]]) -> EmbeddingSpace:
    """Estimate a space on at most 20,000 evenly spaced samples.

    Args:
        sources: At least one kind of raw embeddings, (N, D_s) each, of the same N >= 1 samples in the same order.

    Returns:
        A space whose vectors have a mean square length of about 1.

    Raises:
        ValueError: No source, no sample, or different numbers of samples.
        NonFiniteScoresError: NaN or infinite values; carries row numbers.
    """
    if not sources or len({len(part) for part in sources}) != 1 or not len(sources[0]):
        raise ValueError(f"sources of equally many samples are needed, not {[part.shape for part in sources]}")
    step = -(-len(sources[0]) // FITTED_ROWS)
    rows = np.concatenate([np.asarray(part[::step], np.float32) for part in sources], axis=1)
    broken = ~np.isfinite(rows).all(axis=1)
    if broken.any():
        raise NonFiniteScoresError("embeddings (rows)", (np.flatnonzero(broken) * step).tolist())
    means, deviations = rows.mean(axis=0), rows.std(axis=0)
    flat = deviations <= 1e-6 * np.maximum(np.abs(means), 1e-6)
    weights = np.concatenate([np.full(part.shape[1], (part.shape[1] * len(sources)) ** -0.5) for part in sources])
    factors = np.where(flat, 0, weights / np.where(flat, 1, deviations)).astype(np.float32)
    limits = (_CLIP * weights).astype(np.float32)
    projection = None
    if len(means) > MAX_SIZE:
        scaled = np.clip((rows - means) * factors, -limits, limits)
        _, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled))  # ascending
        projection = np.ascontiguousarray(axes[:, : -MAX_SIZE - 1 : -1], np.float32)
    return EmbeddingSpace(means=means, factors=factors, limits=limits, projection=projection)
