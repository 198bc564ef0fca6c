"""Queries: annotators ask for the next samples, and give back what they will not answer."""

from typing import Annotated, Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from al_loop.client.answers import AlikeList, Released
from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import ExplainedQuery, QueryAnswer
from al_loop.loop import Loop
from al_loop.querying.class_names import with_class_names
from service.access.tokens import is_operator, requires
from service.dependencies import TARGET
from service.errors import problems
from service.openapi.examples import QUERY, QUERY_ANSWER, RELEASE, answer, json_body
from service.requests.parameters import Annotator, PathId
from service.schemas import QueryRequest, ReleaseRequest
from service.views import for_annotator


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
        request: Request[Any, Any, Any],
        data: Annotated[QueryRequest, json_body(next_five=QUERY)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> Response[QueryAnswer]:
        """The samples to label next, leased to the annotator until `lease_expires_at`.

        Nobody else is offered them meanwhile, but for the share of samples that the campaign wants several answers on.
        `ranking` says which labels the order knows of; to operators only, as its counts leave the reserve out, and so
        is the `score` of a sample. Every sample has the same `reason`: which of them belong to the test reserve or the
        random control is told to operators, by `GET queries/{query_id}`. An exhausted pool is answered with 200, no
        samples and the reason.
        """
        answer: QueryAnswer = loop.sampler.query(
            target,
            annotator=data.annotator,
            query_size=data.query_size,
            strategy=data.strategy,
            now=loop.clock(),
            shared=data.shared,
            unit=data.unit,
            points=data.points,
        )
        answer = for_annotator(answer, loop.links.labelling_page(target), told=is_operator(request))
        return Response[Any](answer, status_code=201 if answer.samples else 200)

    @get(
        "/queries/{query_id:int}",
        operation_id="explainQuery",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404),
    )
    def explain(
        self, query_id: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ExplainedQuery:
        """Why each sample of a query was chosen; annotators are not told, or they would answer these differently."""
        return with_class_names(loop.store.queries.explained(target.campaign_id, query_id), target)

    @get(
        "/samples/{sample_id:int}/alike",
        operation_id="listAlikeSamples",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def alike(
        self,
        sample_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        annotator: Annotator,
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = 24,
    ) -> AlikeList:
        """Samples that look like this one, to be answered together; labels for them need no lease.

        By the embeddings of the serving model, or image features before the first. Samples that others have on lease
        or have answered are left out.
        """
        loop.store.samples.get(target.campaign_id, sample_id)
        asks = loop.store.annotators.known_spelling(annotator)
        found = loop.sampler.alike(target, sample_id, annotator=asks, limit=limit, now=loop.clock())
        return AlikeList(samples=found)

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
