"""Queries: annotators ask for the next samples, and give back what they will not answer."""

from typing import Any

from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from al_loop.records import Campaign, QueryAnswer
from al_loop.workbench import Workbench
from service.auth import requires
from service.dependencies import TARGET
from service.errors import problems
from service.schemas import QueryRequest, Released, ReleaseRequest


class QueryController(Controller):
    """`/campaigns/{campaign}/queries`."""

    path = "/campaigns/{campaign:str}"
    tags = ("queries",)
    dependencies = TARGET
    guards = (requires("annotate"),)

    @post(
        "/queries",
        operation_id="openQuery",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def create(
        self,
        data: JSONBody[QueryRequest],
        target: NamedDependency[Campaign],
        workbench: NamedDependency[Workbench],
    ) -> Response[QueryAnswer]:
        """The samples to label next, leased to the annotator until `lease_expires_at`.

        Nobody else is offered them meanwhile. An exhausted pool is answered with 200, no samples and the reason.
        """
        answer: QueryAnswer = workbench.sampler.query(
            target,
            annotator=data.annotator,
            query_size=data.query_size,
            strategy=data.strategy,
            now=workbench.clock(),
            shared=data.shared,
        )
        return Response[Any](answer, status_code=201 if answer.samples else 200)

    @post(
        "/leases/release",
        operation_id="releaseLeases",
        status_code=200,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def release(
        self,
        data: JSONBody[ReleaseRequest],
        target: NamedDependency[Campaign],
        workbench: NamedDependency[Workbench],
    ) -> Released:
        """Give leases back unanswered, so that the samples are offered again."""
        released = workbench.store.queries.release(
            target.campaign_id, data.annotator, data.sample_ids, workbench.clock()
        )
        return Released(released=released)
