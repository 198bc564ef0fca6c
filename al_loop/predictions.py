"""Answers a prediction request: decode, recognise the sample, run the model, remember what was shown."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.errors import InvalidValueError, NoModelError, StoreError
from al_loop.records import Campaign
from al_loop.serving import ModelServer
from al_loop.snapshot import readiness
from al_loop.store import LabelStore
from models.batching import Batcher
from models.rasters import encode_codes, open_upload

logger = logging.getLogger(__name__)

FLUSH_S = 0.2


class ShownPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """One answer on its way into the store."""

    campaign_id: int
    pixel_hash: str
    task: str
    version: str
    answer: dict[str, Any]
    shown_at: datetime


class PredictionDesk:
    """Serves predictions by campaign name; what was shown is written in the background, many in one commit."""

    def __init__(
        self, store: LabelStore, server: ModelServer, clock: Callable[[], datetime], *, max_values: int
    ) -> None:
        self._store = store
        self._server = server
        self._clock = clock
        self._max_values = max_values
        self._shown: list[ShownPrediction] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_shown, name="predictions", daemon=True)
        self._writer.start()

    def classify(self, campaign_name: str, data: bytes) -> list[float]:
        """Calibrated class probabilities, finite, in class order; of length K."""
        campaign, batcher = self._model(campaign_name, "classification")
        upload = open_upload(data, max_values=self._max_values)
        version, outputs = batcher.predict(upload.header, upload.read)
        probabilities: list[float] = outputs["classification"].tolist()
        self._remember(campaign, upload.pixel_hash, "classification", version, {"probabilities": probabilities})
        return probabilities

    def segment(self, campaign_name: str, data: bytes) -> bytes:
        """A one-band uint8 GeoTIFF of class codes with the upload's height, width, CRS and transform."""
        campaign, batcher = self._model(campaign_name, "segmentation")
        upload = open_upload(data, max_values=self._max_values)
        version, codes = batcher.segment(upload.header, upload.read)
        self._remember(campaign, upload.pixel_hash, "segmentation", version, {"pixels": _counts(codes)})
        return encode_codes(codes, upload.header.crs, upload.header.transform)

    def close(self) -> None:
        """Write what is still waiting; the store must still be open."""
        self._closing.set()
        self._writer.join()
        self._flush()

    def _model(self, campaign_name: str, task: str) -> tuple[Campaign, Batcher]:
        """The campaign's serving model, or an error that tells an annotator what is missing."""
        campaign = self._store.campaigns.get(campaign_name)
        if campaign.task(task) is None:
            tasks = ", ".join(spec.task for spec in campaign.tasks)
            raise InvalidValueError("task", f"campaign {campaign_name!r} has no task {task!r}; it has {tasks}")
        try:
            return campaign, self._server.batcher(campaign)
        except NoModelError as error:
            problem = readiness(self._store, campaign)
            hint = "start a training round" if problem is None else f"label {problem.missing} more images"
            raise NoModelError(f"No trained model for this campaign yet: {hint}.") from error

    def _remember(self, campaign: Campaign, pixel_hash: str, task: str, version: str, answer: dict[str, Any]) -> None:
        shown = ShownPrediction(
            campaign_id=campaign.campaign_id,
            pixel_hash=pixel_hash,
            task=task,
            version=version,
            answer=answer,
            shown_at=self._clock(),
        )
        with self._lock:
            self._shown.append(shown)

    def _write_shown(self) -> None:
        while not self._closing.wait(FLUSH_S):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            shown, self._shown = self._shown, []
        if not shown:
            return
        try:
            self._store.predictions.record(shown)
        except StoreError:
            logger.exception("%d shown predictions could not be stored; trying again", len(shown))
            with self._lock:
                self._shown = shown + self._shown


def _counts(codes: NDArray[np.uint8]) -> dict[str, int]:
    values, counts = np.unique(codes, return_counts=True)
    return {str(value): int(count) for value, count in zip(values, counts, strict=True)}
