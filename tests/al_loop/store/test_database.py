import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from al_loop.errors import ConflictError, StoreClosedError, StoreError, StoreLockedError
from al_loop.store import LabelStore
from al_loop.store.database import Database
from al_loop.store.migrations import read_scripts
from al_loop.store.rows import execute, select
from tests.waiting import PATIENCE_S


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "a.duckdb")
    opened.write(lambda connection: connection.execute("CREATE TABLE notes (note VARCHAR)").fetchall())
    yield opened
    opened.close()


def notes(database: Database) -> list[str]:
    return [row["note"] for row in database.read("SELECT note FROM notes ORDER BY note")]


def add(connection: DuckDBPyConnection, note: str) -> str:
    execute(connection, "INSERT INTO notes VALUES ($note)", note=note)
    return note


def test_second_process_is_told_who_holds_the_file(label_store: LabelStore, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom al_loop.errors import StoreLockedError\n"
        "from al_loop.store import LabelStore\n"
        "try:\n    LabelStore.open(Path(sys.argv[1]))\nexcept StoreLockedError as error:\n    print(error)\n"
    )
    path = tmp_path / "store" / "al_loop.duckdb"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"the data directory {path.parent} is in use by another process (pid {os.getpid()}); stop that service, or use "
        "another directory\n"
    )


def test_locked_file_is_a_store_error() -> None:
    assert issubclass(StoreLockedError, StoreError)


def test_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.duckdb"
    path.write_text("these are my notes\n" * 1000)
    with pytest.raises(StoreError, match="cannot be opened"):
        LabelStore.open(path)
    assert path.read_text().startswith("these are my notes")


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    LabelStore.open(path).close()
    connection = duckdb.connect(str(path))
    connection.execute("INSERT INTO schema_version VALUES (99)")
    connection.close()
    with pytest.raises(StoreError, match=r"schema version 99.*upgrade al-loop"):
        LabelStore.open(path)


def test_migrations_run_once(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    for _ in range(2):
        database = Database(path)
        versions = [row["version"] for row in database.read("SELECT version FROM schema_version ORDER BY version")]
        assert versions == sorted(set(read_scripts()))
        database.close()


def test_use_after_close_raises_and_close_is_idempotent(tmp_path: Path) -> None:
    store = LabelStore.open(tmp_path / "a.duckdb")
    store.close()
    store.close()
    with pytest.raises(StoreClosedError):
        store.campaigns.list()
    with pytest.raises(StoreClosedError):
        store.rounds.create(1, reason="ops", now=datetime.now(UTC))


def test_one_failing_operation_does_not_hurt_its_neighbours(database: Database) -> None:
    begun, gate = threading.Event(), threading.Event()

    def slow(connection: DuckDBPyConnection) -> str:
        begun.set()
        gate.wait(PATIENCE_S)  # the others pile up behind it and share the next transaction
        return add(connection, "slow")

    def refuse(connection: DuckDBPyConnection) -> str:
        add(connection, "never")
        raise ConflictError("no")

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(database.write, slow)
        assert begun.wait(PATIENCE_S)
        good = [pool.submit(database.write, lambda connection, n=n: add(connection, f"good {n}")) for n in range(4)]
        bad = pool.submit(database.write, refuse)
        gate.set()
        assert [future.result() for future in good] == [f"good {n}" for n in range(4)]
        assert first.result() == "slow"
        with pytest.raises(ConflictError):
            bad.result()
    assert notes(database) == [*(f"good {n}" for n in range(4)), "slow"]


def test_waiting_items_of_one_function_are_served_in_one_call(database: Database) -> None:
    begun, gate = threading.Event(), threading.Event()
    calls: list[int] = []

    def slow(connection: DuckDBPyConnection) -> None:
        begun.set()
        gate.wait(PATIENCE_S)

    def add_all(connection: DuckDBPyConnection, items: Sequence[str]) -> list[str]:
        calls.append(len(items))
        return [add(connection, item) for item in items]

    with ThreadPoolExecutor(8) as pool:
        pool.submit(database.write, slow)
        assert begun.wait(PATIENCE_S)
        futures = [pool.submit(database.write_together, add_all, f"item {n}") for n in range(5)]
        while database._writer._queue.qsize() < 5:
            time.sleep(0.001)
        gate.set()
        assert [future.result() for future in futures] == [f"item {n}" for n in range(5)]
    assert calls == [5]
    assert len(notes(database)) == 5


def test_broken_statement_becomes_a_store_error_with_its_cause(database: Database) -> None:
    with pytest.raises(StoreError, match="no_such_table") as caught:
        database.write(lambda connection: connection.execute("INSERT INTO no_such_table VALUES (1)"))
    assert isinstance(caught.value.__cause__, duckdb.Error)
    assert database.write(lambda connection: add(connection, "still works")) == "still works"


def test_times_survive_any_zone(database: Database) -> None:
    tokyo = datetime(2026, 3, 1, 21, 0, tzinfo=timezone(timedelta(hours=9)))
    database.write(lambda connection: connection.execute("CREATE TABLE moments (moment TIMESTAMP)").fetchall())
    database.write(lambda connection: execute(connection, "INSERT INTO moments VALUES ($at)", at=tokyo).fetchall())
    (row,) = database.read("SELECT moment FROM moments WHERE moment <= $at", at=tokyo.astimezone(UTC))
    assert row["moment"] == tokyo
    assert row["moment"].utcoffset() == timedelta(0)


def test_naive_time_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        database.read("SELECT $at", at=datetime(2026, 3, 1))  # noqa: DTZ001 - what is tested


def test_readers_do_not_wait_for_the_writer(database: Database) -> None:
    begun, gate = threading.Event(), threading.Event()

    def slow(connection: DuckDBPyConnection) -> str:
        begun.set()
        assert gate.wait(PATIENCE_S)
        return add(connection, "late")

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(database.write, slow)
        assert begun.wait(PATIENCE_S)
        assert notes(database) == []
        gate.set()
        writing.result()
    assert notes(database) == ["late"]


def test_log_is_moved_into_the_file_when_it_has_grown(database: Database, tmp_path: Path) -> None:
    wal = tmp_path / "a.duckdb.wal"
    for part in range(5):
        text = os.urandom(2_000_000).hex()
        database.write(lambda connection, text=text, part=part: add(connection, f"{part}{text}"))
    database.write(lambda connection: select(connection, "SELECT 1"))  # the checkpoint comes after the answer
    assert not wal.exists() or wal.stat().st_size < 8_000_000
    assert len(notes(database)) == 5


def test_query_that_fails_is_a_store_error(database: Database) -> None:
    with pytest.raises(StoreError, match="could not read") as caught:
        database.read("SELECT 1 / 'a'")
    assert isinstance(caught.value.__cause__, duckdb.Error)
