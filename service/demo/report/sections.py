"""The sections below the curve: rounds, samples asked for, predictions, timings, what to do next."""

from html import escape

from al_loop_records.metric_names import metric_name
from service.demo.report.data import AskedRound, AskedSample, PictureStrip, ReportData, RoundRow
from service.demo.report.pictures import picture

_NOTHING = '<span class="none">–</span>'
_SCORE_SCALE = (
    "The number on a picture is the model’s uncertainty about it (entropy): 0 is sure, and the more classes it wavers "
    "between, the higher (even odds are 0.69 between two classes, 1.39 between four)."
)
_HEAT_SCALE = (
    '<p class="scale">Uncertainty: least in the picture <i></i> most in the picture. '
    "Each picture has a scale of its own.</p>"
)


def rounds_section(data: ReportData) -> str:
    """The table of rounds."""
    if not data.rounds:
        return ""
    rows = "\n".join(_round(row) for row in data.rounds)
    return f"""<section>
<h2>Rounds</h2>
<p>The bar is the 95 % interval on the test reserve, on a scale of 0 to 100 %; the thin mark is what the most frequent
answer alone would reach. Labels of the test reserve come on top of the labels that are trained on.</p>
<p class="wide-hint">The table is wider than the screen: swipe it sideways.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of rounds"><table>
<thead><tr><th>round</th><th>labels trained on</th><th>labels of the reserve</th><th>metric</th><th>value</th><th></th>
<th>state</th><th>verdict</th><th>time</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
</section>"""


def _round(row: RoundRow) -> str:
    interval = ""
    if row.low is not None and row.high is not None:
        interval = f"<small>{_percent(row.low)} – {_percent(row.high)}</small>"
    value = f"<strong>{_percent(row.value)}</strong> {interval}" if row.value is not None else _NOTHING
    return (
        f"<tr><td class=number>{row.number}</td><td class=number>{row.labels}</td>"
        f"<td class=number>{row.reserve_labels}</td>"
        f"<td>{escape(metric_name(row.metric))}<br><small>{escape(row.task)}</small></td><td class=value>{value}</td>"
        f"<td>{_bar(row)}</td><td><span class='state {escape(row.state)}'>{escape(row.state)}</span></td>"
        f"<td class=verdict>{escape(row.verdict)}</td>"
        f"<td class=number>{_duration(row.seconds) if row.seconds is not None else _NOTHING}</td></tr>"
    )


def _bar(row: RoundRow) -> str:
    if row.value is None:
        return ""
    low, high = (row.low, row.high) if row.low is not None and row.high is not None else (row.value, row.value)
    mark = "" if row.baseline is None else f'<i class="baseline" style="left:{100 * row.baseline:.1f}%"></i>'
    return (
        f'<div class="bar"><i class="interval" style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
        f'<i class="point" style="left:{100 * row.value:.1f}%"></i>{mark}</div>'
    )


def asked_section(data: ReportData) -> str:
    """The samples that annotators were asked about, and why."""
    if not data.asked:
        return ""
    groups = "\n".join(_asked(group, is_open=group is data.asked[-1]) for group in data.asked)
    scored = any(sample.score is not None for group in data.asked for sample in group.samples)
    scale = f"\n<p>{_SCORE_SCALE}</p>" if scored else ""
    return f"<section>\n<h2>What was asked, and why</h2>{scale}\n{groups}\n</section>"


def _asked(group: AskedRound, *, is_open: bool) -> str:
    shown = len(group.samples)
    count = f"{shown} of {group.total} samples" if shown < group.total else f"{group.total} samples"
    cards = "\n".join(_sample(sample) for sample in group.samples)
    return (
        f"<details{' open' if is_open else ''}><summary>{escape(group.title)} <small>{count}</small></summary>\n"
        f'<div class="gallery">\n{cards}\n</div></details>'
    )


def _sample(sample: AskedSample) -> str:
    answer = f"<b>{escape(sample.answer)}</b>" if sample.answer else ""
    score = f'<span class="score">{sample.score:.2f}</span>' if sample.score is not None else ""
    return (
        f"<figure>{picture(sample.thumbnail_png, sample.path)}{score}"
        f"<figcaption>{answer}<span>{escape(sample.reason)}</span><small>{escape(sample.path)}</small></figcaption></figure>"
    )


def strips_section(data: ReportData) -> str:
    """Images of the reserve beside truth, prediction and uncertainty."""
    if not data.strips:
        return ""
    legend = "".join(
        f'<li><i style="background:{escape(entry.colour)}"></i>{escape(entry.name)}</li>' for entry in data.legend
    )
    columns = [
        name
        for name, field in (
            ("image", "image_png"),
            ("truth", "truth_png"),
            ("prediction", "prediction_png"),
            ("uncertainty", "uncertainty_png"),
        )
        if any(getattr(strip, field) is not None for strip in data.strips)
    ]
    strips = "\n".join(_strip(strip, columns) for strip in data.strips)
    return f"""<section>
<h2>Predictions of the model that serves</h2>
{f'<ul class="legend">{legend}</ul>' if legend else ""}
{_HEAT_SCALE if "uncertainty" in columns else ""}
{strips}
</section>"""


def _strip(strip: PictureStrip, columns: list[str]) -> str:
    pictures = {
        "image": strip.image_png,
        "truth": strip.truth_png,
        "prediction": strip.prediction_png,
        "uncertainty": strip.uncertainty_png,
    }
    cells = []
    for name in columns:
        png = pictures[name]
        shown = picture(png, f"{name} of {strip.caption}") if png is not None else '<div class="gap"></div>'
        cells.append(f"<div>{shown}<small>{name}</small></div>")
    note = f"<span>{escape(strip.note)}</span>" if strip.note else ""
    return (
        f'<figure class="strip"><div class="cells">{"".join(cells)}</div>'
        f"<figcaption>{escape(strip.caption)}{note}</figcaption></figure>"
    )


def timings_section(data: ReportData) -> str:
    """How long each part took."""
    if not data.timings:
        return ""
    longest = max(max(timing.seconds for timing in data.timings), 1e-9)
    rows = "\n".join(
        f"<tr><td>{escape(timing.name)}</td><td class=number>{_duration(timing.seconds)}</td>"
        f'<td class="wide"><i class="time" style="width:{100 * timing.seconds / longest:.1f}%"></i></td></tr>'
        for timing in data.timings
    )
    return f'<section>\n<h2>Timings</h2>\n<table class="timings"><tbody>\n{rows}\n</tbody></table>\n</section>'


def next_steps_section(data: ReportData) -> str:
    """What the reader may do now, each step with its command."""
    if not data.next_steps:
        return ""
    steps = "\n".join(
        f"<li>{escape(step.text)}<pre><code>{escape(step.command)}</code></pre></li>" for step in data.next_steps
    )
    return f"<section>\n<h2>What now?</h2>\n<ol>\n{steps}\n</ol>\n</section>"


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
