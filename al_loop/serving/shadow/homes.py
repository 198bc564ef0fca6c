"""Where a challenger's model comes from, and where its answers go: the store of this process, or another one's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from al_loop.domain.campaigns import Campaign
from al_loop.domain.predictions import ShadowAnswer
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore


class ShadowHome(Protocol):
    """What `ShadowModel` needs of the world. Methods raise `AlLoopError`, `find` also `ModelsError` and `OSError`."""

    def find(self, campaign: Campaign, version: str) -> Path:
        """Directory of the challenger's files."""
        ...

    def hidden(self, campaign: Campaign) -> Sequence[str]:
        """Classes that are not answered."""
        ...

    def record(self, campaign: Campaign, answers: Sequence[ShadowAnswer]) -> None:
        """Keep answers of one campaign, one at least."""
        ...


class StoreHome:
    """The store and the registry of this process."""

    def __init__(self, store: LabelStore, server: ModelServer) -> None:
        self._store, self._server = store, server

    def find(self, campaign: Campaign, version: str) -> Path:
        """In the registry."""
        return self._server.registry(campaign).path(version)

    def hidden(self, campaign: Campaign) -> Sequence[str]:
        """As SCANEO's link has it."""
        return self._store.scaneo.hidden(campaign.campaign_id)

    def record(self, campaign: Campaign, answers: Sequence[ShadowAnswer]) -> None:
        """In the store."""
        self._store.shadow_answers.record(answers)
