"""What serving models answer for arrays: all outputs of the graph, as they are. Nothing is remembered as shown."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.errors import InvalidValueError, NoModelError, NotFoundError
from al_loop.serving.model_server import CHAMPION, ModelServer
from al_loop.serving.open_inference import INPUT, TensorMetadata, V2ModelMetadata
from al_loop.store import LabelStore
from models.errors import RasterTooLargeError
from models.inference.image_model import ImageModel, Outputs
from models.tasks import Task

MOST_BATCH_PX = 2**21
"""Pixels that go through the graph at once, as of the batches of other predictions."""


class TensorService:
    """Serving models by the names of their campaigns, for programs that speak in tensors."""

    def __init__(self, store: LabelStore, server: ModelServer, *, max_bytes: int) -> None:
        """Answer with what `server` serves.

        Args:
            store: The campaigns.
            server: The models.
            max_bytes: Most bytes of the images of a request as float32.
        """
        self._store = store
        self._server = server
        self._max_bytes = max_bytes

    def is_ready(self, campaign_name: str, version: str | None) -> bool:
        """Whether a model of a campaign answers.

        Raises:
            NotFoundError: No such campaign, or another version serves.
        """
        campaign = self._store.campaigns.get(campaign_name)
        serving = self._server.serving_version(campaign)
        if version is not None and serving is not None:
            _check_version(version, serving)
        return serving is not None

    def all_ready(self) -> bool:
        """Whether every model that was promoted is loaded."""
        serving = (c for c in self._store.campaigns.list() if c.current_version is not None)
        return all(self._server.serving_version(campaign) is not None for campaign in serving)

    def metadata(self, campaign_name: str, version: str | None) -> V2ModelMetadata:
        """What the serving model of a campaign takes and answers.

        Raises:
            NotFoundError: No such campaign, or another version serves.
            NoModelError: None serves.
        """
        campaign = self._store.campaigns.get(campaign_name)
        model = self._model(campaign, version)
        card = model.card
        outputs = [
            TensorMetadata(name=name, datatype="FP32", shape=[-1, *_output_shape(task)])
            for name, task in model.tasks.items()
        ]
        embedding = TensorMetadata(name="embedding", datatype="FP32", shape=[-1, card.embedding_size])
        return V2ModelMetadata(
            name=campaign.name,
            versions=[card.version],
            platform="onnx_onnxv1",
            inputs=[TensorMetadata(name=INPUT, datatype="FP32", shape=[-1, len(card.bands), -1, -1])],
            outputs=[*outputs, embedding],
        )

    def infer(
        self, campaign_name: str, version: str | None, images: NDArray[np.float32], *, most_values: int | None = None
    ) -> tuple[str, Outputs]:
        """Run the serving model of a campaign.

        Args:
            campaign_name: Whose.
            version: The one that has to answer; None: whichever serves.
            images: (N, C, H, W), raw values of the bands on the model's card, in their order; NaN where invalid.
            most_values: Refuse more values; None: as many as the service takes.

        Returns:
            The version that answered, and its outputs with a leading N axis.

        Raises:
            NotFoundError: No such campaign, or another version serves.
            NoModelError: None serves.
            InvalidValueError: Another number of bands, or several images that are larger than a tile.
            RasterTooLargeError: More values than are taken.
            UnusableRasterError: No valid pixel, or values that the model cannot digest.
            OverloadedError: Too many images are waiting.
        """
        model = self._model(self._store.campaigns.get(campaign_name), version)
        count, bands, height, width = images.shape
        if bands != len(model.card.bands):
            raise InvalidValueError(
                "$.inputs[0].shape",
                f"{bands} bands, but model {model.card.version} reads bands {_listed(model.card.bands)} of the images",
            )
        if images.nbytes > self._max_bytes or (most_values is not None and images.size > most_values):
            limit = self._max_bytes // 4 if most_values is None else min(most_values, self._max_bytes // 4)
            raise RasterTooLargeError(INPUT, width, height * count, bands, limit)
        if max(height, width) <= model.card.tile_px:
            step = max(1, MOST_BATCH_PX // (height * width))
            parts = [model.predict_batch(images[start : start + step]) for start in range(0, count, step)]
            return model.card.version, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if count > 1:
            raise InvalidValueError(
                "$.inputs[0].shape", f"images larger than {model.card.tile_px} px are answered one at a time"
            )
        return model.card.version, {name: values[None] for name, values in model.predict(images[0]).items()}

    def _model(self, campaign: Campaign, version: str | None) -> ImageModel:
        try:
            model = self._server.batcher(campaign).pin()
        except NoModelError as error:
            raise NoModelError(f"Campaign {campaign.name!r} serves no model yet.") from error
        if version is not None:
            _check_version(version, model.card.version)
        return model


def _output_shape(task: Task) -> list[int]:
    """Of one image; objects come in any number of rows, as wide as their task has it."""
    if task.finds_objects:
        return [-1, -1]
    return [task.outputs, -1, -1] if task.per_pixel else [task.outputs]


def _check_version(version: str, serving: str) -> None:
    if version not in (serving, CHAMPION):
        raise NotFoundError("serving model version", version, f"{serving} serves; promote another one to ask it")


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
