"""Text as it can be shown."""

import re

_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, line separators, and what turns the direction of text around."""


def printable(text: str) -> str:
    r"""Text that every log, terminal and JSON takes: bytes of a name that are no UTF-8 become `\udcXX`."""
    return text.encode(errors="backslashreplace").decode()


def visible(text: str, *, line: bool = False) -> str:
    r"""Text that cannot command a terminal or hide what it says: control characters become `\x1b`, `\u202e` and so on.

    Names of files come from whoever made the folder.

    Args:
        text: Of any origin.
        line: Make tabs and line feeds visible, too, so that it stays one line.
    """
    if line:
        text = text.replace("\t", r"\t").replace("\n", r"\n")
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_in_json(document: str) -> str:
    """A JSON document with the same content, in which such characters are written as JSON escapes them."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
