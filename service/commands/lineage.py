"""`al-loop model lineage`, `al-loop round reproduce`: where models come from, and whether they come again."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from al_loop.client.answers import ReproductionView
from al_loop.domain.lineage import LabelLineage, VersionLineage
from al_loop.domain.reproductions import ReproductionState
from al_loop.errors import NotFoundError
from service.commands.following import follow_with_lines
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Quiet, Service, Token, connect
from service.commands.output import ExitCode, console, print_json, print_tables

if TYPE_CHECKING:
    from al_loop.client.operators import OperatorClient


def show(
    campaign: CampaignName,
    version: Annotated[
        str | None, typer.Argument(help="Model version, as answers name it; the one that serves if left out.")
    ] = None,
    label: Annotated[int | None, typer.Option(help="Ask about this label event instead: which rounds have it.")] = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show where a model version comes from, or what became of a label.

    Labels as of when and by whom, code, seed, configuration, environment and files; when it served.
    """
    if version is not None and label is not None:
        raise typer.BadParameter("ask about a version or about a label", param_hint="--label")
    with connect(service, token) as client:
        if label is not None:
            use = client.label_lineage(campaign, label)
            if as_json:
                print_json(use)
            else:
                _print_label(use)
            return
        found = client.model_lineage(campaign, version or _serving(client, campaign))
    if as_json:
        print_json(found)
    else:
        _print_version(found)


def reproduce(
    campaign: CampaignName,
    number: Annotated[int, typer.Argument(help="Number of the round.")],
    tolerance: Annotated[
        float, typer.Option(help="How much each metric may differ where bits cannot be compared.", min=0.0, max=1.0)
    ] = 0.02,
    quiet: Quiet = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Train a round again and say whether the same model comes out.

    From its manifest, seed and configuration, whatever was labelled since; nothing of it serves. Exit code 0: it does,
    by its bits, or by its metrics where the environment is another one. 1: it does not. Ctrl-C cancels it.
    """
    with connect(service, token) as client:
        view = client.reproduce_round(campaign, number, tolerance)
        view = follow_with_lines(
            view,
            lambda: client.reproduction(campaign, number),
            lambda: client.cancel_reproduction(campaign, number),
            _state,
            quiet=quiet,
        )
    if view.state is not ReproductionState.FINISHED:
        console(stderr=True, quiet=quiet).print(_state(view), highlight=False)
    if as_json:
        print_json(view)
    else:
        out = console()
        told = f"{view.state}: {view.error}" if view.result is None else view.result.sentence
        out.print(f"round {number}: {told}", highlight=False, soft_wrap=True)
        for entry in [] if view.result is None else view.result.digests:
            out.print(f"  {entry.name} {entry.then or 'gone'} then, {entry.now} now", highlight=False, soft_wrap=True)
    return ExitCode.DONE if view.result is not None and view.result.reproduced else ExitCode.FAILED


def _state(view: ReproductionView) -> str:
    return f"round {view.round_number} again: {view.state}"


def _serving(client: "OperatorClient", campaign: str) -> str:
    current = client.campaign(campaign).current_model
    if current is None:
        raise NotFoundError("serving model of campaign", campaign, "name a version of `al-loop model list`")
    return current.version


def _print_version(found: VersionLineage) -> None:
    facts = {
        "round": f"{found.round_number}, {found.reason}",
        "labels": f"{found.labels} trained on, {found.reserve_labels} measured on",
        "as of": f"label event {found.label_event_id}"
        + ("" if found.as_of is None else f", {found.as_of:%Y-%m-%d %H:%M:%S} UTC"),
        "manifest": str(found.manifest_sha256),
        "code": found.code or "not recorded",
        "seed": str(found.seed),
        "started from": found.trained_from or "the encoder of its configuration",
        "measured against": found.incumbent_version or "nothing",
        "answers": f"{found.answers} remembered",
    }
    if found.environment is not None:
        known = {name: value for name, value in found.environment.items() if name != "libraries"}
        facts |= {name: str(value) for name, value in known.items() if not name.startswith("code")}
        facts["packages"] = ", ".join(f"{name} {version}" for name, version in found.environment["libraries"].items())
    table = Table("fact", "value", title=f"{found.campaign}, {found.version}")
    for name, value in facts.items():
        table.add_row(name, value)
    sources = Table("labels by", "task", "labels", "from", "to")
    for source in found.sources:
        times = (f"{moment:%Y-%m-%d %H:%M}" for moment in (source.first_at, source.last_at))
        sources.add_row(source.annotator, source.task, str(source.labels), *times)
    files = Table("file", "sha256", "state")
    for entry in found.files:
        files.add_row(entry.name, entry.sha256, entry.state)
    served = Table("served since", "until", "why")
    for time_of in found.served:
        until = "now" if time_of.until is None else f"{time_of.until:%Y-%m-%d %H:%M}"
        served.add_row(f"{time_of.since:%Y-%m-%d %H:%M}", until, time_of.reason)
    print_tables(table, sources, *([files] if found.files else []), *([served] if found.served else []))
    for notice in found.notices:
        console(stderr=True).print(notice, highlight=False)


def _print_label(found: LabelLineage) -> None:
    console().print(
        f"label {found.label_id} of {found.path} by {found.annotator}, {found.recorded_at:%Y-%m-%d %H:%M} UTC, "
        f"{'current' if found.current else 'replaced or withdrawn since'}",
        highlight=False,
    )
    table = Table("round", "version", "used", "what became of it")
    for use in found.rounds:
        table.add_row(str(use.round_number), use.version or "", "yes" if use.used else "no", use.why)
    print_tables(table)
