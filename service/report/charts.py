"""Drawings of a report as SVG, with nothing but attributes: policies of browsers forbid styles in them."""

from collections.abc import Sequence
from html import escape

from al_loop.domain.round_reports import Confusion, ReliabilityBin

SIDE = 300
LEFT = 58
TOP = 12
COUNTS = 60
"""Height of the histogram below the diagram."""
BOTTOM = 40
MOST_CLASSES = 25
"""Of a matrix that is drawn; of larger ones the most frequent confusions are listed."""
FEW_COLUMNS = 5
"""Of a matrix whose names stand side by side; of wider ones they are written upwards, so that all columns are seen."""
MOST_CONFUSIONS = 30
SHADES = 10


def reliability_svg(bins: Sequence[ReliabilityBin], unit: str) -> str:
    """Correctness against confidence with 95 % intervals, and below it how many answers each bin holds."""
    width, height = LEFT + SIDE + 24, TOP + SIDE + 14 + COUNTS + BOTTOM
    most = max((entry.count for entry in bins), default=1)
    parts = [
        f'<svg class="reliability" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Reliability diagram of {sum(entry.count for entry in bins)} {escape(unit)}">'
    ]
    for step in range(5):
        share = step / 4
        parts += [
            f'<line class="grid" x1="{LEFT}" x2="{LEFT + SIDE}" y1="{_y(share):.1f}" y2="{_y(share):.1f}"/>',
            f'<text x="{LEFT - 6}" y="{_y(share) + 4:.1f}" text-anchor="end">{share:.0%}</text>',
            f'<text x="{_x(share):.1f}" y="{height - 22}" text-anchor="middle">{share:.0%}</text>',
        ]
    parts.append(f'<line class="ideal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>')
    floor = TOP + SIDE + 14 + COUNTS
    for entry in bins:
        left, right = _x(entry.low) + 1, _x(entry.high) - 1
        x, y = _x(entry.confidence), _y(entry.correct.value)
        tall = max(1.0, COUNTS * entry.count / most)
        told = _bin_told(entry, unit)
        parts.append(
            f'<rect class="count" x="{left:.1f}" y="{floor - tall:.1f}" width="{right - left:.1f}" height="{tall:.1f}">'
            f"<title>{escape(told)}</title></rect>"
        )
        if entry.correct.low is not None and entry.correct.high is not None:
            ends = f'y1="{_y(entry.correct.low):.1f}" y2="{_y(entry.correct.high):.1f}"'
            parts.append(f'<line class="interval" x1="{x:.1f}" x2="{x:.1f}" {ends}/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(told)}</title></circle>')
    parts += [
        f'<text x="{_x(0.5)}" y="{height - 5}" text-anchor="middle">confidence</text>',
        f'<text x="{-_y(0.5)}" y="11" text-anchor="middle" transform="rotate(-90)">right</text>',
        "</svg>",
    ]
    return "".join(parts)


def reliability_table(bins: Sequence[ReliabilityBin], unit: str) -> str:
    """The same figures as a table."""
    rows = "".join(
        f"<tr><td>{entry.low:.2f} to {entry.high:.2f}</td><td>{entry.count:,}</td><td>{entry.confidence:.3f}</td>"
        f"<td>{measured(entry.correct.value, entry.correct.low, entry.correct.high)}</td></tr>"
        for entry in bins
    )
    head = f"<tr><th>confidence</th><th>{escape(unit)}</th><th>mean confidence</th><th>right</th></tr>"
    return f'<details><summary>Figures</summary><div class="scroll"><table>{head}{rows}</table></div></details>'


def confusion_table(confusion: Confusion) -> str:
    """The matrix, shaded by the share of each row; of many classes the most frequent confusions."""
    if len(confusion.rows) > MOST_CLASSES:
        return _most_confused(confusion)
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in confusion.columns)
    rows = []
    for name, counts in zip(confusion.rows, confusion.counts, strict=True):
        whole = sum(counts) or 1
        cells = "".join(
            f'<td class="h{min(SHADES - 1, SHADES * count // whole)}">{count:,}</td>' if count else "<td></td>"
            for count in counts
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    whole_table = f"<tr><th>true, answered</th>{head}</tr>{''.join(rows)}"
    upright = " upright" if len(confusion.columns) > FEW_COLUMNS else ""
    return f'<div class="scroll"><table class="confusion{upright}">{whole_table}</table></div>'


def measured(value: float | None, low: float | None, high: float | None) -> str:
    """A share with its interval."""
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} <small>{low:.3f} to {high:.3f}</small>"


def _most_confused(confusion: Confusion) -> str:
    pairs = [
        (count, row, column)
        for row, counts in zip(confusion.rows, confusion.counts, strict=True)
        for column, count in zip(confusion.columns, counts, strict=True)
        if count and row != column
    ]
    ranked = sorted(pairs, key=lambda pair: -pair[0])[:MOST_CONFUSIONS]
    rows = "".join(
        f"<tr><td>{escape(row)}</td><td>{escape(column)}</td><td>{count:,}</td></tr>" for count, row, column in ranked
    )
    return f'<div class="scroll"><table><tr><th>true</th><th>answered</th><th>times</th></tr>{rows}</table></div>'


def _bin_told(entry: ReliabilityBin, unit: str) -> str:
    return f"{entry.count:,} {unit} answered with {entry.confidence:.0%} confidence: {entry.correct.value:.0%} right"


def _x(share: float) -> float:
    return LEFT + SIDE * share


def _y(share: float) -> float:
    return TOP + SIDE * (1 - share)
