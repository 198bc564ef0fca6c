"""A card that says too little, or nonsense, is refused with what is missing."""

import json
from typing import Any

import pytest

from models.errors import ForeignModelError
from models.foreign.declaration import read_foreign_card
from tests.models.foreign.graphs import CARD


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scale": 0}, "scale"),
        ({"scale": None}, "scale"),
        ({"scal": 1}, "scal"),
        ({"output": {"classes": []}}, "name no class"),
        ({"output": {"classes": ["a", "a"]}}, "or one twice"),
        ({"output": {"classes": [None]}}, "name no class"),
        ({"output": {"classes": ["a"], "meaning": "vibes"}}, "vibes"),
        ({"bands": [0]}, "numbers from 1"),
        ({"std": [1, 0, 1]}, "above 0"),
    ],
)
def test_nonsense_is_named(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ForeignModelError, match=reason):
        read_foreign_card(json.dumps(CARD | changes).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"[" * 10_000, b"\xff"])
def test_what_is_no_json_is_refused_with_an_example(data: bytes) -> None:
    with pytest.raises(ForeignModelError, match="an example is"):
        read_foreign_card(data)
