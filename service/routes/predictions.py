"""Predictions in the shape that SCANEO sends and draws. Errors are one sentence, which it shows to the annotator."""

from functools import partial
from typing import Annotated, Any

from litestar import Controller, Request, Response, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from al_loop.client.answers import BoxPrediction
from al_loop.domain.campaigns import Campaign
from al_loop.errors import NotFoundError
from al_loop.loop import Loop
from al_loop.serving.sam.prompt import read_prompt, read_sample_prompt
from models.card import TaskName
from service.access.tokens import requires
from service.errors import problems
from service.limits.lanes import LANE, PREDICTIONS, small_first
from service.openapi.examples import FOUND, OUTLINE, PROBABILITIES, answer
from service.requests.uploads import image_of, read_form, read_image, text_of

SPEC = problems(400, 401, 403, 404, 409, 413, 415, 422, 501, 503)
MODEL_VERSION = "X-Model-Version"
TOKEN = QueryParameter(description="Token, for clients that can send nothing but a URL.")


class PredictionController(Controller):
    """`/campaigns/{campaign}/predictions`."""

    path = "/campaigns/{campaign:str}/predictions"
    tags = ("predictions",)
    opt = {LANE: PREDICTIONS}  # noqa: RUF012  # Litestar declares it without ClassVar
    guards = (requires("predict", in_query=True),)

    @post(
        "/classification",
        operation_id="predictClassification",
        status_code=200,
        responses=SPEC | answer(200, list[float], PROBABILITIES),
    )
    async def classification(
        self,
        request: Request[Any, Any, Any],
        campaign: FromPath[str],
        loop: NamedDependency[Loop],
        token: Annotated[str | None, TOKEN] = None,
    ) -> Response[list[float]]:
        """Calibrated class probabilities of the uploaded image, a flat list in class order.

        As of all tasks, `X-Model-Version` names the version that answered.
        """
        return await predicted(loop, campaign, "classification", await read_image(request))

    @post(
        "/segmentation",
        operation_id="predictSegmentation",
        status_code=200,
        media_type="image/tiff",
        responses=SPEC,
    )
    async def segmentation(
        self,
        request: Request[Any, Any, Any],
        campaign: FromPath[str],
        loop: NamedDependency[Loop],
        token: Annotated[str | None, TOKEN] = None,
    ) -> Response[bytes]:
        """Class codes of the uploaded image: one-band uint8 GeoTIFF of its exact size and georeference.

        0 = background, k = k-th class.
        """
        return await predicted(loop, campaign, "segmentation", await read_image(request))

    @post(
        "/detection",
        operation_id="predictDetection",
        status_code=200,
        responses=SPEC | answer(200, BoxPrediction, FOUND),
    )
    async def detection(
        self,
        request: Request[Any, Any, Any],
        campaign: FromPath[str],
        loop: NamedDependency[Loop],
        token: Annotated[str | None, TOKEN] = None,
    ) -> Response[dict[str, Any]]:
        """Boxes of objects in the uploaded image, in its pixels, the likeliest first.

        With `features` in EPSG:4326 where the image has a CRS that knows its place on Earth. SCANEO calls no such
        route: there boxes are offered as annotations, see `POST .../scaneo/suggestions`.
        """
        return await predicted(loop, campaign, "detection", await read_image(request))

    @post(
        "/sam",
        operation_id="outlinePoints",
        status_code=200,
        responses=SPEC | answer(200, dict[str, Any], OUTLINE),
    )
    async def sam(
        self,
        request: Request[Any, Any, Any],
        campaign: FromPath[str],
        loop: NamedDependency[Loop],
        token: Annotated[str | None, TOKEN] = None,
    ) -> Response[dict[str, Any]]:
        """The outline of the clicked object: one GeoJSON Feature, a MultiPolygon in EPSG:4326.

        Grown from the points over the pixels of the sample at this place and what the serving model says about them;
        the promptable model of `AL_LOOP_SAM_MODEL` decides where there is one. Not remembered as a prediction: SCANEO
        keeps the answer as an annotation at once.

        With `sample_id` in place of `image`, `crs` and `transform`, the outline is in pixels of that sample.
        """
        target = await sync_to_thread(loop.store.campaigns.get, campaign)
        classes = list(dict.fromkeys(name for spec in target.tasks for name in spec.classes))
        form = await read_form(request)
        texts = [text_of(form, name) for name in ("points", "label", "crs", "transform", "sample_id")]
        if texts[4] is not None:
            on_sample = read_sample_prompt(texts[4], texts[0], texts[1], classes)
            return _outlined(loop, target, await sync_to_thread(loop.prompts.outline_sample, target, on_sample))
        picture = image_of(form)
        prompt = read_prompt(texts[0], texts[1], texts[2], texts[3], classes)
        return _outlined(loop, target, await sync_to_thread(loop.prompts.outline, target, prompt, picture))

    @post(
        "/{task:str}",
        operation_id="predictOther",
        status_code=200,
        responses=SPEC,
    )
    async def other(
        self,
        request: Request[Any, Any, Any],
        campaign: FromPath[str],
        task: FromPath[str],
        loop: NamedDependency[Loop],
        token: Annotated[str | None, TOKEN] = None,
    ) -> Response[Any]:
        """The answer to a task without a route of its own."""
        target = await sync_to_thread(loop.store.campaigns.get, campaign)
        if target.task(task) is not None:
            return await predicted(loop, campaign, task, await read_image(request))
        raise NotFoundError("task", task, "use classification, segmentation, detection or sam")


async def predicted(loop: Loop, campaign: str, task: TaskName, data: bytes) -> Response[Any]:
    """The answer to a task, with the version that gave it in a header: `GET .../models/{version}/lineage` goes on."""
    versions: list[str] = []
    answer = await small_first(partial(loop.predictions.predict, campaign, task, data, note_version=versions.append))
    kind = "image/tiff" if isinstance(answer, bytes) else None
    return Response(answer, media_type=kind, headers={MODEL_VERSION: versions[-1]})


def _outlined(loop: Loop, target: Campaign, feature: dict[str, Any]) -> Response[dict[str, Any]]:
    """An outline, with the version that served when it was drawn; it has a say where it answers pixels."""
    version = loop.server.serving_version(target)
    return Response(feature, headers={} if version is None else {MODEL_VERSION: version})
