"""JSON from elsewhere."""

from typing import Any

import msgspec

TOO_DEEP = "objects and lists are nested too deep"


def read_json(text: bytes | str, kind: Any = Any) -> Any:  # noqa: ANN401  # any type that msgspec knows
    """A JSON text as an object of a type, whose faults are of one kind.

    msgspec lets Python's errors through for brackets inside each other by the thousand and for text that is no UTF-8.

    Raises:
        msgspec.DecodeError: It is no JSON, or not of the type; says where.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except RecursionError as error:
        raise msgspec.DecodeError(TOO_DEEP) from error
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"no UTF-8: {error}") from error
