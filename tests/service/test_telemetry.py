"""Traces: asked for by the standard variables, over requests, writes, runs of models and phases of rounds."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from al_loop.domain.campaigns import Campaign
from models.inference.batching import Batcher
from models.inference.predictor import Predictor
from models.tracing import use_tracer
from service.app import create_app
from service.settings import Settings, SettingsError
from service.telemetry import traced_by, tracing_from
from tests.al_loop.runtime.fixtures import House
from tests.e2e.campaigns import create, write_pool

ASKED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


class Collected:
    """Spans that were exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if span.name == name]

    def names(self) -> list[str]:
        return [span.name for span in self._exporter.get_finished_spans()]


@pytest.fixture
def collected() -> Iterator[Collected]:
    yield Collected()
    use_tracer(None)


def test_request_and_its_writes_are_one_trace_without_tokens(
    collected: Collected, settings: Settings, imagery: Path
) -> None:
    write_pool(imagery / "pool", 2, size=32)
    app = create_app(settings, tracing=traced_by(collected.provider))
    with TestClient(app, base_url="http://127.0.0.1") as http:
        create(http, imagery / "pool")
        http.get("/campaigns/demo", params={"token": "secret-token"}, headers={"x-request-id": "abc"})
    (request,) = collected.named("GET /campaigns/{campaign}")
    attributes = dict(request.attributes or {})
    assert attributes["al_loop.campaign"] == "demo"
    assert attributes["al_loop.request_id"] == "abc"
    assert attributes["http.route"] == "/campaigns/{campaign}"
    assert "secret-token" not in str([dict(span.attributes or {}) for span in collected.named(request.name)])
    assert any("token=***" in str(value) for value in attributes.values())
    (made,) = collected.named("POST /campaigns")
    writes = [span for span in collected.named("al_loop.store.write") if span.parent is not None]
    assert any(span.parent and span.parent.span_id == made.get_span_context().span_id for span in writes)


def test_run_of_a_model_is_a_span(collected: Collected, tiny_version: Path) -> None:
    import numpy as np

    traced_by(collected.provider)
    Batcher(Predictor(tiny_version, device="cpu")).pin().answer("classification", np.ones((3, 32, 32), np.float32))
    (span,) = collected.named("al_loop.predict")
    assert (span.attributes or {})["images"] == 1


def test_phases_of_a_round_are_spans(
    collected: Collected, house: House, make_campaign: Callable[..., Campaign]
) -> None:
    traced_by(collected.provider)
    campaign = make_campaign()
    house.submit(campaign)
    house.ended(campaign)
    house.runner.close()
    (around,) = collected.named("al_loop.round")
    assert dict(around.attributes or {}) == {"campaign": "demo", "number": 1}
    (phase,) = collected.named("al_loop.round.snapshot")
    assert phase.parent is not None
    assert phase.parent.span_id == around.get_span_context().span_id


@pytest.mark.parametrize(
    "environ",
    [
        {}, {"OTEL_SERVICE_NAME": "x"}, ASKED | {"OTEL_TRACES_EXPORTER": "none"}, ASKED | {"OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    ],
)  # fmt: skip
def test_nothing_is_traced_unless_it_is_asked_for(environ: dict[str, str]) -> None:
    assert tracing_from(environ) == []


def test_traces_are_asked_for_by_the_standard_variables(collected: Collected) -> None:
    assert len(tracing_from(ASKED)) == 2


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        (ASKED | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
    ],
)
def test_what_is_not_supported_is_refused_at_the_start(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        tracing_from(environ)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: Any = None
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", missing)
    with pytest.raises(SettingsError, match=r"al-loop\[telemetry\]"):
        tracing_from(ASKED)
