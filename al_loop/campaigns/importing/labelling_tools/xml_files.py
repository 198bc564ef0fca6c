"""XML from elsewhere, element by element: no entities, which can name other files or grow without end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

MOST_BYTES = 2**29
_BLOCK = 2**20
_HEAD = 2**16
_OVERLAP = 9
"""Bytes of a block that may be the beginning of what is refused."""
_REFUSED = (b"<!DOCTYPE", b"<!ENTITY", b"\x00")


class XmlRefusedError(ValueError):
    """A file that is not read, with the reason."""


def root_of(path: Path) -> str | None:
    """Name of the root element, from the first 64 KiB; None: it is no XML that we read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        _check(head)
        parser: Any = ElementTree.XMLPullParser(["start"])
        parser.feed(head)
        for _, element in parser.read_events():
            return str(element.tag)
    except (OSError, ElementTree.ParseError, LookupError, ValueError):
        return None
    return None


def children_of(path: Path) -> Iterator[ElementTree.Element]:
    """The children of the root element, one at a time, so that memory does not grow with the file.

    Raises:
        XmlRefusedError: Too large, defines entities, or is no XML; those before were given out already.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise XmlRefusedError(f"larger than {MOST_BYTES >> 20} MiB")
        parser: Any = ElementTree.XMLPullParser(["start", "end"])
        open_elements: list[ElementTree.Element] = []
        with path.open("rb") as file:
            before = b""
            while block := file.read(_BLOCK):
                _check(before + block)
                before = (before + block)[-_OVERLAP:]
                parser.feed(block)
                yield from _finished(parser, open_elements)
        parser.close()
        yield from _finished(parser, open_elements)
    except (OSError, ElementTree.ParseError, LookupError) as error:
        raise XmlRefusedError(f"cannot be read: {error}") from error


def _finished(parser: Any, open_elements: list[ElementTree.Element]) -> Iterator[ElementTree.Element]:  # noqa: ANN401  # has a type only in stubs
    for event, element in parser.read_events():
        if event == "start":
            open_elements.append(element)
            continue
        open_elements.pop()
        if len(open_elements) == 1:
            yield element
            open_elements[0].remove(element)


def _check(data: bytes) -> None:
    if any(part in data for part in _REFUSED):
        raise XmlRefusedError("it defines entities, or is no text in UTF-8")
