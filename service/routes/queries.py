"""Queries: annotators ask for the next samples, and give back what they will not answer."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Response, post
from litestar.di import NamedDependency

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import QueryAnswer
from al_loop.loop import Loop
from service.access.tokens import requires
from service.answers import Released
from service.dependencies import TARGET
from service.errors import problems
from service.openapi.examples import QUERY, QUERY_ANSWER, RELEASE, answer, json_body
from service.schemas import QueryRequest, ReleaseRequest


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
        responses=problems(400, 401, 403, 404, 409, 415) | answer(201, QueryAnswer, QUERY_ANSWER),
    )
    def create(
        self,
        data: Annotated[QueryRequest, json_body(next_five=QUERY)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> Response[QueryAnswer]:
        """The samples to label next, leased to the annotator until `lease_expires_at`.

        Nobody else is offered them meanwhile, but for the share of samples that the campaign wants several answers on.
        `ranking` says which labels the order knows of. An exhausted pool is answered with 200, no samples and the
        reason.
        """
        answer: QueryAnswer = loop.sampler.query(
            target,
            annotator=data.annotator,
            query_size=data.query_size,
            strategy=data.strategy,
            now=loop.clock(),
            shared=data.shared,
        )
        page = loop.links.labelling_page(target)
        if page is not None:
            samples = [msgspec.structs.replace(sample, scaneo_url=page) for sample in answer.samples]
            answer = msgspec.structs.replace(answer, samples=samples)
        return Response[Any](answer, status_code=201 if answer.samples else 200)

    @post(
        "/leases/release",
        operation_id="releaseLeases",
        status_code=200,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 415),
    )
    def release(
        self,
        data: Annotated[ReleaseRequest, json_body(one=RELEASE)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> Released:
        """Give leases back unanswered, so that the samples are offered again."""
        released = loop.store.queries.release(target.campaign_id, data.annotator, data.sample_ids, loop.clock())
        return Released(released=released)
