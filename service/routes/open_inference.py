"""The Open Inference Protocol v2 (https://github.com/kserve/open-inference-protocol): a campaign is a model.

Errors are `{"error": "..."}`, as the protocol has it. Tensors are answered as the graph gives them: nothing is
remembered as shown to an annotator, and samples that get no suggestion are not told from others.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

from al_loop import __version__
from al_loop.loop import Loop
from al_loop.serving.open_inference import (
    EXTENSIONS,
    LENGTH_HEADER,
    InferenceAnswer,
    V2ModelMetadata,
    read_request,
    write_answer,
)
from service.access.tokens import requires
from service.errors import V2_ERRORS, v2_problems
from service.limits.lanes import HEALTH, LANE, PREDICTIONS, small_first
from service.openapi.examples import answer
from service.openapi.open_inference import INFERRED

SPEC = v2_problems(400, 401, 403, 404, 409, 413, 415, 422, 503)
VERSION = Annotated[str | None, PathParameter(description="The version that serves, or `champion`.")]
MODEL = Annotated[str, PathParameter(description="Name of a campaign.")]


def _named(name: str) -> Callable[[HTTPRouteHandler, Method, list[str | PathParameterDefinition]], str]:
    """Names of a handler's operations, without and with a version in the path."""
    return lambda handler, method, parts: f"{name}OfVersion" if "versions" in parts else name


class V2Server(msgspec.Struct, frozen=True, kw_only=True):
    """What answers here."""

    name: str = "al-loop"
    """Of the server."""
    version: str = __version__
    """Of al-loop."""
    extensions: list[str] = msgspec.field(default_factory=EXTENSIONS.copy)
    """`binary_tensor_data`: tensors may be sent and answered as bytes after the JSON."""


class V2Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server lives and is ready."""

    live: bool
    """It answers."""
    ready: bool
    """Every model that was promoted is loaded, and the disk can be written."""


class V2ModelReady(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model answers."""

    name: str
    """Of the campaign."""
    ready: bool
    """Whether a version is loaded."""


class OpenInferenceController(Controller):
    """`/v2`."""

    path = "/v2"
    tags = ("open inference",)
    opt = {V2_ERRORS: True}  # noqa: RUF012  # Litestar declares it without ClassVar

    @get(operation_id="v2Server", opt={LANE: HEALTH}, sync_to_thread=False)
    def server(self) -> V2Server:
        """Name, version and extensions of the server."""
        return V2Server()

    @get("/health/live", operation_id="v2IsLive", opt={LANE: HEALTH}, sync_to_thread=False)
    def live(self) -> V2Health:
        """The server of the protocol answers."""
        return V2Health(live=True, ready=True)

    @get("/health/ready", operation_id="v2IsReady", opt={LANE: HEALTH}, sync_to_thread=True)
    def ready(self, loop: NamedDependency[Loop]) -> Response[V2Health]:
        """Every model that was promoted is loaded, and the disk can be written; else 503."""
        ready = loop.tensors.all_ready() and loop.disk.problem() is None
        return Response(V2Health(live=True, ready=ready), status_code=200 if ready else 503)

    @get(
        ["/models/{model:str}", "/models/{model:str}/versions/{version:str}"],
        operation_id=_named("v2Model"),
        guards=[requires("predict")],
        responses=v2_problems(401, 403, 404, 409),
    )
    async def model(self, model: MODEL, loop: NamedDependency[Loop], version: VERSION = None) -> V2ModelMetadata:
        """Inputs and outputs of the model that serves a campaign."""
        return await sync_to_thread(loop.tensors.metadata, model, version)

    @get(
        ["/models/{model:str}/ready", "/models/{model:str}/versions/{version:str}/ready"],
        operation_id=_named("v2ModelIsReady"),
        guards=[requires("predict")],
        responses=v2_problems(401, 403, 404),
    )
    async def model_ready(
        self, model: MODEL, loop: NamedDependency[Loop], version: VERSION = None
    ) -> Response[V2ModelReady]:
        """A version of the campaign's model is loaded; else 503."""
        ready = await sync_to_thread(loop.tensors.is_ready, model, version)
        return Response(V2ModelReady(name=model, ready=ready), status_code=200 if ready else 503)

    @post(
        ["/models/{model:str}/infer", "/models/{model:str}/versions/{version:str}/infer"],
        operation_id=_named("v2Infer"),
        opt={LANE: PREDICTIONS},
        status_code=200,
        guards=[requires("predict")],
        responses=SPEC | answer(200, InferenceAnswer, INFERRED),
    )
    async def infer(
        self, request: Request[Any, Any, Any], model: MODEL, loop: NamedDependency[Loop], version: VERSION = None
    ) -> Response[bytes]:
        """All outputs of the graph for a batch of images, given as arrays.

        The input `image` is [images, bands, height, width] with the raw values of the bands that the model reads, in
        its order; NaN (null in JSON) where invalid. Height and width are free: images are padded, and one that is
        larger than the model's tile is cut into tiles. Outputs are FP32: of classification probabilities, of
        segmentation probabilities of background and classes by pixel, of detection rows of objects, and the embedding.
        """
        encoding = request.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise HTTPException(f"send the body without compression, not as {encoding}", status_code=415)
        length = _length(request.headers.get(LENGTH_HEADER))
        asked = await sync_to_thread(read_request, await request.body(), length)
        answered, outputs = await small_first(partial(loop.tensors.infer, model, version, asked.images))
        body, head = await sync_to_thread(write_answer, model, answered, asked, outputs)
        if head is None:
            return Response(body, media_type="application/json")
        return Response(body, media_type="application/octet-stream", headers={LENGTH_HEADER: str(head)})


def _length(header: str | None) -> int | None:
    if header is not None and not (header.isascii() and header.isdigit() and len(header) < 16):
        raise HTTPException(f"the header {LENGTH_HEADER} is no number of bytes: {header!r}", status_code=400)
    return None if header is None else int(header)
