"""Labels that add features to an annotator's earlier ones, as answers to points come one by one."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import CheckedLabel, LabelInput
from al_loop.domain.points import Drawn, joined, unanswered
from al_loop.domain.queries import AskedPoint
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore

Answer = tuple[str, str, int]
"""Annotator, task and sample."""
NOTHING = Drawn({"type": "FeatureCollection", "features": []}, "")


def add_to_current(
    store: LabelStore, campaign: Campaign, inputs: Sequence[LabelInput], checked: Sequence[CheckedLabel]
) -> list[CheckedLabel]:
    """The labels of a request, where those with `add` begin with the features that their annotator gave before.

    Args:
        store: Holds the current labels; its `labels.adding` is held by the caller.
        campaign: Whose labels they are.
        inputs: As they came in.
        checked: The same, checked; in this order.

    Raises:
        InvalidValueError: There is nothing to add, and nothing there before; or the label would grow too large.
    """
    adding = [label for given, label in zip(inputs, checked, strict=True) if given.add]
    current = _current(store, campaign, adding)
    headers = store.samples.headers(campaign.campaign_id, [label.sample_id for label in adding])
    asked = _asked(store, campaign, adding)
    result: list[CheckedLabel] = []
    for given, label in zip(inputs, checked, strict=True):
        answer, added_to = (label.annotator, label.task, label.sample_id), None
        drawn = Drawn(label.features or NOTHING.features, label.crs or "")
        if given.add:
            base, added_to = current.get(answer, (NOTHING, None))
            header = headers[label.sample_id]
            drawn = joined(base, drawn, header, f"{label.at}.features.features")
            if not drawn.features["features"]:
                raise InvalidValueError(
                    f"{label.at}.features.features",
                    "nothing is added, and nothing was there before; skip the sample if you cannot tell",
                )
            points = asked.get((label.annotator, label.sample_id), [])
            pixels = {(int(point.column), int(point.row)) for point in points}
            label = msgspec.structs.replace(
                label,
                features=drawn.features,
                crs=drawn.crs,
                added_to=added_to,
                leaves_open=not given.finished and bool(unanswered(pixels, drawn, header)),
            )
        current[answer] = drawn, added_to
        result.append(label)
    return result


def _current(
    store: LabelStore, campaign: Campaign, labels: Iterable[CheckedLabel]
) -> dict[Answer, tuple[Drawn, int | None]]:
    """What the annotators said before, and the id of the label that holds it."""
    found: dict[Answer, tuple[Drawn, int | None]] = {}
    for (annotator, task), group in groupby(sorted(labels, key=_whose), key=_whose):
        sample_ids = sorted({label.sample_id for label in group})
        for sample_id, label in store.labels.own(campaign.campaign_id, annotator, sample_ids, task).items():
            drawn = Drawn(label.features or NOTHING.features, label.crs or "")
            found[annotator, task, sample_id] = drawn, label.label_id
    return found


def _asked(
    store: LabelStore, campaign: Campaign, labels: Iterable[CheckedLabel]
) -> dict[tuple[str, int], list[AskedPoint]]:
    """Points that the annotators' leases ask about, by annotator and sample."""
    found: dict[tuple[str, int], list[AskedPoint]] = {}
    for (annotator, _), group in groupby(sorted(labels, key=_whose), key=_whose):
        sample_ids = sorted({label.sample_id for label in group})
        points = store.leases.points_of(campaign.campaign_id, annotator, sample_ids)
        found |= {(annotator, sample_id): asked for sample_id, asked in points.items()}
    return found


def _whose(label: CheckedLabel) -> tuple[str, str]:
    return label.annotator, label.task
