"""Trainings of super-resolution, every change of state stored before it is acted on."""

from datetime import datetime

from al_loop.domain.super_resolutions import (
    SuperResolutionRequest,
    SuperResolutionState,
    SuperResolutionTraining,
)
from al_loop.store.tables.jobs import JobTable


class SuperResolutionTable(JobTable[SuperResolutionTraining, SuperResolutionState]):
    """Verbs about trainings of super-resolution."""

    noun = "super-resolution"
    record, states = SuperResolutionTraining, SuperResolutionState
    documents = frozenset({"request", "result"})
    columns = frozenset({"result", "error"})

    def create(self, campaign_id: int, request: SuperResolutionRequest, now: datetime) -> SuperResolutionTraining:
        """Store a new training in state `queued`; numbers start at 1."""
        return self._database.write(
            lambda connection: self._add(connection, campaign_id, now, None, request=request), campaign_id=campaign_id
        )
