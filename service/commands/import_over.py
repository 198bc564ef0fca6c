"""`al-loop import LINES.geojson --over CAMPAIGN`: labels of another data set, by place."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.progress import Progress

from al_loop.domain.campaigns import CampaignSettings
from al_loop.domain.labels import LabelSource
from al_loop.errors import InvalidValueError
from models.card import BandPolicy
from service.commands.import_report import ImportReport, print_skipped
from service.commands.output import ExitCode, exit_for, write

if TYPE_CHECKING:
    from al_loop.campaigns.overlaying.plan import OverlayPlan
    from al_loop.client.answers import CampaignView
    from al_loop.client.operators import OperatorClient


class OverlayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for."""

    file: Path
    campaign: str
    named: str | None = None
    width_m: float | None = None
    crs: str | None = None
    layer: str | None = None
    class_column: str | None = None
    empty: bool = False
    annotator: str
    source: LabelSource = "import"


def make_plan(client: "OperatorClient", options: OverlayOptions) -> "OverlayPlan":
    """Match the data set with the campaign's images.

    Raises:
        InvalidValueError: The campaign has no task about pixels, or the file or the images cannot be used.
    """
    from al_loop.campaigns.overlaying.plan import plan_overlay  # here: it loads rasterio
    from models.tasks import task_of

    view = client.campaign(options.campaign)
    spec = next((entry for entry in view.tasks if task_of(entry).per_pixel), None)
    if spec is None:
        asked = ", ".join(entry.task for entry in view.tasks)
        raise InvalidValueError("$.over", f"{view.name} asks {asked}; lines are labels of a segmentation")
    return plan_overlay(
        options.file,
        Path(view.root),
        [sample.path for sample in client.every_sample(view.name)],
        spec,
        view.settings.lines,
        bands=view.bands,
        named=options.named,
        width_m=options.width_m,
        crs=options.crs,
        empty=options.empty,
        layer=options.layer,
        class_column=options.class_column,
        policy=_policy(view, view.settings),
    )


def record_plan(
    client: "OperatorClient", plan: "OverlayPlan", options: OverlayOptions, progress: Progress
) -> ImportReport:
    """Record the labels; those that the service refuses are named."""
    from service.commands.imports import label_chunks, record  # not above: it imports this module

    report = ImportReport()
    total = len(plan.found.laid) + (len(plan.found.without) if plan.empty else 0)
    recording = progress.add_task("recording labels", total=total)
    labels = (msgspec.structs.replace(label, source=options.source) for label in plan.labels(options.annotator))
    for chunk in label_chunks(labels):
        report.refused.extend(record(client, options.campaign, chunk, report))
        report.sent += len(chunk)
        progress.update(recording, completed=report.sent)
    return report


def print_overlay_plan(plan: "OverlayPlan") -> None:
    """Write to stdout what would be recorded."""
    lines = [*plan.sentences(), *(f"{entry.path}: {entry.reason}" for entry in plan.unread[:10])]
    write("\n".join([*lines, "nothing was recorded (--dry-run)"]))


def print_overlay_report(out: Console, plan: "OverlayPlan", campaign: str, report: ImportReport) -> ExitCode:
    """What was recorded, and what a person should look at; the exit code."""
    counts = report.counts
    labels = f"{counts.recorded} new, {counts.unchanged} unchanged"
    if counts.kept or counts.outranked:
        labels += f", {counts.kept + counts.outranked} not counting, as people answered there"
    out.print(f"{campaign}: segmentation labels laid over it: {labels}", highlight=False, soft_wrap=True)
    for line in plan.sentences():
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    print_skipped(out, [*plan.unread, *report.refused])
    done = report.sent - len(report.refused)
    return exit_for(done, len(plan.unread) + len(report.refused) + (0 if done else 1))


def _policy(view: "CampaignView", settings: CampaignSettings) -> BandPolicy:
    """How the campaign's images are read."""
    return BandPolicy(
        alpha=settings.alpha,
        nodata=settings.nodata,
        source_bands=view.source_bands,
        expand=view.band_decision is not None and view.band_decision.rgb,
    )
