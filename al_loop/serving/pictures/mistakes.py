"""Pictures of what a version got wrong: the sample, and for tasks of areas or objects what is true and what it said."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from al_loop.domain.box_outcomes import NamedBox, drawn_boxes, proposed_boxes
from al_loop.domain.campaigns import Campaign
from al_loop.domain.class_colours import class_colours, rgb
from al_loop.domain.labels import Label, counting
from al_loop.domain.painting import painted
from al_loop.domain.samples import Sample
from al_loop.errors import AlLoopError
from al_loop.serving.model_server import ModelServer
from al_loop.serving.pictures.drawing import Picture, enlarged, with_boxes, with_codes
from al_loop.serving.pictures.service import PictureService
from al_loop.serving.sample_files import file_of
from al_loop.store import LabelStore
from models.card import BACKGROUND, TaskName
from models.errors import ModelsError
from models.inference.predictor import Predictor
from models.pictures.colours import encode_png
from models.rasters.reading import read_raster
from models.tasks import kind_of, task_of
from models.tasks.class_order import codes_in_campaign_order

MASK_PX = 512
"""The version sees images with a longer side than this reduced to it: a report is looked at, not measured by."""
MOST_MASKS = 4
"""Samples of a report that the version is run on: seconds each, on a busy machine."""


class CaptionedPicture(NamedTuple):
    """A picture, or why there is none."""

    caption: str
    png: bytes | None


class MistakePictures:
    """Draws samples for the report of one version, masks of the first few; it is loaded when one is asked for."""

    def __init__(
        self, store: LabelStore, server: ModelServer, pictures: PictureService, campaign: Campaign, version: str
    ) -> None:
        self._store, self._server, self._pictures = store, server, pictures
        self._campaign, self._version = campaign, version
        self._model: Predictor | None = None
        self._runs = 0

    def of(self, task: TaskName, sample_id: int, size_px: int) -> list[CaptionedPicture]:
        """A sample, and where the task answers pixels its label and the version's answer outlined on it.

        Trouble with a file is told in the caption: a report does not fail for one picture.
        """
        try:
            plain = self._pictures.thumbnail(self._campaign, sample_id, size_px).body()
        except (AlLoopError, ModelsError, OSError) as error:
            return [CaptionedPicture(f"no picture: {error}", None)]
        found = [CaptionedPicture("image", plain)]
        kind = kind_of(task)
        if not (kind.per_pixel or kind.finds_objects) or self._runs == MOST_MASKS:
            return found
        self._runs += 1
        picture = enlarged(np.asarray(Image.open(BytesIO(plain)).convert("RGBA")), size_px)
        draw: dict[str, Callable[[], Picture]] = {
            "label": lambda: self._with_codes(picture, task, self._label(task, sample_id)),
            "answer": lambda: self._with_codes(picture, task, self._answer(task, sample_id)),
        }
        if kind.finds_objects:
            draw = {
                "label": lambda: self._with_boxes(picture, sample_id, self._label_boxes(task, sample_id)),
                "answer": lambda: self._with_boxes(picture, sample_id, self._answer_boxes(task, sample_id)),
            }
        for caption, drawn in draw.items():
            try:
                found.append(CaptionedPicture(caption, encode_png(drawn())))
            except (AlLoopError, ModelsError, OSError) as error:
                found.append(CaptionedPicture(f"no {caption}: {error}", None))
        return found

    def _with_codes(self, picture: Picture, task: TaskName, codes: NDArray[np.uint8]) -> Picture:
        return with_codes(picture, codes, [rgb(self._colours[name]) for name in self._classes(task)])

    def _with_boxes(self, picture: Picture, sample_id: int, boxes: Sequence[NamedBox]) -> Picture:
        sample = self._sample(sample_id)
        coloured = [(sides, rgb(self._colours[name])) for name, sides in boxes]
        return with_boxes(picture, coloured, (sample.height, sample.width))

    @property
    def _colours(self) -> dict[str, str]:
        return class_colours(self._campaign.tasks, self._campaign.chosen_colours)

    def _counting(self, task: TaskName, sample_id: int) -> Label:
        """The label that counts now; it may have been corrected since the round."""
        history = self._store.labels.history(self._campaign.campaign_id, sample_id)
        newest = {(entry.task, entry.annotator): entry for entry in history}
        given = counting(entry for entry in newest.values() if entry.retracts is None)
        label = given.get(sample_id, {}).get(task)
        if label is None:
            raise AlLoopError("it has no label any more")
        return label

    def _label(self, task: TaskName, sample_id: int) -> NDArray[np.uint8]:
        return painted(self._classes(task), self._counting(task, sample_id), self._sample(sample_id), BACKGROUND)

    def _label_boxes(self, task: TaskName, sample_id: int) -> list[NamedBox]:
        return drawn_boxes(self._classes(task), self._counting(task, sample_id), self._sample(sample_id))

    def _answer(self, task: TaskName, sample_id: int) -> NDArray[np.uint8]:
        model, image, _ = self._seen(sample_id)
        return codes_in_campaign_order(model.answer(task, image), model.tasks[task].classes, self._classes(task))

    def _answer_boxes(self, task: TaskName, sample_id: int) -> list[NamedBox]:
        model, image, scale = self._seen(sample_id)
        spec = self._campaign.task(task)
        if spec is None:
            return []
        asked = task_of(spec)
        answer = asked.presentable(
            model.answer(task, image), model.tasks[task], hidden=(), valid=None,
            min_area_px=self._campaign.settings.assist.min_area_px,
        )  # fmt: skip
        across, down = scale
        return [
            (name, (left * across, top * down, right * across, bottom * down))
            for name, (left, top, right, bottom) in proposed_boxes(asked.record(answer))
        ]

    def _seen(self, sample_id: int) -> tuple[Predictor, NDArray[np.float32], tuple[float, float]]:
        """The version, the image as it sees it, and pixels of the image for each of those, across and down."""
        if self._model is None:
            self._model = Predictor(self._server.registry(self._campaign).path(self._version), device="cpu")
        model = self._model
        sample, path, _ = file_of(self._store, self._campaign, sample_id)
        reduction = max(1.0, max(sample.height, sample.width) / MASK_PX)
        shape = (max(1, round(sample.height / reduction)), max(1, round(sample.width / reduction)))
        image = read_raster(
            path, model.card.bands, out_shape=None if reduction == 1.0 else shape, name=sample.path,
            policy=self._campaign.reading(model.card),
        )  # fmt: skip
        return model, image, (sample.width / image.shape[2], sample.height / image.shape[1])

    def _sample(self, sample_id: int) -> Sample:
        return self._store.samples.get(self._campaign.campaign_id, sample_id)

    def _classes(self, task: TaskName) -> list[str]:
        spec = self._campaign.task(task)
        return [] if spec is None else spec.classes
