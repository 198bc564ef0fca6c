"""Pictures of samples: the campaign's views, tiles to zoom into."""

import asyncio
import re
from typing import Annotated, Any

from litestar import Controller, Request, Response, get
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from al_loop.domain.campaigns import Campaign, Stretch
from al_loop.errors import NotFoundError
from al_loop.loop import Loop
from al_loop.serving.pictures.painter import ViewChoice, ViewList
from al_loop.serving.pictures.service import Drawn, OverlayName
from al_loop.serving.pictures.surroundings import Surroundings
from service.access.tokens import has_operators_token, requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, PICTURES
from service.requests.parameters import Column, PathId, Zoom
from service.routes.predictions import MODEL_VERSION

TILE_NAME = re.compile(r"([0-9]{1,9})\.png")
MAX_AGE_S = 600
SYNTHETIC = "X-Synthetic"
"""Header of pictures whose pixels a model made up."""


class PictureController(Controller):
    """`/campaigns/{campaign}`: views, and pictures of samples."""

    path = "/campaigns/{campaign:str}"
    tags = ("pictures",)
    opt = {LANE: PICTURES}  # noqa: RUF012  # Litestar declares it without ClassVar
    dependencies = TARGET

    @get(
        "/views",
        operation_id="listViews",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def views(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> ViewList:
        """How the samples can be looked at: true colour, infrared, indices; the first is the default.

        They come from `settings.view`, or are derived from the number and names of the bands. `synthetic` names the
        view that a model of super-resolution makes, if `settings.view.super_resolution` names one.
        """
        return loop.pictures.views(target)

    @get(
        "/samples/{sample_id:int}/tiles/{z:int}/{x:int}/{row:str}",
        operation_id="getTile",
        media_type="image/png",
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 415, 422),
    )
    async def tile(
        self,
        request: Request[Any, Any, Any],
        sample_id: PathId,
        z: Zoom,
        x: Column,
        row: FromPath[str],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        view: FromQuery[str | None] = None,
        stretch: FromQuery[Stretch | None] = None,
        gamma: Annotated[float | None, QueryParameter(ge=0.2, le=5.0)] = None,
    ) -> Response[bytes]:
        """A tile of 256 px in the sample's own pixel space, y down from the top left corner.

        At the largest zoom a pixel is one of the image, each lower zoom halves it, and at 0 the whole image is in one
        tile. Transparent beyond the image and where it has no data; a tile wholly beyond it is a 404. The view
        `super-resolved` has one or two zooms more, whose pixels a model made up: `X-Synthetic` says so in its answer.
        """
        y = TILE_NAME.fullmatch(row)
        if y is None:
            raise NotFoundError("tile", row, "its last part is the number of the row and .png, such as 0.png")
        choice = ViewChoice(view=view, stretch=stretch, gamma=gamma)
        return await png_when_ready(
            request, await sync_to_thread(loop.pictures.tile, target, sample_id, z, x, int(y[1]), choice)
        )

    @get(
        "/samples/{sample_id:int}/view",
        operation_id="getSurroundings",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 415),
    )
    def surroundings(
        self, sample_id: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> Surroundings:
        """What a page needs to show a sample as a map does: its size and zooms, place, date, neighbours, links.

        Neighbours are all samples of the campaign around it, whatever their state.
        """
        return loop.pictures.surroundings(target, sample_id)

    @get(
        "/samples/{sample_id:int}/overlay.png",
        operation_id="getOverlay",
        sync_to_thread=True,
        media_type="image/png",
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 409, 415, 422),
    )
    def overlay(
        self,
        request: Request[Any, Any, Any],
        sample_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        overlay: FromQuery[OverlayName],
        size: Annotated[int, QueryParameter(ge=16, le=2048)] = 1024,
    ) -> Response[bytes]:
        """What a model says about the whole sample, on a transparent ground: to be laid over its tiles.

        `overlay=suggestion`: the newest mask that an annotator was shown, each class in its colour, opaque; 404 while
        there is none. `overlay=uncertainty`: where the serving model is unsure, from clear (sure) over yellow to
        magenta. `size` is the longer side in px. Samples that are answered unaided have neither (409), but for
        operators.
        """
        if not has_operators_token(request):
            loop.predictions.unaided.check(target, sample_id)
        return png(request, loop.pictures.overlay(target, sample_id, size, overlay))

    @get(
        "/samples/{sample_id:int}/thumbnail.png",
        operation_id="getThumbnail",
        media_type="image/png",
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 409, 415, 422),
    )
    async def thumbnail(
        self,
        request: Request[Any, Any, Any],
        sample_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        size: Annotated[int, QueryParameter(ge=16, le=2048)] = 256,
        overlay: FromQuery[OverlayName | None] = None,
        view: FromQuery[str | None] = None,
        stretch: FromQuery[Stretch | None] = None,
        gamma: Annotated[float | None, QueryParameter(ge=0.2, le=5.0)] = None,
    ) -> Response[bytes]:
        """The whole sample as a PNG in one of the campaign's views; nodata is transparent.

        `overlay=uncertainty` draws where the serving model is unsure, from clear (sure) over yellow to magenta; larger
        images than 2,000 px are shown to the model reduced to that. `overlay=suggestion` draws the newest prediction
        that an annotator was shown, and answers 404 while there is none. Small samples are enlarged for either. Samples
        that are answered unaided have neither (409), but for operators.
        """
        if overlay is not None and not has_operators_token(request):
            await sync_to_thread(loop.predictions.unaided.check, target, sample_id)
        choice = ViewChoice(view=view, stretch=stretch, gamma=gamma)
        return await png_when_ready(
            request, await sync_to_thread(loop.pictures.thumbnail, target, sample_id, size, overlay, choice)
        )


async def png_when_ready(request: Request[Any, Any, Any], drawn: Drawn) -> Response[bytes]:
    """As `png`; holds no worker thread while reduced copies of a large scene are made, which takes seconds."""
    if drawn.waits_for is not None:
        ready = asyncio.wrap_future(drawn.waits_for)
        await asyncio.wait([ready])  # an error comes again when the picture is drawn, and is told there
        if not ready.cancelled():
            ready.exception()
    return await sync_to_thread(png, request, drawn)


def png(request: Request[Any, Any, Any], drawn: Drawn) -> Response[bytes]:
    """A picture with its entity tag, or 304 where the client has it already."""
    headers = {"ETag": drawn.etag, "Cache-Control": f"private, max-age={MAX_AGE_S}"}
    if drawn.version is not None:
        headers[MODEL_VERSION] = drawn.version
    if drawn.synthetic is not None:
        headers[SYNTHETIC] = drawn.synthetic
    if drawn.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type="image/png")
    return Response(drawn.body(), headers=headers, media_type="image/png")
