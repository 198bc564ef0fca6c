"""A window's name holds its file and its place, and nothing else is taken for one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rasters.tiling import Window
from models.rasters.windows.locator import file_of, source_of, window_path

sizes = st.integers(1, 10**8)
offsets = st.integers(0, 10**8)


@given(st.text("ab/#=,.x:ä ", min_size=1), st.builds(Window, offsets, offsets, sizes, sizes))
def test_name_is_read_as_it_was_written(file: str, window: Window) -> None:
    source = source_of(window_path(file, window))
    assert (source.file, source.window) == (file, window)


@pytest.mark.parametrize(
    "name",
    ["a.tif", "a#xywh=0,0,5,5.tif", "a.tif#xywh=0,0,0,5", "a.tif#xywh=-1,0,5,5", "a.tif#xywh=0,0,5", "a#xywh=01,0,5,5"],
)
def test_other_names_are_names_of_files(name: str) -> None:
    assert source_of(name) == (name, None)
    assert file_of(Path(name)) == Path(name)
