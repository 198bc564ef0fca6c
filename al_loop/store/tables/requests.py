"""Answers of requests that clients may send again, such as labels given while a connection broke.

The answer is stored in the transaction that carries the request out: after a kill either both are on disk or neither.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.labels import RequestKey
from al_loop.errors import AlLoopError, KeyReusedError, RepeatedRequestError
from al_loop.store.database import Database
from al_loop.store.rows import execute, select

T = TypeVar("T")

KEPT = timedelta(days=7)
"""How long a repeat is recognised. Longer than anybody labels without a connection."""

PRUNED_EVERY = timedelta(days=1)

OF_KEY = """request_key = $key AND campaign_id = $campaign_id AND annotator = $annotator"""


class RequestTable:
    """Verbs about requests that may be repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pruned_at: datetime | None = None

    def once(self, request: RequestKey | None, kind: type[T], act: Callable[[], T]) -> T:
        """What `act` returns, or returned when the same request was carried out before.

        Args:
            request: Names the request; None: it is carried out each time.
            kind: Type of the answer; it is stored as JSON.
            act: Carries the request out and passes `request` to the store's verb, which calls `keep_answer`: it changes
                nothing if the request was carried out before.

        Raises:
            KeyReusedError: The key was used for another request.
        """
        if request is None:
            return act()
        if self._pruned_at is None or request.at - self._pruned_at > PRUNED_EVERY:
            self.prune(request.at)
        try:
            return act()
        except AlLoopError:  # what was done already is refused, for this reason or another: the answer is known then
            stored = self._stored(request)
            if stored is None:
                raise
            return msgspec.json.decode(stored, type=kind)

    def prune(self, now: datetime) -> None:
        """Forget answers that are older than `KEPT`; `once` does it every day."""
        self._pruned_at = now
        self._database.write(
            lambda connection: execute(
                connection, "DELETE FROM request_answers WHERE recorded_at < $oldest", oldest=now - KEPT
            ).fetchall()
        )

    def _stored(self, request: RequestKey) -> str | None:
        rows = self._database.read(
            f"SELECT digest, answer FROM request_answers WHERE {OF_KEY}",
            key=request.key,
            campaign_id=request.campaign_id,
            annotator=request.annotator,
        )
        if not rows:
            return None
        if rows[0]["digest"] != request.digest:
            raise KeyReusedError(request.key)
        answer: str = rows[0]["answer"]
        return answer


def keep_answer(connection: DuckDBPyConnection, request: RequestKey | None, answer: object) -> None:
    """Inside the writer: store what a request was answered with; nothing for a request without a key.

    Raises:
        RepeatedRequestError: The request was carried out before: this transaction must not be.
    """
    if request is None:
        return
    name: dict[str, int | str] = {
        "key": request.key,
        "campaign_id": request.campaign_id,
        "annotator": request.annotator,
    }
    if select(connection, f"SELECT 1 FROM request_answers WHERE {OF_KEY}", **name):
        raise RepeatedRequestError(request.key)
    execute(
        connection,
        "INSERT INTO request_answers VALUES ($campaign_id, $annotator, $key, $digest, $answer, $at)",
        **name,
        digest=request.digest,
        answer=msgspec.json.encode(answer).decode(),
        at=request.at,
    )
