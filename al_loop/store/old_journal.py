"""Queries that an earlier al-loop had answered and journalled, and not stored when it was killed."""

import logging
import shutil
from pathlib import Path

from al_loop.domain.queries import OpenedQuery
from al_loop.runtime.journal import Journal
from al_loop.store.database import Database
from al_loop.store.tables.queries import insert_queries

logger = logging.getLogger(__name__)


def store_journal(database: Database, directory: Path) -> None:
    """Store the queries in a journal that are not in the database, and remove it. Without a journal nothing is done.

    Args:
        database: Where queries and leases go.
        directory: Of the journal, `<name>.queries`.

    Raises:
        StoreError: They could not be stored (full disk); the journal stays.
    """
    if not directory.is_dir():
        return
    found, _ = Journal(directory, OpenedQuery).recover()
    known = {
        row["query_id"]
        for row in database.read(
            "SELECT query_id FROM queries WHERE query_id IN (SELECT unnest($query_ids::BIGINT[]))",
            query_ids=[query.query_id for query in found],
        )
    }
    missing = [query for query in found if query.query_id not in known]
    if missing:
        database.write(lambda connection: insert_queries(connection, missing))
        logger.warning("%d queries had been answered just before the last stop; stored now", len(missing))
    shutil.rmtree(directory)
