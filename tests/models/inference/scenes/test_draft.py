"""Drafts keep what was written, for the prediction that began them."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import SceneError
from models.inference.scenes.draft import STATE_FILE, open_draft, remove_draft
from models.rasters.tiling import Window


def test_draft_goes_on_with_its_key_only(tmp_path: Path) -> None:
    out = tmp_path / "a.tif"
    with open_draft(out, "one", (6, 5), "uint8") as draft:
        draft.write(Window(1, 2, 3, 2), np.full((2, 3), 7))
        draft.keep(4, 9, answered=True)
    with open_draft(out, "one", (6, 5), "uint8") as draft:
        assert (draft.done, draft.tiles, draft.answered, draft.resumed) == (4, 9, True, True)
        expected = np.zeros((6, 5), np.uint8)
        expected[2:4, 1:4] = 7
        np.testing.assert_array_equal(draft.values(), expected)
    with open_draft(out, "two", (6, 5), "uint8") as draft:
        assert (draft.done, draft.resumed) == (0, False)
        assert not draft.values().any()
    remove_draft(out)
    assert list(tmp_path.iterdir()) == []


def test_draft_whose_state_is_damaged_begins_anew(tmp_path: Path) -> None:
    out = tmp_path / "a.tif"
    with open_draft(out, "one", (6, 5, 2), "float32") as draft:
        draft.keep(4, 9, answered=True)
    (tmp_path / "a.tif.part" / STATE_FILE).write_text("{")
    with open_draft(out, "one", (6, 5, 2), "float32") as draft:
        assert draft.done == 0
        assert draft.values().shape == (6, 5, 2)


def test_only_one_writes(tmp_path: Path) -> None:
    with (
        open_draft(tmp_path / "a.tif", "one", (6, 5), "uint8"),
        pytest.raises(SceneError, match="another process"),
        open_draft(tmp_path / "a.tif", "one", (6, 5), "uint8"),
    ):
        pass
