"""Answers a prediction request: decode, recognise the sample, run the model, remember what was shown."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.notices import counted
from al_loop.campaigns.readiness import TOO_FEW_IMAGES, has_too_few_images, readiness
from al_loop.domain.campaigns import Campaign
from al_loop.domain.predictions import RememberedPrediction, ShownPrediction
from al_loop.errors import ConflictError, NoModelError, NotFoundError, WithheldError
from al_loop.runtime.tick_errors import TickErrors
from al_loop.serving.model_server import ModelServer
from al_loop.serving.prediction_log import PredictionLog, packed
from al_loop.serving.sample_files import file_of, named_if_gone
from al_loop.serving.shadow.answering import ShadowModel
from al_loop.serving.withheld import UnaidedSamples
from al_loop.store import LabelStore
from models.card import TaskName
from models.inference.image_model import ImageModel, select_bands
from models.rasters.bands import invalid_pixels
from models.rasters.reading import Upload, open_upload, read_file
from models.tasks import Task, task_of, tasks_of


class PredictionService:
    """Serves predictions by campaign name; what was shown is noted first, and stored in the background."""

    def __init__(
        self, store: LabelStore, server: ModelServer, clock: Callable[[], datetime], *, journal: Path, max_bytes: int,
        errors: TickErrors | None = None, shadow: ShadowModel | None = None,
    ) -> None:  # fmt: skip
        """Answer with what `server` serves.

        Args:
            store: Campaigns, samples and what was shown.
            server: The models.
            clock: Gives aware UTC times.
            journal: Directory of notes of what was shown and is not stored yet.
            max_bytes: Most bytes that the pixels of an image take, as float32 at least.
            errors: Where writing down what was shown is reported if it fails; None: it is only logged.
            shadow: Is offered what was answered; None: nothing answers in the shadow.
        """
        self._store = store
        self._server = server
        self._clock = clock
        self._max_bytes = max_bytes
        self._shadow = shadow
        self._log = PredictionLog(store, journal, errors)
        self.unaided = UnaidedSamples(store, clock)
        """Samples that get no suggestion."""

    def predict(
        self,
        campaign_name: str,
        task: TaskName,
        data: bytes,
        *,
        most_values: int | None = None,
        note_version: Callable[[str], object] = lambda version: None,
    ) -> Any:  # noqa: ANN401  # each task's own
        """The answer to one task for an encoded image, in the form of `Task.response`.

        Classification: calibrated class probabilities, finite, in the order of the campaign's classes. Segmentation: a
        one-band uint8 GeoTIFF of class codes in that order, without specks, with the image's height, width, CRS and
        transform.

        Args:
            campaign_name: Whose model answers.
            task: Which of its tasks.
            data: The image as a file.
            most_values: Refuse an image of more width x height x bands, before a pixel is read; None: as the service.
            note_version: Gets the version that answers.

        Raises:
            NotFoundError: No such campaign, or it has no such task.
            NoModelError: Nothing is promoted yet, or it was not trained for this task; the message says what to do.
            WithheldError: The image is that of a sample that gets no suggestion.
            RasterError: Not a raster that we take.
            UnusableRasterError: The model cannot use it: number of bands, no valid pixel.
            OverloadedError: Too many images are waiting.
        """
        campaign, asked, model = self._model(campaign_name, task)
        upload = open_upload(
            data,
            max_bytes=self._max_bytes,
            max_values=most_values,
            policy=campaign.reading(model.card),
            check=lambda header, shown: select_bands(header.band_count, model.card, shown=shown),
        )
        blind = self.unaided.has_image(campaign, upload.pixel_hash)
        shown, answer, codes = self._answer(campaign, model, asked, upload, blind=blind)
        self._log.add(shown, codes)
        if shown.blind:
            raise WithheldError
        note_version(shown.version)
        return asked.response(answer, upload.header.crs, upload.header.transform)

    def suggest(
        self, campaign: Campaign, sample_id: int, *, most_values: int | None = None
    ) -> list[RememberedPrediction]:
        """Run the model on a sample's own file and remember what it says as shown, one prediction a task.

        `most_values` is as in `predict`.

        Raises:
            NotFoundError: No such sample.
            As `predict`.
        """
        sample, path, _ = file_of(self._store, campaign, sample_id)
        model = self._serving(campaign)
        tasks = {name: task for name, task in tasks_of(campaign.tasks).items() if name in model.tasks}
        if not tasks:
            raise untrained(model, campaign.tasks[0].task)
        policy = campaign.reading(model.card)
        with named_if_gone(sample, path):
            upload = read_file(path, sample.path, max_bytes=self._max_bytes, max_values=most_values, policy=policy)
        blind = bool(self.unaided.among(campaign, [sample_id]))
        answers = [self._answer(campaign, model, task, upload, blind=blind) for task in tasks.values()]
        shown = [packed(entry, codes) for entry, _, codes in answers]
        self._store.samples.set_pixel_hashes(
            campaign.campaign_id, [(sample_id, upload.pixel_hash, upload.header.modified_ns)]
        )
        self._store.predictions.record(shown)
        if blind:
            raise WithheldError
        newest = (self._store.predictions.newest(campaign.campaign_id, sample_id, task) for task in tasks)
        return [entry for entry in newest if entry is not None]

    def note(self, campaign: Campaign, shown: ShownPrediction) -> bool:
        """Remember what a replica is about to answer; returns whether the answer has to be withheld.

        Raises:
            ConflictError: It answers for another campaign, which had this name before.
        """
        if shown.campaign_id != campaign.campaign_id:
            raise ConflictError(f"campaign {campaign.name!r} is another one now; ask again")
        blind = self.unaided.has_image(campaign, shown.pixel_hash)
        self._log.add(msgspec.structs.replace(shown, shown_at=self._clock(), blind=blind))
        return blind

    def flush(self) -> None:
        """Let everything that was shown so far be in the store when this returns."""
        self._log.flush()

    def close(self) -> None:
        """Write what is still waiting; the store must still be open."""
        self._log.close()

    def _model(self, campaign_name: str, task: TaskName) -> tuple[Campaign, Task, ImageModel]:
        """The campaign, what it asks and a serving model of it, or an error that tells an annotator what is missing."""
        campaign = self._store.campaigns.get(campaign_name)
        spec = campaign.task(task)
        if spec is None:
            tasks = ", ".join(spec.task for spec in campaign.tasks)
            raise NotFoundError("task", task, f"campaign {campaign_name!r} has {tasks}")
        model = self._serving(campaign)
        if task not in model.tasks:
            raise untrained(model, task)
        return campaign, task_of(spec), model

    def _serving(self, campaign: Campaign) -> ImageModel:
        try:
            return self._server.batcher(campaign).pin()
        except NoModelError as error:
            now = self._clock()
            problem = readiness(self._store, campaign, now)
            if problem is None:
                hint = "start a training round"
            elif has_too_few_images(campaign, self._store.campaigns.counts(campaign.campaign_id, now)):
                hint = TOO_FEW_IMAGES
            else:
                hint = f"label {counted(problem.missing, 'more image')}"
            raise NoModelError(f"No trained model for this campaign yet: {hint}.") from error

    def _answer(
        self, campaign: Campaign, model: ImageModel, task: Task, upload: Upload, *, blind: bool
    ) -> tuple[ShownPrediction, NDArray[Any], NDArray[np.uint8] | None]:
        """Run the model; nothing is remembered or shown yet. What to remember, the answer, and its map of codes."""
        image = read_for(model, upload)
        hidden = () if task.per_pixel else self._store.scaneo.hidden(campaign.campaign_id)
        shown, answer = answer_image(
            campaign, model, task, image, hidden, pixel_hash=upload.pixel_hash, shown_at=self._clock(), blind=blind
        )
        codes = answer if task.per_pixel else None
        if self._shadow is not None:
            self._shadow.offer(campaign, task, shown, codes, image, model.card.bands)
        return shown, answer, codes


def read_for(model: ImageModel, upload: Upload) -> NDArray[np.float32]:
    """An image (C, H, W) with the bands that a model takes.

    Raises:
        UnusableRasterError: The model cannot use it.
    """
    return upload.read(select_bands(upload.header.band_count, model.card, shown=upload.shown_bands))


def answer_image(
    campaign: Campaign, model: ImageModel, task: Task, image: NDArray[np.float32], hidden: Sequence[str], *,
    pixel_hash: str, shown_at: datetime, blind: bool = False,
) -> tuple[ShownPrediction, NDArray[Any]]:  # fmt: skip
    """Run a model on an image.

    Args:
        campaign: Whose settings apply.
        model: One of its versions, trained for `task`.
        task: What is asked.
        image: As of `read_for`.
        hidden: Classes that are not to be answered.
        pixel_hash: What the image is recognised by.
        shown_at: When the answer is shown.
        blind: Whether it is computed and not shown.

    Returns:
        What to remember, without its mask; and the answer, for a task by pixels a map of codes (H, W).

    Raises:
        OverloadedError: Too many images are waiting.
    """
    valid = _valid(image) if task.per_pixel else None
    answer = task.presentable(
        model.answer(task.name, image),
        model.tasks[task.name],
        hidden=hidden,
        valid=valid,
        min_area_px=campaign.settings.assist.min_area_px,
    )
    record = task.record(answer) | ({} if valid is None else {"valid_px": int(np.count_nonzero(valid))})
    shown = ShownPrediction(
        campaign_id=campaign.campaign_id,
        pixel_hash=pixel_hash,
        task=task.name,
        version=model.card.version,
        answer=record,
        shown_at=shown_at,
        blind=blind,
    )
    return shown, answer


def untrained(model: ImageModel, task: TaskName) -> NoModelError:
    """The error for a task that a version was not trained for."""
    return NoModelError(
        f"Model {model.card.version} was not trained for {task}: label images for it and start a training round."
    )


def _valid(image: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Pixels (H, W) with data in (C, H, W); None: all of them."""
    if not np.isnan(image.min()):  # one pass for the common image: a NaN makes the minimum NaN
        return None
    return ~invalid_pixels(image)
