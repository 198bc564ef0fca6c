"""A single HTML page that shows what the loop did: curve, rounds, samples asked for, predictions, timings.

The page needs nothing beside itself: pictures and style are inside it.
"""

from pathlib import Path

from service.demo.report.data import (
    AskedRound,
    AskedSample,
    Fact,
    LegendEntry,
    NextStep,
    PictureStrip,
    ReportData,
    RoundRow,
    Timing,
)
from service.demo.report.page import render

__all__ = [
    "REPORT_FILE",
    "AskedRound",
    "AskedSample",
    "Fact",
    "LegendEntry",
    "NextStep",
    "PictureStrip",
    "ReportData",
    "RoundRow",
    "Timing",
    "write_report",
]

REPORT_FILE = "report.html"


def write_report(directory: Path, data: ReportData) -> Path:
    """Write `report.html` and return its path; an empty part of the data has no section on the page."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / REPORT_FILE
    path.write_text(render(data), encoding="utf-8")
    return path
