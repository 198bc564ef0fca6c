"""`al-loop super-resolution start`, `list` and `cancel`: trainings that the service runs."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from al_loop.domain.super_resolutions import SuperResolutionRequest, SuperResolutionState
from al_loop_records.super_resolution import SuperResolutionConfig
from service.commands.following import follow_with_bar
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Quiet, Service, Token, connect
from service.commands.output import ExitCode, console, print_json, print_tables

if TYPE_CHECKING:
    from al_loop.domain.super_resolutions import SuperResolutionView


def start(
    campaign: CampaignName,
    pairs: Annotated[str, typer.Argument(metavar="PAIRS", help="Folder of pairs.json, as the service sees it.")],
    minutes: Annotated[
        float, typer.Option(help="Processor time on a CPU, wall time on a GPU.", min=0.01, max=100_000)
    ] = 10.0,
    steps: Annotated[int | None, typer.Option(help="Steps instead of minutes.", min=1)] = None,
    channels: Annotated[int, typer.Option(help="Channels of the network.", min=4, max=256)] = 48,
    blocks: Annotated[int, typer.Option(help="Blocks of the network.", min=1, max=32)] = 6,
    seed: Annotated[int, typer.Option(help="Of weights and patches.", min=0)] = 0,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Have the service train a model of super-resolution on pairs, and measure it beside bicubic.

    It goes on after a stop of the service; Ctrl-C cancels it. Nothing shows the model until the campaign's settings
    name it, as the command says at its end.
    """
    config = SuperResolutionConfig(minutes=minutes, steps=steps, channels=channels, blocks=blocks, seed=seed)
    with connect(service, token) as client:
        view = client.start_super_resolution(campaign, SuperResolutionRequest(pairs=pairs, config=config))
        if not detach:
            number = view.number
            view = follow_with_bar(
                view,
                lambda: client.super_resolution(campaign, number),
                lambda: client.cancel_super_resolution(campaign, number),
                quiet=quiet,
            )
    if as_json:
        print_json(view)
    else:
        _say(campaign, view)
    return ExitCode.DONE if detach or (view.result and view.result.report.better) else ExitCode.FAILED


def show_all(
    campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """List the trainings of super-resolution of a campaign.

    Of each its state, the folder of the model, and how it does beside bicubic.
    """
    with connect(service, token) as client:
        found = client.super_resolutions(campaign)
    if as_json:
        print_json(found)
        return
    table = Table("number", "state", "folder", "verdict")
    for entry in found:
        folder, said = "", entry.error or ""
        if entry.result is not None:
            folder, said = entry.result.folder, entry.result.report.verdict
        table.add_row(str(entry.number), entry.state, folder, said)
    print_tables(table)


def cancel(
    campaign: CampaignName,
    number: Annotated[int, typer.Argument(help="Of the training.", min=1)],
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Cancel a training of super-resolution that the service runs.

    Its process tree ends within seconds; other models stay as they are.
    """
    with connect(service, token) as client:
        client.cancel_super_resolution(campaign, number)
    console(stderr=True).print(f"super-resolution {number} is being cancelled", highlight=False)


def _say(campaign: str, view: "SuperResolutionView") -> None:
    from service.commands.super_resolution import show_report

    out = console(stderr=True)
    if view.result is None:
        why = f": {view.error}" if view.error else ""
        out.print(f"super-resolution {view.number} is {view.state}{why}", highlight=False, soft_wrap=True)
        return
    show_report(view.result.report)
    out.print(f"{view.result.version}: {view.result.report.verdict}", highlight=False, soft_wrap=True)
    if view.state is SuperResolutionState.FINISHED and view.result.report.better:
        out.print(
            f"to show it: al-loop settings set {campaign} view.super_resolution={view.result.folder}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
