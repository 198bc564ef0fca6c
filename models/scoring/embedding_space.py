"""One space for coverage and heads from several kinds of embeddings: features, a self-supervised encoder, a model.

Each kind is standardised once, from its raw values, and has equal weight, so that what one misses the other brings: an
encoder trained to ignore changes of light knows little of spectra, and simple features know little of shapes. Arrays
only, no files.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.arrays import Matrix
from models.errors import NonFiniteScoresError

MAX_SIZE = 256
"""Values an embedding at most: 512 MB of float16 for a million samples."""

FITTED_ROWS = 20_000
CHUNK = 16_384
CLIP = 5.0
"""Standard deviations at which values are cut off."""

TAILS = (1, 99)
"""Percentiles beyond which values do not count for mean and deviation, so that a few odd images stretch nothing."""

LEAST_VARIANCE = 1e-4
"""Of an axis, as a share of the largest, for half whitening: what barely varies is amplified tenfold at most."""


OTHERS = 0.5
"""Weight of simple features beside a leading encoder, in length. With 50 and 200 labels of EuroSAT a linear head on the
shipped encoder reached .765 and .902 so, .735 and .892 with equal weights, .644 and .883 half whitened."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingSpace:
    """How raw embeddings of S kinds, of D_1 to D_S values, become one vector of d values."""

    means: Matrix
    """Shape (D,), D the sum of all D_s."""
    factors: Matrix
    """Shape (D,): 1 / standard deviation without the tails; 0 where nothing varies."""
    projection: Matrix
    """Shape (D, d): from standardised values, clipped to five standard deviations, to the vector."""

    def apply(self, sources: Sequence[NDArray[np.floating]]) -> NDArray[np.float16]:
        """Embeddings (N, d) of the same N samples from all sources (N, D_s), in chunks."""
        result = np.empty((len(sources[0]), self.projection.shape[1]), np.float16)
        for start in range(0, len(result), CHUNK):
            rows = np.concatenate([np.asarray(part[start : start + CHUNK], np.float32) for part in sources], axis=1)
            scaled = np.clip((rows - self.means) * self.factors, -CLIP, CLIP)
            result[start : start + CHUNK] = scaled @ self.projection
        return result


def fit_space(sources: Sequence[NDArray[np.floating]], leading: int | None = None) -> EmbeddingSpace:
    """Estimate a space on at most 20,000 evenly spaced samples.

    Each kind is standardised by value, turned to its principal axes and half whitened: axes are divided by the square
    root of their standard deviation. Many values say the same (brightness above all among features), and undamped it
    would be all that a distance sees; full whitening would lift noise to the size of signal. If the kinds have more
    than `MAX_SIZE` values together, the principal axes of all of them follow.

    Args:
        sources: At least one kind of raw embeddings, (N, D_s) each, of the same N >= 1 samples in the same order.
        leading: Which of them comes from an encoder that knows more than the others: it is standardised and not
            whitened, and the others have half its weight. None: all are alike.

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
    low, high = np.percentile(rows, TAILS, axis=0).astype(np.float32)
    usual = np.clip(rows, low, high)
    means, deviations = usual.mean(axis=0), usual.std(axis=0)
    flat = deviations <= 1e-6 * np.maximum(np.abs(means), 1e-6)
    factors = np.where(flat, 0, 1 / np.where(flat, 1, deviations)).astype(np.float32)
    scaled = np.clip((rows - means) * factors, -CLIP, CLIP)
    kinds = np.split(scaled, np.cumsum([part.shape[1] for part in sources])[:-1], axis=1)
    weights = [1.0 if leading in (None, number) else OTHERS for number in range(len(kinds))]
    blocks = [
        weight * (_to_unit_length(kind) if number == leading else _half_whitening(kind))
        for number, (kind, weight) in enumerate(zip(kinds, weights, strict=True))
    ]
    from scipy.linalg import block_diag  # here: a service that starts would wait for it

    projection = block_diag(*blocks) / np.linalg.norm(weights)
    if projection.shape[1] > MAX_SIZE:
        projection = projection @ _principal_axes(scaled @ projection)[1][:, :MAX_SIZE]
    return EmbeddingSpace(means=means, factors=factors, projection=np.ascontiguousarray(projection, np.float32))


def _to_unit_length(scaled: Matrix) -> NDArray[np.floating]:
    """Projection (D, D) of one kind (N, D) that only scales it to a mean square length of 1; 0 where nothing varies."""
    length = np.square(scaled).sum(axis=1).mean()
    return np.asarray(np.eye(scaled.shape[1]) / np.sqrt(length) if length > 0 else np.zeros((scaled.shape[1],) * 2))


def _half_whitening(scaled: Matrix) -> NDArray[np.floating]:
    """Projection (D, min(D, N - 1)) of one kind (N, D) whose vectors have a mean square length of 1."""
    variances, axes = _principal_axes(scaled)
    if variances[0] <= 0:
        return np.zeros((scaled.shape[1], 1))
    projection = axes / np.maximum(variances, LEAST_VARIANCE * variances[0]) ** 0.25
    projection = projection[:, : max(len(scaled) - 1, 1)]  # the other axes are those along which no sample varies
    return np.asarray(projection / np.sqrt(np.square(scaled @ projection).sum(axis=1).mean()))


def _principal_axes(values: Matrix) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Variances (D,), descending, and axes (D, D) in columns, of values (N, D) around 0.

    What scikit-learn's PCA does by its solver "covariance_eigh", without importing scikit-learn, which would add over
    two seconds to the first query of a service.
    """
    variances, axes = np.linalg.eigh(values.T @ values / len(values))
    return variances[::-1], axes[:, ::-1]
