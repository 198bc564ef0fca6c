from pathlib import Path
from typing import Any

import pytest

from al_loop.campaigns.importing.class_list import ClassCodes, listed, read_class_list
from al_loop.campaigns.importing.listing import list_folder
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_json


def read(folder: Path, content: Any) -> ClassCodes | None:  # as JSON has it
    write_json(folder / "classes.json", content)
    return read_class_list(list_folder(folder))


@pytest.mark.parametrize(
    ("content", "names", "codes", "colours"),
    [
        (["a", "b"], ["a", "b"], {0: 0, 1: 1, 2: 2, 255: 255}, {}),
        ({"classes": ["a"]}, ["a"], {0: 0, 1: 1, 255: 255}, {}),
        ({"a": 7, "background": 3}, ["a"], {0: 0, 3: 0, 7: 1, 255: 255}, {}),
        ({"classes": {"a": "#FF0000", "b": [0, 0, 255]}}, ["a", "b"], {}, {0: 0, 0xFF0000: 1, 0x0000FF: 2}),
        ({"Background": "ffffff", "a": [0, 0, 0], "ignore": [9, 9, 9]}, ["a"], {}, {0: 1, 0xFFFFFF: 0, 0x090909: 255}),
    ],
)
def test_names_codes_and_colours_are_read(
    tmp_path: Path, content: object, names: list[str], codes: dict[int, int], colours: dict[int, int]
) -> None:
    found = read(tmp_path, content)
    assert found is not None
    assert (found.names, dict(found.codes), dict(found.colours)) == (names, codes, colours)


@pytest.mark.parametrize(
    "content",
    [{}, [], 3, ["a", 1], ["a", "a"], {"a": "red"}, {"a": [0, 0, 300]}, {"a": 1, "b": 1}, {"a": 1, "b": "#000001"},
     {"a": True}, {"background": 0}, {"a": 256}],
)  # fmt: skip
def test_malformed_list_is_refused_with_the_file(tmp_path: Path, content: object) -> None:
    with pytest.raises(InvalidValueError, match=r"classes\.json"):
        read(tmp_path, content)


def test_names_of_the_command_line_must_be_several_different_ones() -> None:
    for names in ([], ["a", "a"], [" "]):
        with pytest.raises(InvalidValueError, match="--classes"):
            listed(names, "--classes")
