"""What tests of refitted heads share: a round that measured a serving model."""

from collections.abc import Mapping
from datetime import datetime

from al_loop.domain.rounds import RoundState
from al_loop.store import LabelStore
from models.card import Evaluation, TaskEvaluation, TaskName

METRICS = {"classification": "accuracy", "segmentation": "miou"}


def serve_measured(
    store: LabelStore,
    name: str,
    values: Mapping[TaskName, float],
    now: datetime,
    *,
    labels: int,
    metrics: Mapping[str, str] = METRICS,
) -> None:
    """Let "v1" serve, trained on so many labels, with these metrics on the test reserve."""
    number = store.campaigns.get(name).campaign_id
    measured = [
        TaskEvaluation(
            task=task, metric=metrics[task], value=value, low=value, high=value, baseline=0.0, samples=9, per_class={},
            expected_calibration_error=0.0,
        )
        for task, value in values.items()
    ]  # fmt: skip
    turn = store.rounds.create(number, reason="ops", now=now).number
    store.versions.add(number, "v1", turn, now)
    store.rounds.set_state(
        number, turn, RoundState.PROMOTED, now, version="v1", labels=labels, evaluation=Evaluation(candidate=measured)
    )
    store.versions.promote(number, "v1", reason="test", now=now)
