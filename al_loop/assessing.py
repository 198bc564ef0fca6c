"""Compares labels with the suggestions before them, once each."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from al_loop.assist import Outcome, compare_classes, compare_masks, proposed_classes
from al_loop.assist_records import Assist
from al_loop.geometry import coded_polygons
from al_loop.records import Campaign, Label, RememberedPrediction, SampleHeader
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.masks import polygons_to_codes

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
        self._seen: dict[int, tuple[int, int]] = {}
        """By campaign: the newest label event, and how often pixel hashes had come in, when all was assessed."""

    def assess_all(self) -> None:
        """Assess what is new in every campaign; cheap where nothing is."""
        for campaign in self._store.campaigns.list():
            self.assess(campaign)

    def assess(self, campaign: Campaign) -> int:
        """Assess the labels that are new; returns how many suggestions they answered.

        After pixel hashes have come in, all labels without an assessment are looked at again: only now may it be known
        which sample a suggestion was for.
        """
        number = campaign.campaign_id
        newest, revision = self._store.labels.newest_event(number), self._store.scores.revision(number)
        before, revision_before = self._seen.get(number, (0, -1))
        if (newest, revision) == (before, revision_before):
            return 0
        self._flush()
        after, found = before if revision == revision_before else 0, 0
        while answered := self._store.assists.unassessed(number, after=after, limit=AT_ONCE):
            pairs = [self._store.assists.pair(entry) for entry in answered]
            assists = [entry for label, prediction in pairs if (entry := self._assist(campaign, label, prediction))]
            self._store.assists.record(number, assists)
            after, found = answered[-1][0], found + len(assists)
        self._seen[number] = newest, revision
        return found

    def _assist(self, campaign: Campaign, label: Label, prediction: RememberedPrediction) -> Assist | None:
        """None where the two cannot be compared: the file was replaced by one of another size meanwhile."""
        spec = campaign.task(label.task)
        header = self._store.samples.headers(campaign.campaign_id, [label.sample_id]).get(label.sample_id)
        if spec is None or header is None:
            return None
        if label.features is None:
            probabilities = prediction.answer["probabilities"]
            outcome, agreement = compare_classes(proposed_classes(spec, probabilities), label.classes or [])
        elif prediction.mask is not None and prediction.mask.shape == (header.height, header.width):
            outcome, agreement = _compare_drawn(spec, label, header, prediction.mask)
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
        )


def _compare_drawn(
    spec: TaskSpec, label: Label, header: SampleHeader, proposed: NDArray[np.uint8]
) -> tuple[Outcome, float]:
    """Compare a mask with drawn areas. What lies in none is background here, whatever training makes of it."""
    polygons = coded_polygons(label.features or {"features": []}, label.crs or "", header, spec.classes)
    return compare_masks(proposed, polygons_to_codes(polygons, header.height, header.width))
