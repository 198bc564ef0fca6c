"""What the tests of bad input share."""

from typing import Any


def refused(response: Any, status: int, *words: str) -> dict[str, Any]:
    """Check that an answer is a problem of this status whose detail has these words."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/problem+json")
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    for word in words:
        assert word in problem["detail"], problem
    return problem


def label(**changes: Any) -> dict[str, Any]:
    return {"path": "scene_000.tif", "task": "classification", "annotator": "a", "classes": ["dark"]} | changes


def polygon(*points: tuple[float, float], label: str = "field") -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [[list(point) for point in points]]}
    feature = {"type": "Feature", "properties": {"label": label}, "geometry": geometry}
    return {"type": "FeatureCollection", "features": [feature]}
