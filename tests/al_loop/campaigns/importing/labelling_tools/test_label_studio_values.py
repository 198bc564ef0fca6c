import pytest

from al_loop.campaigns.importing.labelling_tools.label_studio_values import is_region, names_of, shape_of
from al_loop.campaigns.importing.labelling_tools.shapes import BadShapeError
from tests.al_loop.campaigns.importing.labelling_tools.exports import ring


def test_percent_are_of_width_and_height() -> None:
    value = {"points": [[0, 0], [100, 0], [100, 100]]}
    assert shape_of("polygonlabels", value, "a", (200, 50)).drawn == ring((0, 0), (200, 0), (200, 50))


def test_regions_and_their_classes() -> None:
    assert is_region("brush")
    assert is_region("ellipselabels")
    assert not is_region("choices")
    assert names_of({"brushlabels": [" a ", "", 3]}) == ["a"]
    assert names_of({"labels": ["b"]}) == ["b"]
    assert names_of({"text": ["b"]}) == []


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("vectorlabels", {"vertices": [{"x": 1, "y": 1, "isBezier": True}]}, "a curve"),
        ("vectorlabels", {"vertices": 3}, "no list of points"),
        ("polygonlabels", {"points": [[1, 1], [2, 1], [2, 2]], "closed": False}, "not closed"),
        ("brushlabels", {"format": "rle"}, "without `rle`"),
        ("videorectangle", {}, "a region of type videorectangle"),
    ],
)
def test_what_cannot_be_used_says_why(kind: str, value: dict[str, object], reason: str) -> None:
    with pytest.raises(BadShapeError, match=reason):
        shape_of(kind, value, "a", (10, 10))
