"""Names that people type: one accented letter has two spellings in Unicode, and they are the same name."""

import unicodedata


def same_text(name: str) -> str:
    """The composed spelling (NFC) of a name; two names are the same if this is equal for both.

    macOS writes accents apart from their letters (NFD), most keyboards and databases together (Unicode Annex 15).
    """
    return unicodedata.normalize("NFC", name)
