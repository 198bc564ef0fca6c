"""What may be asked of a training of super-resolution."""

from typing import Any

import msgspec
import pytest

from al_loop.domain.super_resolutions import SuperResolutionRequest


@pytest.mark.parametrize(
    "body", [{}, {"pairs": "a" * 5000}, {"pairs": "a", "config": {"steps": 0}}, {"pairs": "a", "config": {"epochs": 3}}]
)
def test_request_that_cannot_be_meant_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, SuperResolutionRequest)
