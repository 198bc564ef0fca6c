"""Brings a program's files to a machine that has no disk in common with the service, and its results back.

Files keep their absolute paths, so that what a program is given means the same there. Images do not travel: they are
large, and every machine reads them where the campaign says, from a disk that all mount at the same place.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from al_loop.runtime.cluster.artefacts import Artefacts

PATHS_FILE = "paths.json"
INPUTS, RESULTS = "in", "out"


def ship_inputs(store: Artefacts, shipment: str, arguments: list[str], data: Path) -> None:
    """Copy what a program reads: files and folders among its arguments, and files of `data` that these name.

    Raises:
        ArtefactError: The store cannot be written, or a file not be read.
    """
    files = {f"{number:04d}": path for number, path in enumerate(sorted(_inputs(arguments, data)))}
    listing = json.dumps({name: str(path) for name, path in files.items()}).encode()
    store.put(f"{shipment}/{INPUTS}", {PATHS_FILE: listing, **files})


def fetch_inputs(store: Artefacts, shipment: str) -> None:
    """Lay the files of `ship_inputs` at their paths; those that are there and equal are kept.

    Raises:
        ArtefactError: A file is missing or damaged.
        OSError: This machine's disk cannot be written there.
    """
    key = f"{shipment}/{INPUTS}"
    digests = store.digests(key)
    for name, path in _paths(store, key).items():
        store.get_file(key, name, digests[name], Path(path))


def send_results(store: Artefacts, shipment: str, directory: Path) -> None:
    """Copy what a program left in its directory."""
    store.put(f"{shipment}/{RESULTS}", {path.name: path for path in directory.iterdir() if path.is_file()})


def fetch_results(store: Artefacts, shipment: str, directory: Path) -> None:
    """Lay what `send_results` copied into the service's directory, and forget the shipment."""
    store.get(f"{shipment}/{RESULTS}", directory)
    store.remove(shipment)


def _paths(store: Artefacts, key: str) -> dict[str, str]:
    paths: dict[str, str] = json.loads(store.read(key, PATHS_FILE))
    return paths


def _inputs(arguments: list[str], data: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [Path(argument) for argument in arguments if argument.startswith("/")]
    while waiting:
        path = waiting.pop()
        if path.is_dir():
            waiting += [entry for entry in path.rglob("*") if entry.is_file()]
        elif path.is_file() and path not in found:
            found.add(path)
            if path.suffix == ".json":
                waiting += [named for named in _named(json.loads(path.read_bytes())) if named.is_relative_to(data)]
    return found


def _named(value: Any) -> Iterator[Path]:  # noqa: ANN401  # whatever JSON holds
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from _named(entry)
    elif isinstance(value, str) and value.startswith("/"):
        yield Path(value)
