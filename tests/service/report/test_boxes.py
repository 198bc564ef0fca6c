"""The report of a round on boxes: counts of what became of them, average precision, and the worst mistakes."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.domain.round_reports import ChosenLabels, RoundReport
from al_loop.domain.samples import Sample, SampleHeader
from al_loop.serving.pictures.mistakes import CaptionedPicture
from al_loop.training.evaluation import report as reports
from models.card import Evaluation, OtherMetric, TaskEvaluation, TaskSpec
from models.tasks import task_of
from models.training.data.dataset import LabelledSample
from models.training.reserve.outcomes import OutcomeRow, read_outcomes, write_outcomes
from service.report.page import render
from tests.al_loop.store.fixtures import make_header

SPEC = TaskSpec(task="detection", classes=["ship", "plane"])
TRUTH = np.array([[10, 10, 20, 20, 0]], np.float32)
ANSWERS = [
    [[10, 10, 20, 20, 0.9, 0]],
    [[10, 10, 20, 20, 0.6, 1], [40, 40, 50, 50, 0.8, 0]],
    [[10, 10, 20, 20, 0.1, 0]],
]


def registered(campaign: Campaign, number: int) -> Sample:
    """One of the samples."""
    header = {name: getattr(make_header(f"chip-{number}.tif"), name) for name in SampleHeader.__struct_fields__}
    return Sample(
        **header, sample_id=number, campaign_id=campaign.campaign_id, block=f"place:1:{number}", reserve=True,
        registered_at=datetime.now(UTC),
    )  # fmt: skip


def test_boxes_are_counted_and_mistakes_are_shown(tmp_path: Path, make_campaign: Callable[..., Campaign]) -> None:
    task, rows = task_of(SPEC), []
    for number, answer in enumerate(ANSWERS):
        row, values = OutcomeRow(task), np.array(answer, np.float32)
        judged = task.judge(TRUTH, values)
        assert judged is not None
        row.add(task.tally(TRUTH, values)[0], judged)
        sample = LabelledSample(
            sample_id=number, path=Path("a.tif"), block=f"place:1:{number}", targets={}, height=64, width=64
        )
        rows.append(row.row(SPEC.task, sample))
    write_outcomes(tmp_path, rows)
    (outcomes,) = read_outcomes(tmp_path, [SPEC])
    result = TaskEvaluation(
        task="detection", metric="map50", value=0.5, low=0.2, high=0.8, baseline=0.0, samples=3,
        per_class={"ship": 0.5, "plane": None}, expected_calibration_error=0.1,
        others=[OtherMetric(name="ap50", value=0.5, low=0.2, high=0.8, of_class="ship")],
    )  # fmt: skip
    campaign = make_campaign()
    samples = {number: registered(campaign, number) for number in range(3)}
    found = reports._task(campaign, Evaluation(candidate=[result]), result, outcomes, samples)
    assert found.confusion.rows == ["ship", "plane", "nothing"]
    assert found.confusion.counts == [[1, 1, 1], [0, 0, 0], [1, 0, 0]]
    assert [(entry.truth, entry.answer) for entry in found.mistakes] == [("ship", "nothing"), ("ship", "plane")]
    ship = found.classes[0]
    assert ship.precision is not None
    assert ship.recall is not None
    assert (ship.precision.value, round(ship.recall.value, 3)) == (0.5, 0.333)

    whole = RoundReport(
        campaign="demo", round_number=1, version="v1", state="promoted", ended_at=datetime.now(UTC), verdict=None,
        labels=3, reserve_labels=3, incumbent_version=None, leakage=None, tasks=[found], notices=[],
        chosen=ChosenLabels(sources={}, estimates=[], sentence="Biased."),
    )  # fmt: skip
    asked: list[int] = []

    def pictures(_: str, mistake: object) -> list[CaptionedPicture]:
        asked.append(getattr(mistake, "sample_id", -1))
        return [CaptionedPicture("label", b"png"), CaptionedPicture("answer", b"png")]

    page = render(whole, pictures)
    assert "average precision at IoU .5" in page
    assert "Boxes that are shown and objects" in page
    assert "<strong>ship</strong> taken for <strong>nothing</strong>" in page
    assert asked == [2, 1]
