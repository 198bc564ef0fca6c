"""GDAL has nothing to do with a cloud, whatever the environment of the service knows of one."""

from pathlib import Path

import pytest
from rasterio.session import Session

from models.gdal import gdal_settings
from models.rasters.reading import open_upload, read_header
from tests.data.make_scene import make_scene


def test_credentials_of_a_cloud_open_no_session_and_are_not_told_to_gdal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rasterio would take 20 ms for each file that is opened."""

    def session(*_: object, **__: object) -> None:
        raise AssertionError("rasterio opens a session of a cloud")

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(Session, "from_environ", session)
    path = make_scene(tmp_path / "a.tif")
    assert read_header(path).band_count == 3
    assert open_upload(path.read_bytes()).header.width == 64
    with gdal_settings(GDAL_TIFF_INTERNAL_MASK=True) as env:
        assert env.options == {"GDAL_TIFF_INTERNAL_MASK": True}
