"""The link of a campaign to SCANEO: make it, look at it, undo it; ranked batches; boxes."""

from typing import Annotated, Any

from litestar import Controller, Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from al_loop.client.answers import NoBatch
from al_loop.domain.campaigns import Campaign
from al_loop.domain.scaneo_links import BatchView, BoxReport, LinkOptions, LinkStatus, OfferedBox, SuggestedBoxes
from al_loop.loop import Loop
from al_loop.scaneo.connect import ConnectRequest
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.openapi.examples import BATCH, BOXES, LINK, SUGGESTED_IMAGES, json_body
from service.requests.parameters import PathId
from service.scaneo.addresses import check_address, check_target
from service.schemas import BatchRequest, BoxSuggestionRequest, LinkRequest
from service.settings import Settings


class ScaneoController(Controller):
    """`/campaigns/{campaign}/scaneo`."""

    path = "/campaigns/{campaign:str}/scaneo"
    tags = ("scaneo",)

    @put(
        operation_id="connectScaneo",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409, 415, 501, 502),
    )
    def connect(
        self,
        campaign: FromPath[str],
        data: Annotated[LinkRequest, json_body(same_machine=LINK)],
        request: Request[Any, Any, Any],
        loop: NamedDependency[Loop],
        settings: NamedDependency[Settings],
    ) -> LinkStatus:
        """Link a campaign to one in SCANEO; the campaign is created if there is none. Doing it twice changes nothing.

        Labels and images are taken over, our models are registered there with their label mappings, and annotations
        flow in from then on.
        """
        check_target("$.url", data.url, link_local=settings.scaneo_link_local)
        if data.service_url is not None:
            check_address("$.service_url", data.service_url)
        options = LinkOptions(
            path_map=data.path_map,
            annotator=data.annotator,
            database=data.database,
            service_url=data.service_url or settings.public_url or str(request.base_url),
            poll_s=data.poll_s,
            settle_s=data.settle_s,
        )
        return loop.links.connect(
            campaign,
            ConnectRequest(url=data.url, campaign=data.campaign, tasks=data.tasks, options=options),
            imagery=settings.imagery_folders,
            token=settings.prediction_token,
        )

    @get(
        operation_id="getScaneoLink",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def status(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> LinkStatus:
        """The link: what is linked, when it was last read, and which problems a person has to solve."""
        return loop.links.status(target)

    @delete(
        operation_id="disconnectScaneo",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        status_code=204,
        dependencies=TARGET,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 502),
    )
    def disconnect(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        force: Annotated[bool, QueryParameter(description="Forget the link even if SCANEO does not answer.")] = False,
    ) -> None:
        """Remove from SCANEO what the link wrote: models, mappings, open batches, untouched boxes. Labels stay."""
        loop.links.disconnect(target, force=force)

    @post(
        "/refresh",
        operation_id="refreshScaneoLink",
        status_code=202,
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("ops")],
        responses=problems(401, 403, 404),
    )
    def refresh(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> LinkStatus:
        """Begin to read every image's annotations again, without waiting for a sign of change."""
        return loop.links.refresh(target)

    @post(
        "/batches",
        operation_id="openScaneoBatch",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 409, 415, 502),
    )
    def open_batch(
        self,
        data: Annotated[BatchRequest, json_body(twenty=BATCH)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> Response[BatchView | NoBatch]:
        """Lease the next samples and make a SCANEO campaign of them, in folders 1/ 2/ 3/ ... by rank.

        With nothing to label it answers 200 and the reason.
        """
        made = loop.links.open_batch(target, data.annotator, data.query_size, data.strategy, data.unit, data.points)
        if isinstance(made, str):
            return Response[Any](NoBatch(reason=made), status_code=200)
        return Response[Any](made, status_code=201)

    @get(
        "/batches",
        operation_id="listScaneoBatches",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def batches(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> list[BatchView]:
        """All batches, closed ones too."""
        return loop.links.batches(target)

    @post(
        "/batches/{number:int}/close",
        operation_id="closeScaneoBatch",
        status_code=200,
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 502),
    )
    def close_batch(self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> BatchView:
        """Read the batch's annotations to the last and remove its campaign from SCANEO; its labels stay."""
        return loop.links.close_batch(target, number)

    @post(
        "/boxes",
        operation_id="pushScaneoBoxes",
        status_code=200,
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415, 502),
    )
    def push_boxes(
        self,
        data: Annotated[list[OfferedBox], json_body(one_ship=BOXES)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> BoxReport:
        """Offer a detector's boxes to annotators as SCANEO annotations. A box is never offered twice."""
        return loop.links.push_boxes(target, data)

    @post(
        "/suggestions",
        operation_id="suggestScaneoBoxes",
        opt={LANE: OPERATIONS},
        status_code=200,
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 409, 415, 502, 503),
    )
    def suggest_boxes(
        self,
        data: Annotated[BoxSuggestionRequest, json_body(one_image=SUGGESTED_IMAGES)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> SuggestedBoxes:
        """Run the serving model on images and draw the boxes that it finds as SCANEO annotations, each once.

        For campaigns with a detection task: SCANEO runs no such models itself. Batches get theirs when they are opened.
        Boxes that nobody touches become no label; who draws, moves or deletes one accepts those that are left.
        """
        return loop.links.suggest_boxes(target, data.paths)
