"""Comparisons of models of one task with a joint one, every change of state stored before it is acted on."""

from datetime import datetime

from duckdb import DuckDBPyConnection

from al_loop.domain.comparisons import ComparisonRequest, ComparisonState, ModelComparison
from al_loop.store.tables.jobs import JobTable


class ComparisonTable(JobTable[ModelComparison, ComparisonState]):
    """Verbs about comparisons."""

    noun = "comparison"
    record, states = ModelComparison, ComparisonState
    documents = frozenset({"request", "result"})
    columns = frozenset({"result", "error"})

    def create(self, campaign_id: int, request: ComparisonRequest, now: datetime) -> ModelComparison:
        """Store a new comparison in state `queued`; numbers start at 1.

        Raises:
            ConflictError: Another one of the campaign is not at its end.
        """

        def operation(connection: DuckDBPyConnection) -> ModelComparison:
            self._check_none_open(connection, campaign_id)
            return self._add(connection, campaign_id, now, None, request=request)

        return self._database.write(operation, campaign_id=campaign_id)
