"""Spans of what takes time, for whoever collects them; without a tracer a span costs a function call.

The tracer is OpenTelemetry's, which is optional: nothing here imports it. `service/telemetry.py` sets it up.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Attribute = str | int | float | bool


class TracedSpan(Protocol):
    """A span that has begun."""

    def end(self, end_time: int | None = None) -> None:
        """End it at a time in ns since 1970; None: now."""
        ...


class Tracer(Protocol):
    """The part of OpenTelemetry's tracer that is used."""

    def start_as_current_span(
        self, name: str, *, attributes: Mapping[str, Attribute] | None
    ) -> AbstractContextManager[object]:
        """A span around a block, and the parent of what begins in it."""
        ...

    def start_span(self, name: str, *, attributes: Mapping[str, Attribute] | None, start_time: int) -> TracedSpan:
        """A span that began at a time in ns since 1970."""
        ...


_tracer: Tracer | None = None


def use_tracer(tracer: Tracer | None) -> None:
    """Make spans by this tracer from now on, in the whole process; None: make none."""
    global _tracer  # as OpenTelemetry's own: code that is traced is not handed a tracer
    _tracer = tracer


def span(name: str, **attributes: Attribute) -> AbstractContextManager[object]:
    """A span around a block.

    Args:
        name: What is done.
        attributes: Numbers and names; neither pixels nor tokens.
    """
    if _tracer is None:
        return nullcontext()
    return _tracer.start_as_current_span(name, attributes=attributes)


def note_phases(name: str, entered: Sequence[tuple[str, int]], end_ns: int) -> None:
    """Spans of phases that followed each other, each ending where the next began, below the present span.

    Args:
        name: What the phases belong to; the span of a phase has it before the name of the phase, with a dot between.
        entered: Each phase and when it was entered, in ns since 1970.
        end_ns: When the last one ended.
    """
    if _tracer is None:
        return
    ends = [*(start for _, start in entered[1:]), end_ns]
    for (phase, start), end in zip(entered, ends, strict=True):
        _tracer.start_span(f"{name}.{phase}", attributes=None, start_time=start).end(end)
