"""How a campaign stands, as one of its annotators is told."""

from datetime import datetime
from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import AnnotatorProgress
from al_loop.errors import InvalidValueError
from al_loop.loop import Loop
from al_loop.training.annotator_progress import annotator_progress
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems


class ProgressController(Controller):
    """`/campaigns/{campaign}/progress`."""

    path = "/campaigns/{campaign:str}/progress"
    tags = ("queries",)
    dependencies = TARGET
    guards = (requires("annotate"),)

    @get(operation_id="getProgress", sync_to_thread=True, responses=problems(400, 401, 403, 404))
    def show(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        annotator: Annotated[str, QueryParameter(min_length=1, max_length=200)],
        since: FromQuery[datetime | None] = None,
    ) -> AnnotatorProgress:
        """What an annotator has done, what is left, how good the model is and when it learns again.

        `since`: start of the annotator's day with a time zone; without it, midnight in UTC.
        """
        if since is not None and since.tzinfo is None:
            raise InvalidValueError("since", "needs a time zone, as in 2026-01-31T00:00:00+01:00")
        now = loop.clock()
        day = since or now.replace(hour=0, minute=0, second=0, microsecond=0)
        return annotator_progress(loop.store, target, annotator, now, since=day, notices=loop.links.notices(target))
