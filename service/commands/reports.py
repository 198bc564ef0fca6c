"""`al-loop curve`, `savings`, `relabels`: what labels were worth, and which look wrong."""

from typing import Annotated

import typer
from rich.table import Table

from al_loop_records.metric_names import metric_name
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, print_json, print_tables
from service.commands.status import saved

Task = Annotated[str | None, typer.Option(help="One task; the first that can be answered, or all, if left out.")]


def curve(campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None) -> None:
    """Show the learning curve of a campaign.

    The metric of each round's model on the test reserve, with its 95 % interval, against the labels it was trained on.
    """
    with connect(service, token) as client:
        points = client.learning_curve(campaign).points
    if as_json:
        print_json(points)
        return
    table = Table("round", "labels", "task", "metric", "value", "95 %", "version")
    for point in points:
        table.add_row(
            str(point.round_number),
            str(point.labels),
            point.task,
            metric_name(point.metric),
            f"{point.value:.3f}",
            f"{point.low:.3f} to {point.high:.3f}",
            point.version,
        )
    print_tables(table)


def advice(
    campaign: CampaignName,
    labels: Annotated[int, typer.Option(help="How many further labels to ask about.", min=1, max=1_000_000)] = 100,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Say whether more labels are worth it.

    What the next ones would bring by the learning curve of the rounds, extended, the minutes that they take
    annotators, and how far the last two models agree about the pool. Advice only: nothing stops by it.
    """
    with connect(service, token) as client:
        answer = client.advice(campaign, labels)
    if as_json:
        print_json(answer)
        return
    if not answer.tasks:
        console().print("not known yet: no round was measured", highlight=False)
    for entry in answer.tasks:
        console().print(f"{entry.task}: {entry.sentence}", highlight=False)
    for agreed in answer.agreement:
        console().print(f"{agreed.task}: {agreed.sentence}", highlight=False)


def savings(
    campaign: CampaignName,
    task: Task = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show how many labels the strategy saved against random choice.

    Measured on the random control (`query.control_share`) and the labelled test reserve.
    """
    with connect(service, token) as client:
        answer = client.savings(campaign, task)
    if as_json:
        print_json(answer)
    else:
        console().print(saved(answer), highlight=False)


def relabels(
    campaign: CampaignName,
    task: Task = None,
    limit: Annotated[int, typer.Option(help="Labels to list at most.", min=1, max=1000)] = 20,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List labels that look wrong, the most suspicious first.

    The rest of the labels confidently contradicts them. The page asks for a second look at them.
    """
    with connect(service, token) as client:
        answer = client.relabels(campaign, task=task, limit=limit)
    if as_json:
        print_json(answer)
        return
    table = Table("sample", "path", "task", "by", "given", "suggested", "suspicion")
    for entry in answer.relabels:
        table.add_row(
            str(entry.sample_id),
            entry.path,
            entry.task,
            entry.annotator or "",
            ", ".join(entry.given or []),
            ", ".join(entry.suggested or []),
            f"{entry.suspicion:.2f}",
        )
    print_tables(table)
    if answer.waiting:
        console(stderr=True).print(f"{answer.waiting} more are compared the next time you ask", highlight=False)
