"""The one writer of the DuckDB file: a thread that commits many waiting operations in one transaction.

A commit costs a disk flush; sharing it multiplies the durable writes a second. Nobody is answered before the flush.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import groupby
from typing import Any, TypeVar

import duckdb
from duckdb import DuckDBPyConnection

from al_loop.errors import AlLoopError, StoreClosedError, StoreError, StoreFullError
from al_loop.runtime.disk import is_full
from al_loop.store.changes import Change, Changes

Item = TypeVar("Item")
T = TypeVar("T")
BatchOperation = Callable[[DuckDBPyConnection, Sequence[Item]], Sequence[T]]

logger = logging.getLogger(__name__)

MAX_BATCH = 256
"""Operations in one transaction at most; bounds the wait of the first."""


class _Entry:
    """One waiting operation: its function, its item, who hears of the commit first and where the result goes."""

    __slots__ = ("campaign_id", "committed", "content", "function", "future", "item", "only_appends")

    def __init__(
        self,
        function: BatchOperation[Any, Any],
        item: object,
        committed: Callable[[Any], None] | None,
        *,
        only_appends: bool,
        campaign_id: int | None,
        content: bool,
    ) -> None:
        self.function, self.item, self.committed, self.only_appends = function, item, committed, only_appends
        self.campaign_id, self.content = campaign_id, content
        self.future: Future[Any] = Future()


class Writer:
    """Runs operations one after the other, in the order in which they came, on its own connection."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        reopen: Callable[[], DuckDBPyConnection],
        needs_checkpoint: Callable[[], bool],
        noted: Changes,
    ) -> None:
        self._connection: DuckDBPyConnection | None = connection
        self._reopen, self._needs_checkpoint, self._noted = reopen, needs_checkpoint, noted
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self.changes = 0
        """Commits so far that did more than append, counted before their callers are answered."""
        self._thread = threading.Thread(target=self._run, name="label-store-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        function: BatchOperation[Item, T],
        item: Item,
        committed: Callable[[T], None] | None = None,
        *,
        only_appends: bool = False,
        campaign_id: int | None = None,
        content: bool = False,
    ) -> Future[T]:
        """Queue `function` for `item`; the future has its result, or why there is none, once that is on disk.

        Neighbours in the queue with an equal function are run in one call. The function must depend on nothing but the
        connection and the items: it is run again, alone, when a neighbour fails.

        Args:
            function: Serves the items of its neighbours and this one.
            item: What it is called with.
            committed: Called with the result once it is on disk, by the writing thread: in the order of the commits,
                and before any later operation begins. Must be quick.
            only_appends: It changes no row that anybody keeps a copy of: see `changes`.
            campaign_id: The one campaign that it concerns; None: it may concern all.
            content: See `Changes.content_version`.

        Returns:
            A future that raises StoreError if DuckDB refused the statement or the commit; nothing of this operation is
            stored then.

        Raises:
            StoreClosedError: The writer was closed.
        """
        entry = _Entry(function, item, committed, only_appends=only_appends, campaign_id=campaign_id, content=content)
        with self._gate:
            if self._closed:
                raise StoreClosedError("the label store is closed")
            self._queue.put(entry)
        return entry.future  # one queue carries results of every type

    @property
    def waiting(self) -> int:
        """Operations that wait for their turn."""
        return self._queue.qsize()

    def is_current_thread(self) -> bool:
        """Whether the caller is an operation, or hears of its commit."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Finish what is queued and stop. Safe to call twice."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch: list[_Entry] = []
            waiting = self._queue.get()
            while waiting is not None:
                batch.append(waiting)
                if self._queue.empty() or len(batch) == MAX_BATCH:
                    break
                waiting = self._queue.get()
            stopping = waiting is None
            if batch:
                self._commit(batch)
            if self._needs_checkpoint():
                self._checkpoint()
        if self._connection is not None:
            self._connection.close()

    def _ready(self) -> DuckDBPyConnection:
        if self._connection is None:
            self._connection = self._reopen()
        return self._connection

    def _commit(self, batch: list[_Entry]) -> None:
        try:
            connection = self._ready()
            connection.begin()
            results = [
                result
                for function, entries in groupby(batch, key=lambda entry: entry.function)
                for result in function(connection, [entry.item for entry in entries])
            ]
        except Exception as error:  # delivered to the caller below, as an executor does
            self._undo()
            if len(batch) > 1:
                for entry in batch:
                    self._commit([entry])
            else:
                batch[0].future.set_exception(_translated(error))
            return
        changes = {Change(entry.campaign_id, entry.content) for entry in batch}
        self._noted.begin(changes)
        try:
            connection.commit()
        except duckdb.Error as error:
            self._noted.note([])
            self._undo()
            for entry in batch:
                entry.future.set_exception(_translated(error))
            return
        finally:
            self.changes += not all(entry.only_appends for entry in batch)
        for entry, result in zip(batch, results, strict=True):
            if entry.committed is not None:
                try:
                    entry.committed(result)
                except Exception as error:  # delivered to the caller, as above; the writer goes on
                    entry.future.set_exception(error)
        self._noted.note(changes)
        for entry, result in zip(batch, results, strict=True):
            if not entry.future.done():
                entry.future.set_result(result)

    def _undo(self) -> None:
        """Roll back; after a fatal error, which leaves DuckDB refusing all work, the next operation opens it again."""
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except duckdb.TransactionException:
            return  # a failed commit has rolled back already
        except duckdb.Error:
            self._drop()

    def _checkpoint(self) -> None:
        """Move the write-ahead log into the file. It stays whole when that fails (full disk): tried again later."""
        try:
            self._ready().execute("CHECKPOINT")
        except duckdb.TransactionException:
            return  # readers are at work
        except (duckdb.Error, StoreError):
            logger.exception("the label store could not move its write-ahead log into the file; it goes on without")
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _translated(error: Exception) -> Exception:
    if isinstance(error, duckdb.Error):
        translated: AlLoopError = StoreError(f"the label store could not write: {error}")
        if is_full(error):
            translated = StoreFullError(f"the label store could not write: {error}")
        translated.__cause__ = error
        return translated
    return error
