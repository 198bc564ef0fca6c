"""Settings of GDAL for a block of code."""

from typing import Any

from rasterio.env import Env
from rasterio.session import DummySession


def gdal_settings(**options: Any) -> Env:  # noqa: ANN401  # texts, numbers and switches of GDAL
    """Let GDAL have settings during a block, and nothing to do with a cloud.

    Images are files of this machine. Where the environment has credentials of AWS, as with artefacts on S3, rasterio
    would open a session of a cloud for each block, 20 ms, and tell GDAL the credentials.
    """
    return Env(session=DummySession(), **options)
