"""States of a campaign for tests of the decision."""

from datetime import UTC, datetime, timedelta

import msgspec

from al_loop.training.triggers.learning_curve import MeasuredRound, TaskCurve
from al_loop.training.triggers.state import RetrainState

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
READY = RetrainState(
    new_samples=60,
    known_samples=100,
    last_label_at=NOW - timedelta(minutes=1),
    first_new_at=NOW - timedelta(minutes=4),
    last_round_at=NOW - timedelta(minutes=5),
    policy_since=NOW - timedelta(days=9),
)
"""60 new labels since a round of five minutes ago, the newest a minute old."""


def state(**changes: object) -> RetrainState:
    return msgspec.structs.replace(READY, **changes)


def curve(*labels: int, limit: float = 0.95, scale: float = 2.0) -> TaskCurve:
    """Accuracies that follow `limit - scale * n**-0.6` exactly."""
    values = [limit - scale * n**-0.6 for n in labels]
    rounds = [MeasuredRound(n, value, value - 0.05, value + 0.05) for n, value in zip(labels, values, strict=True)]
    return TaskCurve(task="classification", metric="accuracy", rounds=tuple(rounds))
