"""A round in the terminal: a bar with the time that is left, or a line a phase where output is piped."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from al_loop.domain.rounds import Round, RoundState
from models.progress import ProgressLine
from service.commands.rounds import follow_round

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Watched:
    """A service whose round is trained for a while."""

    def watch_round(self, campaign: str, number: int) -> Iterator[Any]:
        for state in (RoundState.QUEUED, RoundState.TRAINING):
            yield entered(state)
        yield ProgressLine(
            time=0.0, phase="training", done=30, total=120, seconds_left=95.0, epoch=3, epochs=12, loss=0.52,
            metric=0.81, samples_per_s=1240.0, total_seconds_left=200.0,
        )  # fmt: skip
        yield entered(RoundState.PROMOTED)


def entered(state: RoundState) -> Round:
    return Round(
        number=7, state=state, reason="ops", requested_at=NOW, started_at=None, ended_at=None, version=None,
        labels=None, reserve_labels=None, label_event_id=None, manifest_sha256=None, evaluation=None, verdict=None,
        error=None,
    )  # fmt: skip


def followed(*, terminal: bool) -> str:
    written = StringIO()
    out = Console(file=written, force_terminal=terminal, width=240, color_system=None)
    view = follow_round(Watched(), "fields", 7, out)  # type: ignore[arg-type]
    assert view.state is RoundState.PROMOTED
    return written.getvalue()


def test_terminal_shows_epoch_loss_metric_speed_and_both_times_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.commands.rounds.Progress.update", eager(Progress.update))
    said = followed(terminal=True)
    numbers = "epoch 3 of 12, loss 0.520, metric 0.810, 1,240 samples/s"
    assert f"{numbers}, 1 min 35 s left of training, 3 min 20 s left of the round" in said
    assert "30/120" in said


def test_pipe_gets_a_line_a_phase_and_nothing_else() -> None:
    said = [line for line in followed(terminal=False).splitlines() if line]
    assert said == ["round 7 queued", "round 7 training", "round 7 promoted"]


def eager(update: Any) -> Any:
    """Draws at each update, instead of ten times a second."""

    def drawn(progress: Any, *arguments: Any, **changes: Any) -> None:
        update(progress, *arguments, **changes)
        progress.refresh()

    return drawn
