"""`al-loop round`: start, watch, cancel, list."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from al_loop.client.answers import RoundView
from al_loop.client.errors import ServiceError
from al_loop.domain.durations import duration
from al_loop.domain.rounds import Round, RoundState
from al_loop.errors import NotFoundError
from al_loop_records.metric_names import metric_name
from models.progress import ProgressLine
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Quiet, Service, Token, connect
from service.commands.output import ExitCode, console, print_json, print_tables

if TYPE_CHECKING:
    from al_loop.client.http import Client

DECIDED = (RoundState.PROMOTED, RoundState.REJECTED, RoundState.CANDIDATE)
Number = Annotated[int | None, typer.Argument(help="Number of the round; the newest if left out.")]


def start(
    campaign: CampaignName,
    queue: Annotated[bool, typer.Option("--queue", help="Queue behind a running round instead of failing.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Start a training round and follow it to its end.

    Trains, evaluates on the test reserve, and promotes the model if the gate lets it pass. A round that runs already,
    because the policy started it, is followed instead. Progress and outcome go to standard error.
    """
    with connect(service, token) as client:
        started = _started(client, campaign, queue=queue, detach=detach)
        if not detach:
            return follow(client, campaign, started.number, as_json=as_json, quiet=quiet)
    if as_json:
        print_json(started)
    else:
        console(stderr=True).print(f"round {started.number} is {started.state}")
    return ExitCode.DONE


