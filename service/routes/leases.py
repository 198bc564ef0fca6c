"""Leases of an annotator: list them, extend them, skip samples."""

from datetime import timedelta
from typing import Annotated

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from al_loop.client.answers import LeaseList, RestoredSamples, SkippedSamples
from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import Renewal
from al_loop.loop import Loop
from service.access.tokens import requires
from service.dependencies import TARGET, IdempotencyKey, request_key
from service.errors import problems
from service.openapi.examples import EXTEND, LEASES, SKIP, UNSKIP, answer, json_body
from service.requests.parameters import Annotator
from service.schemas import ExtendRequest, SkipRequest, UnskipRequest
from service.views import leases_for_annotator

LOOK_BACK = timedelta(hours=12)
"""How long ended leases stay on an annotator's list."""


class LeaseController(Controller):
    """`/campaigns/{campaign}/leases`."""

    path = "/campaigns/{campaign:str}/leases"
    tags = ("queries",)
    dependencies = TARGET
    guards = (requires("annotate"),)

    @get(
        operation_id="listLeases",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404) | answer(200, LeaseList, LEASES),
    )
    def index(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        annotator: Annotator,
        include_ended: FromQuery[bool] = False,
    ) -> LeaseList:
        """An annotator's leases, best sample first.

        `include_ended` adds those that ended in the last 12 hours, with what became of them.
        """
        annotator, now = loop.store.annotators.known_spelling(annotator), loop.clock()
        since = now - LOOK_BACK if include_ended else None
        leases = loop.store.leases.held(target.campaign_id, annotator, now, since=since)
        return LeaseList(now=now, leases=leases_for_annotator(loop, target, annotator, leases))

    @post(
        "/extend",
        operation_id="extendLeases",
        status_code=200,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 415),
    )
    def extend(
        self,
        data: Annotated[ExtendRequest, json_body(all_of_them={"annotator": "anna"}, some=EXTEND)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> Renewal:
        """Extend leases to the campaign's `lease_s` from now: a heartbeat while an annotator works.

        Samples that are named get a lapsed lease back too, unless another annotator has leased or answered them: those
        are `lost`.
        """
        return loop.store.leases.renew(
            target.campaign_id,
            data.annotator,
            data.sample_ids,
            lease_s=target.settings.lease_s,
            now=loop.clock(),
        )

    @post(
        "/skip",
        operation_id="skipSamples",
        status_code=200,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def skip(
        self,
        data: Annotated[SkipRequest, json_body(one=SKIP)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        key: IdempotencyKey = None,
    ) -> SkippedSamples:
        """Leave samples to others because one cannot tell; they are not offered to this annotator again.

        A sample that three annotators skipped is offered to nobody any more; the campaign's notices name it.
        """
        request = request_key(key, loop, target, data.annotator, "skip", data)

        def skip() -> int:
            return loop.store.leases.skip(
                target.campaign_id, data.annotator, data.sample_ids, data.reason, loop.clock(), request=request
            )

        return SkippedSamples(skipped=loop.store.requests.once(request, int, skip))

    @post(
        "/unskip",
        operation_id="unskipSamples",
        status_code=200,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def unskip(
        self,
        data: Annotated[UnskipRequest, json_body(one=UNSKIP)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        key: IdempotencyKey = None,
    ) -> RestoredSamples:
        """Take skips back.

        The annotator's leases that they ended run again, unless another annotator has leased or answered the sample
        meanwhile.
        """
        request = request_key(key, loop, target, data.annotator, "unskip", data)

        def unskip() -> int:
            return loop.store.leases.unskip(
                target.campaign_id,
                data.annotator,
                data.sample_ids,
                lease_s=target.settings.lease_s,
                now=loop.clock(),
                request=request,
            )

        return RestoredSamples(restored=loop.store.requests.once(request, int, unskip))
