"""Traces by OpenTelemetry: off unless the standard variables (OTEL_...) ask for them; see docs/observing.md."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Middleware, Receive, Scope, Send

from al_loop import __version__
from models.tracing import use_tracer
from service.log import current_request_id, without_tokens
from service.settings import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

ASKING = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
"""Variables that ask for traces if one of them is set."""
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def tracing_from(environ: Mapping[str, str]) -> list[Middleware]:
    """Middleware that traces requests, and a tracer for everything below; nothing if no variable asks for traces.

    Raises:
        SettingsError: Traces are asked for and the packages are missing, or in a way that is not supported.
    """
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or exporter == "none" or not any(environ.get(name) for name in ASKING):
        return []
    if exporter != "otlp":
        raise SettingsError(f"OTEL_TRACES_EXPORTER: {exporter!r} is not supported; otlp and none are")
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        raise SettingsError(f"OTEL_EXPORTER_OTLP_PROTOCOL: {protocol!r} is not supported; http/protobuf is")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            f"the variables OTEL_... ask for traces; {error.name} is missing: pip install 'al-loop[telemetry]'"
        ) from error
    name = environ.get("OTEL_SERVICE_NAME") or "al-loop"
    provider = TracerProvider(resource=Resource.create({"service.name": name, "service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return traced_by(provider)


def traced_by(provider: "TracerProvider") -> list[Middleware]:
    """Let a provider make the spans of this process; returns the middleware that makes those of requests."""
    from litestar.plugins.opentelemetry import OpenTelemetryConfig

    tracer: Any = provider.get_tracer("al_loop", __version__)
    use_tracer(tracer)
    config = OpenTelemetryConfig(
        tracer_provider=provider,
        scope_span_details_extractor=lambda scope: (str(scope.get("method", "")), {}),
        server_request_hook_handler=_hide_tokens,
        exclude_spans=["receive", "send"],
        exclude=["^/health/live", "^/metrics"],
    )
    return [config.middleware, SpanNames()]


class SpanNames(ASGIMiddleware):
    """Names the span of a request by its template, which is known when it is answered: ids make no names of spans."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Pass the request on, and name its span before the answer leaves, whose end ends the span."""
        from opentelemetry.trace import get_current_span

        span = get_current_span()

        async def name_first(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("path_template") or "unknown"
                span.update_name(f"{scope.get('method', '')} {route}")
                span.set_attribute("http.route", route)
                if (number := current_request_id()) is not None:
                    span.set_attribute("al_loop.request_id", number)
                if (campaign := scope.get("path_params", {}).get("campaign")) is not None:
                    span.set_attribute("al_loop.campaign", str(campaign))
            await send(message)

        await next_app(scope, receive, name_first)


def _hide_tokens(span: "Span", scope: dict[str, Any]) -> None:
    """Take tokens out of the addresses that a span carries."""
    for name, value in dict(getattr(span, "attributes", None) or {}).items():
        if isinstance(value, str) and "token=" in value.lower():
            span.set_attribute(name, without_tokens(value))
