"""States of jobs of all kinds."""

import pytest

from al_loop.domain.comparisons import ComparisonState
from al_loop.domain.jobs import JOB_ENDS, JobState
from al_loop.domain.reproductions import ReproductionState
from al_loop.domain.rounds import PretrainingState, RoundState
from al_loop.domain.scene_predictions import ScenePredictionState
from al_loop.domain.super_resolutions import SuperResolutionState


@pytest.mark.parametrize(
    "states", [ComparisonState, PretrainingState, ReproductionState, ScenePredictionState, SuperResolutionState]
)
def test_every_kind_waits_first_and_ends_in_four_ways(states: type[JobState]) -> None:
    assert next(iter(states)) == "queued"
    assert {state for state in states if state.is_end} == JOB_ENDS


def test_a_round_is_decided_instead_of_finished() -> None:
    ends = {state for state in RoundState if state.is_end}
    assert ends == (JOB_ENDS - {"finished"}) | {"candidate", "promoted", "rejected"}
