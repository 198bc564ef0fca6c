"""Rows in and out of DuckDB: named parameters, rows as dicts, times as aware UTC datetimes."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from duckdb import DuckDBPyConnection

Parameter = str | int | float | bool | datetime | Sequence[Any] | None
Row = dict[str, Any]
S = TypeVar("S", bound=msgspec.Struct)
UNKNOWN = "Object contains unknown field"

logger = logging.getLogger(__name__)


def utc(moment: datetime) -> datetime:
    """The naive UTC datetime that is stored for a moment.

    Raises:
        ValueError: `moment` carries no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).replace(tzinfo=None)


def bind(value: Parameter) -> Parameter:
    """A parameter as DuckDB should see it: datetimes in naive UTC, everything else unchanged."""
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, list) and isinstance(next((item for item in value if item is not None), None), datetime):
        return [None if item is None else utc(item) for item in value]
    return value


def execute(connection: DuckDBPyConnection, sql: str, **parameters: Parameter) -> DuckDBPyConnection:
    """Run one statement whose `$name` parameters are bound from keywords."""
    return connection.execute(sql, {name: bind(value) for name, value in parameters.items()})


def select(connection: DuckDBPyConnection, sql: str, **parameters: Parameter) -> list[Row]:
    """Rows of a query by column name; datetimes come back aware, in UTC."""
    result = execute(connection, sql, **parameters)
    names = [column[0] for column in result.description or []]
    return [
        {
            name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
            for name, value in zip(names, row, strict=True)
        }
        for row in result.fetchall()
    ]


INLINE = 4
"""At most n ids are written into a statement; a scan passes over blocks that hold none of them."""


def among(column: str, ids: Sequence[int]) -> str:
    """Condition that a column is one of some ids: half the time of a join with a parameter where they are few."""
    if 0 < len(ids) <= INLINE:
        return f"{column} IN ({', '.join(str(int(number)) for number in ids)})"
    return f"{column} IN (SELECT unnest($ids::BIGINT[]))"


def among_ids(ids: Sequence[int]) -> dict[str, Parameter]:
    """The parameters that the condition of `among` needs."""
    return {} if 0 < len(ids) <= INLINE else {"ids": list(ids)}


def among_texts(column: str, texts: Sequence[str]) -> str:
    """Condition that a column is one of some texts, as `among` for ids."""
    if 0 < len(texts) <= INLINE:
        return f"{column} IN ({', '.join(f'$text_{index}' for index in range(len(texts)))})"
    return f"{column} IN (SELECT unnest($texts::VARCHAR[]))"


def among_texts_given(texts: Sequence[str]) -> dict[str, Parameter]:
    """The parameters that the condition of `among_texts` needs."""
    if 0 < len(texts) <= INLINE:
        return {f"text_{index}": text for index, text in enumerate(texts)}
    return {"texts": list(texts)}


def read_stored(text: str, kind: type[S]) -> S:
    """Stored JSON as a Struct. A value that is out of its bounds by now gives way to the default, which is logged.

    Raises:
        msgspec.ValidationError: A newer al-loop wrote it: it has fields that this one does not know.
    """
    value = msgspec.json.decode(text)
    while True:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$.")
            names = path.rstrip("`").partition("[")[0].split(".")
            if reason.startswith(UNKNOWN) or not _remove(value, names):
                raise
            logger.warning("stored setting %s is left at its default: %s", ".".join(names), reason)


def _remove(value: Any, names: list[str]) -> bool:  # noqa: ANN401  # any JSON
    """Take a member out of nested objects; whether it was there."""
    for name in names[:-1]:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, dict) or names[-1] not in value:
        return False
    del value[names[-1]]
    return True
