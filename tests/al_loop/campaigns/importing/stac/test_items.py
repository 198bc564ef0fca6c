"""Where what an item names lies."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.campaigns.importing.listing import Listing
from al_loop.campaigns.importing.stac.items import Files, StacItem, Unresolved

LISTING = Listing(Path("/data"), ["a.tif", "sub/b c.tif"])
FILES = Files(LISTING, LISTING)


def item(folder: str = "sub", item_id: str = "x", **fields: Any) -> StacItem:
    return StacItem(item_id, "x.json", folder, "x.json", "1.1.0", [], True, fields, [])


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("../a.tif", "a.tif"), ("b c.tif", "sub/b c.tif"), ("./b%20c.tif", "sub/b c.tif"), ("/data/a.tif", "a.tif"),
        ("file:///data/sub/b c.tif", "sub/b c.tif"), ("https://api.eotdl.com/datasets/1/stage/a.tif", "a.tif"),
    ],
)  # fmt: skip
def test_file_of_the_folder_is_found(href: str, path: str) -> None:
    assert FILES.resolve(item(), {"href": href}) == (LISTING, path)


@given(st.text(alphabet="./a%2ebst:\\~", max_size=30))
def test_nothing_outside_of_the_folder_is_ever_found(href: str) -> None:
    try:
        _, path = FILES.resolve(item(), {"href": href})
    except Unresolved:
        return
    assert path in LISTING.files
