"""`README.md` of a data set or a model for EOTDL: front matter that its client reads, and a description for people."""

from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec

from al_loop.errors import InvalidValueError

README_FILE = "README.md"
EOTDL_PAGE = "https://www.eotdl.com"

Line = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        extra={"words": "one line without control characters"},
    ),
]


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """Who made a data set, and on what terms it may be used."""

    authors: tuple[Line, ...] = ()
    """Names; empty: the campaign stands for them."""
    licence: Line = "other"
    """SPDX identifier, or `other`."""
    source: Line | None = None
    """Address that the data is from; None: the page that EOTDL will give it."""


def check_attribution(said: Attribution) -> Attribution:
    """The same, if EOTDL takes it.

    Raises:
        InvalidValueError: The source is no HTTP address.
    """
    if said.source is not None and not said.source.startswith(("http://", "https://")):
        raise InvalidValueError("source", f"{said.source!r} is no address: EOTDL asks for one with http or https")
    return said


def readme(name: str, kind: str, said: Attribution, description: str) -> str:
    """The file's text: YAML front matter of `name`, `authors`, `license`, `source`, then Markdown.

    Args:
        name: Of the data set or model.
        kind: `datasets` or `models`, as in the addresses of EOTDL.
        said: Checked.
        description: Markdown.
    """
    front: Mapping[str, str] = {
        "name": name, "license": said.licence, "source": said.source or f"{EOTDL_PAGE}/{kind}/{name}",
    }  # fmt: skip
    lines = [f"{key}: {_quoted(value)}" for key, value in front.items()]
    authors = [f"  - {_quoted(author)}" for author in said.authors or (f"al-loop campaign {name}",)]
    return "\n".join(["---", *lines, "authors:", *authors, "---", "", description, ""])


def counted(counts: Mapping[str, int]) -> Iterable[str]:
    """Lines of a Markdown list with how often each occurs."""
    return (f"* {name}: {count}" for name, count in counts.items())


def _quoted(value: str) -> str:
    """A YAML string; JSON's are all YAML's."""
    return msgspec.json.encode(value).decode()
