"""Predict one scene from start to end: read ahead, run tiles, write row by row, then the file."""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from shapely.geometry import shape

from models.card import BandPolicy
from models.errors import SceneError, UnusableRasterError
from models.inference.image_model import ImageModel, Outputs, select_bands
from models.inference.predictor import Predictor
from models.inference.scenes.answers import CellAnswers, ObjectAnswers, PixelAnswers, SceneAnswers, answers_of
from models.inference.scenes.draft import Draft, open_draft, remove_draft, told_if_full
from models.inference.scenes.reading import check_unchanged, tiles_ahead
from models.inference.scenes.spec import SceneResult, SceneSpec
from models.inference.scenes.writing import (
    Place,
    cell_features,
    code_features,
    finer,
    placed_feature,
    write_cells,
    write_codes,
    write_features,
)
from models.rasters.opening.digests import quick_digest
from models.rasters.opening.sidecars import Stamp, stamp
from models.rasters.reading import RasterHeader, read_header
from models.registry import ONNX_FILE
from models.tasks import Task

Report = Callable[[str, int, int, str], object]
"""Called with the phase ("predicting" or "writing"), how many of how many steps are done, and a remark."""

WRITING, PREDICTING = "writing", "predicting"


def silent(phase: str, done: int, total: int, message: str) -> None:
    """A report that nobody reads."""


class _Scene(NamedTuple):
    """What is predicted."""

    spec: SceneSpec
    path: Path
    header: RasterHeader
    policy: BandPolicy
    answers: SceneAnswers
    task: Task
    bands: Sequence[int]

    @property
    def where(self) -> Place:
        return self.header.crs, self.header.transform


class _Timed(ImageModel):
    """A model that counts the seconds inside its graph."""

    def __init__(self, model: ImageModel) -> None:
        self.card, self.tiles_per_run = model.card, model.tiles_per_run
        self.seconds = 0.0
        self._model = model

    def run(self, images: NDArray[np.float32]) -> Outputs:
        """See `ImageModel.run`."""
        began = time.perf_counter()
        outputs = self._model.run(images)
        self.seconds += time.perf_counter() - began
        return outputs


def predict_scene(
    spec: SceneSpec,
    out: Path,
    *,
    report: Report = silent,
    load: Callable[[Path, int | None], ImageModel] = lambda directory, threads: Predictor(
        directory, threads=threads, fine=True
    ),
) -> SceneResult:
    """Predict a scene and write the answer to a file, which appears once it is whole.

    Memory does not grow with the scene's height: one row of tiles is held, 4 bytes x outputs x height of a tile x
    width of the scene and at most 256 MiB, with the model and two tiles that wait for it. What is done is kept in a
    folder beside `out` until the end; another call with the same spec goes on from there.

    Args:
        spec: What to do.
        out: The file; replaced if it exists.
        report: Follows it.
        load: Gives the model of a directory, with a number of threads.

    Raises:
        RasterError: The scene cannot be read.
        UnusableRasterError: The model reads other bands, or the scene has no valid pixel.
        UnknownTaskError: The model does not know the task.
        SceneError: No room, another process writes the file, the scene changed, or the task has no such format.
    """
    began = time.perf_counter()
    model = _Timed(load(Path(spec.model_dir), spec.threads))
    scene = _look(spec, model)
    before = stamp(scene.path)
    with open_draft(out, _key(scene, model), scene.answers.shape, scene.answers.dtype) as draft:
        total = len(scene.answers.tiles_from(0))
        if draft.resumed:
            report(PREDICTING, draft.tiles, total, f"going on after {draft.tiles} of {total} tiles")
        tiles = _predict(scene, draft, total, before, report)
        features = _write(scene, draft, out, report, _tags(scene, model))
    remove_draft(out)
    with out.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return SceneResult(
        file=out.name,
        file_bytes=out.stat().st_size,
        sha256=digest,
        version=model.card.version,
        task=spec.task,
        format=spec.format,
        width=scene.header.width,
        height=scene.header.height,
        tiles=tiles,
        features=features,
        seconds=round(time.perf_counter() - began, 3),
        model_seconds=round(model.seconds, 3),
    )


