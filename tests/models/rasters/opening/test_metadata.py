"""Metadata that takes GDAL or libpng minutes is counted first; what tools write passes."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from models.errors import UnreadableRasterError
from models.rasters.files import open_bytes, open_file
from models.rasters.opening.metadata import MAX_COMPRESSED_TEXTS, MAX_ELEMENTS, MAX_ITEMS
from tests.data.make_scene import make_scene


def png(texts: int) -> bytes:
    info = PngInfo()
    for number in range(texts):
        info.add_text(f"note-{number}", "x" * 100, zip=True)
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(stream, format="PNG", pnginfo=info)
    return stream.getvalue()


def with_items(path: Path, items: int) -> Path:
    with rasterio.open(make_scene(path), "r+") as dataset:
        dataset.update_tags(**{f"item-{number}": "x" for number in range(items)})
    return path


def test_png_of_many_compressed_texts_is_refused() -> None:
    with open_bytes(png(MAX_COMPRESSED_TEXTS), "a.png") as dataset:
        assert dataset.count == 3
    with pytest.raises(UnreadableRasterError, match="more than 64 compressed texts"), open_bytes(png(65), "a.png"):
        pass


def test_png_with_chunks_behind_its_pixels_is_counted_to_its_end() -> None:
    whole = png(0)
    chunk = b"zTXt" + b"a\x00\x00" + zlib.compress(bytes(10**6))
    piece = (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    data = whole[:-12] + piece * 1_000 + whole[-12:]
    with pytest.raises(UnreadableRasterError, match="compressed texts"), open_bytes(data, "a.png"):
        pass


def test_tiff_of_many_metadata_items_is_refused(tmp_path: Path) -> None:
    with open_file(with_items(tmp_path / "few.tif", 500), "few.tif") as dataset:
        assert len(dataset.tags()) > 500
    path = with_items(tmp_path / "many.tif", 200)
    data = path.read_bytes()
    item = b'<Item name="item-'
    assert data.count(item) == 200
    many = b"<GDALMetadata>" + b'<Item name="a">x</Item>' * (MAX_ITEMS + 1) + b"</GDALMetadata>\x00"
    refused = pytest.raises(UnreadableRasterError, match=f"{MAX_ITEMS + 1} items of metadata")
    with refused, open_bytes(with_metadata(data, many), "many.tif"):
        pass


def with_metadata(data: bytes, text: bytes) -> bytes:
    """A little-endian TIFF whose tag GDAL_METADATA is another text, at its end."""
    first = int.from_bytes(data[4:8], "little")
    tags = int.from_bytes(data[first : first + 2], "little")
    changed = bytearray(data)
    for at in range(first + 2, first + 2 + 12 * tags, 12):
        if int.from_bytes(data[at : at + 2], "little") == 42112:
            changed[at + 4 : at + 12] = len(text).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return bytes(changed) + text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<PAMDataset><Metadata>" + '<MDI key="a">b</MDI>' * (MAX_ITEMS + 1), "items of metadata"),
        ("<PAMDataset><GCPList>" + "< gcp/>" * (MAX_ITEMS + 1), "items of metadata"),
        ("<a>" * (MAX_ELEMENTS + 1), "elements, more than"),
    ],
)
def test_aux_xml_of_many_elements_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = make_scene(tmp_path / "a.tif")
    Path(f"{path}.aux.xml").write_text(text)
    with pytest.raises(UnreadableRasterError, match=reason), open_file(path, "a.tif"):
        pass
