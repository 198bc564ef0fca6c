"""`al-loop assists`: what became of suggestions."""

import argparse

from rich.console import Console
from rich.table import Table

from al_loop.domain.quality import Anchoring
from service.client import Client


def run(arguments: argparse.Namespace, client: Client) -> int:
    """Print how suggestions fared, by version, annotator and task, and how many nobody answered."""
    report = client.assists(arguments.campaign)
    console = Console()
    answered = Table("version", "annotator", "task", "accepted, edited, rejected", "agreement", "blind", "anchoring")
    for entry in report.answered:
        answered.add_row(
            entry.version,
            entry.annotator,
            entry.task,
            f"{entry.accepted}, {entry.edited}, {entry.rejected}",
            _share(entry.agreement_shown),
            "" if entry.agreement_blind is None else f"{entry.agreement_blind:.2f} ({entry.blind})",
            _anchoring(entry.anchoring),
        )
    console.print(answered)
    shown = Table("version", "task", "images with a suggestion", "not answered")
    for count in report.unanswered:
        shown.add_row(count.version, count.task, str(count.suggested), str(count.unanswered))
    console.print(shown)
    return 0


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _anchoring(value: Anchoring | None) -> str:
    return "" if value is None else f"{value.difference:+.2f} [{value.low:+.2f}, {value.high:+.2f}]"
