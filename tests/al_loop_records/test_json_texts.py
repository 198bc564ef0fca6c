from typing import Any

import msgspec
import pytest

from al_loop_records.json_texts import read_json


class Thing(msgspec.Struct):
    name: str


def test_text_is_read_as_its_type() -> None:
    assert read_json(b'{"name": "a", "more": 1}', Thing) == Thing("a")
    assert read_json("[1]") == [1]


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"])
@pytest.mark.parametrize("kind", [Any, dict[str, Any], Thing])
def test_brackets_by_the_thousand_are_no_error_of_python(text: bytes, kind: Any) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_json(text, kind)


@pytest.mark.parametrize("text", [b"", b"{", b'"\xff"', b"\xff\xfe", b"nothing", b"\x00"])
def test_what_is_no_json_is_one_kind_of_error(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_json(text)
