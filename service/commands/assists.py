"""`al-loop assists`: what became of suggestions."""

from rich.table import Table

from al_loop.domain.quality import Anchoring
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import print_json, print_tables


def show(campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None) -> None:
    """Show what became of a campaign's suggestions.

    Accepted, edited and rejected suggestions by model version, annotator and task, how many were not answered, and how
    far seeing a suggestion leads annotators (anchoring).
    """
    with connect(service, token) as client:
        report = client.assists(campaign)
    if as_json:
        print_json(report)
        return
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
    shown = Table("version", "task", "images with a suggestion", "not answered")
    for count in report.unanswered:
        shown.add_row(count.version, count.task, str(count.suggested), str(count.unanswered))
    print_tables(answered, shown)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _anchoring(value: Anchoring | None) -> str:
    return "" if value is None else f"{value.difference:+.2f} [{value.low:+.2f}, {value.high:+.2f}]"
