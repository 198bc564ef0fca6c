from pathlib import Path

import pytest

from al_loop.campaigns.importing.labelling_tools import xml_files
from al_loop.campaigns.importing.labelling_tools.xml_files import XmlRefusedError, children_of, root_of


def test_children_come_one_by_one_and_are_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_files, "_BLOCK", 7)
    path = tmp_path / "a.xml"
    path.write_text("<r>" + "".join(f"<i n='{n}'><x/><y>text</y></i>" for n in range(50)) + "</r>")
    seen = [(child.get("n"), child.findtext("y")) for child in children_of(path)]
    assert seen == [(str(number), "text") for number in range(50)]
    assert root_of(path) == "r"


@pytest.mark.parametrize("bad", ["<!DOCTYPE r>", "<!ENTITY a 'b'>"])
@pytest.mark.parametrize("block", [3, 5, 10, 1000])
def test_entities_are_found_wherever_a_block_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str, block: int
) -> None:
    monkeypatch.setattr(xml_files, "_BLOCK", block)
    path = tmp_path / "a.xml"
    path.write_text(f"<?xml version='1.0'?>{bad}<r><i/></r>")
    with pytest.raises(XmlRefusedError, match=r"entities|cannot be read"):
        list(children_of(path))
    assert root_of(path) is None


def test_what_is_too_large_or_breaks_off_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<r><i/><i>")
    with pytest.raises(XmlRefusedError, match="cannot be read"):
        list(children_of(path))
    monkeypatch.setattr(xml_files, "MOST_BYTES", 5)
    with pytest.raises(XmlRefusedError, match="larger than"):
        list(children_of(path))
    with pytest.raises(XmlRefusedError, match="cannot be read"):
        list(children_of(tmp_path / "none.xml"))
    path.write_bytes("<r/>".encode("utf-16"))
    assert root_of(path) is None
