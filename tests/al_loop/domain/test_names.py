"""Two spellings of one name are one name."""

import unicodedata

import pytest

from al_loop.domain.names import same_text


@pytest.mark.parametrize("name", ["Forêt", "Å", "Öl/Würzburg.tif", "한국"])
def test_composed_and_decomposed_spellings_are_the_same(name: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert same_text(composed) == same_text(decomposed) == composed


def test_letters_that_only_look_alike_stay_different() -> None:
    assert same_text("Ａ") != same_text("A")
    assert same_text("²") == "²"
