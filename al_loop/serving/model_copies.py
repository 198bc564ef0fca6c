"""What replicas are told, and copies of the serving versions at a place that all machines reach."""

import hashlib
from pathlib import Path

from al_loop import __version__
from al_loop.domain.campaigns import Campaign
from al_loop.runtime.cluster.artefacts import Artefacts
from al_loop.serving.model_server import ModelServer
from al_loop.serving.replica import ServedCampaign, ServedState
from al_loop.store import LabelStore
from models.registry import CARD_FILE, ONNX_FILE

FILES = (CARD_FILE, ONNX_FILE)
"""What serving needs of a version."""


class ModelCopies:
    """Tells what serves. Safe to share between threads."""

    def __init__(self, store: LabelStore, server: ModelServer, url: str | None = None) -> None:
        """Nothing is copied before `copy`.

        Args:
            store: Campaigns and classes.
            server: What serves.
            url: fsspec URL of the copies; None: replicas read the data directory.
        """
        self._store, self._server, self._url = store, server, url
        self._keys: dict[tuple[int, str], str] = {}
        self._copied: set[str] = set()

    def state(self) -> ServedState:
        """What serves now."""
        return ServedState(
            version=__version__, campaigns=[self._served(campaign) for campaign in self._store.campaigns.list()]
        )

    def copy(self) -> None:
        """Copy the versions that serve, or answer in the shadow, and are not there yet.

        Raises:
            ArtefactError: The place cannot be written.
        """
        if self._url is None:
            return
        for entry in self.state().campaigns:
            challenger = None if entry.challenger is None else entry.challenger.version
            for version, key in ((entry.version, entry.copy_key), (challenger, entry.challenger_key)):
                if version is None or key is None or key in self._copied:
                    continue
                directory = self._server.registry(entry.campaign).path(version)
                Artefacts(self._url).put(key, {name: directory / name for name in FILES})
                self._copied.add(key)

    def _served(self, campaign: Campaign) -> ServedCampaign:
        version = self._server.serving_version(campaign)
        challenger = self._store.gate.challenger(campaign.campaign_id)
        if challenger is not None and challenger.mode != "shadow":
            challenger = None
        return ServedCampaign(
            campaign=campaign, version=version, copy_key=None if version is None else self._key(campaign, version),
            hidden=self._store.scaneo.hidden(campaign.campaign_id), challenger=challenger,
            challenger_key=None if challenger is None else self._key(campaign, challenger.version),
        )  # fmt: skip

    def _key(self, campaign: Campaign, version: str) -> str:
        """Named by the card too: a campaign that was deleted and made again has another v1."""
        known = self._keys.get((campaign.campaign_id, version))
        if known is None:
            card = (self._server.registry(campaign).path(version) / CARD_FILE).read_bytes()
            known = f"serving/{campaign.folder}/{version}-{hashlib.sha256(card).hexdigest()[:16]}/{version}"
            self._keys[campaign.campaign_id, version] = known
        return known


def fetched(url: str, cache: Path, entry: ServedCampaign) -> Path:
    """Directory of a serving version, copied into a cache.

    Args:
        url: Where the copies are.
        cache: Of this replica.
        entry: The campaign; something serves it.

    Raises:
        ArtefactError: The copy is missing or damaged, or the place cannot be read.
    """
    key = str(entry.copy_key)
    Artefacts(url).get(key, cache / key)
    return cache / key
