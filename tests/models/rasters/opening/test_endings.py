"""The end of a JPEG or PNG is its own, whatever lies within it or after it."""

import io

import numpy as np
import pytest
from PIL import Image

from models.rasters.opening.endings import is_whole


def encoded(side: int = 96, **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, **options)
    return stream.getvalue()


def with_preview(jpeg: bytes) -> bytes:
    """A JPEG with another, whole one in its EXIF segment."""
    preview = b"Exif\x00\x00" + encoded(32, format="JPEG")
    return jpeg[:2] + b"\xff\xe1" + (len(preview) + 2).to_bytes(2) + preview + jpeg[2:]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"optimize": True}])
@pytest.mark.parametrize("trailer", [0, 10, 2**16, 3_000_000])
def test_jpeg_with_anything_after_its_end_is_whole(options: dict[str, object], trailer: int) -> None:
    data = with_preview(encoded(format="JPEG", **options)) + b"\xff\x00ftyp"[: trailer or None] * (trailer // 6)
    assert is_whole("JPEG", io.BytesIO(data))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_jpeg_that_is_cut_off_is_not_whole_whatever_its_preview_ends_with(
    options: dict[str, object], share: float
) -> None:
    data = with_preview(encoded(format="JPEG", **options))
    assert not is_whole("JPEG", io.BytesIO(data[: int(len(data) * share)]))


def test_marker_on_the_border_of_two_pieces_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(16, format="JPEG") + b"trailer"
    for piece in range(2, 40):
        monkeypatch.setattr("models.rasters.opening.endings._PIECE", piece)
        assert is_whole("JPEG", io.BytesIO(data))
        assert not is_whole("JPEG", io.BytesIO(data[:-9] + b"\xff"))


def test_png_ends_at_its_own_chunk() -> None:
    data = encoded(format="PNG")
    assert is_whole("PNG", io.BytesIO(data))
    assert is_whole("PNG", io.BytesIO(data + bytes(100_000)))
    inner = data[:8] + (12).to_bytes(4) + b"teXt" + data[-12:] + bytes(4) + data[8:]
    assert is_whole("PNG", io.BytesIO(inner + b"x"))
    for share in (0.3, 0.99):
        assert not is_whole("PNG", io.BytesIO(inner[: int(len(inner) * share)]))
