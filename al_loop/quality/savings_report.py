"""Gathers what `al_loop.quality.savings` compares: labels by query source from the store, and current embeddings."""

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.domain.quality import Savings
from al_loop.domain.queries import SourceLabel
from al_loop.errors import NotFoundError
from al_loop.quality.savings import Evidence, Fit, Guess, missing, not_known, savings
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store import LabelStore
from al_loop_records.metric_names import metric_name
from models.arrays import Matrix, positions_of
from models.card import TaskSpec
from models.scoring.embedding_space import fit_space

STALE_SHARE = 0.02
"""An answer is given again until the labels grew by this share: it takes seconds to work out."""


PENALTY = 0.1
"""Of the squared weights of a head; embeddings have a mean square length of 1."""


class _KnownSavings(NamedTuple):
    """What an answer was worked out from."""

    version: str | None
    campaign_version: int
    labels: int
    classes: int
    answer: Savings


class SavingsReporter:
    """Answers how many labels were saved, and keeps the answer until it is out of date. Safe to share by threads."""

    def __init__(self, store: LabelStore, scores_of: Callable[[Campaign], PoolScores]) -> None:
        """Make a reporter.

        Args:
            store: Where the labels are.
            scores_of: The scores and embeddings that rank a campaign's pool now.
        """
        self._store, self._scores_of = store, scores_of
        self._lock = threading.Lock()
        self._known: dict[tuple[int, str], _KnownSavings] = {}

    def savings(self, campaign: Campaign, task: str | None = None) -> Savings:
        """What the strategy's choice was worth for one task, so far.

        Single-label classification only: for other tasks the answer says what the rounds' learning curve can tell.

        Args:
            campaign: As stored now.
            task: Its name; None: the first that can be answered, else the first.

        Raises:
            NotFoundError: The campaign has no such task.
        """
        spec = _task(campaign, task)
        changed = self._store.campaign_version(campaign.campaign_id)
        if spec.task != "classification" or spec.multi_label:
            return self._by_curve(campaign, spec, self._store.labels.by_arm(campaign.campaign_id, spec.task))
        scores = self._scores_of(campaign)
        key = campaign.campaign_id, spec.task
        with self._lock:
            known = self._known.get(key)
            if known is not None and (known.campaign_version, known.version) == (changed, scores.version):
                return known.answer
            labels = self._store.labels.by_arm(campaign.campaign_id, spec.task)
            usable = [
                label
                for label in labels  # a class that was added a moment ago may be in a label and not in `campaign`
                if label.classes is not None and len(label.classes) == 1 and label.classes[0] in spec.classes
            ]
            if known is not None and known.version == scores.version and known.classes == len(spec.classes):
                grown = abs(len(usable) - known.labels)
                if grown <= STALE_SHARE * known.labels and known.answer.verdict != "not known yet":
                    return known.answer
            answer = _answer(spec, usable, scores)
            self._known[key] = _KnownSavings(scores.version, changed, len(usable), len(spec.classes), answer)
            return answer

    def _by_curve(self, campaign: Campaign, spec: TaskSpec, labels: Sequence[SourceLabel]) -> Savings:
        """No comparison, but how far the rounds have come."""
        points = [point for point in self._store.rounds.curve(campaign.campaign_id) if point.task == spec.task]
        control, chosen, reserve = (len(part) for part in _arms(labels))
        what = "tasks with several classes a sample" if spec.multi_label else spec.task
        note = f"the comparison with random choice is made for tasks with one class a sample, not for {what}"
        if points:
            first, last = points[0], points[-1]
            interval = f"(95 % {last.low:.3f} to {last.high:.3f}) with {last.labels} labels, from all sources"
            if len(points) == 1:
                note += f"; the only round so far has {metric_name(last.metric)} {last.value:.3f} {interval}"
            else:
                note += (
                    f"; the rounds went from {metric_name(first.metric)} {first.value:.3f} with {first.labels} labels "
                    f"to {last.value:.3f} {interval}"
                )
        metric = points[-1].metric if points else "accuracy"
        return not_known(spec.task, campaign.current_version, note, control, chosen, reserve, metric=metric)


