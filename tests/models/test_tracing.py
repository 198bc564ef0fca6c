"""Spans are made by the tracer in use, and cost nothing without one."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from models.tracing import note_phases, span, use_tracer


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    made, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    use_tracer(provider.get_tracer("test"))  # type: ignore[arg-type]  # it takes more than is used
    yield made
    use_tracer(None)


def test_spans_have_parents_and_attributes(exporter: InMemorySpanExporter) -> None:
    with span("outer", campaign="demo"), span("inner"):
        pass
    inner, outer = exporter.get_finished_spans()
    assert (inner.name, outer.name, dict(outer.attributes or {})) == ("inner", "outer", {"campaign": "demo"})
    assert inner.parent is not None
    assert inner.parent.span_id == outer.get_span_context().span_id


def test_phases_end_where_the_next_begins(exporter: InMemorySpanExporter) -> None:
    with span("al_loop.round"):
        note_phases("al_loop.round", [("snapshot", 100), ("training", 250), ("gate", 900)], 1000)
    *phases, around = exporter.get_finished_spans()
    assert [(entry.name, entry.start_time, entry.end_time) for entry in phases] == [
        ("al_loop.round.snapshot", 100, 250), ("al_loop.round.training", 250, 900), ("al_loop.round.gate", 900, 1000),
    ]  # fmt: skip
    assert {entry.parent and entry.parent.span_id for entry in phases} == {around.get_span_context().span_id}


def test_without_a_tracer_blocks_run_as_they_are() -> None:
    with span("outer", campaign="demo"):
        note_phases("al_loop.round", [("snapshot", 100)], 1000)
