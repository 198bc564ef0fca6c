"""The serving version as a contender of the evaluation. Knows nothing of torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.card import TaskSpec
from models.errors import CorruptVersionError
from models.inference.image_model import ImageModel
from models.inference.predictor import Predictor, run_graph
from models.manifest import Manifest
from models.rasters.bands import invalid_pixels
from models.tasks import task_of
from models.tasks.fine import fine_name
from models.training.data.stride import STRIDE_PX
from models.training.evaluate import Contender
from models.training.tallies import Answers, Infer, padded_infer


def load_incumbent(manifest: Manifest) -> tuple[Contender | None, str]:
    """The serving version and a sentence for people; None where candidate and incumbent cannot be compared.

    A task may have got classes that the serving version does not know. It is measured on them all the same: it is wrong
    about every sample of a new class, as it is wherever it serves.
    """
    if manifest.incumbent_onnx is None or manifest.incumbent_version is None:
        return None, "there is no serving version to compare with"
    version = manifest.incumbent_version
    try:
        predictor = Predictor(Path(manifest.incumbent_onnx).parent, fine=True)
    except CorruptVersionError as error:
        return None, f"not compared with {version}: {error}"
    card = predictor.card
    if (card.source_bands, card.bands) != (manifest.source_bands, manifest.bands):
        return None, f"not compared with {version}: it reads bands {card.bands} of {card.source_bands}"
    heads = {own.task: _with_present_names(own, manifest.former_names.get(own.task, {})) for own in card.tasks}
    shared = [spec for spec in manifest.tasks if spec.task in heads and _comparable(heads[spec.task], spec)]
    if not shared:
        return None, f"not compared with {version}: it answers other tasks or classes"
    infer = _of_any_size(predictor)
    for spec in shared:
        infer = _with_classes_of(infer, heads[spec.task], spec)
    return Contender(version=version, tasks=shared, infer=infer), f"comparing with {version}"


def onnx_infer(file: Path, stride_px: int = STRIDE_PX) -> Infer:
    """An exported network of this run as a function of arrays; it has no card yet."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return padded_infer(lambda images: run_graph(session, images), stride_px)


def _of_any_size(model: ImageModel) -> Infer:
    """A version as a function of images, which may be larger than its tiles: it may be one that takes one size only."""
    small = padded_infer(model.run, model.card.stride_px)

    def infer(images: NDArray[np.float32]) -> Answers:
        if max(images.shape[2:]) <= model.card.tile_px:
            return small(images)
        # Windows without a valid pixel count nothing; a model refuses them.
        answers = [
            model.predict(image if not invalid_pixels(image).all() else np.zeros_like(image)) for image in images
        ]
        return {name: _stacked([answer[name] for answer in answers]) for name in answers[0]}

    return infer


def _stacked(answers: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Answers with a leading axis; rows of objects get as many as the longest has."""
    if answers[0].ndim != 2:
        return np.stack(answers)
    most = max(len(rows) for rows in answers)
    return np.stack([np.pad(rows, ((0, most - len(rows)), (0, 0))) for rows in answers])


def _with_present_names(own: TaskSpec, names: Mapping[str, str]) -> TaskSpec:
    """The task of a head with the names that its classes have now."""
    return TaskSpec(task=own.task, classes=[names.get(name, name) for name in own.classes], multi_label=own.multi_label)


def _comparable(own: TaskSpec, asked: TaskSpec) -> bool:
    """Whether a head answers the question of a task whose classes may have grown since."""
    return own.multi_label == asked.multi_label and set(own.classes) <= set(asked.classes)


def _with_classes_of(infer: Infer, own: TaskSpec, asked: TaskSpec) -> Infer:
    """`infer` with probability 0 for the classes that its head does not know: it never gives them as its answer."""
    if own.classes == asked.classes:
        return infer

    def grown(images: NDArray[np.float32]) -> Answers:
        answers = infer(images)
        mine = answers.keys() & {asked.task, fine_name(asked.task)}
        return {**answers, **{name: task_of(asked).with_classes_of(task_of(own), answers[name]) for name in mine}}

    return grown
