"""Beside files that commands write: `.qml` of QGIS, which it takes by itself, `.qlr`, and a mask's attribute table."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from al_loop.client.operators import OperatorClient
    from al_loop_records.scenes import SceneResult

WithStyle = Annotated[
    bool,
    typer.Option(
        "--style/--no-style",
        help="Write styles of QGIS beside a file for a GIS; of a mask its names, too.",
    ),
]


def colours_of(client: "OperatorClient", campaign: str, task: str | None = None) -> dict[str, str]:
    """`#rrggbb` of the classes of a campaign, or of one of its tasks, in their order."""
    found = client.classes(campaign).tasks
    return {entry.name: entry.colour for spec in found if task in (None, spec.task) for entry in spec.classes}


def write_mask_style(file: Path, colours: Mapping[str, str]) -> list[Path]:
    """Styles and the attribute table of a GeoTIFF of class codes; the files written."""
    from al_loop.domain.qgis_styles import attribute_table, mask_style
    from models.rasters.reading import read_header

    table = file.with_name(f"{file.name}.aux.xml")
    table.write_text(attribute_table(colours), encoding="utf-8")
    return [*_write(file, mask_style(colours), read_header(file).crs), table]


def write_area_style(file: Path, colours: Mapping[str, str], attribute: str) -> list[Path]:
    """Styles of a GeoJSON file whose features have their class in an attribute; the files written."""
    from al_loop.domain.qgis_styles import label_style
    from models.geo.placement import WGS84

    return _write(file, label_style(colours, attribute), WGS84)


def write_prediction_item(
    file: Path, scene: Path, campaign: str, result: "SceneResult", colours: Mapping[str, str]
) -> Path:
    """The item of STAC of a predicted scene, beside its file; its path."""
    from datetime import UTC, datetime

    import msgspec

    from al_loop.campaigns.exporting.coordinates import footprint
    from al_loop.campaigns.stac.prediction_items import prediction_item
    from al_loop.domain.samples import SampleHeader
    from models.rasters.reading import read_header
    from models.tasks import kind_of

    at = scene if scene.is_file() else file if result.format == "tif" else None
    header = None if at is None else SampleHeader(path=at.name, **msgspec.structs.asdict(read_header(at)))
    found = prediction_item(
        file.stem, result.task, colours, file.name, str(scene.absolute() if scene.is_file() else scene), campaign,
        result.version, None if header is None else footprint(header), datetime.now(UTC),
        bounds=None if header is None else header.bounds, per_pixel=kind_of(result.task).per_pixel,
    )  # fmt: skip
    target = file.with_suffix(".json")
    target.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    return target


def _write(file: Path, style: "Element", crs: str | None) -> list[Path]:
    from al_loop.domain.qgis_styles import qlr, qml

    texts = {".qlr": qlr(file.name, file.stem, style, crs), ".qml": qml(style)}  # the text of .qlr takes no part of it
    for suffix, text in texts.items():
        file.with_suffix(suffix).write_text(text, encoding="utf-8")
    return [file.with_suffix(suffix) for suffix in texts]
