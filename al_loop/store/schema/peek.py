"""A look into the file of a label store that nobody has open, without changing it: no migration, no write."""

from pathlib import Path

import duckdb
import msgspec

from al_loop.errors import StoreError, StoreLockedError
from al_loop.store.database import holder
from al_loop.store.migrations import read_scripts
from al_loop.store.rows import select


class SeenCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign, as far as every schema knows it."""

    name: str
    root: str
    """Absolute path of its images."""
    folder: str
    """Name of its directory."""
    current_version: str | None


class StorePeek(msgspec.Struct, frozen=True, kw_only=True):
    """What a store says of itself."""

    schema_version: int
    newest_known: int
    """Newest schema that this al-loop knows."""
    campaigns: list[SeenCampaign]


def peek(path: Path) -> StorePeek:
    """Look into a label store of any schema.

    Raises:
        StoreLockedError: A service has it open.
        StoreError: It is no label store, or cannot be read.
    """
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            (version,) = connection.execute("SELECT max(version) FROM schema_version").fetchone() or (0,)
            rows = select(connection, "SELECT * FROM campaigns ORDER BY name")
    except duckdb.IOException as error:
        if "lock" in str(error):
            raise StoreLockedError(path.parent, holder(error)) from error
        raise StoreError(f"{path} cannot be read: {error}") from error
    except duckdb.Error as error:
        raise StoreError(f"{path} is no label store, or is damaged: {error}") from error
    return StorePeek(
        schema_version=int(version or 0),
        newest_known=max(read_scripts()),
        campaigns=[
            SeenCampaign(
                name=row["name"],
                root=row["root"],
                folder=row.get("directory") or row["name"],
                current_version=row["current_version"],
            )
            for row in rows
        ],
    )
