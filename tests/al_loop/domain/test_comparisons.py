"""What may be asked of a comparison, and when one has ended."""

from typing import Any

import msgspec
import pytest

from al_loop.domain.comparisons import ComparisonRequest, ComparisonState


def test_exactly_the_last_four_states_are_ends() -> None:
    assert [state.value for state in ComparisonState if state.is_end] == [
        "finished", "failed", "cancelled", "interrupted",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"seeds": 0},
        {"seeds": 21},
        {"candidates": "best"},
        {"max_steps": 0},
        {"tasks": ["segmentation"] * 21},
        {"epochs": 3},
    ],
)
def test_request_that_cannot_be_meant_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, ComparisonRequest)


def test_nothing_asked_is_all_tasks_with_three_seeds() -> None:
    asked = msgspec.convert({}, ComparisonRequest)
    assert (asked.tasks, asked.seeds, asked.candidates, asked.max_steps) == (None, 3, None, None)
