"""Model versions as other programs take them: a folder of STAC or EOTDL as a zip, or an ONNX file for Deepness."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from tempfile import TemporaryFile
from typing import BinaryIO, Literal

import msgspec

from al_loop.campaigns.exporting.dataset_readme import README_FILE, Attribution, check_attribution, readme
from al_loop.campaigns.stac.documents import (
    CATALOG_FILE,
    COLLECTION_FILE,
    GEOJSON,
    Document,
    catalog,
    collection,
    link,
    relative,
)
from al_loop.campaigns.stac.model_items import (
    CARD_ASSET,
    INPUT_ASSET,
    MODEL_ASSET,
    MODELS,
    OUTPUT_ASSET,
    model_item,
    model_path,
)
from al_loop.domain.campaigns import Campaign
from al_loop.domain.class_colours import class_colours
from al_loop.errors import InvalidValueError, NotInstalledError
from al_loop.serving.exporting.sample_run import SampleRun
from al_loop_records.metric_names import metric_name
from models.card import ModelCard, TaskName
from models.deepness.metadata import task_for_gis
from models.errors import UnknownTaskError
from models.registry import CARD_FILE, ONNX_FILE, ModelRegistry

ModelFormat = Literal["stac", "eotdl", "deepness"]
MODEL_MEDIA_TYPES: dict[ModelFormat, str] = {
    "stac": "application/zip", "eotdl": "application/zip", "deepness": "application/octet-stream",
}  # fmt: skip
MODEL_ENDINGS: dict[ModelFormat, str] = {"stac": "-stac.zip", "eotdl": "-eotdl.zip", "deepness": "-deepness.onnx"}
_BLOCK_BYTES = 1 << 16


def write_for_deepness(registry: ModelRegistry, version: str, task: TaskName | None) -> bytes:
    """The ONNX file of one task for Deepness and GeoDeep, see `models.deepness.graph`.

    Raises:
        InvalidValueError: The model has no such task, or none that they take.
        NotInstalledError: The package `onnx` is missing.
        CorruptVersionError: A file is missing or was changed.
    """
    card = registry.verify(version)
    try:
        wanted = task_for_gis(card, task)
    except UnknownTaskError as error:
        raise InvalidValueError("task", str(error)) from error
    try:
        from models.deepness.graph import single_task_graph  # it loads onnx, which what only serves has not
    except ImportError as error:
        raise NotInstalledError(["onnx"]) from error
    return single_task_graph((registry.path(version) / ONNX_FILE).read_bytes(), card, wanted)


def write_folder(
    campaign: Campaign,
    registry: ModelRegistry,
    versions: Sequence[str],
    samples: SampleRun | None,
    *,
    eotdl: bool,
    said: Attribution,
) -> Iterator[bytes]:
    """A zip of versions: items of STAC, ONNX files, cards, and an input with what the model answers to it.

    Args:
        campaign: Theirs.
        registry: Holds them.
        versions: Oldest first; each names the one before and the one after.
        samples: Makes the example; None: there is none.
        eotdl: Whether to add the README of EOTDL.
        said: Of authors and licence.

    Raises:
        InvalidValueError: The source is no HTTP address.
        CorruptVersionError: A file is missing or was changed.
    """
    said = check_attribution(said)
    target = TemporaryFile()  # noqa: SIM115  # closed by the generator that reads it
    try:
        _write(target, campaign, registry, versions, samples, said, eotdl=eotdl)
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return _blocks(target)


def _write(
    target: BinaryIO,
    campaign: Campaign,
    registry: ModelRegistry,
    versions: Sequence[str],
    samples: SampleRun | None,
    said: Attribution,
    *,
    eotdl: bool,
) -> None:
    colours = class_colours(campaign.tasks, campaign.chosen_colours)
    cards: list[ModelCard] = []
    boxes: list[list[float]] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, version in enumerate(versions):
            card = registry.verify(version)
            directory, folder = registry.path(version), f"{MODELS}/{version}"
            archive.write(directory / ONNX_FILE, f"{folder}/{MODEL_ASSET}", zipfile.ZIP_STORED)
            archive.write(directory / CARD_FILE, f"{folder}/{CARD_ASSET}")
            keys = [MODEL_ASSET, CARD_ASSET]
            example = None if samples is None else samples.of(directory, card)
            if example is not None:
                archive.writestr(f"{folder}/{INPUT_ASSET}", example.given)
                archive.writestr(f"{folder}/{OUTPUT_ASSET}", example.answered)
                keys += [INPUT_ASSET, OUTPUT_ASSET]
            files = {key: f"./{key}" for key in keys}
            found = model_item(card, colours, files, before=versions[:place], after=versions[place + 1 :])
            boxes.append(found["bbox"])
            _put(archive, model_path(version), found)
            cards.append(card)
        for path, document in _above(campaign, cards, boxes, said.licence).items():
            _put(archive, path, document)
        if eotdl:
            archive.writestr(README_FILE, readme(campaign.name, "models", said, _told(campaign, cards)))


def _above(
    campaign: Campaign, cards: Sequence[ModelCard], boxes: list[list[float]], licence: str
) -> dict[str, Document]:
    file = f"{MODELS}/{COLLECTION_FILE}"
    root = relative(CATALOG_FILE, file)
    links = [link("root", root), link("parent", root)]
    links += [link("item", relative(model_path(card.version), file), GEOJSON) for card in cards]
    made = [datetime.fromisoformat(card.created_at) for card in cards]
    return {
        CATALOG_FILE: catalog(campaign.name, f"Models of the campaign {campaign.name}.", [file]),
        file: collection(
            MODELS, f"Versions of the model of the campaign {campaign.name}.", boxes, made, links, licence=licence,
            extensions=[],
        ),
    }  # fmt: skip


def _told(campaign: Campaign, cards: Sequence[ModelCard]) -> str:
    parts = [f"# {campaign.name}"]
    for card in cards:
        parts += [
            "",
            f"## {card.version}",
            "",
            f"Trained on {card.labels} labels; an ONNX file that takes stored values.",
        ]
        for entry in card.evaluation.candidate:
            interval = f"{entry.low:.3f} to {entry.high:.3f}"
            measured = f"{metric_name(entry.metric)} {entry.value:.3f} ({interval})"
            parts.append(f"* {entry.task}: {measured}, {entry.samples} test images")
    return "\n".join(parts)


def _put(archive: zipfile.ZipFile, path: str, document: Document) -> None:
    archive.writestr(path, msgspec.json.encode(document))


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def blocks_of(content: bytes) -> Iterator[bytes]:
    """The same content in blocks."""
    return _blocks(io.BytesIO(content))
