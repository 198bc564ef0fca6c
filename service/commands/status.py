"""`al-loop status`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from al_loop.client.answers import CampaignView
from al_loop.client.errors import AccessError
from al_loop.domain.quality import Savings
from service.commands.options import DEFAULT_URL, AsJson, Service, Token, connect
from service.commands.output import console, print_json, print_tables
from service.commands.rounds import round_table

if TYPE_CHECKING:
    from al_loop.client import Client


def show(
    campaign: Annotated[str | None, typer.Argument(help="One campaign in detail; all if left out.")] = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show how campaigns stand.

    Counts of samples, the serving model, the last round, how far images are described, and notices; of one campaign
    also all rounds, which bands of its files are data and why, and what active learning saved. With --json a list of
    campaigns, or of one an object with "campaign", "savings" and "rounds".
    """
    out = console()
    with connect(service, token) as client:
        if campaign is None:
            views = client.campaigns()
            if as_json:
                print_json(views)
            else:
                print_tables(_table(views))
                _print_notices(views)
                _print_encoder(client.encoder_problem())
            return
        problem, features = client.encoder_problem(), client.features()
        view, savings, rounds = client.campaign(campaign), _savings(client, campaign), client.rounds(campaign).rounds
    if as_json:
        print_json({"campaign": view, "savings": savings, "rounds": rounds})
        return
    print_tables(_table([view]), round_table(rounds))
    _print_notices([view])
    if view.band_decision is not None:
        out.print(f"bands of the files: {bands_told(view)}", highlight=False, markup=False)
    if savings is not None:
        out.print(saved(savings), highlight=False, markup=False)
    if features is not None:
        out.print(f"images are described by: {features}", highlight=False, markup=False)
    _print_encoder(problem)


def _savings(client: "Client", campaign: str) -> Savings | None:
    """What the strategy's choice was worth; None: this is told to operators only."""
    try:
        return client.savings(campaign)
    except AccessError:
        return None


def saved(savings: Savings) -> str:
    """One line on what the strategy's choice was worth."""
    if savings.ratio is None:
        return f"active learning: {savings.verdict}; {savings.note}"
    ratio = savings.ratio
    return (
        f"active learning: {savings.verdict}; one label is worth {ratio.value:.2g} random ones "
        f"(95 % {ratio.low:.2g} to {ratio.high:.2g}) from {savings.labels} labels, {savings.control_labels} of control"
    )


def bands_told(view: CampaignView) -> str:
    """How many bands with data the files have, and why."""
    if view.band_decision is None:
        return "not known yet"
    alpha = " and alpha" if view.band_decision.alpha else ""
    return f"{view.source_bands}{alpha}; {view.band_decision.reason}"


def _table(views: list[CampaignView]) -> Table:
    table = Table(
        "campaign", "tasks", "pool", "leased", "labelled", "reserve (labelled)", "model", "last round", "next round"
    )
    for view in views:
        counts, last = view.samples, view.last_round
        table.add_row(
            view.name,
            ", ".join(task.task for task in view.tasks),
            str(counts.pool),
            str(counts.leased),
            str(counts.labelled),
            _reserve(view),
            "" if view.current_model is None else view.current_model.version,
            "" if last is None else f"{last.number} {last.state}",
            view.next_round.sentence,
        )
    return table


def _reserve(view: CampaignView) -> str:
    """Size of the test reserve and how much of it is labelled, or why there is none to see."""
    if view.reserve_drawn is None:
        return "told to operators"
    counts, wanted = view.samples, view.settings.reserve
    if not view.reserve_drawn and (wanted.share or wanted.minimum):
        return "drawn by the first query"
    return f"{counts.reserve} ({counts.reserve_labelled})"


def _print_notices(views: list[CampaignView]) -> None:
    out = console(stderr=not sys.stdout.isatty())  # a pipe reads the table
    for view in views:
        if view.scoring is not None:
            out.print(f"{view.name}: {view.scoring.sentence}", highlight=False, markup=False)
        for notice in view.notices:
            out.print(f"{view.name}: {notice}", style="yellow", highlight=False, markup=False)


def _print_encoder(problem: str | None) -> None:
    if problem is not None:
        out = console(stderr=not sys.stdout.isatty())
        said = f"the encoder with ImageNet weights is not used: {problem}"
        out.print(said, style="yellow", highlight=False, markup=False)
