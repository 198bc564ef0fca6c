"""`al-loop export`: a campaign's labels as a file, or as a folder that other tools take in."""

import tempfile
import zipfile
from pathlib import Path
from typing import Annotated, Literal

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

Format = Literal["scaneo", "geojson", "parquet", "coco", "yolo", "stac", "eotdl"]
_FOLDERS = ("stac", "eotdl")


def run(
    campaign: CampaignName,
    out: Annotated[Path, typer.Option(help="File to write; of stac and eotdl a folder, unless it ends in .zip.")],
    export_format: Annotated[Format, typer.Option("--format", help="Format of the file or folder.")] = "geojson",
    copy: Annotated[
        bool, typer.Option("--copy", help="With stac and eotdl: copy the images; else their paths are named.")
    ] = False,
    author: Annotated[
        list[str] | None, typer.Option(help="With eotdl: name of an author; may be given several times.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--license", help="With stac and eotdl: SPDX identifier of the licence.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="With eotdl: address that the images are from.")] = None,
    force: Force = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write a campaign's current labels to a file or a folder.

    For SCANEO (a ZIP archive), for GIS (GeoJSON in EPSG:4326) or as a table (Parquet); boxes also for COCO (JSON) and
    YOLO (a ZIP archive); as a data set of STAC, or of EOTDL, which `eotdl datasets ingest` takes.
    """
    said = {"author": author, "licence": licence, "source": source, "images": "copy" if copy else None}
    given = {name: value for name, value in said.items() if value}
    if given and export_format not in _FOLDERS:
        raise typer.BadParameter(
            "goes with stac and eotdl", param_hint="--" + next(iter(given)).replace("images", "copy")
        )
    check_writable(out)
    check_not_there(out, force)
    with connect(service, token) as client:
        if export_format in _FOLDERS and out.suffix.lower() != ".zip":
            with tempfile.TemporaryFile() as file:
                client.export_to(campaign, export_format, file, given)
                out.mkdir(parents=True, exist_ok=True)
                with zipfile.ZipFile(file) as archive:
                    archive.extractall(out)
                    count, left = len(archive.namelist()), "left-out.txt" in archive.namelist()
            out_of = f"; {out / 'left-out.txt'} says what is not in it" if left else ""
            console(stderr=True).print(f"wrote {out} ({count:,} files){out_of}", soft_wrap=True)
            return
        with out.open("wb") as file:
            client.export_to(campaign, export_format, file, given)
    console(stderr=True).print(f"wrote {out} ({out.stat().st_size:,} bytes)", soft_wrap=True)
