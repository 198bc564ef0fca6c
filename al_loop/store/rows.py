"""Rows in and out of DuckDB: named parameters, rows as dicts, times as aware UTC datetimes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from duckdb import DuckDBPyConnection

Parameter = str | int | float | bool | datetime | Sequence[Any] | None
Row = dict[str, Any]


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
