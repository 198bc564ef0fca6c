"""Digests of files: what they notice, what they do not read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import UnreadableRasterError
from models.rasters.opening.digests import ENDS_BYTES, SAMPLE_BYTES, SAMPLES, equal_bytes, quick_digest

WHOLE = 2 * ENDS_BYTES + SAMPLES * SAMPLE_BYTES
"""Files of up to this many bytes are read whole."""


@given(place=st.integers(0, WHOLE - 1), size=st.sampled_from([1, 1000, ENDS_BYTES, WHOLE]))
def test_every_byte_of_a_small_file_counts(tmp_path_factory: pytest.TempPathFactory, place: int, size: int) -> None:
    path = tmp_path_factory.mktemp("digests") / "a.tif"
    path.write_bytes(bytes(size))
    before = quick_digest(path)
    changed = bytearray(size)
    changed[place % size] = 1
    path.write_bytes(changed)
    assert quick_digest(path) != before


@pytest.mark.parametrize("place", [0, ENDS_BYTES - 1, -1, -ENDS_BYTES])
def test_ends_and_size_of_a_large_file_count(tmp_path: Path, place: int) -> None:
    path, other = tmp_path / "a.tif", tmp_path / "b.tif"
    content = bytearray(3 * WHOLE)
    path.write_bytes(content)
    other.write_bytes(content + b"\0")
    assert quick_digest(path) != quick_digest(other)
    content[place] = 1
    other.write_bytes(content)
    assert quick_digest(path) != quick_digest(other)


def test_equal_files_have_equal_digests_whatever_their_names_and_times(tmp_path: Path) -> None:
    paths = [tmp_path / "a.tif", tmp_path / "b.png"]
    for path in paths:
        path.write_bytes(b"same" * 100_000)
    assert quick_digest(paths[0]) == quick_digest(paths[1])
    assert equal_bytes(*paths)
    paths[1].write_bytes(b"same" * 99_999 + b"else")
    assert not equal_bytes(*paths)
    assert not equal_bytes(paths[0], tmp_path / "gone.tif")


def test_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRasterError, match=r"^d/gone\.tif: there is no such file$"):
        quick_digest(tmp_path / "gone.tif", "d/gone.tif")
