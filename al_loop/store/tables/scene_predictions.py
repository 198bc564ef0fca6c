"""Predictions of scenes, every change of state stored before it is acted on."""

from datetime import datetime

from al_loop.domain.scene_predictions import ScenePrediction, ScenePredictionRequest, ScenePredictionState
from al_loop.store.tables.jobs import JobTable


class ScenePredictionTable(JobTable[ScenePrediction, ScenePredictionState]):
    """Verbs about predictions of scenes."""

    noun = "scene prediction"
    record, states = ScenePrediction, ScenePredictionState
    documents = frozenset({"asked", "result"})
    columns = frozenset({"result", "error"})

    def create(self, campaign_id: int, asked: ScenePredictionRequest, version: str, now: datetime) -> ScenePrediction:
        """Store a new prediction in state `queued`; numbers start at 1."""
        return self._database.write(
            lambda connection: self._add(connection, campaign_id, now, None, asked=asked, version=version),
            campaign_id=campaign_id,
        )
