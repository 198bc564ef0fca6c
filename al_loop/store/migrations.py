"""Numbered plain SQL files, applied once and in order, recorded in `schema_version`."""

from collections.abc import Mapping
from importlib import resources

import duckdb
from duckdb import DuckDBPyConnection

from al_loop.errors import StoreError

SCRIPTS = "al_loop.store.schema"


def read_scripts() -> dict[int, str]:
    """The SQL that leads to each version of the schema from the one before it."""
    return {
        int(entry.name.split("_")[0]): entry.read_text(encoding="utf-8")
        for entry in resources.files(SCRIPTS).iterdir()
        if entry.name.endswith(".sql")
    }


def migrate(connection: DuckDBPyConnection, scripts: Mapping[int, str] | None = None) -> int:
    """Bring the schema up to date; returns its version.

    Every script is one transaction together with the record that it was applied: after a kill or an error the file has
    the schema before it, and the next start goes on from there.

    Args:
        connection: An open file, outside a transaction.
        scripts: By version; None: `read_scripts`.

    Raises:
        StoreError: The file was written by a newer al-loop, or a script fails, which leaves the file as it was.
    """
    scripts = read_scripts() if scripts is None else scripts
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    (applied,) = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone() or (0,)
    newest = max(scripts)
    if applied > newest:
        raise StoreError(
            f"the label store has schema version {applied}, this al-loop knows up to {newest}; upgrade al-loop, or "
            "restore a backup of the data directory made before it was upgraded"
        )
    for version in sorted(number for number in scripts if number > applied):
        try:
            connection.begin()
            connection.execute(scripts[version])
            connection.execute("INSERT INTO schema_version VALUES ($version)", {"version": version})
            connection.commit()
        except duckdb.Error as error:
            raise StoreError(
                f"the label store stays at schema version {version - 1}, as version {version} could not be applied: "
                f"{error}"
            ) from error
    return newest
