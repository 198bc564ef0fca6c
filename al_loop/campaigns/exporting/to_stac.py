"""A data set as a zip: images and labels as STAC items with the Label extension, and for EOTDL a README besides.

catalog.json                          names the two collections
imagery/collection.json, imagery/a.tif.json             an item an image; `imagery/a.tif` where it is copied
labels/collection.json, labels/TASK/a.tif.geojson.json  an item an answer; the answer is beside it, as GeoJSON
labels/TASK.vrt, labels/TASK.qml      not for EOTDL: all answers to a task as one layer for a GIS, and its style
README.md                             EOTDL: front matter and a description
left-out.txt                          what is not in it, and why
"""

import shutil
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from al_loop.campaigns.exporting.dataset_readme import README_FILE, Attribution, check_attribution, counted, readme
from al_loop.campaigns.exporting.stac_items import (
    IMAGERY,
    LABEL_PROPERTY,
    LABELS,
    file_time,
    image_item,
    image_path,
    item_file,
    label_features,
    label_item,
    label_path,
)
from al_loop.campaigns.exporting.summary import NOWHERE, ExportSummary
from al_loop.campaigns.stac.documents import (
    CATALOG_FILE,
    COLLECTION_FILE,
    GEOJSON,
    LABEL_SCHEMA,
    Document,
    catalog,
    collection,
    link,
    relative,
)
from al_loop.domain.campaigns import Campaign
from al_loop.domain.class_colours import class_colours
from al_loop.domain.labels import Label, counting
from al_loop.domain.qgis_styles import label_style, qml, union_layer
from al_loop.domain.samples import SampleHeader, SkippedPath
from models.errors import RasterError
from models.rasters.reading import resolve_inside
from models.rasters.windows.locator import source_of

LEFT_OUT_FILE = "left-out.txt"
A_WINDOW = "a class of a window of a scene, and an item is of a whole file; cut the scene into files"
_STORED = zipfile.ZIP_STORED
"""Images are compressed already."""


class DataSetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What can be chosen about a data set of STAC or EOTDL."""

    copy_images: bool = False
    """Whether the images are in the zip; else items name their absolute paths."""
    said: Attribution = Attribution()
    """Of authors and licence."""


def write_stac(
    target: BinaryIO,
    campaign: Campaign,
    labels: Iterable[Label],
    samples: Mapping[int, SampleHeader],
    options: DataSetOptions,
    *,
    eotdl: bool,
) -> ExportSummary:
    """Write the answers that count (`al_loop.domain.labels.counting`), and their images by reference or as copies.

    Args:
        target: Seekable file.
        campaign: Its tasks name the classes.
        labels: Current labels in any order.
        samples: The sample of each label, by id.
        options: Whether images are copied, and what is said of authors and licence.
        eotdl: Whether to add the README of EOTDL.

    Raises:
        InvalidValueError: The source of the data is no HTTP address.
    """
    said, copy_images = check_attribution(options.said), options.copy_images
    skipped: list[SkippedPath] = []
    images: list[SampleHeader] = []
    answered: list[tuple[Label, SampleHeader]] = []
    counts: dict[str, Counter[str]] = {spec.task: Counter() for spec in campaign.tasks}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for sample_id, answers in sorted(counting(labels).items(), key=lambda entry: samples[entry[0]].path):
            sample, told = samples[sample_id], []
            if (reason := _unusable(campaign, sample)) is not None:
                skipped.append(SkippedPath(path=sample.path, reason=reason))
                continue
            for task, label in answers.items():
                spec, features = campaign.task(task), label_features(label, sample)
                if features is None or spec is None:
                    skipped.append(SkippedPath(path=sample.path, reason=NOWHERE))
                    continue
                found = label_item(spec, label, sample, features, eotdl=eotdl)
                _write(archive, label_path(task, sample.path), {"type": "FeatureCollection", "features": features})
                _write(archive, item_file(label_path(task, sample.path)), found)
                counts[task].update(feature["properties"]["label"] or "ignored" for feature in features)
                told.append((label, sample))
            if told:
                file = resolve_inside(Path(campaign.root), sample.path)
                image = image_item(sample, None if copy_images else str(file), eotdl=eotdl)
                _write(archive, item_file(image_path(sample.path)), image)
                if copy_images:
                    with file.open("rb") as source, archive.open(_entry(sample), "w", force_zip64=True) as copy:
                        shutil.copyfileobj(source, copy, 1 << 20)
                images.append(sample)
                answered += told
        if not eotdl:
            for path, text in _layers(campaign, answered).items():
                archive.writestr(path, text)
        for path, document in _collections(campaign, images, answered, said.licence).items():
            _write(archive, path, document)
        if eotdl:
            archive.writestr(README_FILE, readme(campaign.name, "datasets", said, _told(campaign, images, counts)))
        if skipped:
            archive.writestr(LEFT_OUT_FILE, "".join(f"{entry.path}: {entry.reason}\n" for entry in skipped))
    return ExportSummary(labels=len(answered), skipped=skipped)


def _unusable(campaign: Campaign, sample: SampleHeader) -> str | None:
    """Why an image cannot be in the data set; None: it can."""
    if source_of(sample.path).window is not None:
        return A_WINDOW
    try:
        resolve_inside(Path(campaign.root), sample.path)
    except (RasterError, OSError) as error:
        return str(error)
    return None


def _entry(sample: SampleHeader) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(image_path(sample.path))
    entry.compress_type = _STORED
    return entry


def _collections(
    campaign: Campaign, images: list[SampleHeader], answered: list[tuple[Label, SampleHeader]], licence: str
) -> dict[str, Document]:
    colours = class_colours(campaign.tasks, campaign.chosen_colours)
    imagery, labels = f"{IMAGERY}/{COLLECTION_FILE}", f"{LABELS}/{COLLECTION_FILE}"
    files = [item_file(image_path(sample.path)) for sample in images]
    label_files = [item_file(label_path(label.task, sample.path)) for label, sample in answered]
    own = {"al_loop:tasks": msgspec.to_builtins(campaign.tasks), "al_loop:colours": colours}
    return {
        CATALOG_FILE: catalog(campaign.name, f"Labelled images of the campaign {campaign.name}.", [imagery, labels]),
        imagery: collection(
            IMAGERY, f"Images of the campaign {campaign.name}.", [s.bounds for s in images if s.bounds is not None],
            [file_time(sample) for sample in images], _links(imagery, files), licence=licence,
        ),
        labels: collection(
            LABELS, f"Answers of annotators of the campaign {campaign.name}.",
            [sample.bounds for _, sample in answered if sample.bounds is not None],
            [label.labelled_at for label, _ in answered], _links(labels, label_files), licence=licence,
            extensions=[LABEL_SCHEMA], **own,
        ),
    }  # fmt: skip


def _layers(campaign: Campaign, answered: list[tuple[Label, SampleHeader]]) -> dict[str, str]:
    """For a GIS: the answers to a task that have a place on Earth as one layer, and its style beside it."""
    colours = class_colours(campaign.tasks, campaign.chosen_colours)
    files = defaultdict[str, list[str]](list)
    for label, sample in answered:
        if sample.bounds is not None:
            files[label.task].append(label_path(label.task, sample.path))
    found = {}
    for task, paths in files.items():
        layer = f"{LABELS}/{task}.vrt"
        found[layer] = union_layer(task, [relative(path, layer) for path in paths])
        found[f"{LABELS}/{task}.qml"] = qml(label_style(colours, LABEL_PROPERTY))
    return found


def _links(document: str, files: list[str]) -> list[dict[str, Any]]:
    root = relative(CATALOG_FILE, document)
    return [link("root", root), link("parent", root), *(link("item", relative(f, document), GEOJSON) for f in files)]


def _told(campaign: Campaign, images: list[SampleHeader], counts: Mapping[str, Mapping[str, int]]) -> str:
    parts = [f"# {campaign.name}", "", f"{len(images)} labelled images, as STAC items with the Label extension."]
    for task, found in counts.items():
        parts += ["", f"## {task}", "", *counted(dict(sorted(found.items())))]
    return "\n".join(parts)


def _write(archive: zipfile.ZipFile, path: str, document: Document) -> None:
    archive.writestr(path, msgspec.json.encode(document))
