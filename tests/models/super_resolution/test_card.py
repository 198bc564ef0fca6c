from pathlib import Path

import pytest

from models.errors import SuperResolutionError
from models.super_resolution.card import read_pair_set, read_super_card, version_of


def test_folders_without_their_file_are_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(SuperResolutionError, match="`al-loop super-resolution pairs` makes one"):
        read_pair_set(tmp_path)
    with pytest.raises(SuperResolutionError, match="name a folder that `al-loop super-resolution train` made"):
        read_super_card(tmp_path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name in ("pairs.json", "card.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(SuperResolutionError, match=r"is no list of pairs: .*factor"):
        read_pair_set(tmp_path)
    with pytest.raises(SuperResolutionError, match="is no card of super-resolution"):
        read_super_card(tmp_path)


def test_version_is_named_by_the_file() -> None:
    assert version_of("ab" * 32) == "sr-ababababab"
