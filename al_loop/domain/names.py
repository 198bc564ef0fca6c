"""Names that people type: one accented letter has two spellings in Unicode, and they are the same name."""

import unicodedata
from collections.abc import Iterable


def same_text(name: str) -> str:
    """The composed spelling (NFC) of a name; two names are the same if this is equal for both.

    macOS writes accents apart from their letters (NFD), most keyboards and databases together (Unicode Annex 15).
    """
    return unicodedata.normalize("NFC", name)


def person_key(name: str) -> str:
    """Equal for names of one annotator: without case and the blanks around them, accents composed."""
    return same_text(same_text(name).strip().casefold())


def spellings(name: str) -> set[str]:
    """The ways in which one name may be stored: as it came, composed (NFC) and decomposed (NFD)."""
    return {name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)}


def as_spelled(name: str, known: Iterable[str]) -> str:
    """The one of the known names that is the same as a name; the name itself if none is."""
    return next((other for other in known if same_text(other) == same_text(name)), name)
