"""Suggestions of a detector as boxes in SCANEO, which runs no detection models itself: we run ours and draw for it."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from al_loop.domain.box_outcomes import proposed_boxes
from al_loop.domain.campaigns import Campaign
from al_loop.domain.predictions import RememberedPrediction
from al_loop.domain.scaneo_links import ImageProblem, Link, OfferedBox, SuggestedBoxes
from al_loop.errors import NotFoundError, WithheldError
from al_loop.scaneo.boxes import push_boxes
from al_loop.scaneo.port import ScaneoPort
from al_loop.store import LabelStore
from models.errors import ModelsError
from models.tasks import kind_of

logger = logging.getLogger(__name__)

Suggest = Callable[[Campaign, int], Sequence[RememberedPrediction]]
"""Runs the serving model on a sample and remembers the answer as shown; see `PredictionService.suggest`."""


def suggest_boxes(
    store: LabelStore,
    port: ScaneoPort,
    campaign: Campaign,
    link: Link,
    paths: Sequence[str],
    suggest: Suggest,
    now: datetime,
    *,
    batch: str | None = None,
) -> SuggestedBoxes:
    """Draw the boxes that the serving model finds in images, each once.

    Left out are images that somebody has labelled, and those that are answered unaided: which these are is not told
    from images where nothing was found.

    Args:
        store: Where samples, labels and offered boxes are.
        port: The SCANEO.
        campaign: Ours, with a task of boxes.
        link: Its link.
        paths: Samples, by path.
        suggest: Runs the model.
        now: The present.
        batch: SCANEO's id of a batch whose images are meant; None: the linked campaign.

    Raises:
        NotFoundError: The campaign has no task of boxes, or no sample of a path.
        NoModelError: Nothing is promoted yet, or it was not trained for boxes.
        ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused; boxes before it are drawn and remembered.
    """
    spec = next((spec for spec in campaign.tasks if kind_of(spec.task).finds_objects), None)
    if spec is None:
        raise NotFoundError("task of boxes of campaign", campaign.name, "add `detection` when it is created")
    ids = store.samples.by_paths(campaign.campaign_id, paths)
    found: list[OfferedBox] = []
    problems: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        if path not in ids:
            raise NotFoundError("sample", path, f"campaign {campaign.name!r} has none of that path")
        if _is_labelled(store, campaign, ids[path], spec.task):
            problems[path] = "somebody has labelled it"
            continue
        try:
            answers = suggest(campaign, ids[path])
        except WithheldError:
            problems[path] = "nothing new was found"
            continue
        except ModelsError as error:
            problems[path] = str(error)
            continue
        for answer in answers:
            if answer.task == spec.task:
                scores = answer.answer["scores"]
                found += [
                    OfferedBox(path=path, label=name, box=sides, score=score, version=answer.version)
                    for (name, sides), score in zip(proposed_boxes(answer.answer), scores, strict=True)
                ]
    report = push_boxes(store, port, campaign, link, found, now, batch=batch)
    left_out = {entry.index: entry.reason for entry in report.skipped}
    drawn = {box.path for index, box in enumerate(found) if index not in left_out}
    for index, reason in left_out.items():
        problems.setdefault(found[index].path, reason)
    for path in dict.fromkeys(paths):
        if path not in drawn:
            problems.setdefault(path, "nothing new was found")
    return SuggestedBoxes(
        images=len(drawn),
        boxes=report.pushed,
        left_out=[ImageProblem(path=path, problem=reason) for path, reason in problems.items() if path not in drawn],
    )


def _is_labelled(store: LabelStore, campaign: Campaign, sample_id: int, task: str) -> bool:
    history = store.labels.history(campaign.campaign_id, sample_id)
    newest = {event.annotator: event for event in history if event.task == task}
    return any(event.retracts is None for event in newest.values())
