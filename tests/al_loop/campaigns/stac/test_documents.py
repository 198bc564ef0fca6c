"""Documents of STAC keep to the specification."""

from datetime import UTC, datetime
from typing import Any

import pytest

from al_loop.campaigns.stac.documents import catalog, collection, item, link, moment, places_of, relative
from tests.data.stac_validation import validate

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SQUARE: dict[str, Any] = {"type": "Polygon", "coordinates": [[[1, 2], [3, 2], [3, 4], [1, 4], [1, 2]]]}


@pytest.mark.parametrize("geometry", [SQUARE, None])
def test_item_is_valid_with_and_without_a_place(geometry: dict[str, Any] | None) -> None:
    found = item(
        "a", geometry, {"datetime": moment(NOON)}, {}, places_of("x/a.json", "x/collection.json"), collection="x"
    )
    assert validate(found)
    assert found.get("bbox") == (None if geometry is None else [1, 2, 3, 4])


def test_catalog_and_collection_are_valid() -> None:
    assert validate(catalog("c", "all of it", ["x/collection.json"]))
    assert validate(
        collection("x", "some of it", [[1, 2, 3, 4]], [NOON], [link("root", "../catalog.json")], licence="MIT")
    )


@pytest.mark.parametrize(
    ("bounds", "extent"),
    [
        ([], [-180, -90, 180, 90]),
        ([[1, 2, 3, 4], [-5, 0, 2, 3]], [-5, 0, 3, 4]),
        ([[179, 0, -179, 1]], [-180, 0, 180, 1]),
    ],
)
def test_extent_of_a_collection_holds_its_items(bounds: list[list[float]], extent: list[float]) -> None:
    found = collection("x", "some", bounds, [], [], licence="other")
    assert found["extent"]["spatial"]["bbox"] == [extent]
    assert found["extent"]["temporal"]["interval"] == [[None, None]]
    assert validate(found)


@pytest.mark.parametrize(
    ("target", "document", "told"),
    [
        ("a.json", "b.json", "./a.json"),
        ("x/a.json", "y/z/b.json", "../../x/a.json"),
        ("y/a.tif", "y/a.json", "./a.tif"),
    ],
)
def test_files_are_named_from_the_document(target: str, document: str, told: str) -> None:
    assert relative(target, document) == told
