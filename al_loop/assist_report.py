"""How suggestions fare: kept, corrected, refused, ignored; and how far seeing one leads annotators (anchoring)."""

from collections.abc import Sequence
from itertools import groupby

import msgspec
import numpy as np

from al_loop.assist_records import Assist, UnansweredCount
from al_loop.store import LabelStore
from models.card import TaskName

LEAST_FOR_ANCHORING = 5
"""Assessed labels, shown and blind alike, that the difference of their agreements needs."""
RESAMPLES = 2000
SEED = 20240229


class Anchoring(msgspec.Struct, frozen=True, kw_only=True):
    """Mean agreement with suggestions that were shown minus that with suggestions that were kept back."""

    difference: float
    low: float
    """95 % bootstrap interval; above 0: people agree more with what they see than they would by themselves."""
    high: float


class AssistSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one annotator made of one version's suggestions for one task."""

    version: str
    annotator: str
    task: TaskName
    accepted: int
    edited: int
    rejected: int
    blind: int
    """Labels given without seeing the suggestion; not in the three counts above."""
    agreement_shown: float | None
    """Mean IoU of suggested and kept; None without any."""
    agreement_blind: float | None
    anchoring: Anchoring | None
    """None until there are 5 labels of both kinds."""


class AssistReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a campaign's suggestions."""

    answered: list[AssistSummary]
    unanswered: list[UnansweredCount]
    """Suggestions that were shown, and how many of them nobody has answered."""


def assist_report(store: LabelStore, campaign_id: int) -> AssistReport:
    """What became of a campaign's suggestions, as far as it is known."""
    groups = groupby(sorted(store.assists.list(campaign_id), key=_group), key=_group)
    return AssistReport(
        answered=[_summary(list(entries)) for _, entries in groups],
        unanswered=list(store.assists.unanswered(campaign_id)),
    )


def anchoring(shown: Sequence[float], blind: Sequence[float]) -> Anchoring | None:
    """Difference of the mean agreements, each kind resampled by itself; None while there are too few of either.

    Args:
        shown: Agreements with suggestions that were shown, 0 to 1.
        blind: Agreements with suggestions that were kept back.
    """
    if min(len(shown), len(blind)) < LEAST_FOR_ANCHORING:
        return None
    rng = np.random.default_rng(SEED)
    means = [
        np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)])
        for values in (np.asarray(shown), np.asarray(blind))
    ]
    low, high = np.percentile(means[0] - means[1], [2.5, 97.5])
    return Anchoring(difference=float(np.mean(shown) - np.mean(blind)), low=float(low), high=float(high))


def _group(entry: Assist) -> tuple[str, str, str]:
    return entry.version, entry.annotator, entry.task


def _summary(entries: Sequence[Assist]) -> AssistSummary:
    outcomes = [entry.outcome for entry in entries if not entry.blind]
    shown = [entry.agreement for entry in entries if not entry.blind]
    blind = [entry.agreement for entry in entries if entry.blind]
    return AssistSummary(
        version=entries[0].version,
        annotator=entries[0].annotator,
        task=entries[0].task,
        accepted=outcomes.count("accepted"),
        edited=outcomes.count("edited"),
        rejected=outcomes.count("rejected"),
        blind=len(blind),
        agreement_shown=float(np.mean(shown)) if shown else None,
        agreement_blind=float(np.mean(blind)) if blind else None,
        anchoring=anchoring(shown, blind),
    )
