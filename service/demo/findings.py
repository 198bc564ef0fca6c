"""Results of the demo: learning curves of both campaigns, the table in the terminal, pictures and the report page."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from al_loop.campaigns.importing import ImportPlan
from al_loop.campaigns.importing.plan import FolderKind
from al_loop.domain.class_colours import class_colours
from al_loop.domain.samples import SampleView
from al_loop.serving.pictures.rendering import BACKGROUND_COLOUR, IGNORE_COLOUR, codes_png, heat_png, label_png
from al_loop.simulation.comparing import shown_differences
from al_loop.simulation.curve_plot import curve_png
from al_loop.simulation.curves import CurveRuns, LearningCurves
from al_loop_records.metric_names import metric_name
from models.tasks import task_of
from service.demo.campaigns import DemoCampaign, seconds_of
from service.demo.report import (
    AskedRound,
    AskedSample,
    Fact,
    LegendEntry,
    NextStep,
    PictureStrip,
    ReportData,
    RoundRow,
    Timing,
    write_report,
)

FOLDERS: dict[FolderKind, str] = {
    "scaneo": "with labels of SCANEO",
    "class-folders": "a folder for each class",
    "mask-pairs": "each with a mask",
    "coco": "with COCO outlines",
    "yolo": "with YOLO outlines",
    "table": "with a table of labels",
}
ASKED_SHOWN = 12
STRIPS = 6


def curves_of(arms: list[DemoCampaign]) -> LearningCurves:
    """Metric of the first task on the reserve against labels spent, one run an arm."""
    labels: list[int] = []
    runs: dict[str, CurveRuns] = {}
    metric = ""
    for arm in arms:
        points = arm.client.learning_curve(arm.name).points
        points = [point for point in points if point.task == points[0].task]
        metric = points[0].metric if points else metric
        labels = [point.labels for point in points] if len(points) > len(labels) else labels
        runs[arm.name.removeprefix("demo-")] = CurveRuns(
            runs=[[point.value for point in points]], intervals=[(point.low, point.high) for point in points]
        )
    return LearningCurves(metric=metric, labels=labels, strategies=runs)


def print_curves(console: Console, curves: LearningCurves) -> None:
    """The learning curve of each arm beside the others."""
    table = Table(
        "labels", *curves.strategies, title=f"{metric_name(curves.metric)} on the test reserve [95 % interval]"
    )
    for row, labels in enumerate(curves.labels):
        cells = []
        for curve in curves.strategies.values():
            value = curve.runs[0][row] if row < len(curve.runs[0]) else None
            interval = curve.intervals[row] if curve.intervals and row < len(curve.intervals) else None
            bounds = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
            cells.append("" if value is None else f"{value:.3f}{bounds}")
        table.add_row(str(labels), *cells)
    console.print(table)
    for sentence in shown_differences(curves):
        console.print(sentence, highlight=False, markup=False)


def report_data(
    arms: list[DemoCampaign], plan: ImportPlan, data: Path, out: Path, seconds: float, console: Console
) -> ReportData:
    """Gather the page; asks the served model about reserve images through the prediction route."""
    first = arms[0]
    counts = first.client.campaign(first.name).samples
    strips = _strips(first, plan, console)
    return ReportData(
        title="al-loop demo",
        subtitle=f"{len(plan.paths)} images in {data.name} ({FOLDERS[plan.kind]}), a simulated annotator, "
        f"{len(first.rounds)} round{'' if len(first.rounds) == 1 else 's'} with each strategy",
        created_at=datetime.now(UTC),
        facts=[
            Fact(name="images", value=f"{counts.total:,}"),
            Fact(name="labels to train on", value=f"{counts.labelled:,}"),
            Fact(name="labels to test with, on top of these", value=f"{counts.reserve_labelled:,}"),
            Fact(name="serving version", value=_serving(first)),
        ],
        curves=curves_of(arms),
        rounds=_rounds(first),
        asked=[_asked(first, number) for number in range(len(first.asked))],
        strips=strips,
        legend=_legend(plan),
        timings=[
            Timing(
                name=f"{arm.name} round {view.number}, while the other strategy trained, too", seconds=seconds_of(view)
            )
            for arm in arms
            for view in arm.rounds
        ]
        + [Timing(name="everything until here", seconds=seconds)],
        next_steps=next_steps(out, plan.root),
    )


def next_steps(out: Path, imagery: Path) -> list[NextStep]:
    """What to do after the demo, whose service has stopped; its data stay in `out`."""
    return [
        NextStep(
            text="Label on in the demo’s campaigns: start the service again, and open the page that it prints.",
            command=shlex.join(["al-loop", "serve", "--data", str(out / "data"), "--imagery", str(imagery)]),
        ),
        NextStep(
            text="Use a folder of your own images; they need no labels. This starts a service if none runs.",
            command="al-loop create my-campaign path/to/images --classes water,forest",
        ),
        NextStep(text="Open its page in the browser and label.", command="al-loop open my-campaign"),
    ]


def write(out: Path, data: ReportData) -> Path:
    """Write `report.html`, `curve.png` and `curve.json`; returns the page's path."""
    if data.curves is not None:
        (out / "curve.json").write_bytes(msgspec.json.format(msgspec.json.encode(data.curves), indent=1))
        (out / "curve.png").write_bytes(curve_png(data.curves))
    return write_report(out, data)


