"""What became of suggestions: labels are compared with what was shown before them, and summed up in a report."""

from collections.abc import Callable, Collection, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.box_outcomes import BoxOutcome, compare_boxes, drawn_boxes, proposed_boxes
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.painting import painted
from al_loop.domain.predictions import RememberedPrediction
from al_loop.domain.quality import Anchoring, Assist, AssistReport, AssistSummary, BoxCounts, Outcome
from al_loop.store import LabelStore
from models.card import IGNORE
from models.metrics import mask_iou, mean_mask_iou, percentile_interval, resampled_means
from models.tasks import task_of

AT_ONCE = 200
"""Labels assessed in one commit."""


class Assessor:
    """Looks for labels that answer a suggestion. What it did is in the store: it may be restarted at any time."""

    def __init__(self, store: LabelStore, flush: Callable[[], None]) -> None:
        """Make an assessor.

        Args:
            store: Where labels and predictions are.
            flush: Brings predictions that wait to be written into the store.
        """
        self._store = store
        self._flush = flush
        self._seen: dict[int, tuple[int, int, int]] = {}
        """By campaign, when all was assessed: its version, newest label event, and how often hashes had come in."""

    def look(self, campaign: Campaign) -> None:
        """`assess` for a campaign that may have changed."""
        self.assess(campaign)

    def assess(self, campaign: Campaign) -> int:
        """Assess the labels that are new; returns how many suggestions they answered.

        After pixel hashes have come in, all labels without an assessment are looked at again: only now may it be known
        which sample a suggestion was for.
        """
        number = campaign.campaign_id
        version = self._store.campaign_version(number)
        seen, before, revision_before = self._seen.get(number, (-1, 0, -1))
        if version == seen:
            return 0
        newest, revision = self._store.labels.newest_event(number), self._store.scores.revision(number)
        self._flush()
        after, found = before if revision == revision_before else 0, 0
        while answered := self._store.assists.unassessed(number, after=after, limit=AT_ONCE):
            pairs = [self._store.assists.pair(entry) for entry in answered]
            assists = [entry for label, prediction in pairs if (entry := self._assist(campaign, label, prediction))]
            self._store.assists.record(number, assists)
            after, found = answered[-1][0], found + len(assists)
        self._seen[number] = version, newest, revision
        return found

    def _assist(self, campaign: Campaign, label: Label, prediction: RememberedPrediction) -> Assist | None:
        """None where the two cannot be compared: the file was replaced by one of another size meanwhile."""
        spec = campaign.task(label.task)
        header = self._store.samples.headers(campaign.campaign_id, [label.sample_id]).get(label.sample_id)
        if spec is None or header is None:
            return None
        boxes: BoxOutcome | None = None
        if task_of(spec).finds_objects:
            boxes = compare_boxes(proposed_boxes(prediction.answer), drawn_boxes(spec.classes, label, header))
            outcome, agreement = boxes.outcome, boxes.agreement
        elif label.features is None:
            outcome, agreement = compare_classes(task_of(spec).proposed(prediction.answer), label.classes or [])
        elif prediction.mask is not None and prediction.mask.shape == (header.height, header.width):
            # what lies inside no area is background here, whatever training makes of it
            outcome, agreement = compare_masks(prediction.mask, painted(spec.classes, label, header))
        else:
            return None
        return Assist(
            prediction_id=prediction.prediction_id,
            label_id=label.label_id,
            sample_id=label.sample_id,
            task=label.task,
            version=prediction.version,
            annotator=label.annotator,
            blind=prediction.blind,
            outcome=outcome,
            agreement=agreement,
            labelled_at=label.labelled_at,
            boxes_kept=boxes and boxes.kept,
            boxes_moved=boxes and boxes.moved,
            boxes_removed=boxes and boxes.removed,
            boxes_added=boxes and boxes.added,
        )


ACCEPTED_IOU = 0.99
"""Agreement of masks from which a suggestion counts as kept: a person does not redraw single pixels on purpose."""
REJECTED_IOU = 0.05
"""Agreement of masks below which nothing of a suggestion was kept."""


def compare_classes(proposed: Collection[str], kept: Collection[str]) -> tuple[Outcome, float]:
    """What became of proposed classes, and the Jaccard index of both sets (1 if both are empty)."""
    union = len({*proposed, *kept})
    common = len({*proposed} & {*kept})
    if common == union:
        return "accepted", 1.0
    return ("edited" if common else "rejected"), common / union


def compare_masks(proposed: NDArray[np.uint8], kept: NDArray[np.uint8]) -> tuple[Outcome, float]:
    """What became of a proposed mask, and the mean IoU over the classes that are in either of both (1 if none is).

    Args:
        proposed: Codes of shape (H, W).
        kept: What the person drew, of the same shape; pixels of code 255 ("says nothing") are left out.
    """
    agreement = mean_mask_iou(mask_iou(proposed, kept, IGNORE - 1))
    if agreement >= ACCEPTED_IOU:
        return "accepted", agreement
    return ("rejected" if agreement < REJECTED_IOU else "edited"), agreement


LEAST_FOR_ANCHORING = 5
"""Assessed labels, shown and blind alike, that the difference of their agreements needs."""
RESAMPLES = 2000
SEED = 20240229


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
    means = [resampled_means(np.asarray(values), RESAMPLES, rng) for values in (shown, blind)]
    low, high = percentile_interval(means[0] - means[1])
    return Anchoring(difference=float(np.mean(shown) - np.mean(blind)), low=float(low), high=float(high))


def _group(entry: Assist) -> tuple[str, str, str]:
    return entry.version, entry.annotator, entry.task


def _summary(entries: Sequence[Assist]) -> AssistSummary:
    outcomes = [entry.outcome for entry in entries if not entry.blind]
    shown = [entry.agreement for entry in entries if not entry.blind]
    blind = [entry.agreement for entry in entries if entry.blind]
    of_boxes = [entry for entry in entries if entry.boxes_kept is not None and not entry.blind]
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
        boxes=BoxCounts(
            accepted=sum(entry.boxes_kept or 0 for entry in of_boxes),
            moved=sum(entry.boxes_moved or 0 for entry in of_boxes),
            removed=sum(entry.boxes_removed or 0 for entry in of_boxes),
            added=sum(entry.boxes_added or 0 for entry in of_boxes),
        )
        if of_boxes
        else None,
    )
