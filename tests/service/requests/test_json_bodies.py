"""JSON bodies: bounded in depth, decoded strictly, and refused with the path of what is wrong."""

from time import process_time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.exceptions import ValidationException

from al_loop.domain.campaigns import CampaignRequest
from service.requests.json_bodies import MOST_DEPTH, decode, is_deeper_than
from service.schemas import QueryRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}"\\a\u00e9'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[]{}"\\', max_size=3), inner),
)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(JSON)
def test_depth_is_that_of_the_decoded_value(value: Any) -> None:
    body = msgspec.json.encode(value)
    assert not is_deeper_than(max(3, depth(value)), body)
    assert is_deeper_than(depth(value) - 1, body) or depth(value) <= 3


@pytest.mark.parametrize(
    ("classes", "said"),
    [(["x" * 201, "b"], "at most 200 characters"), (["", "b"], "at least 1 character")],
    ids=["long", "empty"],
)
def test_length_that_is_wrong_is_said_in_words(classes: list[str], said: str) -> None:
    body = {"name": "a", "root": "/x", "tasks": [{"task": "classification", "classes": classes}]}
    with pytest.raises(ValidationException) as refused:
        decode(msgspec.json.encode(body), CampaignRequest)
    assert refused.value.extra == [{"path": "$.tasks[0].classes[0]", "message": said}]


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b"[" * 200_000 + b"]" * 200_000, b'{"a":' * 200_000, b'"' + b'\\"' * 200_000, b'"' * 200_001],
    ids=["open", "deep", "objects", "open-string", "quotes"],
)
def test_hostile_nesting_is_told_in_linear_time(body: bytes) -> None:
    started = process_time()
    with pytest.raises(ValidationException):
        decode(body, dict)
    assert process_time() - started < 5  # some milliseconds; a quadratic search takes minutes


def test_body_at_the_limit_is_taken() -> None:
    assert depth(decode(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH, list)) == MOST_DEPTH
    with pytest.raises(ValidationException, match="64 deep"):
        decode(b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1), list)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"name":"a","tasks":[],"root":".","settings":[]}', "$.settings"),
        (b'{"name":"a","tasks":[{"task":"classification","classes":[1]}],"root":"."}', "$.tasks[0].classes[0]"),
        (b'{"name":"a","tasks":[],"root":".","bands":["1"]}', "$.bands[0]"),
        (b'{"name":"a","tasks":[],"root":".","else":1}', "$"),
        (b"\xff\xfe", "$"),
        (b"{", "$"),
        (b"", "$"),
    ],
)
def test_error_names_the_field_as_the_client_wrote_it(body: bytes, path: str) -> None:
    with pytest.raises(ValidationException) as caught:
        decode(body, CampaignRequest)
    assert isinstance(caught.value.extra, list)
    assert [entry["path"] for entry in caught.value.extra] == [path]


def test_strategy_of_an_earlier_version_is_refused_with_what_to_use_instead() -> None:
    body = b'{"annotator": "ann", "query_size": 5, "strategy": {"type": "core_set"}}'
    with pytest.raises(ValidationException, match=r"core_set was removed.*use max_herding, or auto") as refused:
        decode(body, QueryRequest)
    assert refused.value.extra == [{"path": "$.strategy.type", "message": refused.value.detail}]
    with pytest.raises(ValidationException, match="Invalid value 'oracle'"):
        decode(body.replace(b"core_set", b"oracle"), QueryRequest)
