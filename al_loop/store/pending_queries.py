"""Queries on their way into the store: answered when they are noted in a journal, which takes a tenth of a commit.

What a query may lease is settled by the book, which keeps its samples back. The store only has to be told, in the order
in which that happened; should the process end before, the next one tells it from the journal.
"""

import logging
import threading
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from al_loop.domain.queries import OpenedQuery
from al_loop.errors import StoreError
from al_loop.runtime.journal import Journal
from al_loop.store.database import Database
from al_loop.store.query_rows import grant

logger = logging.getLogger(__name__)

PAGE = 1000
"""Notes on a page of the journal, after which it is thrown away as soon as the store has all of them."""

RETRIES = 10
"""Queries that the store could not take are tried again with the next one, so many at a time."""


class PendingQueries:
    """Numbers queries and brings them into the store. Safe to share between threads."""

    def __init__(self, database: Database, directory: Path) -> None:
        """Store what an earlier process had answered and not yet stored.

        Args:
            database: Where queries and leases go.
            directory: Of the journal; made if it is missing, empty while the store is closed.
        """
        self._database = database
        self._journal = Journal(directory, OpenedQuery, forced=True)
        self._lock = threading.Lock()
        self._unstored: set[int] = set()
        """Numbers of queries that were answered, or will be when their note is written, and are not stored yet."""
        self._failed: list[OpenedQuery] = []
        """Those of them that the store could not take; tried again with the next query."""
        self._pages: list[Path] = []
        """Of the journal, older than that which is written."""
        self._take_up()
        (newest,) = database.read("SELECT coalesce(max(query_id), 0) AS query_id FROM queries")
        self._newest: int = max([newest["query_id"], *self._unstored])

    def number(self) -> int:
        """The id of the next query."""
        with self._lock:
            self._newest += 1
            return self._newest

    def send(self, opened: OpenedQuery) -> "Future[None]":
        """Put a query and its leases on their way; every read and write that begins later finds them.

        Raises:
            StoreClosedError: The store was closed.
        """
        with self._lock:
            failed, self._failed = self._failed[:RETRIES], self._failed[RETRIES:]
        for earlier in failed:
            self._database.write_later(grant, earlier).add_done_callback(partial(self._arrived, earlier))
        return self._database.write_later(grant, opened)

    def secure(self, opened: OpenedQuery, sent: "Future[None]") -> None:
        """Return once a query is sure to be on record whatever happens: now it may be answered.

        Raises:
            StoreError: It could be noted no more than stored (full disk); it was not opened.
        """
        with self._lock:
            self._unstored.add(opened.query_id)
        try:
            self._journal.note(opened)
        except OSError as error:
            logger.warning("a query could not be noted (%s); its answer waits for the store", error)
            with self._lock:
                self._unstored.discard(opened.query_id)
            sent.result()
        else:
            sent.add_done_callback(partial(self._arrived, opened))

    def close(self) -> None:
        """Throw the journal away if it is not needed; the store was closed, so that nothing is on its way."""
        with self._lock:
            self._discard()

    def _arrived(self, opened: OpenedQuery, sent: "Future[None]") -> None:
        """By the writer: a query that is noted was stored, or was not."""
        error = sent.exception()
        with self._lock:
            if error is not None:
                self._failed.append(opened)
                logger.error("query %d could not be stored; trying again with the next: %s", opened.query_id, error)
                return
            self._unstored.discard(opened.query_id)
            if self._journal.length >= PAGE:
                self._discard()

    def _discard(self) -> None:
        if not self._unstored:
            self._journal.discard([*self._pages, *self._journal.rotate()])
            self._pages = []

    def _take_up(self) -> None:
        noted, self._pages = self._journal.recover()
        known = {
            row["query_id"]
            for row in self._database.read(
                "SELECT query_id FROM queries WHERE query_id IN (SELECT unnest($query_ids::BIGINT[]))",
                query_ids=[opened.query_id for opened in noted],
            )
        }
        missing = [opened for opened in noted if opened.query_id not in known]
        self._unstored = {opened.query_id for opened in missing}
        try:
            self._database.write(lambda connection: grant(connection, missing))
        except StoreError:
            logger.exception("%d queries answered before the last stop could not be stored; tried again", len(missing))
            self._failed = missing
            return
        if missing:
            logger.warning("%d queries had been answered just before the last stop; stored now", len(missing))
        self._unstored = set()
        self._discard()
