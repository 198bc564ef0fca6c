"""Probes and metrics."""

from typing import Any

import msgspec
from litestar import Controller, Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency

from al_loop import __version__
from al_loop.domain.rounds import RoundState
from al_loop.errors import NotInstalledError
from al_loop.loop import Loop
from al_loop.training.installed import check_can_train, embedding_problem, installed_features
from service.access.tokens import is_operator, may_see_campaigns, person_of
from service.limits.lanes import HEALTH, LANE
from service.metrics.requests import Metrics
from service.metrics.scrape import MEDIA_TYPE, scrape


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the service can do its work, part by part."""

    ready: bool
    version: str
    """Version of al-loop."""
    store: str
    """"ok", or what is wrong with the data directory: nearly full, or, which makes the service unready, full or not
    writable."""
    scheduler: str
    models: dict[str, str]
    """Version that serves each campaign that has one; with the problem, where it is not the one that was promoted."""
    training: str
    """"ok", or what is not installed: then no rounds start, and everything else goes on."""
    encoder: str
    """"ok", or why the encoder with ImageNet weights cannot be used: then pools are ranked by simple features and by
    what is trained here, and everything else goes on."""
    features: str
    """What describes images here beside simple features, where their bands and values suit it; the card of each model
    says what it did for that one."""
    cluster: str
    """"ok", "none" where rounds run on this machine, or why the Ray cluster cannot be used: then rounds wait or fail
    and are tried again, and everything else goes on."""
    cluster_returned: str | None = None
    """For an hour: that the Ray cluster can be used again, since when, and how long it could not; else null."""
    disk: str
    """"ok", or that less than 100 MB are free or that nothing can be written."""
    disk_free_mb: int
    """Free space of the data directory's disk, in MB."""
    links: dict[str, str] = {}
    """`ok` or `trouble` for each campaign that is linked to SCANEO; its status says which."""
    webhooks: str = "ok"
    """"ok", or how many deliveries were given up and wait to be redelivered."""
    failed_rounds: dict[str, int] = {}
    """Campaigns whose newest round failed, with its number."""
    problems: dict[str, str] = {}
    """Work that is tried again by itself and fails now, such as `score demo`, with the error. It does not make the
    service unready: everything else goes on."""


def _training() -> str:
    try:
        check_can_train()
    except NotInstalledError as error:
        return str(error)
    return "ok"


def _cluster(loop: Loop) -> str:
    return "none" if loop.cluster is None else loop.cluster.state.problem or "ok"


def _webhooks(loop: Loop) -> str:
    dead = loop.store.deliveries.counts().get("dead", 0)
    told = "1 delivery was" if dead == 1 else f"{dead} deliveries were"
    return f"{told} given up: al-loop webhook list" if dead else "ok"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What runs here."""

    version: str
    """Version of al-loop."""


class HealthController(Controller):
    """`/health`, `/version` and `/metrics`."""

    tags = ("health",)
    opt = {LANE: HEALTH}  # noqa: RUF012  # Litestar declares it without ClassVar

    @get("/health/live", operation_id="isAlive", sync_to_thread=False)
    def live(self) -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @get("/health/ready", operation_id="isReady", sync_to_thread=True)
    def ready(self, request: Request[Any, Any, Any], loop: NamedDependency[Loop]) -> Response[Readiness]:
        """The store answers and its disk can be written, the scheduler runs, every promoted model is loaded; else 503.

        Links in trouble, failed rounds and work that is tried again are told and do not make the service unready.
        Where tokens are set, campaigns are named to those who send one only.
        """
        models, ready = {}, loop.scheduler.running
        names, failed = {}, {}
        for campaign in loop.store.campaigns.list():
            names[campaign.campaign_id] = campaign.name
            last = loop.store.rounds.last(campaign.campaign_id)
            if last is not None and last.state is RoundState.FAILED:
                failed[campaign.name] = last.number
            if campaign.current_version is None:
                continue
            loaded = loop.server.serving_version(campaign)
            ready &= loaded is not None
            models[campaign.name] = loaded or f"{campaign.current_version} cannot be loaded"
        problem, warning = loop.disk.problem(), loop.disk.warning()
        ready &= problem is None
        body = Readiness(
            ready=ready,
            version=__version__,
            store=problem or warning or "ok",
            scheduler="ok" if loop.scheduler.running else "stopped",
            models=models,
            training=_training(),
            encoder=embedding_problem() or "ok",
            features=installed_features(),
            cluster=_cluster(loop),
            cluster_returned=None if loop.cluster is None else loop.cluster.state.returned,
            disk=problem or warning or "ok",
            webhooks=_webhooks(loop),
            disk_free_mb=loop.disk.free_bytes // 1_000_000,
            links={
                names[key]: "ok" if works else "trouble" for key, works in loop.links.working().items() if key in names
            },
            failed_rounds=failed,
            problems=loop.tick_errors.problems,
        )
        if not may_see_campaigns(request):
            body = msgspec.structs.replace(body, models={}, links={}, failed_rounds={}, problems={})
        return Response[Any](body, status_code=200 if ready else 503)

    @get("/version", operation_id="getVersion", sync_to_thread=False)
    def version(self) -> Version:
        """The version of al-loop that answers."""
        return Version(version=__version__)

    @get("/metrics", operation_id="getMetrics", sync_to_thread=True, media_type="text/plain")
    def metrics(self, request: Request[Any, Any, Any], loop: NamedDependency[Loop], state: State) -> Response[bytes]:
        """Prometheus metrics. Where tokens are set, those of campaigns are for those who send one only.

        What tells of the test reserve, new labels for the next round among it, needs a token of the role `ops`; to
        others samples are counted as `getCampaign` does.
        """
        gauges: Metrics = state.metrics
        seen, told = may_see_campaigns(request), is_operator(request)
        return Response(
            scrape(gauges, loop, campaigns=seen, reserve=told, person=person_of(request)), media_type=MEDIA_TYPE
        )
