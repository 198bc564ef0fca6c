"""Samples that look like one: an annotator who sees many of a kind answers them together."""

from collections.abc import Collection

import numpy as np

from al_loop.domain.queries import AlikeSample
from al_loop.domain.sample_states import LEASED
from al_loop.errors import ConflictError
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store.pool_index import PoolIndex
from models.arrays import Ids, positions_of


def alike(
    index: PoolIndex, scores: PoolScores, sample_id: int, annotator: str, limit: int, blind: Collection[int] = ()
) -> list[AlikeSample]:
    """The nearest samples by cosine similarity of embeddings that an annotator may answer, the most alike first.

    These are samples of the pool that nobody has on lease, and those that only this annotator has. The test reserve is
    left out unless it is on lease to them: what it measures would depend on what was labelled before. So are the free
    samples that are answered without help, or annotators could tell the reserve by what is never listed.

    Args:
        index: Says who may answer what.
        scores: Have the embeddings, (E, D).
        sample_id: The sample that the others are compared with.
        annotator: For whom.
        limit: How many at most.
        blind: Samples of the pool that are answered without help.

    Raises:
        ConflictError: The sample has no embedding yet.
    """
    places, known = positions_of(np.array([sample_id], np.int64), scores.sample_ids)
    if scores.table is None or scores.rows is None or not known.any():
        raise ConflictError(f"sample {sample_id} was not compared with others yet; ask again in a minute")
    candidates = _answerable(index, annotator, blind)
    candidates = candidates[candidates != sample_id]
    positions, scored = positions_of(candidates, scores.sample_ids)
    candidates = candidates[scored]
    vectors = scores.table[scores.rows[positions]].astype(np.float32)
    similarity = _cosine(vectors, scores.table[scores.rows[places[0]]].astype(np.float32))
    best = np.argsort(-similarity, kind="stable")[:limit]
    sample_ids = candidates[best].tolist()
    return [
        AlikeSample(sample_id=number, path=path, similarity=value)
        for number, path, value in zip(
            sample_ids, index.paths_of(sample_ids), similarity[best].astype(np.float64).tolist(), strict=True
        )
    ]


def _answerable(index: PoolIndex, annotator: str, blind: Collection[int]) -> Ids:
    with index.lock:
        free = (index.state == 0) & ~np.isin(index.sample_ids, np.array([*blind], np.int64))
        free[list(index.skipped.get(annotator, ()))] = False
        held = index.holders.items()
        free[[at for at, by in held if by.keys() == {annotator} and index.state[at] & LEASED]] = True
        return np.asarray(index.sample_ids[free])


def _cosine(vectors: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Cosine similarity (N,) of vectors (N, D) with one (D,)."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(one)
    return np.asarray((vectors @ one) / np.maximum(lengths, 1e-12))
