"""Composition root: builds the Litestar app around one Loop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from litestar import Litestar, Request
from litestar.concurrency import sync_to_thread
from litestar.config.cors import CORSConfig
from litestar.types import Middleware

from al_loop.loop import Loop
from al_loop.runtime.cluster.config import RayConfig
from al_loop.runtime.cluster.executor import RayExecutor
from service.access.answer_headers import AllowMiddleware, AnswerHeaders
from service.access.audit import AuditMiddleware, note_tokens
from service.access.foreign_pages import ForeignPagesMiddleware, OwnAddresses
from service.access.head_requests import HeadRequests
from service.access.people import Tokens
from service.access.root_path import RootPath
from service.access.tokens import check_annotator
from service.dependencies import WORKBENCH
from service.errors import answer_error
from service.limits.admission import AdmissionMiddleware
from service.limits.lanes import Lanes
from service.log import HEADER, RequestLog
from service.metrics.requests import Metrics, MetricsMiddleware
from service.openapi.document import openapi_config
from service.requests.json_bodies import ApiRequest
from service.requests.parameters import check_no_null, check_not_repeated
from service.requests.rates import LabelRate
from service.routes.advice import AdviceController
from service.routes.agreement import AgreementController
from service.routes.assists import AssistController
from service.routes.backup import BackupController
from service.routes.bare_predictions import BarePredictionController
from service.routes.campaigns import CampaignController
from service.routes.classes import ClassController
from service.routes.comments import CommentController
from service.routes.comparisons import ComparisonController
from service.routes.duplicates import DuplicateController
from service.routes.health import HealthController
from service.routes.labels import LabelController
from service.routes.leases import LeaseController
from service.routes.lineage import LineageController
from service.routes.model_cards import ModelCardController
from service.routes.model_exports import ModelExportController
from service.routes.model_versions import ModelVersionController
from service.routes.open_inference import OpenInferenceController
from service.routes.page import PAGE
from service.routes.people import PeopleController
from service.routes.pictures import PictureController
from service.routes.predictions import PredictionController
from service.routes.pretrainings import PretrainingController
from service.routes.progress import ProgressController
from service.routes.pruning import PruningController
from service.routes.queries import QueryController
from service.routes.relabels import RelabelController
from service.routes.replicas import ReplicasController
from service.routes.reports import ReportController
from service.routes.rounds import RoundController
from service.routes.samples import SampleController
from service.routes.scaneo import ScaneoController
from service.routes.scene_predictions import ScenePredictionController
from service.routes.settings import SettingsController
from service.routes.start import START
from service.routes.styles import StyleController
from service.routes.super_resolutions import SuperResolutionController
from service.routes.webhooks import WebhookController
from service.scaneo.client import ScaneoClient
from service.settings import Settings
from service.webhooks.sender import WebhookSender
from service.webhooks.targets import WebhookTargets

EXPOSED = ["Content-Disposition", "ETag", "Retry-After", "WWW-Authenticate", HEADER]
"""Headers of answers that scripts of other origins may read."""

CONTROLLERS = (
    CampaignController,
    ClassController,
    SettingsController,
    SampleController,
    DuplicateController,
    PictureController,
    QueryController,
    LeaseController,
    ProgressController,
    AdviceController,
    RelabelController,
    LabelController,
    CommentController,
    AgreementController,
    RoundController,
    ReportController,
    LineageController,
    PretrainingController,
    ScenePredictionController,
    SuperResolutionController,
    ComparisonController,
    ModelVersionController,
    ModelCardController,
    ModelExportController,
    StyleController,
    PruningController,
    PredictionController,
    OpenInferenceController,
    BarePredictionController,
    AssistController,
    ScaneoController,
    WebhookController,
    PeopleController,
    BackupController,
    HealthController,
    ReplicasController,
)


def create_app(settings: Settings, loop: Loop | None = None, *, tracing: Sequence[Middleware] = ()) -> Litestar:
    """The service for one data directory.

    Args:
        settings: Of the service.
        loop: The opened data directory, which the app starts and closes; None: it is opened when the app starts.
        tracing: Middleware that traces requests (`service/telemetry.py`).
    """
    app = build_routes(settings.allowed_origins, settings.max_upload_mb, tracing)
    # Before routing, where no middleware comes: the path of a proxy, and requests that no route answers.
    routed = AnswerHeaders(RootPath(HeadRequests(app.asgi_handler), settings.root_path))
    app.asgi_handler = RequestLog(routed, write=settings.access_log)
    app.state.settings = settings
    app.state.open_loop = partial(open_workbench, settings) if loop is None else lambda: loop
    app.state.own_addresses = OwnAddresses.of(settings)
    app.state.tokens = Tokens(settings)
    app.state.metrics = Metrics()
    app.state.label_rate = LabelRate()
    return app


def build_routes(origins: list[str], max_upload_mb: int, tracing: Sequence[Middleware] = ()) -> Litestar:
    """All routes, for any data directory: what belongs to one is in `app.state`.

    Args:
        origins: Web pages that may call the service.
        max_upload_mb: Largest body of a request, in MB.
        tracing: Middleware that traces requests.
    """
    return Litestar(
        route_handlers=[*START, *PAGE, *CONTROLLERS],
        dependencies=WORKBENCH,
        lifespan=[_lifespan],
        exception_handlers={Exception: answer_error},
        before_request=_check_request,
        middleware=[
            *tracing,
            MetricsMiddleware(),
            ForeignPagesMiddleware(),
            AuditMiddleware(),
            AllowMiddleware(),
            AdmissionMiddleware(),
        ],
        # Pages of other origins may do everything that their token allows, and without cookies.
        cors_config=CORSConfig(allow_origins=origins, expose_headers=EXPOSED) if origins else None,
        request_class=ApiRequest,
        request_max_body_size=max_upload_mb * 1_000_000,
        logging_config=None,  # the command line sets logging up; a library must not
        openapi_config=openapi_config(),
    )


async def _check_request(request: Request[Any, Any, Any]) -> None:
    await check_annotator(request)
    check_not_repeated(request)
    check_no_null(request)


@asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncIterator[None]:
    state = app.state
    state.lanes = Lanes()
    asyncio.get_running_loop().set_default_executor(state.lanes)  # where Litestar runs functions that block
    state.loop = await sync_to_thread(state.open_loop)
    state.loop.server.on_batch = state.metrics.note_batch
    await sync_to_thread(note_tokens, app)
    state.tokens.on_change = lambda: note_tokens(app)
    state.loop.start()
    try:
        yield
    finally:
        await sync_to_thread(state.loop.close)


def open_workbench(settings: Settings) -> Loop:
    """Open the data directory.

    Raises:
        StoreLockedError: Another process works on it.
        StoreError: It was written by a newer al-loop, or cannot be opened.
    """
    logging.getLogger("al_loop").info("opening %s", settings.data)
    return Loop(
        settings.data.resolve(),
        open_scaneo=partial(ScaneoClient.at, link_local=settings.scaneo_link_local),
        threads=settings.threads,
        load_model=settings.load_model,
        load_super_resolution=settings.load_super_resolution,
        max_image_bytes=settings.max_upload_mb * 1_000_000,
        rounds_at_once=settings.rounds_at_once,
        retrain_tick_s=settings.retrain_tick_s,
        score_tick_s=settings.score_tick_s,
        sam_model=settings.sam_model,
        cluster=_cluster(settings),
        artefacts=settings.artifacts or None,
        send_webhook=WebhookSender(WebhookTargets(settings)),
    )


def _cluster(settings: Settings) -> RayExecutor | None:
    """What runs programs on the Ray cluster that the settings name; None: this machine does."""
    if settings.executor == "local":
        return None
    return RayExecutor(
        RayConfig(
            address=settings.ray_address,
            data=str(settings.data.resolve()),
            workers=settings.ray_workers,
            cpus=settings.ray_cpus,
            gpus=settings.ray_gpus,
            train_workers=settings.ray_train_workers,
            patience_s=settings.ray_patience_s,
            artefacts=settings.artifacts or None,
        )
    )
