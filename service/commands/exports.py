"""`al-loop export` and `al-loop model export`: labels and models as files or folders that other programs take in."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import typer

from service.commands.options import (
    DEFAULT_URL,
    CampaignName,
    Force,
    Service,
    Token,
    check_not_there,
    check_writable,
    connect,
)
from service.commands.output import console
from service.commands.styling import WithStyle, colours_of, write_area_style

if TYPE_CHECKING:
    from al_loop.client.operators import OperatorClient

Format = Literal["scaneo", "geojson", "parquet", "coco", "yolo", "cvat", "label-studio", "stac", "eotdl"]
_FOLDERS = ("stac", "eotdl")
_LEFT_OUT = "left-out.txt"
_HINTS = {
    "author": "--author", "licence": "--license", "source": "--source", "images": "--copy", "versions": "--all",
}  # fmt: skip
Author = Annotated[list[str] | None, typer.Option(help="With eotdl: name of an author; may be given several times.")]
Licence = Annotated[str | None, typer.Option("--license", help="With stac and eotdl: SPDX identifier of the licence.")]
Source = Annotated[str | None, typer.Option(help="With eotdl: address that the data is from.")]


def run(
    campaign: CampaignName,
    out: Annotated[Path, typer.Option(help="File to write; of stac and eotdl a folder, unless it ends in .zip.")],
    export_format: Annotated[Format, typer.Option("--format", help="Format of the file or folder.")] = "geojson",
    task: Annotated[
        list[str] | None,
        typer.Option(help="Only the answers to a task; may be given several times. All tasks if left out."),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="With stac and eotdl: copy the images; else their paths are named.")
    ] = False,
    author: Author = None,
    licence: Licence = None,
    source: Source = None,
    style: WithStyle = True,
    force: Force = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write a campaign's current labels to a file or a folder.

    For SCANEO (a ZIP archive), for GIS (GeoJSON in EPSG:4326) or as a table (Parquet); boxes also for COCO (JSON) and
    YOLO (a ZIP archive); for CVAT and Label Studio (ZIP archives that they import); as a data set of STAC, or of EOTDL,
    which `eotdl datasets ingest` takes.

    CVAT and Label Studio hold classes of images, and either boxes or areas: of a campaign with both, those of its first
    such task, or of the one that --task names.
    """
    said = {"author": author, "licence": licence, "source": source, "images": "copy" if copy else None}
    given = {name: value for name, value in said.items() if value}
    if given and export_format not in _FOLDERS:
        raise typer.BadParameter("goes with stac and eotdl", param_hint=_HINTS[next(iter(given))])
    options = given | ({"task": task} if task else {})
    _write(
        out,
        lambda client, file: client.export_to(campaign, export_format, file, options),
        folder=export_format in _FOLDERS and out.suffix.lower() != ".zip",
        force=force,
        service=service,
        token=token,
    )
    if style and export_format == "geojson":
        with connect(service, token) as client:
            write_area_style(out, colours_of(client, campaign), "label")


def run_model(
    campaign: CampaignName,
    version: Annotated[str, typer.Argument(help="Model version, champion or challenger.")],
    out: Annotated[Path, typer.Option(help="File to write; of stac and eotdl a folder, unless it ends in .zip.")],
    export_format: Annotated[
        Literal["stac", "eotdl", "deepness"], typer.Option("--format", help="What it is written for.")
    ],
    task: Annotated[
        str | None, typer.Option(help="With deepness: task of the graph; the first that it takes if left out.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="With stac and eotdl: all versions that have their files.")
    ] = False,
    author: Author = None,
    licence: Licence = None,
    source: Source = None,
    force: Force = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write a model version for other programs.

    As an item of STAC with the ONNX file, its card, and an input with what the model answers; the same as a folder that
    `eotdl models ingest` takes; or as an ONNX file of one task for Deepness in QGIS, and for GeoDeep.
    """
    said = {"author": author, "licence": licence, "source": source, "versions": "all" if every else None}
    of_folders = {name: value for name, value in said.items() if value}
    if export_format not in _FOLDERS and of_folders:
        raise typer.BadParameter("goes with stac and eotdl", param_hint=_HINTS[next(iter(of_folders))])
    if export_format in _FOLDERS and task is not None:
        raise typer.BadParameter("goes with deepness", param_hint="--task")
    given = of_folders | ({"task": task} if task else {})
    _write(
        out,
        lambda client, file: client.model_files(campaign, version, export_format, file, given),
        folder=export_format in _FOLDERS and out.suffix.lower() != ".zip",
        force=force,
        service=service,
        token=token,
    )


def _write(
    out: Path,
    fetch: Callable[["OperatorClient", BinaryIO], None],
    *,
    folder: bool,
    force: bool,
    service: str,
    token: str | None,
) -> None:
    """Write what the service answers to a file, or unpack it into a folder."""
    check_writable(out)
    check_not_there(out, force)
    if not out.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.absolute().parent}; make it first", param_hint="--out")
    shown = console(stderr=True)
    with connect(service, token) as client, tempfile.TemporaryFile(dir=out.absolute().parent) as file:
        fetch(client, file)
        file.seek(0)
        if folder:
            out.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(file) as archive:
                archive.extractall(out)
                names = archive.namelist()
            shown.print(f"wrote {out} ({len(names):,} files)", soft_wrap=True)
            if _LEFT_OUT in names:
                shown.print(f"{out / _LEFT_OUT} says what is not in it", soft_wrap=True)
            return
        with out.open("wb") as target:
            shutil.copyfileobj(file, target)
    shown.print(f"wrote {out} ({out.stat().st_size:,} bytes)", soft_wrap=True)
