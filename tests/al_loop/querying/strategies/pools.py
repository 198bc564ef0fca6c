"""Pools whose best samples are known beforehand."""

import numpy as np

from al_loop.scoring.pool_scores import Candidates
from models.tasks.uncertainty import all_scores


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def embedded(table: np.ndarray, covered: int = 0, **fields: object) -> Candidates:
    """A pool of all but the last `covered` rows, which are labelled."""
    count = len(table) - covered
    return Candidates(
        sample_ids=np.arange(count),
        table=np.asarray(table, np.float32),
        rows=np.arange(count),
        covered_rows=np.arange(count, len(table)),
        score_rows=np.arange(count),
        **fields,
    )


def clustered_pool(uncertain: tuple[int, ...] | None, covered: tuple[int, ...] = ()) -> tuple[Candidates, np.ndarray]:
    """Five tight clusters of 40 samples, five classes; those in `covered` have one labelled sample each."""
    centres = 5 * np.eye(5, 8, dtype=np.float32)
    clusters = np.repeat(np.arange(5), 40)
    table = centres[clusters] + 0.1 * np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    table = np.concatenate([table, centres[list(covered)]])
    scores = {} if uncertain is None else {"entropy": np.isin(clusters, uncertain).astype(np.float32)}
    probabilities = np.full((200, 5), 0.2, np.float32)
    return embedded(table, len(covered), scores=scores, probability_table=probabilities), clusters


def classified(probabilities: np.ndarray, table: np.ndarray | None = None) -> Candidates:
    values = np.asarray(probabilities, np.float32)
    return Candidates(
        sample_ids=np.arange(len(values)),
        scores=all_scores(values),
        probability_table=values,
        score_rows=np.arange(len(values)),
        table=table,
        rows=None if table is None else np.arange(len(values)),
    )
