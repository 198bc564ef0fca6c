"""`al-loop backup` and `al-loop restore`: a data directory as one file, and back."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from service.commands.options import (
    DEFAULT_URL,
    AsJson,
    Force,
    Service,
    Token,
    check_not_there,
    check_writable,
    connect,
)
from service.commands.output import console, counted, print_json, print_tables

ZSTD = (".zst", ".zstd")


def backup(
    out: Annotated[
        Path, typer.Argument(help="File to write; one whose name ends in .zst is compressed.", dir_okay=False)
    ],
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="With embeddings and scores of the pools, which can be made again.")
    ] = False,
    force: Force = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write everything that the running service knows to one file.

    Labels with their history, models, rounds and settings of all campaigns, as they are at one moment. Images are not
    in it. The service goes on meanwhile. The file takes its name once it was read back and compared.
    """
    check_writable(out)
    check_not_there(out, force)
    from al_loop.upkeep.archive import read_archive

    unfinished = out.with_name(f"{out.name}.unfinished")
    try:
        with connect(service, token) as client, unfinished.open("wb") as file:
            client.backup(file, embeddings=embeddings, compression="zstd" if out.suffix in ZSTD else "none")
            file.flush()
            os.fsync(file.fileno())
        made = read_archive(unfinished)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    console(stderr=True).print(
        f"wrote {out} ({out.stat().st_size:,} bytes): {counted(len(made.head.campaigns), 'campaign')}, "
        f"{made.files:,} files, as of {made.head.made_at:%Y-%m-%d %H:%M:%S} UTC",
        soft_wrap=True,
        highlight=False,
    )


def restore(
    archive: Annotated[Path, typer.Argument(help="File that al-loop backup wrote.")],
    data: Annotated[Path, typer.Option("--data", help="Directory to make; an existing one has to be empty.")],
    path_map: Annotated[
        list[str] | None,
        typer.Option("--path-map", help="OLD=NEW: images below OLD lie below NEW now; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a new data directory from a backup.

    Every file is compared with its digest, and the database is opened once, before anything has its place. Start
    al-loop serve --data with it afterwards.
    """
    from al_loop.upkeep.restore import restore_backup

    restored = restore_backup(archive, data, _mapping(path_map or []))
    if as_json:
        print_json(restored)
    else:
        table = Table("campaign", "samples", "labels", "model", "images")
        for entry in restored.campaigns:
            place = entry.root if entry.found else f"{entry.root} (not there: see --path-map)"
            table.add_row(entry.name, str(entry.samples), str(entry.labels), entry.version or "", place)
        print_tables(table)
    console(stderr=True).print(
        f"restored {restored.files:,} files ({restored.bytes:,} bytes) as of {restored.made_at:%Y-%m-%d %H:%M:%S} UTC; "
        f"start it with: al-loop serve --data {data}",
        soft_wrap=True,
        highlight=False,
    )


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        old, equals, new = pair.partition("=")
        if not equals or not Path(old).is_absolute() or not Path(new).is_absolute():
            raise typer.BadParameter(f"{pair!r} is not OLD=NEW with absolute paths", param_hint="--path-map")
        mapping[old] = new
    return mapping
