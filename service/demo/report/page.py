"""Lay the report out as one HTML document."""

from collections.abc import Callable
from html import escape
from importlib.resources import files

import msgspec

from al_loop.simulation.comparing import shown_differences
from al_loop.simulation.curve_plot import curve_png
from al_loop_records.metric_names import metric_name
from service.demo.report.data import Fact, ReportData
from service.demo.report.pictures import data_uri, picture
from service.demo.report.sections import (
    asked_section,
    next_steps_section,
    rounds_section,
    strips_section,
    timings_section,
)


def render(data: ReportData) -> str:
    """The whole page; sections without content are left out."""
    style = files("service.demo.report").joinpath("report.css").read_text(encoding="utf-8")
    sections: list[Callable[[ReportData], str]] = [
        _curve_section,
        rounds_section,
        asked_section,
        strips_section,
        timings_section,
        next_steps_section,
    ]
    body = "\n".join(section(data) for section in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(data.title)}</title>
<style>
{style}
</style>
</head>
<body>
<main>
<header>
<h1>{escape(data.title)}</h1>
<p class="subtitle">{escape(data.subtitle)}</p>
<p class="when">{data.created_at:%d %B %Y, %H:%M} UTC</p>
{_facts(data.facts)}
</header>
{body}
</main>
</body>
</html>
"""


def _facts(facts: list[Fact]) -> str:
    if not facts:
        return ""
    cards = "".join(f"<div><dd>{escape(fact.value)}</dd><dt>{escape(fact.name)}</dt></div>" for fact in facts)
    return f'<dl class="facts">{cards}</dl>'


def _curve_section(data: ReportData) -> str:
    if data.curves is None:
        return ""
    metric = metric_name(data.curves.metric)
    drawn = msgspec.structs.replace(data.curves, metric=metric)
    light, dark = (curve_png(drawn, theme=theme) for theme in ("light", "dark"))
    return f"""<section>
<h2>Learning curve</h2>
<p>How good the model is (test {escape(metric)}) after each round, against the labels it was trained on. It is measured
on the test reserve, images that are labelled on top of these and never trained on. Bands are 95 % intervals.
{escape(" ".join(shown_differences(data.curves)))}</p>
<picture class="curve">
<source srcset="{data_uri(dark)}" media="(prefers-color-scheme: dark)">
{picture(light, "Learning curve of each strategy")}
</picture>
</section>"""
