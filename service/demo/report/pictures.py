"""PNG pictures embedded in the report page, so that it is one file."""

import base64
from html import escape


def data_uri(png: bytes) -> str:
    """A PNG as a `data:` address."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def picture(png: bytes, description: str) -> str:
    """An `img` element; `description` is for those who cannot see it.

    It has the picture's size, so that the page keeps its layout while pictures are decoded.
    """
    width, height = _size(png)
    return f'<img src="{data_uri(png)}" width="{width}" height="{height}" alt="{escape(description)}">'


def _size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header chunk, which begins every PNG."""
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
