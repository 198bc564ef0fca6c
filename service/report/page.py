"""Lays the report of a round out as one HTML document: no script, no address of another file."""

import base64
from collections.abc import Callable, Sequence
from html import escape

from al_loop.domain.round_reports import ChosenLabels, Mistake, RoundReport, SliceReport, TaskReport
from al_loop.serving.pictures.mistakes import CaptionedPicture
from al_loop_records.metric_names import metric_name
from models.card import OtherMetric
from models.tasks import kind_of
from service.report.charts import confusion_table, measured, reliability_svg, reliability_table
from service.report.document import document

SHOWN_PLACES = 12

PicturesOf = Callable[[str, Mistake], Sequence[CaptionedPicture]]
"""Task and mistake -> its pictures."""


def render(report: RoundReport, pictures: PicturesOf) -> str:
    """The whole document.

    Args:
        report: What is told.
        pictures: Of a mistake.
    """
    title = f"{report.campaign}, round {report.round_number}"
    when = "" if report.ended_at is None else f", {report.ended_at:%d %B %Y, %H:%M} UTC"
    body = "".join(_task(task, pictures) for task in report.tasks)
    measured_on = f"measured on {report.reserve_labels:,} images of the test reserve, which no model was trained on"
    under = f"""<p class="soft">{escape(report.version)}, {escape(report.state)}{when}: {report.labels:,} labels,
{measured_on}. Ranges are 95 % intervals.</p>
<p>{escape(report.verdict or "")}</p>"""
    return document(title, under, f"{_before_reading(report)}\n{body}\n{_chosen(report.chosen)}")


def _before_reading(report: RoundReport) -> str:
    told = [*report.notices, *([] if report.leakage is None else [report.leakage.sentence])]
    if report.leakage is None:
        told.append("Whether reserve images show what training images show was not looked at when this round ran.")
    told += [f"{task.task}: {entry.sentence}." for task in report.tasks for entry in task.needed]
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in told)
    return f'<section id="first"><h2>Before reading the figures</h2><ul>{items}</ul></section>'


def _task(task: TaskReport, pictures: PicturesOf) -> str:
    metric = metric_name(task.metric)
    kind = kind_of(task.task)
    unit, counted = ("pixels", "Pixels") if kind.per_pixel else ("answers", "Images")
    if kind.finds_objects:
        unit, counted = "boxes", "Boxes that are shown and objects, which are the same at an IoU of .5"
    places = (
        "<p>Reserve images stand alone: there are no places to compare.</p>"
        if not task.places
        else _slices(task.places[:SHOWN_PLACES], "place") + _further(task.places[SHOWN_PLACES:], task.places_left_out)
    )
    distances = "" if not task.distances else f"<h3>By distance to training</h3>{_slices(task.distances, 'distance')}"
    paired = (
        ""
        if task.paired is None
        else f"<p>Against the version that served, on the same {task.paired.samples} images: "
        f"{task.paired.difference:+.3f} <small>{task.paired.low:+.3f} to {task.paired.high:+.3f}</small>.</p>"
    )
    return f"""<section id="{escape(task.task)}">
<h2>{escape(task.task)}</h2>
<p class="headline"><strong>{task.value:.3f}</strong> {escape(metric)} <small>{task.low:.3f} to {task.high:.3f}</small>;
the best constant answer has {task.baseline:.3f}.</p>
{paired}
{_slices([task.overall], "")}
<h3>By class</h3>
{_classes(task.classes)}
{_others(task.others)}
<h3>By place</h3>
<p class="soft">Blocks of the reserve; {task.blocks:,} hold a labelled image, and intervals are resampled by them.</p>
{places}
{distances}
<h3>Is its confidence right?</h3>
<p class="soft">Below the diagonal the model is too sure of itself. Bars: how many {unit} each bin holds.</p>
<div class="two"><figure>{reliability_svg(task.reliability, unit)}</figure>
<div>{reliability_table(task.reliability, unit)}</div></div>
<h3>What is taken for what</h3>
<p class="soft">{counted}; a row for what is true.</p>
{confusion_table(task.confusion)}
<h3>Worst mistakes</h3>
{_mistakes(task, pictures)}
</section>"""


