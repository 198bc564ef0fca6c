"""What is counted as it happens: requests, refusals, runs of models. The names are those of the ecosystem."""

from collections.abc import Sequence
from time import perf_counter

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from al_loop import __version__
from service.errors import status_of

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
REFUSALS = {
    408: "too_slow",
    413: "too_large",
    429: "too_many_labels",
    431: "header_too_large",
    503: "overloaded",
    507: "disk_full",
}
"""Reasons by the status that says them."""
GONE = 499
"""Nobody was there any more to be answered."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of all series, which nobody asks for


class Metrics:
    """The metrics of one app; nothing is global."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        Info("al_loop_build", "Version of al-loop", registry=self.registry).info({"version": __version__})
        self.requests = Counter(
            "http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Time to answer",
            ["method", "route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.rejections = Counter(
            "al_loop_rejections", "Requests and connections that were refused", ["reason"], registry=self.registry
        )
        self.prediction_seconds = Histogram(
            "al_loop_prediction_duration_seconds",
            "Time of a run of a model, without waiting for it",
            ["task"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.batch_sizes = Histogram(
            "al_loop_prediction_batch_size",
            "Images in a run of a model",
            ["task"],
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self.registry,
        )

    def note_refusal(self, status: int) -> None:
        """Count a request or a connection that was refused with this status; others are none."""
        if status in REFUSALS:
            self.rejections.labels(REFUSALS[status]).inc()

    def note_batch(self, tasks: Sequence[str], images: int, seconds: float) -> None:
        """Count a run of a model, for each task that it answers."""
        for task in tasks:
            self.prediction_seconds.labels(task).observe(seconds)
            self.batch_sizes.labels(task).observe(images)


class MetricsMiddleware(ASGIMiddleware):
    """Counts and times requests by route template, so that ids and tokens never become labels."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on and note how it was answered."""
        metrics: Metrics = scope["litestar_app"].state.metrics
        started = perf_counter()
        status = GONE

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await next_app(scope, receive, record_status)
        except Exception as error:  # refused before the routes, which is answered further out; or an answer broke off
            status = status_of(error) if status == GONE else 500
            raise
        except BaseException:
            status = 500
            raise
        finally:
            route = scope.get("path_template") or "unknown"
            method = str(scope.get("method"))
            method = method if method in METHODS else "other"
            metrics.requests.labels(method, route, str(status)).inc()
            metrics.seconds.labels(method, route).observe(perf_counter() - started)
            metrics.note_refusal(status)
