"""What a head learns from and scores: the samples of a task that is answered with classes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore
from models.arrays import Matrix, Rows, positions_of
from models.card import TaskSpec
from models.heads.linear_head import Head
from models.heads.scores import Scores, head_scores
from models.scoring.embeddings import Embeddings

THREADS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class HeadScores:
    """Scores of S samples."""

    sample_ids: Rows
    scores: Scores
    probabilities: NDArray[np.floating] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class HeadData:
    """Rows that a head sees, and what is known of some of them."""

    table: NDArray[np.floating]
    """Embeddings, shape (M, D)."""
    rows: Rows
    """The labelled ones outside of the test reserve, shape (n,)."""
    targets: Matrix
    """Share of each class, shape (n, K); `multi_label`: 1 where a class is present, else 0."""
    labelled: Rows
    """Labelled samples that they belong to, before any are left out, shape (L,), ascending."""
    sample_ids: Rows
    """That of each row, shape (M,), ascending."""
    multi_label: bool = False
    """Whether any number of classes may be present, also none."""
    reserve: tuple[Rows, Matrix] = field(default_factory=lambda: (np.empty(0, np.int64), np.empty((0, 0), np.float32)))
    """Labelled rows of the test reserve and their targets."""

    @property
    def samples(self) -> int:
        """Labelled samples, L."""
        return len(self.labelled)

    def score(self, head: Head, vectors: Matrix, rng: np.random.Generator, *, with_bald: bool) -> HeadScores:
        """Score every sample by a head that was fitted on `vectors`, the embeddings of `rows`."""
        scores, probabilities = head_scores(
            self.table, None, head, vectors, self.targets, rng, threads=THREADS, with_bald=with_bald
        )
        one_class = None if self.multi_label else probabilities  # what strategies take for a distribution
        return HeadScores(sample_ids=self.sample_ids, scores=scores, probabilities=one_class)


def class_head_data(store: LabelStore, campaign: Campaign, spec: TaskSpec, embeddings: Embeddings) -> HeadData:
    """Samples with one class each, or any number if the task is multi-label; gold-standard samples are left out."""
    rows, targets = _class_targets(store, campaign, spec, embeddings, reserve=False)
    return HeadData(
        table=embeddings.values,
        rows=rows,
        targets=targets,
        labelled=embeddings.sample_ids[rows],
        sample_ids=embeddings.sample_ids,
        multi_label=spec.multi_label,
        reserve=_class_targets(store, campaign, spec, embeddings, reserve=True),
    )


def _class_targets(
    store: LabelStore, campaign: Campaign, spec: TaskSpec, embeddings: Embeddings, *, reserve: bool
) -> tuple[Rows, Matrix]:
    """Rows of the labelled samples, (n,), and their classes as 0 and 1, (n, K); retired classes are nobody's."""
    retired = campaign.retired(spec.task)
    if spec.multi_label:
        sample_ids, lists = store.labels.class_lists(campaign.campaign_id, spec.task, reserve=reserve)
        present = presence([[name for name in names if name not in retired] for names in lists], spec.classes)
        rows, there = positions_of(sample_ids, embeddings.sample_ids)
        return rows, present[there]
    sample_ids, answers = store.labels.class_answers(campaign.campaign_id, spec.task, reserve=reserve)
    rows, there = positions_of(sample_ids, embeddings.sample_ids)
    number = {name: index for index, name in enumerate(spec.classes) if name not in retired}
    numbers = np.array([number.get(name, -1) for name in answers], np.int64)[there]
    rows, numbers = rows[numbers >= 0], numbers[numbers >= 0]
    return rows, np.eye(len(spec.classes), dtype=np.float32)[numbers]


def presence(answers: Sequence[Sequence[str]], classes: Sequence[str]) -> Matrix:
    """Which classes each answer names: 1 or 0, shape (n, K); an empty answer is all 0. Unknown names count nowhere."""
    number = {name: column for column, name in enumerate(classes)}
    present = np.zeros((len(answers), len(classes)), np.float32)
    for row, names in enumerate(answers):
        present[row, [number[name] for name in names if name in number]] = 1
    return present
