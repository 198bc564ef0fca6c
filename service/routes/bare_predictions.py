"""Predictions at the root, as the inference servers of SCANEO's and EOTDL's tutorials have them.

`POST /{model}`, `POST /classification/{model}` and `POST /segmentation/{model}` with the field `image`; a model is a
campaign. Other routes come first: a campaign that is named as one of them is asked at `/campaigns/NAME/predictions`.
"""

from typing import Annotated, Any

from litestar import Controller, Request, Response, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from al_loop.loop import Loop
from service.access.tokens import requires
from service.errors import SENTENCES
from service.limits.lanes import LANE, PREDICTIONS
from service.requests.uploads import read_image
from service.routes.predictions import SPEC, TOKEN, predicted

MODEL = Annotated[str, PathParameter(description="Name of a campaign.")]


class BarePredictionController(Controller):
    """`/{model}`."""

    tags = ("predictions",)
    opt = {LANE: PREDICTIONS, SENTENCES: True}  # noqa: RUF012  # Litestar declares it without ClassVar
    guards = (requires("predict", in_query=True),)

    @post("/{model:str}", operation_id="predict", status_code=200, responses=SPEC)
    async def first_task(
        self,
        request: Request[Any, Any, Any],
        model: MODEL,
        loop: NamedDependency[Loop],
        task: Annotated[str | None, QueryParameter(description="A task of the campaign; absent: its first.")] = None,
        token: Annotated[str | None, TOKEN] = None,
    ) -> Response[Any]:
        """The answer of the model that serves a campaign, as of `/campaigns/{campaign}/predictions/{task}`."""
        target = await sync_to_thread(loop.store.campaigns.get, model)
        return await predicted(loop, model, task or target.tasks[0].task, await read_image(request))

    @post("/classification/{model:str}", operation_id="classificationByModel", status_code=200, responses=SPEC)
    async def classification(
        self,
        request: Request[Any, Any, Any],
        model: MODEL,
        loop: NamedDependency[Loop],
        token: Annotated[str | None, TOKEN] = None,
    ) -> Response[list[float]]:
        """Class probabilities of the model that serves a campaign, a flat list."""
        return await predicted(loop, model, "classification", await read_image(request))

    @post("/segmentation/{model:str}", operation_id="segmentationByModel", status_code=200, responses=SPEC)
    async def segmentation(
        self,
        request: Request[Any, Any, Any],
        model: MODEL,
        loop: NamedDependency[Loop],
        token: Annotated[str | None, TOKEN] = None,
    ) -> Response[bytes]:
        """Class codes by the model that serves a campaign: a GeoTIFF of the image's size."""
        return await predicted(loop, model, "segmentation", await read_image(request))