def watch(
    campaign: CampaignName,
    number: Number = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Follow a round until it ends.

    Stopping with Ctrl-C stops the watching, not the round.
    """
    with connect(service, token) as client:
        return follow(client, campaign, _number(client, campaign, number), as_json=as_json, quiet=quiet)


def cancel(
    campaign: CampaignName,
    number: Number = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Cancel a round and wait until it has ended.

    The serving model stays.
    """
    with connect(service, token) as client:
        chosen = _number(client, campaign, number)
        client.cancel_round(campaign, chosen)
        follow(client, campaign, chosen, as_json=as_json, quiet=False)
    return ExitCode.DONE


def show_all(
    campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """List all rounds of a campaign.

    The oldest first, with the labels that each trained on, its metrics on the test reserve and what the gate decided.
    """
    with connect(service, token) as client:
        rounds = client.rounds(campaign).rounds
    if as_json:
        print_json(rounds)
    else:
        print_tables(round_table(rounds))


def log(
    campaign: CampaignName,
    number: Number = None,
    out: Annotated[Path | None, typer.Option(help="Write all of it to this file instead.")] = None,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Print the end of what a round's training program wrote.

    Of rounds that went well, too; it says at which step one that did not came to grief.
    """
    with connect(service, token) as client:
        chosen = _number(client, campaign, number)
        if out is not None:
            out.write_bytes(client.full_round_log(campaign, chosen))
            return
        lines = client.round_log(campaign, chosen)
    for line in lines:
        console().print(line, highlight=False, soft_wrap=True)


def gate(
    campaign: CampaignName,
    number: Number = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show what the gate decided about a round, check by check.

    Against the version that served: metrics on the same reserve samples, thresholds of the policy, calibration,
    latency, and whether the exported graph answers as the network did.
    """
    with connect(service, token) as client:
        view = client.round(campaign, _number(client, campaign, number))
    if as_json:
        print_json(view.gate)
        return
    if view.gate is None:
        console().print(f"round {view.number} is {view.state}; what the gate looked at was not kept", highlight=False)
        return
    table = Table("check", "outcome", "what was measured and asked")
    for check in view.gate.checks:
        table.add_row(check.check, check.outcome, check.sentence)
    print_tables(table)
    out = console(stderr=True)
    out.print(f"{view.gate.version} {'passed' if view.gate.promote else 'did not pass'}", highlight=False)


def diff(
    campaign: CampaignName,
    first: Annotated[int, typer.Argument(help="Number of a round.")],
    second: Annotated[int, typer.Argument(help="Number of another round.")],
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show what is different between two rounds.

    The labels between them and whose they are, what was configured otherwise, and what each measured on the test
    reserve.
    """
    with connect(service, token) as client:
        answer = client.round_diff(campaign, first, second)
    if as_json:
        print_json(answer)
        return
    names = f"round {first}", f"round {second}"
    data = Table("data", *names, title="labels")
    data.add_row("version", *(version or "none" for version in answer.versions))
    data.add_row("labelled samples", *(str(count or 0) for count in answer.labels))
    data.add_row("reserve samples measured on", *(str(count or 0) for count in answer.reserve))
    for source in answer.sources:
        data.add_row(f"labels in between by {source.annotator}, {source.task}", "", f"{source.events}")
    data.add_row("verdict", *(verdict or "none" for verdict in answer.verdicts))
    settings = Table("setting", *names, title="configuration")
    for change in answer.settings:
        settings.add_row(change.name, str(change.first), str(change.second))
    paired = "the labels of both may differ: changes are not paired, verdicts are"
    metrics = Table("metric", *names, "change", title=f"test reserve ({paired})")
    for entry in answer.metrics:
        moved = "" if entry.first is None or entry.second is None else f"{entry.second - entry.first:+.3f}"
        shown = ("" if value is None else f"{value:.3f}" for value in (entry.first, entry.second))
        of_class = f" of {entry.of_class}" if entry.of_class else ""
        metrics.add_row(f"{entry.task} {metric_name(entry.metric)}{of_class}", *shown, moved)
    print_tables(data, *([settings] if answer.settings else []), metrics)


def follow_round(client: "Client", campaign: str, number: int, out: Console) -> RoundView:
    """Show a round's progress in the terminal until it ends; return it."""
    last: RoundView | None = None
    with Progress(
        TextColumn("round {task.fields[number]} {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeElapsedColumn(),
        console=out,
        transient=True,
    ) as progress:
        bar = progress.add_task("queued", total=None, number=number, numbers="")
        for event in client.watch_round(campaign, number):
            if isinstance(event, ProgressLine):
                progress.update(bar, completed=event.done, total=event.total or None, numbers=_numbers(event))
            else:
                entered = last is None or last.state != event.state  # a state is told again as more becomes known
                last = event
                progress.update(bar, description=event.state, completed=0, total=None, numbers="")
                if entered and not out.is_terminal:  # where no bar is drawn, a line for each phase
                    out.print(f"round {number} {event.state}", highlight=False)
    if last is None:
        raise NotFoundError(
            "event of round", number, "the service closed the stream; ask again with `al-loop round watch`"
        )
    return last


def outcome(view: Round) -> str:
    """One line on how a round ended."""
    return f"round {view.number} {view.state}: {view.verdict or view.error or view.reason}"


def round_table(rounds: list[Round]) -> Table:
    """Rounds, labels, metric with interval, verdict, and which candidate of the training won."""
    table = Table("round", "state", "labels", "reserve", "metric", "why")
    for entry in rounds:
        metrics = [] if entry.evaluation is None else entry.evaluation.candidate
        table.add_row(
            str(entry.number),
            f"{entry.state} (background)" if entry.background else entry.state,
            str(entry.labels or ""),
            str(entry.reserve_labels or ""),
            "\n".join(f"{metric_name(m.metric)} {m.value:.3f} [{m.low:.3f}, {m.high:.3f}]" for m in metrics),
            "; ".join([entry.error or entry.verdict or entry.reason, *([entry.choice] if entry.choice else [])]),
        )
    return table


def follow(client: "Client", campaign: str, number: int, *, as_json: bool, quiet: bool) -> int:
    """Show a round to its end, and what came of it; returns the exit code."""
    out = console(stderr=True)
    view = follow_round(client, campaign, number, console(stderr=True, quiet=quiet))
    out.print(outcome(view), highlight=False, markup=False)
    for line in [*([view.choice] if view.choice else []), *view.log]:
        out.print(f"  {line}", highlight=False, markup=False)
    if as_json:
        print_json(view)
    return ExitCode.DONE if view.state in DECIDED else ExitCode.FAILED


def _started(client: "Client", campaign: str, *, queue: bool, detach: bool) -> RoundView:
    """A new round, or the one that runs."""
    try:
        return client.start_round(campaign, queue=queue)
    except ServiceError as error:
        number = error.facts.get("number")
        if error.status != 409 or not isinstance(number, int):
            raise
        words = f"round {number} of campaign {campaign!r} is under way ({error.facts.get('state')})"
        if detach:
            hint = f"follow it with `al-loop round watch {campaign}`, or queue one more with --queue"
            raise ServiceError(error.status, f"{words}; {hint}", error.facts) from error
        console(stderr=True).print(f"{words}; following it (--queue starts one more when it ends)", highlight=False)
        return client.round(campaign, number)


def _number(client: "Client", campaign: str, number: int | None) -> int:
    if number is not None:
        return number
    rounds = client.rounds(campaign).rounds
    if not rounds:
        raise NotFoundError("round of campaign", campaign, "start one with `al-loop round start`")
    return rounds[-1].number


def _numbers(line: ProgressLine) -> str:
    parts = [] if line.epoch is None else [f"epoch {line.epoch} of {line.epochs}"]
    if line.loss is not None:
        parts.append(f"loss {line.loss:.3f}")
    if line.metric is not None:
        parts.append(f"metric {line.metric:.3f}")
    if line.samples_per_s is not None:
        parts.append(f"{line.samples_per_s:,.0f} samples/s")
    if line.seconds_left is not None:
        parts.append(f"{duration(line.seconds_left)} left of {line.phase}")
    if line.total_seconds_left is not None:
        parts.append(f"{duration(line.total_seconds_left)} left of the round")
    return ", ".join(parts)
