"""Answers a prediction request: decode, recognise the sample, run the model, remember what was shown."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign
from al_loop.domain.predictions import RememberedPrediction, ShownPrediction
from al_loop.errors import NoModelError, NotFoundError, WithheldError
from al_loop.runtime.tick_errors import TickErrors
from al_loop.serving.model_server import ModelServer
from al_loop.serving.prediction_log import PredictionLog, packed
from al_loop.serving.suggestions import is_withheld
from al_loop.store import LabelStore
from models.card import TaskName
from models.inference.class_order import codes_in_campaign_order, in_campaign_order
from models.inference.image_model import ImageModel, select_bands
from models.rasters.reading import Upload, encode_codes, open_upload, read_file, resolve_inside
from models.rasters.specks import remove_specks


class PredictionService:
    """Serves predictions by campaign name; what was shown is noted first, and stored in the background."""

    def __init__(
        self, store: LabelStore, server: ModelServer, clock: Callable[[], datetime], *, journal: Path, max_values: int,
        errors: TickErrors | None = None,
    ) -> None:  # fmt: skip
        """Answer with what `server` serves.

        Args:
            store: Campaigns, samples and what was shown.
            server: The models.
            clock: Gives aware UTC times.
            journal: Directory of notes of what was shown and is not stored yet.
            max_values: Largest width x height x bands of an image.
            errors: Where writing down what was shown is reported if it fails; None: it is only logged.
        """
        self._store = store
        self._server = server
        self._clock = clock
        self._max_values = max_values
        self._log = PredictionLog(store, journal, errors)

    def classify(self, campaign_name: str, data: bytes) -> list[float]:
        """Calibrated class probabilities of an encoded image: finite, in the order of the campaign's classes.

        Raises:
            NotFoundError: No such campaign, or it has no such task.
            NoModelError: Nothing is promoted yet, or it was not trained for this task; the message says what to do.
            WithheldError: The image is one of those that get no suggestion.
            RasterError: Not a raster that we take.
            UnusableRasterError: The model cannot use it: number of bands, no valid pixel.
            OverloadedError: Too many images are waiting.
        """
        campaign, model = self._model(campaign_name, "classification")
        shown, probabilities = self._classify(campaign, model, open_upload(data, max_values=self._max_values))
        self._show(shown)
        return probabilities

    def segment(self, campaign_name: str, data: bytes) -> bytes:
        """A one-band uint8 GeoTIFF of class codes with the image's height, width, CRS and transform.

        Codes follow the order of the campaign's classes; specks are removed.

        Raises:
            As `classify`.
        """
        campaign, model = self._model(campaign_name, "segmentation")
        upload = open_upload(data, max_values=self._max_values)
        shown, codes = self._segment(campaign, model, upload)
        self._show(shown, codes)
        return encode_codes(codes, upload.header.crs, upload.header.transform)

    def suggest(self, campaign: Campaign, sample_id: int) -> list[RememberedPrediction]:
        """Run the model on a sample's own file and remember what it says as shown, one prediction a task.

        Raises:
            NotFoundError: No such sample.
            As `classify`.
        """
        sample = self._store.samples.get(campaign.campaign_id, sample_id)
        model = self._serving(campaign)
        tasks = [spec.task for spec in campaign.tasks if _classes(model, spec.task) is not None]
        if not tasks:
            raise _untrained(model, campaign.tasks[0].task)
        upload = read_file(resolve_inside(Path(campaign.root), sample.path), sample.path, max_values=self._max_values)
        shown = [
            self._classify(campaign, model, upload)[0]
            if task == "classification"
            else packed(*self._segment(campaign, model, upload))
            for task in tasks
        ]
        self._store.samples.set_pixel_hashes(
            campaign.campaign_id, [(sample_id, upload.pixel_hash, upload.header.modified_ns)]
        )
        self._store.predictions.record(shown)
        if any(entry.blind for entry in shown):
            raise WithheldError
        newest = (self._store.predictions.newest(campaign.campaign_id, sample_id, task) for task in tasks)
        return [entry for entry in newest if entry is not None]

    def flush(self) -> None:
        """Let everything that was shown so far be in the store when this returns."""
        self._log.flush()

    def close(self) -> None:
        """Write what is still waiting; the store must still be open."""
        self._log.close()

    def _model(self, campaign_name: str, task: TaskName) -> tuple[Campaign, ImageModel]:
        """The campaign and a serving model of the task, or an error that tells an annotator what is missing."""
        campaign = self._store.campaigns.get(campaign_name)
        if campaign.task(task) is None:
            tasks = ", ".join(spec.task for spec in campaign.tasks)
            raise NotFoundError("task", task, f"campaign {campaign_name!r} has {tasks}")
        model = self._serving(campaign)
        if _classes(model, task) is None:
            raise _untrained(model, task)
        return campaign, model

    def _serving(self, campaign: Campaign) -> ImageModel:
        try:
            return self._server.batcher(campaign).pin()
        except NoModelError as error:
            problem = readiness(self._store, campaign, self._clock())
            hint = "start a training round" if problem is None else f"label {problem.missing} more images"
            raise NoModelError(f"No trained model for this campaign yet: {hint}.") from error

    def _classify(self, campaign: Campaign, model: ImageModel, upload: Upload) -> tuple[ShownPrediction, list[float]]:
        """Run the model; nothing is remembered or shown yet."""
        known, wanted = _classes(model, "classification") or [], _wanted(campaign, "classification")
        probabilities = in_campaign_order(model.classify(_read(upload, model)), known, wanted)
        hidden = self._store.scaneo.hidden(campaign.campaign_id)
        if hidden:
            probabilities = [
                0.0 if name in hidden else value for name, value in zip(wanted, probabilities, strict=True)
            ]
        return self._prediction(campaign, "classification", model, upload, {"probabilities": probabilities}), (
            probabilities
        )

    def _segment(
        self, campaign: Campaign, model: ImageModel, upload: Upload
    ) -> tuple[ShownPrediction, NDArray[np.uint8]]:
        """Run the model and clean its mask; nothing is remembered or shown yet."""
        known, wanted = _classes(model, "segmentation") or [], _wanted(campaign, "segmentation")
        image = _read(upload, model)
        codes = codes_in_campaign_order(model.segment(image), known, wanted)
        codes = remove_specks(codes, _valid(image), campaign.settings.assist.min_area_px)
        return self._prediction(campaign, "segmentation", model, upload, {}), codes

    def _prediction(
        self, campaign: Campaign, task: TaskName, model: ImageModel, upload: Upload, answer: dict[str, Any]
    ) -> ShownPrediction:
        return ShownPrediction(
            campaign_id=campaign.campaign_id,
            pixel_hash=upload.pixel_hash,
            task=task,
            version=model.card.version,
            answer=answer,
            shown_at=self._clock(),
            blind=is_withheld(campaign.name, upload.pixel_hash, campaign.settings.assist.blind_share),
        )

    def _show(self, shown: ShownPrediction, codes: NDArray[np.uint8] | None = None) -> None:
        """Remember an answer.

        Raises:
            WithheldError: It must not be shown.
        """
        self._log.add(shown, codes)
        if shown.blind:
            raise WithheldError


def _read(upload: Upload, model: ImageModel) -> NDArray[np.float32]:
    """The model's bands, (C, H, W)."""
    return upload.read(select_bands(upload.header.band_count, model.card))


def _wanted(campaign: Campaign, task: TaskName) -> list[str]:
    """Classes of the campaign's task; none if it has no such task."""
    spec = campaign.task(task)
    return [] if spec is None else spec.classes


def _classes(model: ImageModel, task: TaskName) -> list[str] | None:
    """Classes of the model's head for a task; None if it has no such head."""
    return next((spec.classes for spec in model.card.tasks if spec.task == task), None)


def _untrained(model: ImageModel, task: TaskName) -> NoModelError:
    return NoModelError(
        f"Model {model.card.version} was not trained for {task}: label images for it and start a training round."
    )


def _valid(image: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Pixels (H, W) with a value in every band of (C, H, W); None: all of them."""
    if not np.isnan(image.min()):  # one pass for the common image: a NaN makes the minimum NaN
        return None
    valid: NDArray[np.bool_] = np.logical_not(np.isnan(image).any(axis=0))
    return valid