def evidence(spec: TaskSpec, labels: Sequence[SourceLabel], scores: PoolScores) -> Evidence:
    """The arms as arrays; samples without an embedding are left out.

    Args:
        spec: A single-label task.
        labels: With one class each, in the order in which they were given.
        scores: The pool's scores, with its embeddings.
    """
    arms = _arms(labels)
    used = [label for arm in arms for label in arm]
    ids = np.array([label.sample_id for label in used], np.int64)
    positions, there = positions_of(ids, scores.sample_ids)
    values = np.empty((0, 1), np.float32)
    if scores.table is not None and scores.rows is not None and len(positions):
        values = np.asarray(scores.table[scores.rows[positions]], np.float32)
        if scores.is_raw:
            values = fit_space([values]).apply([values]).astype(np.float32)
    else:
        there[:] = False
    codes = np.array([spec.classes.index((label.classes or [""])[0]) for label in used], np.int64)[there]
    blocks = [label.block for label in used]
    ends = np.cumsum([0, *(len(arm) for arm in arms)])
    kept = [int(there[:end].sum()) for end in ends]  # an arm begins there once samples without embedding are gone
    cut: list[tuple[Matrix, NDArray[np.int64]]] = [
        (values[start:end], codes[start:end]) for start, end in itertools.pairwise(kept)
    ]
    reserve_blocks = [block for block, known in zip(blocks[ends[2] :], there[ends[2] :].tolist(), strict=True) if known]
    return Evidence(control=cut[0], chosen=cut[1], reserve=cut[2], blocks=reserve_blocks)


def ridge_head(classes: int) -> Fit:
    """Regularised least-squares classification of K classes (Rifkin, Yeo and Poggio 2003), solved in closed form.

    A hundredth of the time of a logistic head by L-BFGS, and it is fitted hundreds of times.
    """

    def fit(embeddings: Matrix, codes: NDArray[np.int64]) -> Guess:
        targets = np.eye(classes)[codes]
        centre, shares = embeddings.mean(axis=0, dtype=np.float64), targets.mean(axis=0)
        x, y = embeddings - centre, targets - shares
        if len(x) <= x.shape[1]:
            weights = x.T @ np.linalg.solve(x @ x.T + PENALTY * np.eye(len(x)), y)
        else:
            weights = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ y)
        return lambda others: np.asarray(((others - centre) @ weights + shares).argmax(axis=1))

    return fit


def _answer(spec: TaskSpec, labels: Sequence[SourceLabel], scores: PoolScores) -> Savings:
    found = evidence(spec, labels, scores)
    with_embedding = [len(codes) for _, codes in (found.control, found.chosen, found.reserve)]
    counts = [len(arm) for arm in _arms(labels)]
    if missing(*counts) is None and missing(*with_embedding) is not None:
        note = (
            f"of {sum(counts)} labelled samples {sum(with_embedding)} have an embedding yet; the pool is being scored"
        )
        return not_known(spec.task, scores.version, note, counts[0], counts[1], counts[2])
    return savings(found, ridge_head(len(spec.classes)), task=spec.task, version=scores.version)


def _arms(labels: Sequence[SourceLabel]) -> tuple[list[SourceLabel], list[SourceLabel], list[SourceLabel]]:
    """Labels of the control, of the strategy, and of the test reserve."""
    pool = [label for label in labels if not label.reserve]
    control = [label for label in pool if label.arm == "control"]
    chosen = [label for label in pool if label.arm == "strategy"]
    return control, chosen, [label for label in labels if label.reserve]


def _task(campaign: Campaign, name: str | None) -> TaskSpec:
    if name is not None:
        spec = campaign.task(name)
        if spec is None:
            raise NotFoundError("task", name)
        return spec
    able = [spec for spec in campaign.tasks if spec.task == "classification" and not spec.multi_label]
    return (able or campaign.tasks)[0]
