"""Numbered plain SQL files, applied once and in order, recorded in `schema_version`."""

from importlib import resources

from duckdb import DuckDBPyConnection

from al_loop.errors import StoreError

SCRIPTS = "al_loop.store.schema"


def migrate(connection: DuckDBPyConnection) -> int:
    """Bring the schema up to date; every script is one transaction. Returns the schema's version.

    Raises:
        StoreError: The file was written by a newer al-loop.
    """
    scripts = {
        int(entry.name.split("_")[0]): entry.read_text(encoding="utf-8")
        for entry in resources.files(SCRIPTS).iterdir()
        if entry.name.endswith(".sql")
    }
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    (applied,) = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone() or (0,)
    newest = max(scripts)
    if applied > newest:
        raise StoreError(
            f"the label store has schema version {applied}, this al-loop knows up to {newest}; "
            "upgrade al-loop or restore a backup made before its upgrade"
        )
    for version in sorted(number for number in scripts if number > applied):
        connection.begin()
        connection.execute(scripts[version])
        connection.execute("INSERT INTO schema_version VALUES ($version)", {"version": version})
        connection.commit()
    return newest
