"""Reproductions: rounds trained again, every change of state stored before it is acted on."""

from datetime import datetime

from duckdb import DuckDBPyConnection

from al_loop.domain.reproductions import Reproduction, ReproductionState
from al_loop.store.tables.jobs import JobTable


class ReproductionTable(JobTable[Reproduction, ReproductionState]):
    """Verbs about reproductions."""

    noun = "reproduction"
    record, states = Reproduction, ReproductionState
    documents = frozenset({"result"})
    columns = frozenset({"result", "error"})

    def create(self, campaign_id: int, round_number: int, tolerance: float, now: datetime) -> Reproduction:
        """Store a new reproduction in state `queued`; numbers start at 1.

        Raises:
            ConflictError: Another one of the campaign is not at its end.
        """

        def operation(connection: DuckDBPyConnection) -> Reproduction:
            self._check_none_open(connection, campaign_id)
            return self._add(connection, campaign_id, now, None, round_number=round_number, tolerance=tolerance)

        return self._database.write(operation, campaign_id=campaign_id)

    def newest_of(self, campaign_id: int, round_number: int) -> Reproduction | None:
        """The newest reproduction of a round."""
        own = [entry for entry in self.list(campaign_id) if entry.round_number == round_number]
        return own[-1] if own else None