def _look(spec: SceneSpec, model: ImageModel) -> _Scene:
    path, card = Path(spec.scene), model.card
    policy = spec.reading or card.reading
    header = read_header(path, spec.name, policy=policy)
    task = model.task(spec.task)
    answers = answers_of(model, task, header.height, header.width, spec.cell_px)
    if isinstance(answers, ObjectAnswers) and spec.format != "geojson":
        raise SceneError(f"{spec.task} answers with objects, which are no raster; choose the format geojson")
    return _Scene(spec, path, header, policy, answers, task, select_bands(header.band_count, card, spec.name))


def _key(scene: _Scene, model: ImageModel) -> str:
    """What has to be the same for a draft to be gone on from; the format is not part of it."""
    answers = scene.answers
    plan = [*answers.shape, answers.parts, model.card.tile_px, model.overlap_px]
    digest = model.card.digests.get(ONNX_FILE, model.card.version)
    said = [quick_digest(scene.path, scene.spec.name), tuple(stamp(scene.path)), digest, scene.spec.task, plan]
    return hashlib.sha256(msgspec.json.encode([said, scene.policy, list(scene.bands)])).hexdigest()


def _predict(scene: _Scene, draft: Draft, total: int, before: Stamp, report: Report) -> int:
    """Answer what is not done yet; returns how many tiles were answered in all."""
    answers, name = scene.answers, scene.spec.name
    tiles, answered = draft.tiles, draft.answered
    if draft.done == answers.parts:
        return tiles
    todo = answers.tiles_from(draft.done)
    report(PREDICTING, tiles, total, "")
    with tiles_ahead(scene.path, name, scene.bands, scene.policy, todo) as given:
        for part in answers.run(draft.done, given, draft):
            check_unchanged(scene.path, name, before)
            if part.complete:
                tiles, answered = tiles + part.tiles, answered or part.answered
                draft.keep(part.number + 1, tiles, answered=answered)
                report(PREDICTING, tiles, total, "")
    return tiles


def _write(scene: _Scene, draft: Draft, out: Path, report: Report, tags: dict[str, str]) -> int | None:
    answers, spec, where = scene.answers, scene.spec, scene.where
    classes = list(scene.task.classes)
    if not draft.answered:
        raise UnusableRasterError(spec.name, "every pixel is nodata")
    report(WRITING, 0, answers.shape[0] if isinstance(answers, PixelAnswers) else answers.height, "")

    def on_row(done: int, rows: int) -> None:
        report(WRITING, done, rows, "")

    with told_if_full(out):
        if isinstance(answers, PixelAnswers):
            codes = draft.values()
            if spec.format == "tif":
                write_codes(out, codes, finer(where, answers.scale), classes, tags, on_row, spec.colours)
                return None
            return write_features(out, spec.name, code_features(codes, classes, where, answers.scale), tags)
        if isinstance(answers, CellAnswers):
            values = draft.values()
            if spec.format == "tif":
                write_cells(out, values, answers.cell_px, where, classes, tags)
                return None
            size = answers.height, answers.width
            return write_features(out, spec.name, cell_features(values, answers.cell_px, classes, where, size), tags)
        assert isinstance(answers, ObjectAnswers)  # noqa: S101  # the three there are
        return write_features(out, spec.name, iter(_objects(scene, answers, draft)), tags)


def _objects(scene: _Scene, answers: ObjectAnswers, draft: Draft) -> list[dict[str, Any]]:
    """Features of what the task gathered from all tiles."""
    gathered = answers.gathered(draft.folder)
    found = scene.task.presentable(gathered, scene.task, hidden=(), valid=None, min_area_px=0)
    body = scene.task.response(found, *scene.where)
    if isinstance(body, dict) and "features" in body:
        return list(body["features"]["features"])
    drawn = scene.task.drawn(scene.task.record(found)) or {"features": []}
    return [
        placed_feature(shape(feature["geometry"]), dict(feature["properties"]), (None, None))
        for feature in drawn["features"]
    ]


def _tags(scene: _Scene, model: ImageModel) -> dict[str, str]:
    return {"MODEL_VERSION": model.card.version, "TASK": scene.spec.task, "SCENE": Path(scene.spec.name).name}
