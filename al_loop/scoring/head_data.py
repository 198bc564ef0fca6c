"""What a head learns from and scores: samples of a classification task, cells of a segmentation task."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.scoring.cell_targets import CellTargetCache, first_code
from al_loop.store import LabelStore
from models.arrays import Matrix, Rows, positions_of
from models.card import TaskSpec
from models.heads.linear_head import Head
from models.heads.scores import Scores, cell_scores, head_scores
from models.scoring.cells.files import SAMPLE, CellEmbeddings, common_cells, load_cells
from models.scoring.embedding_space import fit_space
from models.scoring.embeddings import Embeddings, EmbeddingStore
from models.scoring.joined_embeddings import leading_of

MOST_CELLS = 2_000_000
"""Cells that are joined in memory at most, 1 GB at 256 values; a larger pool is ranked by the serving model only."""

THREADS = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class HeadScores:
    """Scores of S samples."""

    sample_ids: Rows
    scores: Scores
    probabilities: NDArray[np.floating] | None = None
    strata: NDArray[np.floating] | None = None


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
    """Samples that can be scored, ascending; classification: that of each row, shape (M,)."""
    multi_label: bool = False
    """Classification: whether any number of classes may be present, also none."""
    cell_index: Rows | None = None
    """Segmentation: sample and place of each row, shape (M, 5)."""
    code: int = 0
    """Segmentation: code of the first class."""
    reserve: tuple[Rows, Matrix] = field(default_factory=lambda: (np.empty(0, np.int64), np.empty((0, 0), np.float32)))
    """Classification: labelled rows of the test reserve and their targets."""

    @property
    def samples(self) -> int:
        """Labelled samples, L."""
        return len(self.labelled)

    def score(self, head: Head, vectors: Matrix, rng: np.random.Generator, *, with_bald: bool) -> HeadScores:
        """Score every sample by a head that was fitted on `vectors`, the embeddings of `rows`."""
        if self.cell_index is None:
            scores, probabilities = head_scores(
                self.table, None, head, vectors, self.targets, rng, threads=THREADS, with_bald=with_bald
            )
            one_class = None if self.multi_label else probabilities  # what strategies take for a distribution
            return HeadScores(sample_ids=self.sample_ids, scores=scores, probabilities=one_class)
        found = cell_scores(
            self.table, self.cell_index, head, vectors, self.targets, rng,
            first_code=self.code, threads=THREADS, with_bald=with_bald,
        )  # fmt: skip
        return HeadScores(sample_ids=found.sample_ids, scores=found.scores, strata=found.strata)


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


def cell_head_data(
    store: LabelStore, campaign: Campaign, spec: TaskSpec, cells: CellEmbeddings, painted: CellTargetCache
) -> HeadData:
    """Cells with the share of each class among their labelled pixels."""
    known = painted.targets(store, campaign, spec, cells.cell_index)
    return HeadData(
        table=cells.values,
        rows=known.rows,
        targets=known.targets,
        labelled=np.unique(cells.cell_index[known.rows, SAMPLE]),
        sample_ids=np.unique(cells.cell_index[:, SAMPLE]),
        cell_index=cells.cell_index,
        code=first_code(campaign),
    )


class JoinedCells:
    """The cells of a campaign in one space, joined again when parts were added; in memory."""

    def __init__(self, store: EmbeddingStore) -> None:
        """Use the raw embeddings of a campaign."""
        self._store = store
        self._key: tuple[object, ...] = ()
        self._cells: CellEmbeddings | None = None

    def load(self, versions: Sequence[str]) -> CellEmbeddings | None:
        """Cells that all versions have described; None if there are none, or more than `MOST_CELLS`.

        Raises:
            ScoringError: The parts on disk do not fit together.
            NonFiniteScoresError: Raw embeddings are NaN or infinite.
        """
        key = tuple((version, len(self._store.parts(version))) for version in versions)
        if key != self._key:
            index, sources = common_cells([load_cells(self._store.parts(version)) for version in versions])
            fits = 0 < len(index) <= MOST_CELLS
            self._cells = (
                CellEmbeddings(index, fit_space(sources, leading_of(versions)).apply(sources)) if fits else None
            )
            self._key = key
        return self._cells


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
