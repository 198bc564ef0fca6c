"""Validate documents of STAC by the published schemas, without a network."""

import functools
import json
from pathlib import Path
from typing import Any

import pystac
from pystac.validation.stac_validator import JsonSchemaSTACValidator

SCHEMAS = Path(__file__).parent / "stac_schemas"


@functools.cache
def _validator() -> JsonSchemaSTACValidator:
    validator = JsonSchemaSTACValidator()
    for file in SCHEMAS.glob("*.json"):
        name, version = file.stem.rsplit("-", 1)
        address = f"https://stac-extensions.github.io/{name}/v{version}/schema.json"
        validator.schema_cache[address] = json.loads(file.read_text())
    return validator


def validate(document: dict[str, Any]) -> list[str]:
    """The addresses of the schemas that a document was validated by: that of STAC and of each extension it names.

    Raises:
        STACValidationError: It does not follow one of them.
    """
    pystac.validation.set_validator(_validator())
    return list(pystac.validation.validate_dict(document))


def validate_folder(folder: Path) -> int:
    """Validate every document of a catalogue; how many there are."""
    documents = [
        document for file in folder.rglob("*.json") if "stac_version" in (document := json.loads(file.read_text()))
    ]
    for document in documents:
        found = validate(document)
        assert len(found) == 1 + len(document["stac_extensions"]), found
    return len(documents)
