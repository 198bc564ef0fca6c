import json

from hypothesis import given
from hypothesis import strategies as st

from al_loop_records.texts import visible, visible_in_json

TITLE = "a\x1b]0;title\x07\x9b2J\r\u202egpj.tif"


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert visible(TITLE) == r"a\x1b]0;title\x07\x9b2J\r\u202egpj.tif"
    assert visible("Água 湿地 🦆 مياه\tb\nc") == "Água 湿地 🦆 مياه\tb\nc"
    assert visible("one\ntwo\tthree", line=True) == r"one\ntwo\tthree"


@given(st.text())
def test_shown_text_holds_no_control_character_and_json_means_the_same(text: str) -> None:
    shown = visible(text, line=True)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)
    document = json.dumps(text, ensure_ascii=False)
    assert json.loads(visible_in_json(document)) == text
