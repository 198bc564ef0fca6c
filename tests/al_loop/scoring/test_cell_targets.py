"""Stored polygons become shares of classes a cell."""

from collections.abc import Callable

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import mapping

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings
from al_loop.domain.labels import LabelInput
from al_loop.scoring.cell_targets import CellTargetCache, count_codes
from al_loop.store import LabelStore
from models.rasters.masks import polygons_to_codes
from models.scoring.cells.grid import CellGrid, cut_cells
from tests.al_loop.store.fixtures import NOW

POINT = st.tuples(st.integers(-20, 150), st.integers(-20, 150))
BOX = st.tuples(st.sampled_from([1, 2, 255]), POINT, POINT)


@given(st.lists(BOX, max_size=5), st.integers(1, 130), st.integers(1, 130), st.sampled_from([0, 255]))
def test_cells_count_what_is_painted(boxes, height, width, fill):
    polygons = [(code, shapely.to_wkb(shapely.box(*first, *second))) for code, first, second in boxes]
    painted = polygons_to_codes(polygons, height, width, fill)
    cells = cut_cells(height, width, CellGrid(side_px=20))
    counts = count_codes(polygons, cells, width, 3, fill)
    for (row, column, rows, columns), found in zip(cells.tolist(), counts, strict=True):
        part = painted[row : row + rows, column : column + columns]
        assert found.tolist() == [np.count_nonzero(part == code) for code in range(3)]


def area(label: str | None, *box: float) -> dict[str, object]:
    properties = {"label": label} if label else {"label": None, "ignore": True}
    return {"type": "Feature", "properties": properties, "geometry": mapping(shapely.box(*box))}


@pytest.mark.parametrize(("unlabelled", "background"), [("background", True), ("ignore", False)])
def test_targets_are_shares_of_labelled_pixels(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], unlabelled: str, background: bool
) -> None:
    campaign = make_campaign(samples=3, settings=CampaignSettings(unlabelled=unlabelled))
    sample_ids, _ = label_store.samples.paths(campaign.campaign_id)
    features = [area("field", 0, 0, 32, 16), area("road", 0, 16, 8, 32), area(None, 32, 0, 64, 32)]
    label = LabelInput(
        sample_id=int(sample_ids[1]), task="segmentation", annotator="ann", crs="pixel",
        features={"type": "FeatureCollection", "features": features},
    )  # fmt: skip
    record_labels(label_store, campaign, [label], NOW)
    cells = cut_cells(64, 64, CellGrid())
    index = np.concatenate([np.column_stack([np.full(4, sample_id), cells]) for sample_id in sample_ids])
    painted = CellTargetCache()
    rows, targets, weights = painted.targets(label_store, campaign, campaign.tasks[1], index)
    if background:  # the cell that is ignored as a whole says nothing
        assert rows.tolist() == [4, 6, 7]
        np.testing.assert_allclose(targets, [[0.375, 0.5, 0.125], [1, 0, 0], [1, 0, 0]])
        assert weights.tolist() == [1024, 1024, 1024]
    else:
        assert rows.tolist() == [4]
        np.testing.assert_allclose(targets, [[0.8, 0.2]])
        assert weights.tolist() == [640]


def test_newer_answers_replace_older_ones_and_retractions_bring_them_back(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign(samples=2)
    sample_id = int(label_store.samples.paths(campaign.campaign_id)[0][0])
    index = np.column_stack([np.full(4, sample_id), cut_cells(64, 64, CellGrid())])
    painted = CellTargetCache()
    assert painted.targets(label_store, campaign, campaign.tasks[1], index).targets.shape == (0, 3)

    def answer(annotator: str, label: str) -> int:
        given = LabelInput(
            sample_id=sample_id, task="segmentation", annotator=annotator, crs="pixel",
            features={"type": "FeatureCollection", "features": [area(label, 0, 0, 64, 64)]},
        )  # fmt: skip
        return record_labels(label_store, campaign, [given], NOW)[0].label_id

    answer("ann", "field")
    assert painted.targets(label_store, campaign, campaign.tasks[1], index).targets.tolist() == [[0, 1, 0]] * 4
    newer = answer("ben", "road")
    assert painted.targets(label_store, campaign, campaign.tasks[1], index).targets.tolist() == [[0, 0, 1]] * 4
    label_store.labels.retract(campaign.campaign_id, newer, annotator="ben", now=NOW)
    assert painted.targets(label_store, campaign, campaign.tasks[1], index).targets.tolist() == [[0, 1, 0]] * 4
    halved = cut_cells(64, 64, CellGrid(side_px=64))  # embedded again on another grid
    again = painted.targets(label_store, campaign, campaign.tasks[1], np.array([[sample_id, *halved[0]]]))
    assert again.weights.tolist() == [64 * 64]
