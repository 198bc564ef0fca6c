"""Classes weigh alike in a balanced head."""

import numpy as np

from models.heads.balanced import fit_balanced
from models.heads.linear_head import fit_head


def rows(common: int, rare: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that overlap, one of them rare."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], [common, rare])
    values = rng.normal(0, 1, (common + rare, 4)) * 0.5
    values[:, 0] += np.where(codes == 1, 0.5, -0.5)
    order = rng.permutation(len(codes))
    return values[order].astype(np.float32), codes[order]


def test_rare_class_is_found_as_often_as_a_common_one() -> None:
    values, codes = rows(950, 50)
    plain = fit_head(values, np.eye(2, dtype=np.float32)[codes], rng=np.random.default_rng(0))
    balanced = fit_balanced(values, codes, 2, rng=np.random.default_rng(0))
    tests, truth = rows(500, 500)

    def recall(head: object) -> list[float]:
        named = head.probabilities(tests).argmax(axis=1)  # type: ignore[attr-defined]
        return [float((named[truth == code] == code).mean()) for code in (0, 1)]

    assert recall(plain)[1] < 0.5
    assert abs(recall(balanced)[0] - recall(balanced)[1]) < 0.1
    assert balanced.majority == 0.5


def test_class_without_a_row_is_answered_nowhere() -> None:
    values, codes = rows(60, 60)
    head = fit_balanced(values, codes, 3, rng=np.random.default_rng(0))
    assert np.isfinite(head.weights).all()
    assert (head.probabilities(values).argmax(axis=1) < 2).all()
