"""The app of a replica: predictions, probes, and a sentence for everything else."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Controller, Litestar, Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import State
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.params import FromPath, QueryParameter

from al_loop import __version__
from al_loop.serving.replica import Replica
from models.card import TaskName
from service.access.people import Tokens
from service.access.root_path import RootPath
from service.access.tokens import requires
from service.errors import answer_error
from service.limits.lanes import HEALTH, LANE, PREDICTIONS, Lanes, small_first
from service.log import RequestLog
from service.requests.uploads import read_image
from service.routes.predictions import MODEL_VERSION
from service.settings import Settings

LOOK_S = 1.0
"""Seconds between two looks at what the writer serves."""


class ReplicaReadiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a replica answers as its writer would."""

    ready: bool
    version: str
    replica_of: str
    models: dict[str, str]
    """Version that answers for each campaign."""
    shadow: dict[str, str]
    """By campaign: the version that answers in the shadow here, and how many images it could not answer."""
    problem: str | None
    """Why what serves here may be older than what serves there."""


class ReplicaController(Controller):
    """Predictions, in the shape of `service.routes.predictions`."""

    path = "/campaigns/{campaign:str}/predictions"
    opt = {LANE: PREDICTIONS}  # noqa: RUF012  # Litestar declares it without ClassVar
    guards = (requires("predict", in_query=True),)

    @post("/{task:str}", status_code=200)
    async def predict(
        self,
        request: Request[Any, Any, Any],
        campaign: FromPath[str],
        task: FromPath[TaskName],
        state: State,
        token: Annotated[str | None, QueryParameter()] = None,
    ) -> Response[Any]:
        """The answer of the model that serves to the uploaded image."""
        data = await read_image(request)
        versions: list[str] = []
        answer = await small_first(partial(state.replica.predict, campaign, task, data, note_version=versions.append))
        kind = "image/tiff" if isinstance(answer, bytes) else None
        return Response(answer, media_type=kind, headers={MODEL_VERSION: versions[-1]})


@get("/health/live", opt={LANE: HEALTH}, sync_to_thread=False)
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@get("/health/ready", opt={LANE: HEALTH}, sync_to_thread=False)
def ready(state: State) -> Response[ReplicaReadiness]:
    """What serves here; 503 until the writer has answered once."""
    replica: Replica = state.replica
    known = state.looked_at and (replica.problem is None or bool(replica.serving))
    body = ReplicaReadiness(
        ready=known, version=__version__, replica_of=state.writer_url, models=replica.serving,
        shadow=replica.shadows, problem=replica.problem,
    )  # fmt: skip
    return Response(body, status_code=200 if known else 503)


def _elsewhere(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The answer to everything that a replica does not do: 421, it was sent to the wrong service."""
    where = request.app.state.writer_url
    said = f"This is a read-only replica, which answers predictions; send this request to {where}."
    return answer_error(request, HTTPException(said, status_code=421))


def create_replica_app(settings: Settings, replica: Replica, writer_url: str) -> Litestar:
    """The app around a replica, which it closes.

    Args:
        settings: Tokens, limits and the path below which it is offered.
        replica: Looks at its writer as long as the app runs.
        writer_url: For people.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_default_executor(Lanes())
        stopping = threading.Event()

        def follow() -> None:
            while not stopping.is_set():
                replica.look()
                app.state.looked_at = True
                stopping.wait(LOOK_S)

        follower = threading.Thread(target=follow, name="writer", daemon=True)
        follower.start()
        try:
            yield
        finally:
            stopping.set()
            await sync_to_thread(follower.join)
            replica.close()

    app = Litestar(
        route_handlers=[ReplicaController, live, ready],
        lifespan=[lifespan],
        exception_handlers={
            Exception: answer_error,
            NotFoundException: _elsewhere,
            MethodNotAllowedException: _elsewhere,
        },
        request_max_body_size=settings.max_upload_mb * 1_000_000,
        logging_config=None,
        openapi_config=None,
        state=State({"replica": replica, "writer_url": writer_url, "looked_at": False, "tokens": Tokens(settings)}),
    )
    app.asgi_handler = RequestLog(RootPath(app.asgi_handler, settings.root_path), write=settings.access_log)
    return app