def _serving(arm: DemoCampaign) -> str:
    model = arm.client.campaign(arm.name).current_model
    return "none" if model is None else model.version


def _rounds(arm: DemoCampaign) -> list[RoundRow]:
    return [
        RoundRow(
            number=view.number,
            state=view.state,
            task=entry.task,
            metric=entry.metric,
            labels=view.labels or 0,
            reserve_labels=view.reserve_labels or 0,
            value=entry.value,
            low=entry.low,
            high=entry.high,
            baseline=entry.baseline,
            verdict=view.verdict or view.error or "",
            seconds=seconds_of(view),
        )
        for view in arm.rounds
        if view.evaluation is not None
        for entry in view.evaluation.candidate
    ]


def _legend(plan: ImportPlan) -> list[LegendEntry]:
    """Colours of the pictures of masks; none where no task has masks."""
    masks = [spec for spec in plan.tasks if task_of(spec).per_pixel]
    if not masks:
        return []
    colours = class_colours(plan.tasks)
    names = dict.fromkeys(name for spec in masks for name in spec.classes)
    return [LegendEntry(name=name, colour=colours[name]) for name in names] + [
        LegendEntry(name="no class (background)", colour=BACKGROUND_COLOUR),
        LegendEntry(name="left out (ignore)", colour=IGNORE_COLOUR),
    ]


def _asked(arm: DemoCampaign, number: int) -> AskedRound:
    asked = arm.asked[number]
    return AskedRound(
        title=f"before round {number + 1}",
        total=len(asked),
        samples=[
            AskedSample(
                path=sample.path,
                reason=sample.reason,
                score=sample.score,
                answer=arm.annotator.in_words(sample.path),
                thumbnail_png=arm.client.thumbnail(arm.name, sample.sample_id, 160),
            )
            for sample in asked[:ASKED_SHOWN]
        ],
    )


def _strips(arm: DemoCampaign, plan: ImportPlan, console: Console) -> list[PictureStrip]:
    """Reserve images beside their truth, the served prediction and its uncertainty."""
    if _serving(arm) == "none":
        console.print("no model was promoted, so there is nothing to predict with", style="yellow")
        return []
    reserve = list(arm.client.every_sample(arm.name, state="reserve"))
    step = max(1, len(reserve) // STRIPS)
    return [_strip(arm, plan, sample) for sample in reserve[step // 2 :: step][:STRIPS]]


def _strip(arm: DemoCampaign, plan: ImportPlan, sample: SampleView) -> PictureStrip:
    image = (plan.root / sample.path).read_bytes()
    prediction_png = truth_png = None
    notes = []
    colour_of = class_colours(plan.tasks)
    for spec in plan.tasks:
        answer = arm.client.predict(arm.name, spec.task, image)
        if task_of(spec).per_pixel:
            colours = [colour_of[name] for name in spec.classes]
            prediction_png = codes_png(answer, colours)
            features = _features(arm, sample.path)
            if features is not None:
                truth_png = label_png(features, spec.classes, colours, sample.height, sample.width)
        else:
            probabilities = msgspec.json.decode(answer, type=list[float])
            best = max(range(len(probabilities)), key=probabilities.__getitem__)
            notes.append(f"model: {spec.classes[best]} ({probabilities[best]:.0%})")
            notes.append(f"truth: {arm.annotator.in_words(sample.path)}")
    return PictureStrip(
        caption=sample.path,
        image_png=arm.client.thumbnail(arm.name, sample.sample_id, 256),
        truth_png=truth_png,
        prediction_png=prediction_png,
        uncertainty_png=heat_png(arm.client.uncertainty(arm.name, sample.sample_id)),
        note="; ".join(notes),
    )


def _features(arm: DemoCampaign, path: str) -> dict[str, Any] | None:
    """The true polygons, if they are in pixel coordinates."""
    for label in arm.annotator.truth.get(path, []):
        if label.features is not None and label.crs == "pixel":
            return label.features
    return None
