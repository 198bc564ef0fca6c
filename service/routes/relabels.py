"""Labels that the model contradicts: list them, and re-annotate their samples."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from al_loop.domain.campaigns import Campaign
from al_loop.domain.quality import Relabel, RelabelList
from al_loop.domain.queries import QueryAnswer
from al_loop.errors import InvalidValueError
from al_loop.loop import Loop
from models.card import TaskName
from models.tasks import task_kinds
from service.access.tokens import is_operator, requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.openapi.examples import RELABEL_QUERY, RELABELS, answer, json_body
from service.schemas import RelabelRequest
from service.views import for_annotator


class RelabelController(Controller):
    """`/campaigns/{campaign}/relabels`."""

    path = "/campaigns/{campaign:str}/relabels"
    tags = ("queries",)
    dependencies = TARGET
    guards = (requires("annotate"),)

    @get(
        operation_id="listRelabels",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409) | answer(200, RelabelList, RELABELS),
    )
    def index(
        self,
        request: Request[Any, Any, Any],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        task: FromQuery[TaskName | None] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    ) -> RelabelList:
        """Labels that the rest of the labels confidently contradicts, the most suspicious first.

        Confident learning on held-out probabilities; masks by region, with the outline of each. Operators are told the
        label, who gave it, what the model suggests and whether it is one of the test reserve. To annotators, who may be
        asked about these samples without help, those fields are null: they see the sample, the suspicion and since
        when the label is there.
        """
        if task is not None and task not in task_kinds():
            raise InvalidValueError("task", f"unknown task {task!r}; use one of {', '.join(task_kinds())}")
        found = loop.relabels.candidates(target, task)
        relabels = found.relabels[:limit]
        if not is_operator(request):
            relabels = [_without_answers(entry) for entry in relabels]
        return msgspec.structs.replace(found, relabels=relabels)

    @post(
        "/queries",
        operation_id="openRelabelQuery",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def query(
        self,
        data: Annotated[RelabelRequest, json_body(next_five=RELABEL_QUERY)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> Response[QueryAnswer]:
        """Lease samples whose label may be wrong to an annotator who did not give it.

        They are labelled as any other sample, and the first answer is not shown. The newest answer counts; the same
        answer again confirms the label until another model version serves. If no candidate is left, the status is 200,
        with no samples and the reason.
        """
        answer: QueryAnswer = loop.relabels.query(
            target, annotator=data.annotator, query_size=data.query_size, now=loop.clock()
        )
        answer = for_annotator(answer, loop.links.labelling_page(target))
        return Response[Any](answer, status_code=201 if answer.samples else 200)


def _without_answers(entry: Relabel) -> Relabel:
    """What annotators may know of a sample that they may be asked about again without help."""
    return msgspec.structs.replace(entry, given=None, suggested=None, annotator=None, regions=None, reserve=None)
