"""Prometheus metrics: requests as they come, and the state of the loop when it is asked for."""

from time import perf_counter

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from al_loop.loop import Loop


class Metrics:
    """The metrics of one app; nothing is global."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "al_loop_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "al_loop_request_seconds",
            "Time to answer",
            ["route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.of_campaigns = CollectorRegistry()
        """What names campaigns, for those who may know them."""
        self.samples = Gauge("al_loop_samples", "Samples by state", ["campaign", "state"], registry=self.of_campaigns)
        self.running = Gauge("al_loop_round_running", "Whether a round runs", ["campaign"], registry=self.of_campaigns)


class MetricsMiddleware(ASGIMiddleware):
    """Counts and times requests by route template, so that ids and tokens never become labels."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on and note how it was answered."""
        metrics: Metrics = scope["litestar_app"].state.metrics
        started = perf_counter()
        status = "499"  # nobody was there any more to be answered

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await next_app(scope, receive, record_status)
        except BaseException:
            status = "500"
            raise
        finally:
            route = scope.get("path_template") or "unknown"
            metrics.requests.labels(str(scope.get("method")), route, status).inc()
            metrics.seconds.labels(route).observe(perf_counter() - started)


def collect(metrics: Metrics, loop: Loop, *, campaigns: bool = True) -> tuple[bytes, str]:
    """Read the loop's state into the gauges and render everything; returns the body and its media type.

    Args:
        metrics: Of the app.
        loop: Says how campaigns stand.
        campaigns: Whether to tell of them.
    """
    media_type = CONTENT_TYPE_LATEST.replace("; charset=utf-8", "")  # Litestar adds it
    if not campaigns:
        return generate_latest(metrics.registry), media_type
    metrics.samples.clear()  # some may be gone
    metrics.running.clear()
    for campaign in loop.store.campaigns.list():
        counts = loop.store.campaigns.counts(campaign.campaign_id, loop.clock())
        for state in ("pool", "leased", "labelled", "reserve"):
            metrics.samples.labels(campaign.name, state).set(getattr(counts, state))
        unfinished = loop.store.rounds.unfinished(campaign.campaign_id)
        metrics.running.labels(campaign.name).set(bool(unfinished))
    return generate_latest(metrics.registry) + generate_latest(metrics.of_campaigns), media_type
