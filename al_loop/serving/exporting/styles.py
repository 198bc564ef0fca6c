"""Styles of QGIS for what the service answers with: masks, maps of uncertainty, and areas of labels or predictions."""

from typing import Literal

from al_loop.domain.campaigns import Campaign
from al_loop.domain.class_colours import class_colours
from al_loop.domain.qgis_styles import label_style, mask_style, qml, region_style, uncertainty_style
from al_loop.errors import NotFoundError
from models.card import TaskName
from models.tasks import tasks_of

StyleOf = Literal["labels", "areas", "mask", "uncertainty", "regions"]


def campaign_style(campaign: Campaign, what: StyleOf, task: TaskName | None) -> str:
    """The text of a `.qml` file with the colours of a campaign.

    Args:
        campaign: The campaign.
        what: labels: the GeoJSON export; areas: GeoJSON of a predicted scene; mask: class codes; uncertainty: the map;
            regions: GeoJSON of the most uncertain ones.
        task: Whose codes or uncertainty it is; None: the first task that has such.

    Raises:
        NotFoundError: The campaign has no such task.
    """
    colours = class_colours(campaign.tasks, campaign.chosen_colours)
    if what == "labels" or what == "areas":
        return qml(label_style(colours, "label" if what == "labels" else "class"))
    tasks = {name: found for name, found in tasks_of(campaign.tasks).items() if what != "mask" or found.per_pixel}
    chosen = tasks.get(task) if task is not None else next(iter(tasks.values()), None)
    if chosen is None:
        raise NotFoundError(f"task with a {what}", task, f"campaign {campaign.name} has {', '.join(tasks) or 'none'}")
    if what == "mask":
        return qml(mask_style({name: colours[name] for name in chosen.classes}))
    style = uncertainty_style if what == "uncertainty" else region_style
    return qml(style(chosen.full_uncertainty))
