"""PNG pictures embedded in the report page, so that it is one file."""

import base64
from html import escape


def data_uri(png: bytes) -> str:
    """A PNG as a `data:` address."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def picture(uri: str, description: str) -> str:
    """An `img` element; `description` is for those who cannot see it."""
    return f'<img src="{uri}" alt="{escape(description)}" loading="lazy">'
