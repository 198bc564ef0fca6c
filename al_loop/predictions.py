"""Answers a prediction request: decode, recognise the sample, run the model, remember what was shown."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from al_loop.errors import NoModelError, NotFoundError, StoreError
from al_loop.readiness import readiness
from al_loop.records import Campaign, ShownPrediction
from al_loop.serving import ModelServer
from al_loop.store import LabelStore
from models.card import TaskName
from models.image_model import ImageModel, select_bands
from models.rasters import Upload, encode_codes, open_upload

logger = logging.getLogger(__name__)

FLUSH_S = 0.2


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
        """Calibrated class probabilities of an encoded image: finite, in class order, of length K.

        Raises:
            NotFoundError: No such campaign, or it has no such task.
            NoModelError: Nothing is promoted yet; the message says what is missing.
            RasterError: Not a raster that we take.
            UnusableRasterError: The model cannot use it: number of bands, no valid pixel.
            OverloadedError: Too many images are waiting.
        """
        campaign, model = self._model(campaign_name, "classification")
        upload = open_upload(data, max_values=self._max_values)
        probabilities: list[float] = model.classify(upload.read(_bands(upload, model))).tolist()
        self._remember(campaign, upload, "classification", model, {"probabilities": probabilities})
        return probabilities

    def segment(self, campaign_name: str, data: bytes) -> bytes:
        """A one-band uint8 GeoTIFF of class codes with the image's height, width, CRS and transform.

        Raises:
            As `classify`.
        """
        campaign, model = self._model(campaign_name, "segmentation")
        upload = open_upload(data, max_values=self._max_values)
        codes = model.segment(upload.read(_bands(upload, model)))
        self._remember(campaign, upload, "segmentation", model, {"pixels": _counts(codes)})
        return encode_codes(codes, upload.header.crs, upload.header.transform)

    def close(self) -> None:
        """Write what is still waiting; the store must still be open."""
        self._closing.set()
        self._writer.join()
        self._flush()

    def _model(self, campaign_name: str, task: TaskName) -> tuple[Campaign, ImageModel]:
        """The campaign's serving model, or an error that tells an annotator what is missing."""
        campaign = self._store.campaigns.get(campaign_name)
        if campaign.task(task) is None:
            tasks = ", ".join(spec.task for spec in campaign.tasks)
            raise NotFoundError("task", task, f"campaign {campaign_name!r} has {tasks}")
        try:
            return campaign, self._server.batcher(campaign).pin()
        except NoModelError as error:
            problem = readiness(self._store, campaign, self._clock())
            hint = "start a training round" if problem is None else f"label {problem.missing} more images"
            raise NoModelError(f"No trained model for this campaign yet: {hint}.") from error

    def _remember(
        self, campaign: Campaign, upload: Upload, task: TaskName, model: ImageModel, answer: dict[str, Any]
    ) -> None:
        shown = ShownPrediction(
            campaign_id=campaign.campaign_id,
            pixel_hash=upload.pixel_hash,
            task=task,
            version=model.card.version,
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


def _bands(upload: Upload, model: ImageModel) -> Sequence[int]:
    return select_bands(upload.header.band_count, model.card)


def _counts(codes: NDArray[np.uint8]) -> dict[str, int]:
    values, counts = np.unique(codes, return_counts=True)
    return {str(value): int(count) for value, count in zip(values, counts, strict=True)}
