"""`al-loop status`."""

import argparse

from rich.console import Console
from rich.table import Table

from al_loop.domain.quality import Savings
from service.client import Client
from service.commands.rounds import round_table


def run(arguments: argparse.Namespace, client: Client) -> int:
    """Print all campaigns, or one with its rounds."""
    console = Console()
    campaigns = client.campaigns() if arguments.campaign is None else [client.campaign(arguments.campaign)]
    table = Table("campaign", "tasks", "pool", "leased", "labelled", "reserve (labelled)", "model", "last round")
    for view in campaigns:
        counts, last = view.samples, view.last_round
        table.add_row(
            view.name,
            ", ".join(task.task for task in view.tasks),
            str(counts.pool),
            str(counts.leased),
            str(counts.labelled),
            f"{counts.reserve} ({counts.reserve_labelled})",
            "" if view.current_model is None else view.current_model.version,
            "" if last is None else f"{last.number} {last.state}",
        )
    console.print(table)
    for view in campaigns:
        for notice in view.notices:
            console.print(f"{view.name}: {notice}", style="yellow", highlight=False, markup=False)
    if arguments.campaign is not None:
        console.print(saved(client.savings(arguments.campaign)), highlight=False, markup=False)
        console.print(round_table(client.rounds(arguments.campaign).rounds))
    return 0


def saved(savings: Savings) -> str:
    """One line on what the strategy's choice was worth."""
    if savings.ratio is None:
        return f"active learning: {savings.verdict}; {savings.note}"
    ratio = savings.ratio
    return (
        f"active learning: {savings.verdict}; one label is worth {ratio.value:.2g} random ones "
        f"(95 % {ratio.low:.2g} to {ratio.high:.2g}) from {savings.labels} labels, {savings.control_labels} of control"
    )
