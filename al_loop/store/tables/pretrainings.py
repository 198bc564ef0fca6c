"""Pretrainings: one encoder each, every change of state stored before it is acted on."""

from datetime import datetime

from duckdb import DuckDBPyConnection

from al_loop.domain.rounds import Pretraining, PretrainingState
from al_loop.errors import PretrainingRunningError
from al_loop.store.tables.jobs import JobTable
from models.pretrain_config import PretrainConfig


class PretrainingTable(JobTable[Pretraining, PretrainingState]):
    """Verbs about pretrainings."""

    noun = "pretraining"
    record, states = Pretraining, PretrainingState
    documents = frozenset({"config", "summary"})
    columns = frozenset({"version", "summary", "error"})

    def create(self, campaign_id: int, config: PretrainConfig, now: datetime) -> Pretraining:
        """Store a new pretraining in state `queued`; numbers start at 1.

        Raises:
            PretrainingRunningError: Another one of the campaign is not at its end.
        """

        def operation(connection: DuckDBPyConnection) -> Pretraining:
            for first in self._open(connection, campaign_id):
                raise PretrainingRunningError(first["name"], first["number"], first["state"])
            return self._add(connection, campaign_id, now, None, config=config)

        return self._database.write(operation, campaign_id=campaign_id)

    def finished(self, campaign_id: int) -> list[Pretraining]:
        """Those whose encoder can be used, newest first."""
        return [entry for entry in self.list(campaign_id)[::-1] if entry.state is PretrainingState.FINISHED]
