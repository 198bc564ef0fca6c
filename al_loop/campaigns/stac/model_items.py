"""A model version as an item of STAC: the Machine Learning Model extension 1.5.2 and the Version extension 1.2.0."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from al_loop.campaigns.stac.documents import (
    COLLECTION_FILE,
    GEOJSON,
    MLM_SCHEMA,
    VERSION_SCHEMA,
    WORLD,
    Document,
    item,
    link,
    moment,
    places_of,
    relative,
)
from models.card import ModelCard
from models.tasks import Task, tasks_of

MODELS = "models"
MODEL_ASSET = "model.onnx"
"""Keys of assets end like their files: EOTDL's client names what it uploads by them."""
CARD_ASSET, INPUT_ASSET, OUTPUT_ASSET = "card.json", "sample_input.npy", "sample_output.npz"
ONNX_TYPE = "application/octet-stream; framework=onnx"
_LABEL_TASKS = {
    "classification": "scene-classification", "segmentation": "semantic-segmentation", "detection": "object-detection",
}  # fmt: skip
"""The most specific names of the extension."""


def model_path(version: str) -> str:
    """Where the item of a version lies in its catalogue."""
    return f"{MODELS}/{version}/{version}.json"


def model_item(
    card: ModelCard,
    colours: Mapping[str, str],
    files: Mapping[str, str],
    *,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
) -> Document:
    """The item of a version.

    Its place is the box around the training images, or the world's where they have none.

    Args:
        card: Of the version.
        colours: `#rrggbb` of classes.
        files: Keys of assets -> their addresses, from the item's file; `model.onnx` among them.
        before: Versions of the catalogue that came before it, oldest first.
        after: Versions that followed.
    """
    file = model_path(card.version)
    bounds = _bounds(card)
    names = [f"band-{band}" for band in card.bands]
    kinds = card.band_kinds or ["unknown"] * len(names)
    bands = [
        {"name": name, **({} if kind == "unknown" else {"description": kind})}
        for name, kind in zip(names, kinds, strict=True)
    ]
    tasks = tasks_of(card.tasks)
    properties: dict[str, Any] = {
        "datetime": moment(datetime.fromisoformat(card.created_at)),
        "title": f"{card.campaign} {card.version}",
        "description": f"Version {card.version} of campaign {card.campaign}, trained on {card.labels} labels.",
        "version": card.version,
        "bands": bands,
        "mlm:name": f"{card.campaign}-{card.version}",
        "mlm:architecture": card.model.encoder,
        "mlm:tasks": [_LABEL_TASKS.get(name, name) for name in tasks],
        "mlm:framework": "ONNX",
        "mlm:accelerator": None,
        "mlm:pretrained": card.features is not None or card.trained_from is not None,
        "mlm:pretrained_source": card.features or card.trained_from,
        "mlm:input": [_input(card, names)],
        "mlm:output": [*(_output(task, card, colours) for task in tasks.values()), _embedding(card)],
        "mlm:hyperparameters": {"seed": card.train.seed, "learning_rate": card.train.learning_rate},
    }  # fmt: skip
    kept = {key: value for key, value in properties.items() if key != "mlm:pretrained_source" or value is not None}
    links = [
        *places_of(file, f"{MODELS}/{COLLECTION_FILE}"),
        *_versions(file, card.version, before, after),
    ]
    return item(
        card.version, _box(bounds), kept, {key: _asset(key, href, bands) for key, href in files.items()}, links,
        extensions=[MLM_SCHEMA, VERSION_SCHEMA], collection=MODELS, bounds=bounds,
    )  # fmt: skip


def _versions(file: str, version: str, before: Sequence[str], after: Sequence[str]) -> list[dict[str, Any]]:
    found = [link("predecessor-version", relative(model_path(before[-1]), file), GEOJSON)] if before else []
    if after:
        found.append(link("successor-version", relative(model_path(after[0]), file), GEOJSON))
    newest = [*before, version, *after][-1]
    if before or after:
        found.append(link("latest-version", relative(model_path(newest), file), GEOJSON))
    return found


def _input(card: ModelCard, names: list[str]) -> dict[str, Any]:
    return {
        "name": "image",
        "description": "Stored values of the bands, NaN where invalid; height and width are multiples of "
        f"{card.stride_px} px. Normalisation is inside the graph.",
        "bands": names,
        "input": {
            "shape": [-1, len(names), -1, -1], "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "value_scaling": None,
        "resize_type": None,
    }  # fmt: skip


def _output(task: Task, card: ModelCard, colours: Mapping[str, str]) -> dict[str, Any]:
    first = task.first_code
    classes: list[dict[str, Any]] = [{"value": 0, "name": "background", "description": "no class"}] if first else []
    for value, name in enumerate(task.classes, start=first):
        hint = {"color_hint": colours[name].removeprefix("#").upper()} if name in colours else {}
        classes.append({"value": value, "name": _word(name), "description": name, **hint})
    if task.per_pixel:
        shape, order = [-1, task.outputs, -1, -1], ["batch", "class", "height", "width"]
        said = "probabilities of each pixel, background first"
    elif task.finds_objects:
        shape, order = [-1, -1, 6], ["batch", "box", "value"]
        said = "left, top, right, bottom in pixels, score and class of the likeliest boxes"
    else:
        shape, order, said = [-1, task.outputs], ["batch", "class"], "calibrated probabilities of the image"
    return {
        "name": task.name, "description": said, "tasks": [_LABEL_TASKS.get(task.name, task.name)],
        "result": {"shape": shape, "dim_order": order, "data_type": "float32"},
        "classification:classes": classes,
    }  # fmt: skip


def _embedding(card: ModelCard) -> dict[str, Any]:
    return {
        "name": "embedding", "description": "a vector of the image; similar images have similar ones",
        "tasks": ["similarity-search"],
        "result": {"shape": [-1, card.embedding_size], "dim_order": ["batch", "embedding"], "data_type": "float32"},
    }  # fmt: skip


def _asset(key: str, href: str, bands: list[dict[str, str]]) -> dict[str, Any]:
    match key:
        case _ if key == MODEL_ASSET:
            return {
                "href": href, "type": ONNX_TYPE, "title": "The model, with normalisation and calibration",
                "roles": ["mlm:model", "mlm:weights"], "mlm:artifact_type": "ONNX", "bands": bands,
            }  # fmt: skip
        case _ if key == CARD_ASSET:
            return {"href": href, "type": "application/json", "title": "al-loop's model card", "roles": ["metadata"]}
        case _ if key == INPUT_ASSET:
            title = "An input of the graph: float32 (1, C, H, W)"
        case _:
            title = "What the graph answers to it, by output"
    return {"href": href, "type": "application/octet-stream", "title": title, "roles": ["metadata"]}


def _bounds(card: ModelCard) -> list[float]:
    places = [] if card.data is None else card.data.footprints
    if not places or any(left > right for left, _, right, _ in places):
        return WORLD
    lefts, bottoms, rights, tops = zip(*places, strict=True)
    return [min(lefts), min(bottoms), max(rights), max(tops)]


def _box(bounds: Sequence[float]) -> dict[str, Any]:
    left, bottom, right, top = bounds
    ring = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
    return {"type": "Polygon", "coordinates": [ring]}


def _word(name: str) -> str:
    """A name as the Classification extension takes it: letters, digits, - and _."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_") else "_" for sign in name)
