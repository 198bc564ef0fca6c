"""How a campaign stands, as one of its annotators is told."""

from litestar import Controller, get
from litestar.di import NamedDependency

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import AnnotatorProgress
from al_loop.loop import Loop
from al_loop.training.annotator_progress import annotator_progress
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.requests.parameters import Annotator, Moment, read_moment


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
        annotator: Annotator,
        since: Moment = None,
    ) -> AnnotatorProgress:
        """What an annotator has done, what is left, how good the model is and when it learns again.

        `since`: start of the annotator's day with a time zone; without it, midnight in UTC.
        """
        annotator, now = loop.store.annotators.known_spelling(annotator), loop.clock()
        day = read_moment("since", since) or now.replace(hour=0, minute=0, second=0, microsecond=0)
        return annotator_progress(loop.store, target, annotator, now, since=day, notices=loop.links.notices(target))
