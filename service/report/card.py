"""Lays the card of a model version out: as one HTML document without scripts, or as Markdown."""

from collections.abc import Callable, Sequence
from html import escape

from al_loop.domain.round_reports import Measured
from al_loop.domain.version_cards import CardTask, VersionCard
from al_loop_records.metric_names import metric_name
from models.card import TrainingData
from service.report.document import document
from service.report.map import extent_told, map_svg

SHOWN_PLACES = 50
Row = Sequence[str]

HOW = (
    "Stored values are mapped so that low becomes 0 and high becomes 1, then mean is subtracted and the result divided "
    "by std. All of it happens inside the ONNX graph, and so does calibration: raw values in, probabilities out."
)


def card_html(card: VersionCard) -> str:
    """The whole document; it names no other file."""
    title = _title(card)
    places = (
        "" if card.data is None or not card.data.footprints else f"<figure>{map_svg(card.data.footprints)}</figure>"
    )
    body = "".join(
        f'<section id="{key}"><h2>{escape(heading)}</h2>{places if key == "places" else ""}{_as_html(blocks)}</section>'
        for key, heading, blocks in _sections(card)
    )
    return document(title, f'<p class="soft">{escape(_subtitle(card))}</p>', body)


def card_markdown(card: VersionCard) -> str:
    """The same as Markdown (CommonMark with tables); the map is told by its extent."""
    parts = [f"# {_marked(_title(card))}", _marked(_subtitle(card))]
    for _, heading, blocks in _sections(card):
        parts.append(f"## {_marked(heading)}")
        parts += [_as_markdown(block) for block in blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


class Paragraph:
    """A sentence or more."""

    def __init__(self, text: str) -> None:
        self.text = text


class Listed:
    """Sentences in a list."""

    def __init__(self, items: Sequence[str]) -> None:
        self.items = items


class Tabled:
    """Rows below a head; a caption stands above them."""

    def __init__(self, head: Row, rows: Sequence[Row], caption: str = "") -> None:
        self.head, self.rows, self.caption = head, rows, caption


Block = Paragraph | Listed | Tabled
Section = tuple[str, str, Sequence[Block]]


def _sections(card: VersionCard) -> list[Section]:
    damaged: list[Section] = [("first", "Before anything else", [Listed(card.notices)])] if card.notices else []
    return [
        *damaged,
        ("limits", "Limits", [Listed(card.limits)]),
        ("input", "Input", _input(card)),
        ("places", "Where the training images lie", _places(card.data)),
        *((task.task, f"Task: {task.task}", _task(task)) for task in card.tasks),
        ("model", "Model", [Tabled(("", ""), card.model)]),
        ("licence", "Licence of the weights", [Listed(card.licences)]),
        ("lineage", "Where it comes from", _lineage(card)),
    ]


def _title(card: VersionCard) -> str:
    return f"{card.campaign}, model {card.version}"


def _subtitle(card: VersionCard) -> str:
    tasks = ", ".join(task.task for task in card.tasks)
    return f"{tasks[:1].upper()}{tasks[1:]}. Made {card.created_at[:16].replace('T', ' ')} UTC; {card.standing}."


def _input(card: VersionCard) -> list[Block]:
    data = card.data
    rows = [
        (
            str(band.number),
            band.kind or "not recorded",
            *(f"{value:.6g}" for value in (band.low, band.high, band.mean, band.std)),
        )
        for band in card.bands
    ]
    plural = "" if card.source_bands == 1 else "s"
    bands = f"An image has {card.source_bands} band{plural}; the model reads {len(card.bands)}."
    told = [bands, card.nodata]
    if data is not None:
        told.append(f"Sensor: {data.sensor or 'not named'}. Values: {', '.join(data.value_types) or 'not recorded'}.")
        if data.ground_sampling_m is not None:
            sampling = data.ground_sampling_m
            told.append(
                f"Ground sampling distance of the training images: {sampling.median:.3g} m ({sampling.least:.3g} to "
                f"{sampling.most:.3g} m)."
            )
        else:
            told.append("Ground sampling distance: not known, as the images have no place.")
        if data.width_px:
            told.append(f"Size: {_span(data.width_px)} x {_span(data.height_px)} px.")
    head = ("band", "shows", "low", "high", "mean", "std")
    return [Paragraph(" ".join(told)), Tabled(head, rows, "Normalisation"), Paragraph(HOW)]


def _span(values: Sequence[int]) -> str:
    return f"{values[0]:,}" if values[0] == values[-1] else f"{values[0]:,} to {values[-1]:,}"


def _places(data: TrainingData | None) -> list[Block]:
    if data is None:
        return [Paragraph("Not recorded: the version is from before cards had a map.")]
    if not data.footprints:
        return [Paragraph("There is no map: the training images have no CRS, so that nobody can tell where they lie.")]
    left = f"; {data.footprints_left_out:,} more are not drawn" if data.footprints_left_out else ""
    without = f" {data.without_place:,} have no place." if data.without_place else ""
    return [Paragraph(f"{len(data.footprints):,} training images, {extent_told(data.footprints)}{left}.{without}")]


def _task(task: CardTask) -> list[Block]:
    metric, unit = metric_name(task.metric), metric_name(task.class_metric)
    if task.value is None:
        blocks: list[Block] = [Paragraph("Not measured: the labelled test reserve shows no class of it.")]
    else:
        where = "" if task.places is None else f" in {task.places:,} place{'' if task.places == 1 else 's'}"
        baseline = "" if task.baseline is None else f" The best constant answer has {task.baseline:.3f}."
        blocks = [
            Paragraph(
                f"{metric} {_measured(task.value)} on {task.samples:,} images of the test reserve{where}, which no "
                f"model was trained on.{baseline} Intervals are of 95 %, resampled by place."
            )
        ]
    if task.calibration_error is not None:
        scaled = "" if task.temperature is None else f"; logits are divided by {task.temperature:.3g}"
        blocks.append(Paragraph(f"Calibration: confidence is off by {task.calibration_error:.3f} on average{scaled}."))
    rows = [
        (
            entry.name,
            _count(entry.training),
            _count(entry.reserve),
            "not measured" if entry.value is None else _measured(entry.value),
        )
        for entry in task.classes
    ]
    blocks.append(Tabled(("class", "training images", "reserve images", unit), rows, "By class"))
    if task.by_place:
        shown = task.by_place[:SHOWN_PLACES]
        places = [
            (entry.name, f"{entry.samples:,}", *(_maybe(value) for value in (entry.accuracy, entry.f1, entry.iou)))
            for entry in shown
        ]
        more = len(task.by_place) - len(shown)
        caption = "By place" + (f" (the {SHOWN_PLACES} with the most images; {more:,} more)" if more else "")
        blocks.append(Tabled(("place", "images", "accuracy", "F1", "IoU"), places, caption))
    return blocks


def _lineage(card: VersionCard) -> list[Block]:
    if not card.lineage:
        return [Paragraph("The store knows no round that made it.")]
    sources = [
        (entry.annotator, entry.task, f"{entry.labels:,}", f"{entry.first_at:%Y-%m-%d}", f"{entry.last_at:%Y-%m-%d}")
        for entry in card.sources
    ]
    head = ("labels by", "task", "labels", "from", "to")
    return [Tabled(("", ""), card.lineage), *([Tabled(head, sources, "Labels")] if sources else [])]


def _measured(value: Measured) -> str:
    between = "" if value.low is None or value.high is None else f" ({value.low:.3f} to {value.high:.3f})"
    return f"{value.value:.3f}{between}"


def _maybe(value: Measured | None) -> str:
    return "–" if value is None else _measured(value)


def _count(value: int | None) -> str:
    return "not recorded" if value is None else f"{value:,}"


def _as_html(blocks: Sequence[Block]) -> str:
    parts = []
    for block in blocks:
        if isinstance(block, Paragraph):
            parts.append(f"<p>{escape(block.text)}</p>")
        elif isinstance(block, Listed):
            parts.append(f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in block.items)}</ul>")
        else:
            caption = f"<h3>{escape(block.caption)}</h3>" if block.caption else ""
            head = _html_row(block.head, "th") if any(block.head) else ""
            rows = "".join(_html_row(row, "td") for row in block.rows)
            parts.append(f'{caption}<div class="scroll"><table>{head}{rows}</table></div>')
    return "".join(parts)


def _html_row(cells: Row, tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _as_markdown(block: Block) -> str:
    if isinstance(block, Paragraph):
        return _marked(block.text)
    if isinstance(block, Listed):
        return "\n".join(f"- {_marked(item)}" for item in block.items)
    row: Callable[[Row], str] = lambda cells: f"| {' | '.join(map(_marked, cells))} |"  # noqa: E731
    lines = [row(block.head), f"|{' --- |' * len(block.head)}", *map(row, block.rows)]
    return "\n".join(([f"### {block.caption}", ""] if block.caption else []) + lines)


def _marked(text: str) -> str:
    """Text with what Markdown would read as marks escaped; one line."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#" else sign for sign in " ".join(text.split()))