def _others(others: Sequence[OtherMetric]) -> str:
    if not others:
        return ""
    rows = "".join(
        f"<tr><td>{escape(entry.of_class or 'all')}</td><td>{escape(metric_name(entry.name))}</td>"
        f"<td>{entry.value:.3f} <small>{entry.low:.3f} to {entry.high:.3f}</small></td></tr>"
        for entry in sorted(others, key=lambda entry: entry.of_class or "")
    )
    head = "<tr><th>class</th><th>metric</th><th>value</th></tr>"
    return f'<div class="scroll"><table>{head}{rows}</table></div>'


def _slices(slices: Sequence[SliceReport], kind: str) -> str:
    head = f"<tr><th>{kind}</th><th>images</th><th>accuracy</th><th>F1</th><th>IoU</th><th>calibration error</th></tr>"
    rows = "".join(
        f"<tr><td>{escape(entry.name)}</td><td>{entry.samples:,}</td>{_cells(entry, 'accuracy', 'f1', 'iou')}"
        f"{_cells(entry, 'expected_calibration_error')}</tr>"
        for entry in slices
    )
    return f'<div class="scroll"><table>{head}{rows}</table></div>'


def _classes(slices: Sequence[SliceReport]) -> str:
    names = ("precision", "recall", "f1", "iou", "accuracy", "expected_calibration_error")
    head = (
        "<tr><th>class</th><th>images</th><th>precision</th><th>recall</th><th>F1</th><th>IoU</th><th>accuracy</th>"
        "<th>calibration error</th></tr>"
    )
    rows = "".join(
        f"<tr><td>{escape(entry.name)}</td><td>{entry.samples:,}</td>{_cells(entry, *names)}</tr>" for entry in slices
    )
    return f'<div class="scroll"><table>{head}{rows}</table></div>'


def _cells(entry: SliceReport, *names: str) -> str:
    values = (getattr(entry, name) for name in names)
    shown = ("–" if value is None else measured(value.value, value.low, value.high) for value in values)
    return "".join(f"<td>{cell}</td>" for cell in shown)


def _further(places: Sequence[SliceReport], left_out: int) -> str:
    if not places:
        return ""
    more = f'<p class="soft">{left_out:,} more were not counted one by one.</p>' if left_out else ""
    told = f"{len(places):,} further places with fewer images"
    return f"<details><summary>{told}</summary>{_slices(places, 'place')}{more}</details>"


def _mistakes(task: TaskReport, pictures: PicturesOf) -> str:
    if not task.mistakes:
        return "<p>None.</p>"
    cards = "".join(_mistake(entry, pictures(task.task, entry)) for entry in task.mistakes)
    return f'<div class="mistakes">{cards}</div>'


def _mistake(entry: Mistake, pictures: Sequence[CaptionedPicture]) -> str:
    shown = "".join(
        f"<p>{escape(picture.caption)}</p>"
        if picture.png is None
        else f'<figure><img alt="{escape(entry.path)}: {picture.caption}" src="{_data_uri(picture.png)}">'
        f"<figcaption>{picture.caption if len(pictures) > 1 else ''}</figcaption></figure>"
        for picture in pictures
    )
    return (
        f'<article><div class="pictures">{shown}</div><p><strong>{escape(entry.truth)}</strong> taken for '
        f"<strong>{escape(entry.answer)}</strong>, confidence {entry.confidence:.2f}<br>"
        f"<small>{escape(entry.path)} (sample {entry.sample_id})</small></p></article>"
    )


def _chosen(chosen: ChosenLabels) -> str:
    asked = ", ".join(f"{count:,} {escape(source.replace('_', ' '))}" for source, count in chosen.sources.items())
    rows = "".join(
        f"<tr><td>{escape(entry.task)}</td><td>{escape(entry.candidate)}</td><td>{entry.value:.3f}</td>"
        f"<td>{'yes' if entry.won else ''}</td></tr>"
        for entry in chosen.estimates
    )
    table = (
        '<div class="scroll"><table><tr><th>task</th><th>candidate</th><th>biased estimate</th><th>became the version'
        f"</th></tr>{rows}</table></div>"
        if rows
        else "<p>There is none: too few labels.</p>"
    )
    return f"""<section id="chosen" class="biased">
<h2>Estimates on chosen labels: biased</h2>
<p>{escape(chosen.sentence)}</p>
<p class="soft">Labelled images outside the reserve by what they were asked for: {asked or "none"}.</p>
{table}
</section>"""


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
