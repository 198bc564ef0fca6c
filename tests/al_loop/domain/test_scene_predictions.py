"""Requests say what is wrong with them; states know their ends."""

import msgspec
import pytest

from al_loop.domain.jobs import JOB_ENDS
from al_loop.domain.scene_predictions import ScenePredictionRequest, ScenePredictionState


@pytest.mark.parametrize(
    "bad", [{}, {"scene": 1}, {"scene": "a", "format": "png"}, {"scene": "a", "cell_px": 8}, {"scene": "a", "x": 1}]
)
def test_wrong_requests_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, ScenePredictionRequest)


def test_four_states_are_ends() -> None:
    assert {state for state in ScenePredictionState if state.is_end} == JOB_ENDS
