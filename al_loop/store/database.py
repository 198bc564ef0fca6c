"""The DuckDB file: one process owns it, readers run in parallel, one thread writes. Knows no table."""

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from al_loop.errors import StoreClosedError, StoreError, StoreFullError, StoreLockedError
from al_loop.runtime.disk import is_full
from al_loop.store.changes import Changes
from al_loop.store.migrations import migrate
from al_loop.store.rows import Parameter, Row, bind, select
from al_loop.store.writer import Writer
from models.tracing import span

T = TypeVar("T")
Item = TypeVar("Item")

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "2GB",
    "threads": 2,
    "autoinstall_known_extensions": False,  # json, icu and parquet are inside the wheel: no network at run time
    "autoload_known_extensions": False,
    "checkpoint_threshold": "1TB",  # see CHECKPOINT_BYTES
}
CHECKPOINT_BYTES = 16 * 2**20
"""Size of the write-ahead log at which the writer moves it into the file, after its callers were answered.

DuckDB's own automatic checkpoint runs inside COMMIT and invalidates the open database when the disk is full, although
the commit is durable.
"""


class Database:
    """An open DuckDB file with the newest schema."""

    def __init__(self, path: Path) -> None:
        """Open or create the file and migrate it.

        Raises:
            StoreLockedError: Another process has it open.
            StoreError: Not a DuckDB file, not writable, or written by a newer al-loop.
        """
        self._path = path
        self._wal = path.with_name(path.name + ".wal")
        self._checkpoint_at = CHECKPOINT_BYTES
        self._connection: DuckDBPyConnection | None = self._open()
        try:
            self.schema_version = migrate(self._connection)
            """Of the file, which is the newest that this al-loop knows."""
        except BaseException:
            self._connection.close()
            raise
        self.campaign_changes = Changes()
        """Notified of every commit before its caller gets an answer."""
        self._writer = Writer(self._connection.cursor(), self._reopen, self._needs_checkpoint, self.campaign_changes)
        self._ordering = threading.Lock()
        self._later: Future[Any] | None = None
        """The last write that nobody waited for; those before it are done when it is."""

    @property
    def changes(self) -> int:
        """Grows with every commit of `write`, before its caller is answered.

        Campaigns, links and other things that are changed now and then are up to date if they were read at an equal
        number. Labels, queries and leases are not: `write_together` and `write_later` do not count.
        """
        return self._writer.changes

    @property
    def waiting_writes(self) -> int:
        """Writes that wait for the writer."""
        return self._writer.waiting

    def file_bytes(self) -> dict[str, int]:
        """Size of the `database` and of its write-ahead `log`."""
        files = {"database": self._path, "log": self._wal}
        return {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}

    def read(self, sql: str, **parameters: Parameter) -> list[Row]:
        """Rows of one query on a snapshot of its own; `$name` parameters are keywords.

        Raises:
            StoreClosedError: The store was closed.
            StoreError: DuckDB could not run it (out of memory).
        """
        with self._cursor() as cursor:
            return select(cursor, sql, **parameters)

    def holds(self, table: str, campaign_id: int, condition: str = "true") -> bool:
        """Whether a table has a row of a campaign; a fraction of what a query over views takes, and most have none.

        `table` and `condition` are SQL of ours, never of a request.
        """
        sql = f"SELECT 1 AS found FROM {table} WHERE campaign_id = $campaign_id AND {condition} LIMIT 1"
        return bool(self.read(sql, campaign_id=campaign_id))

    def read_table(self, sql: str, **parameters: Parameter) -> pa.Table:
        """Rows of one query as an Arrow table, for many rows. Times stay naive UTC.

        Raises:
            StoreClosedError: The store was closed.
            StoreError: DuckDB could not run it (out of memory).
        """
        bound = {name: bind(value) for name, value in parameters.items()}
        with self._cursor() as cursor:
            return cursor.sql(sql, params=bound).to_arrow_table()

    def write(
        self,
        operation: Callable[[DuckDBPyConnection], T],
        committed: Callable[[T], None] | None = None,
        *,
        campaign_id: int | None = None,
        content: bool = False,
    ) -> T:
        """Run `operation` in a transaction that may be shared with others; return once it is on disk.

        Args:
            operation: Depends on nothing but the connection: it may be run a second time after a neighbour failed.
            committed: See `Writer.submit`.
            campaign_id: The one campaign that it concerns; None: it may concern all.
            content: It changes what scores and reports are made of; see `Changes.content_version`.

        Raises:
            StoreClosedError: The store was closed.
            StoreError: Nothing was stored (full disk, broken constraint).
        """
        with span("al_loop.store.write"):
            return self._writer.submit(
                lambda connection, _: [operation(connection)], None, committed, campaign_id=campaign_id, content=content
            ).result()

    def write_together(
        self,
        function: Callable[[DuckDBPyConnection, Sequence[Item]], Sequence[T]],
        item: Item,
        committed: Callable[[T], None] | None = None,
        *,
        campaign_id: int | None = None,
        content: bool = False,
    ) -> T:
        """Like `write` for a `function` that serves the items of many waiting callers in one call, and only appends.

        Neighbours are recognised by an equal `function`. When it raises, each item is tried again alone.

        Raises:
            StoreClosedError: The store was closed.
            StoreError: Nothing was stored.
        """
        with span("al_loop.store.write"):
            return self._writer.submit(
                function, item, committed, only_appends=True, campaign_id=campaign_id, content=content
            ).result()

    def write_later(
        self,
        function: Callable[[DuckDBPyConnection, Sequence[Item]], Sequence[T]],
        item: Item,
        *,
        campaign_id: int | None = None,
    ) -> Future[T]:
        """Like `write_together` without waiting: every read and every write that begins after it finds it done.

        Raises:
            StoreClosedError: The store was closed.
        """
        with self._ordering:
            self._later = future = self._writer.submit(function, item, only_appends=True, campaign_id=campaign_id)
        return future

    def copy_files(self, into: Path, beside: Callable[[], None]) -> None:
        """Copy the file and its write-ahead log as they are at one moment, between two transactions.

        Writes wait for as long as this takes; reads do not. A program of its own copies: closing the file in this
        process would give up DuckDB's lock on it.

        Args:
            into: Directory for the copies; what is in it is removed first.
            beside: Called at that same moment; it may read the store and must not write to it.

        Raises:
            StoreClosedError: The store was closed.
            StoreError: It could not be copied.
        """

        def copy(_: DuckDBPyConnection, items: Sequence[None]) -> list[None]:
            shutil.rmtree(into, ignore_errors=True)
            into.mkdir(parents=True)
            beside()
            files = [str(path) for path in (self._path, self._wal) if path.exists()]
            done = subprocess.run(
                ["cp", "--reflink=auto", "--", *files, str(into)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                kind = StoreFullError if is_full(RuntimeError(done.stderr)) else StoreError
                raise kind(f"the label store could not be copied: {done.stderr.strip()}")
            return [None] * len(items)

        self.write_together(copy, None)

    def close(self) -> None:
        """Finish queued writes and give the file back. Safe to call twice."""
        self._writer.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _settle(self) -> None:
        """Let writes that nobody waited for come first."""
        later = self._later
        if later is not None and not later.done() and not self._writer.is_current_thread():
            wait([later])

    @contextmanager
    def _cursor(self) -> Iterator[DuckDBPyConnection]:
        self._settle()
        connection = self._connection
        if connection is None:
            raise StoreClosedError("the label store is closed")
        try:
            with connection.cursor() as cursor:
                yield cursor
        except duckdb.Error as error:
            if self._connection is None:
                raise StoreClosedError("the label store was closed during the query") from error
            raise StoreError(f"the label store could not read: {error}") from error

    def _open(self) -> DuckDBPyConnection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return duckdb.connect(str(self._path), config=CONFIG)
        except duckdb.IOException as error:
            if "lock" in str(error):
                raise StoreLockedError(self._path.parent, holder(error)) from error
            raise StoreError(f"{self._path} cannot be opened: {error}") from error
        except (duckdb.Error, OSError) as error:
            raise StoreError(f"{self._path} cannot be opened: {error}") from error

    def _reopen(self) -> DuckDBPyConnection:
        """A fresh cursor on a fresh instance, after DuckDB invalidated the old one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._open()
        return self._connection.cursor()

    def _needs_checkpoint(self) -> bool:
        try:
            size = self._wal.stat().st_size
        except FileNotFoundError:
            size = 0
        if size < CHECKPOINT_BYTES:
            self._checkpoint_at = CHECKPOINT_BYTES
        if size < self._checkpoint_at:
            return False
        self._checkpoint_at = size + CHECKPOINT_BYTES  # should it fail, not again before the log has grown as much
        return True


def holder(error: duckdb.IOException) -> int | None:
    """Id of the process that holds the lock, which DuckDB finds out where the operating system tells."""
    found = re.search(r"PID (\d+)", str(error))
    return None if found is None else int(found[1])
