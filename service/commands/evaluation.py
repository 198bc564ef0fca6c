"""`al-loop round report`: what a round's model is worth."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from al_loop.domain.round_reports import Measured, RoundReport, SliceReport
from al_loop.errors import NotFoundError
from al_loop_records.metric_names import metric_name
from service.commands.options import (
    DEFAULT_URL,
    AsJson,
    CampaignName,
    Force,
    Service,
    Token,
    check_not_there,
    check_writable,
    connect,
)
from service.commands.output import console, print_json, print_tables

if TYPE_CHECKING:
    from al_loop.client.operators import OperatorClient

SHOWN_PLACES = 20


def report(
    campaign: CampaignName,
    number: Annotated[
        int | None, typer.Argument(help="Number of the round; the newest that was measured if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write one HTML file that opens without a network, with pictures of mistakes.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show what a round's model is worth on the test reserve.

    By class and place with 95 % intervals, whether its confidence is right, what it takes for what, what leaks from
    training, and how many labels would decide what is undecided.
    """
    if out is not None:
        check_not_there(out, force)
        check_writable(out)
    with connect(service, token) as client:
        chosen = measured_round(client, campaign) if number is None else number
        if out is not None:
            out.write_bytes(client.round_report_page(campaign, chosen))
            console(stderr=True).print(f"round {chosen} of {campaign}: {out}", highlight=False)
            if not as_json:
                return
        answer = client.round_report(campaign, chosen)
    if as_json:
        print_json(answer)
    else:
        _print(answer)


def measured_round(client: "OperatorClient", campaign: str) -> int:
    """The newest round that was measured on the test reserve."""
    for entry in reversed(client.rounds(campaign).rounds):
        if entry.evaluation is not None:
            return entry.number
    raise NotFoundError("measured round of campaign", campaign, "start one with `al-loop round start`")


def _print(answer: RoundReport) -> None:
    out = console()
    out.print(
        f"round {answer.round_number}, {answer.version}, {answer.state}: {answer.labels} labels, measured on "
        f"{answer.reserve_labels} images of the test reserve",
        highlight=False,
    )
    leakage = [] if answer.leakage is None else [answer.leakage.sentence]
    for sentence in [*answer.notices, *leakage, *(one.sentence for task in answer.tasks for one in task.needed)]:
        out.print(f"  {sentence}", highlight=False)
    for task in answer.tasks:
        headline = f"{task.task}: {metric_name(task.metric)} {task.value:.3f} [{task.low:.3f}, {task.high:.3f}]"
        print_tables(
            _table(f"{headline}, by class", "class", task.classes),
            *([_table("by place", "place", task.places[:SHOWN_PLACES])] if task.places else []),
            *([_table("by distance to training", "distance", task.distances)] if task.distances else []),
        )
    for estimate in answer.chosen.estimates:
        out.print(
            f"biased, on chosen labels: {estimate.task} {estimate.candidate} {estimate.value:.3f}", highlight=False
        )


def _table(title: str, kind: str, slices: Sequence[SliceReport]) -> Table:
    table = Table(kind, "images", "accuracy", "F1", "IoU", "calibration error", title=title)
    for entry in slices:
        values = (entry.accuracy, entry.f1, entry.iou, entry.expected_calibration_error)
        table.add_row(entry.name, str(entry.samples), *(_shown(value) for value in values))
    return table


def _shown(value: Measured | None) -> str:
    if value is None:
        return ""
    ends = "" if value.low is None or value.high is None else f" [{value.low:.3f}, {value.high:.3f}]"
    return f"{value.value:.3f}{ends}"
