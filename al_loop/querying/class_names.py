"""Classes in the reasons of picks: strategies know them by number, people are told their present names."""

import re

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import ExplainedQuery
from models.tasks import Task, tasks_of

NUMBERED = re.compile(r"\b(regions|images) predicted as class number (\d+)\b")
"""As `clasp_pe` writes it: of regions with the columns of `Candidates.strata` from 0, of images with classes from 1."""


def with_class_names(query: ExplainedQuery, campaign: Campaign) -> ExplainedQuery:
    """A query whose reasons say the present names of classes instead of their numbers, which never change.

    A number stays where it is not known of which task it is: there are several that could have been meant.
    """
    tasks = list(tasks_of(campaign.tasks).values())
    of_regions = _only([task for task in tasks if task.per_pixel or task.finds_objects])
    of_images = _only([task for task in tasks if task.answered_with == "classes" and not task.multi_label])

    def named(found: re.Match[str]) -> str:
        what, number = found[1], int(found[2])
        names = of_regions if what == "regions" else ["", *of_images]
        if number >= len(names) or not names[number]:
            return found[0]
        return f"{what} predicted as {names[number]}"

    samples = [msgspec.structs.replace(pick, reason=NUMBERED.sub(named, pick.reason)) for pick in query.samples]
    return msgspec.structs.replace(query, samples=samples)


def _only(tasks: list[Task]) -> list[str]:
    """Names of the outputs of the one task; of several, which it is cannot be told."""
    return ["background"] * tasks[0].first_code + tasks[0].classes if len(tasks) == 1 else []
