"""Labels judge champion and challenger alike; it is decided at a number that is set beforehand."""

from typing import Any

import numpy as np
import pytest

from al_loop.domain.campaigns import Campaign, CampaignSettings
from al_loop.domain.gate import Challenger, Judgement, ShadowReport, ShadowSettings
from al_loop.domain.labels import Label
from al_loop.domain.retraining import RetrainPolicy
from al_loop.serving.shadow.answering import ShadowCounts
from al_loop.store.tables.shadow_answers import JudgedAnswer
from al_loop.training.gate.shadow import judge, scores_of, shadow_report
from models.card import TaskSpec
from tests.al_loop.store.fixtures import NOW, make_header

TASKS = [TaskSpec(task="classification", classes=["water", "land"]), TaskSpec(task="segmentation", classes=["ship"])]
CAMPAIGN = Campaign(
    campaign_id=1, name="demo", tasks=TASKS, root="/", bands=None, source_bands=3, settings=CampaignSettings(),
    policy=RetrainPolicy(), created_at=NOW, current_version="v1",
)  # fmt: skip
CHALLENGER = Challenger(version="v2", round_number=2, mode="shadow", since=NOW, state="waiting", reason="better")


def label(number: int, task: str, **fields: Any) -> Label:
    given = {"classes": None, "features": None, "crs": None} | fields
    return Label(
        label_id=number, sample_id=number, path="a.tif", task=task, annotator="ann", retracts=None, labelled_at=NOW,
        recorded_at=NOW, **given,
    )  # fmt: skip


def said(champion: list[float], challenger: list[float], *, blind: bool = False) -> JudgedAnswer:
    return JudgedAnswer(
        champion_answer={"probabilities": champion}, challenger_answer={"probabilities": challenger},
        champion_mask=None, challenger_mask=None, blind=blind,
    )  # fmt: skip


def masks(champion: np.ndarray, challenger: np.ndarray) -> JudgedAnswer:
    return JudgedAnswer(
        champion_answer={}, challenger_answer={}, champion_mask=champion, challenger_mask=challenger, blind=False
    )


def square(side: int) -> dict[str, Any]:
    ring = [[0, 0], [side, 0], [side, side], [0, side], [0, 0]]
    feature = {
        "type": "Feature",
        "properties": {"label": "ship"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    return {"type": "FeatureCollection", "features": [feature]}


def test_classes_judge_by_whether_they_were_named() -> None:
    right = label(1, "classification", classes=["water"])
    assert scores_of(CAMPAIGN, right, said([0.9, 0.1], [0.2, 0.8]), None) == (1.0, 0.0)
    assert scores_of(CAMPAIGN, right, said([0.4, 0.6], [0.7, 0.3]), None) == (0.0, 1.0)


def test_masks_judge_by_their_overlap_with_what_was_drawn() -> None:
    header = make_header(crs=None, transform=None, bounds=None, width=8, height=8)
    drawn = label(1, "segmentation", features=square(8), crs="pixel")
    everywhere, half = np.ones((8, 8), np.uint8), np.ones((8, 8), np.uint8)
    half[4:] = 0
    assert scores_of(CAMPAIGN, drawn, masks(half, everywhere), header) == (0.5, 1.0)
    assert scores_of(CAMPAIGN, drawn, masks(half[:4], everywhere), header) is None, "another size: it was replaced"
    assert scores_of(CAMPAIGN, drawn, masks(half, everywhere), None) is None


def test_points_say_nothing_of_the_rest_of_an_image() -> None:
    point = {"type": "Feature", "properties": {"label": "ship"}, "geometry": {"type": "Point", "coordinates": [1, 1]}}
    drawn = label(1, "segmentation", features={"type": "FeatureCollection", "features": [point]}, crs="pixel")
    mask = np.ones((8, 8), np.uint8)
    assert scores_of(CAMPAIGN, drawn, masks(mask, mask), make_header(width=8, height=8)) is None


def judged(better: int, worse: int, same: int, *, blind: int = 0) -> list[Judgement]:
    kinds = [([0.1, 0.9], [0.9, 0.1])] * better + [([0.9, 0.1], [0.1, 0.9])] * worse + [([0.9, 0.1], [0.8, 0.2])] * same
    pairs = [
        (label(number, "classification", classes=["water"]), said(*kind, blind=number < blind))
        for number, kind in enumerate(kinds)
    ]
    return judge(CAMPAIGN, pairs, {})


def reported(judgements: list[Judgement], labels: int = 20, tolerance: float = 0.0) -> ShadowReport:
    settings = ShadowSettings(labels=labels)
    return shadow_report(CHALLENGER, "v1", judgements, 99, ShadowCounts(3, 1), settings, tolerance)


def test_judgement_is_paired_with_an_interval() -> None:
    (found,) = judged(6, 2, 12, blind=5)
    assert (found.samples, found.unaided, found.metric) == (20, 5, "accuracy")
    assert (found.champion, found.challenger, found.difference) == (0.7, 0.9, pytest.approx(0.2))
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.2 < found.high
    assert judged(1, 0, 0)[0].low is None, "a few samples have no interval"


@pytest.mark.parametrize(
    ("better", "worse", "same", "promote"), [(3, 2, 14, None), (3, 2, 15, True), (2, 2, 16, True), (2, 3, 15, False)]
)
def test_rule_waits_for_enough_labels_and_wants_no_loss(better: int, worse: int, same: int, promote: bool) -> None:
    report = reported(judged(better, worse, same))
    assert (report.promote, report.ready) == (promote, promote is not None)


def test_tolerance_of_the_policy_holds_here_too() -> None:
    assert reported(judged(2, 3, 15), tolerance=0.05).promote


def test_report_says_what_it_waits_for() -> None:
    report = reported([])
    assert report.sentence == (
        "v2 answers in the shadow, 0 of 20 labels judge it: no sample that both have answered was labelled since; 20 "
        "are needed"
    )
    assert (report.answered, report.dropped, report.failed, report.needed) == (99, 3, 1, 20)
