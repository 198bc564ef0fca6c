"""Keeps our classes and SCANEO's labels together: new labels become classes, mappings follow deleted ones."""

import logging
from collections.abc import Iterable, Sequence

from al_loop.domain.campaigns import Campaign
from al_loop.domain.names import same_text
from al_loop.domain.scaneo_links import Link
from al_loop.scaneo.campaign_plan import LABELLED_TASKS, output_indices, plan_tasks
from al_loop.scaneo.port import ScaneoPort
from al_loop.scaneo.records import ScaneoLabel
from al_loop.store import LabelStore
from models.card import TaskName, TaskSpec

logger = logging.getLogger(__name__)


def write_mappings(
    port: ScaneoPort,
    campaign: Campaign,
    scaneo_campaign: str,
    models: dict[TaskName, str],
    labels: Iterable[ScaneoLabel],
) -> bool:
    """Map the outputs of our models to the labels that exist there; returns whether anything had to be written."""
    names = {same_text(label.name): label.name for label in labels}
    ours = {
        models[spec.task]: {
            names[same_text(label)]: index for label, index in output_indices(spec).items() if same_text(label) in names
        }
        for spec in campaign.tasks
        if spec.task in models
    }
    return port.ensure_mappings(scaneo_campaign, ours)


def keep_mapped(store: LabelStore, port: ScaneoPort, campaign: Campaign, link: Link, watched: Iterable[str]) -> bool:
    """Take new labels over as classes, and repair mappings to labels that were deleted.

    Args:
        store: Where the campaign is.
        port: The SCANEO.
        campaign: Ours.
        link: Its link.
        watched: Ids of the linked campaign and its open batches.

    Returns:
        Whether the campaign has new classes.
    """
    grown = False
    for name in watched:
        labels = port.labels(name)
        if name == link.scaneo_campaign and _classes_missing(campaign, labels):
            store.campaigns.set_tasks(campaign.campaign_id, _grown_tasks(campaign, labels))
            campaign, grown = store.campaigns.get(campaign.name), True
            logger.info("campaign %s: SCANEO has new labels; they are classes now", campaign.name)
        if labels:
            write_mappings(port, campaign, name, link.models, labels)
        if name == link.scaneo_campaign and labels_missing(campaign, labels) != link.hidden:
            store.scaneo.set_hidden(campaign.campaign_id, labels_missing(campaign, labels))
    return grown


def labels_missing(campaign: Campaign, labels: Iterable[ScaneoLabel]) -> list[str]:
    """Our classes whose label was deleted in SCANEO."""
    names = {same_text(label.name) for label in labels}
    classes = dict.fromkeys(name for spec in campaign.tasks if spec.task in LABELLED_TASKS for name in spec.classes)
    return [name for name in classes if same_text(name) not in names]


def _classes_missing(campaign: Campaign, labels: Iterable[ScaneoLabel]) -> bool:
    """Whether SCANEO has a label that is no class of ours yet."""
    names = {same_text(label.name) for label in labels}
    return any(names - set(map(same_text, spec.classes)) for spec in campaign.tasks if spec.task in LABELLED_TASKS)


def _grown_tasks(campaign: Campaign, labels: Sequence[ScaneoLabel]) -> list[TaskSpec]:
    """The campaign's tasks with SCANEO's new labels as further classes."""
    wanted = [spec.task for spec in campaign.tasks if spec.task in LABELLED_TASKS]
    grown = {spec.task: spec for spec in plan_tasks(wanted, labels, [], campaign.tasks)}
    return [grown.get(spec.task, spec) for spec in campaign.tasks]
