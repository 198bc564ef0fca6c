"""`al-loop model`: list versions, promote, reject, roll back, pin, and how a challenger does in the shadow."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from al_loop.client.answers import CampaignView
from al_loop.domain.rounds import CurvePoint
from al_loop.errors import NotFoundError
from al_loop_records.metric_names import class_metric, metric_name
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Quiet, Service, Token, connect
from service.commands.output import ExitCode, console, print_json, print_tables
from service.commands.rounds import follow

Version = Annotated[str, typer.Argument(help="Model version, such as v3.")]
Reason = Annotated[str, typer.Option(help="Why, for the history.")]


def show_all(
    campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """List all model versions of a campaign.

    The oldest first, with the round that trained each, its metrics on the test reserve with their 95 % intervals,
    whether it serves, and why it cannot be served if so. Metrics of different rounds are of different reserve labels:
    `al-loop round list` says what the gate made of them on the same ones.
    """
    with connect(service, token) as client:
        answer, points = client.models(campaign), client.learning_curve(campaign).points
    if as_json:
        print_json(answer.models)
        return
    table = Table(
        "version", "round", "labels", "metric", "created", "promoted", "standing", "pinned", "candidates", "problem"
    )
    for entry in answer.models:
        table.add_row(
            entry.version,
            str(entry.round_number),
            ", ".join({str(point.labels): None for point in points if point.version == entry.version}),
            _measured(points, entry.version).strip(" ()"),
            f"{entry.created_at:%Y-%m-%d %H:%M}",
            "" if entry.promoted_at is None else f"{entry.promoted_at:%Y-%m-%d %H:%M}",
            entry.standing or "",
            "" if entry.pinned_at is None else f"{entry.pinned_at:%Y-%m-%d}",
            entry.choice or "",
            entry.problem or ("" if entry.pruned_at is None else f"pruned on {entry.pruned_at:%Y-%m-%d}"),
        )
    print_tables(table)


def add(
    campaign: CampaignName,
    file: Annotated[Path, typer.Argument(help="The ONNX file.")],
    card_file: Annotated[Path, typer.Option("--card", help="JSON of what the file does not say itself.")],
    ask: Annotated[
        bool, typer.Option("--ask", help="Let it wait for `model promote`, whatever the policy says.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Add a model that was trained elsewhere.

    The file is inspected, tried out on samples, measured on the test reserve, and decided on by the gate as models of
    the campaign are: it is a round without training. The page "Other people's models" has examples of cards.
    """
    data, said = _read(file, "FILE"), _read(card_file, "--card")
    with connect(service, token) as client:
        started = client.add_model(campaign, file.name, data, said, ask=ask)
        if not detach:
            return follow(client, campaign, started.number, as_json=as_json, quiet=quiet)
    if as_json:
        print_json(started)
    else:
        console(stderr=True).print(f"round {started.number} is {started.state}")
    return ExitCode.DONE


def card(
    campaign: CampaignName,
    version: Annotated[
        str | None, typer.Argument(help="Model version, champion or challenger; the one that serves if left out.")
    ] = None,
    kind: Annotated[
        Literal["md", "html", "json"] | None,
        typer.Option(
            "--format",
            help="Print the whole card to standard output: as Markdown, as an HTML page, or as JSON; a short table if "
            "left out.",
        ),
    ] = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show the card of a model version.

    What it reads and answers, what it was trained on, and how good it is, class by class. With --format html or md
    everything that a stranger needs: bands and normalisation, a map, metrics by class and place, limits, licence.
    """
    with connect(service, token) as client:
        if version is None:
            current = client.campaign(campaign).current_model
            if current is None:
                raise NotFoundError("serving model of campaign", campaign, "name a version of `al-loop model list`")
            version = current.version
        if kind in ("html", "md"):
            sys.stdout.write(client.model_card_page(campaign, version, kind).decode())
            return
        found = client.model_card(campaign, version)
    if as_json or kind == "json":
        print_json(found)
        return
    facts = {
        "version": found.version,
        "round": str(found.round_number),
        "made": found.created_at,
        "labels": str(found.labels),
        "bands": f"{', '.join(map(str, found.bands))} of {found.source_bands}",
        "encoder": found.model.encoder + (f", from {found.trained_from}" if found.trained_from else ""),
        "training": f"{found.seconds:.0f} s",
    }
    if found.features is not None:
        facts["features"] = found.features
    if found.choice is not None:
        facts["candidates"] = found.choice
    table = Table("fact", "value")
    for name, value in facts.items():
        table.add_row(name, value)
    measured = Table("task", "class", "metric", "value", "95 %", "baseline")
    for entry in found.evaluation.candidate:
        interval = f"{entry.low:.3f} to {entry.high:.3f}"
        measured.add_row(
            entry.task, "", metric_name(entry.metric), f"{entry.value:.3f}", interval, f"{entry.baseline:.3f}"
        )
        for label, share in entry.per_class.items():
            measured.add_row(
                entry.task,
                label,
                class_metric(entry.metric),
                "none in the reserve" if share is None else f"{share:.3f}",
                "",
                "",
            )
    print_tables(table, measured)


def promote(
    campaign: CampaignName,
    version: Annotated[str, typer.Argument(help="Model version, such as v3, or challenger.")],
    reason: Reason = "ops",
    force: Annotated[bool, typer.Option("--force", help="Promote it although it was rejected.")] = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Make a model version the one that serves.

    An older version rolls back. The gate is not asked, but a version that was rejected needs --force. Says what both
    versions measured on the test reserve.
    """
    with connect(service, token) as client:
        points = client.learning_curve(campaign).points
        view = client.promote(campaign, version, reason, force=force)
    _print_change(view, points)


def reject(
    campaign: CampaignName,
    version: Annotated[str, typer.Argument(help="Model version, such as v3.")] = "challenger",
    reason: Reason = "ops",
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Take a model version out that does not serve.

    The one that waits for a decision, if none is named. The service does not promote it by itself any more; a person
    may, with --force.
    """
    with connect(service, token) as client:
        waiting = client.campaign(campaign).challenger
        view = client.reject(campaign, version, reason)
    name = waiting.version if version == "challenger" and waiting is not None else version
    serves = "nothing" if view.current_model is None else view.current_model.version
    console(stderr=True).print(f"{view.name}: {name} is rejected, {serves} serves", highlight=False)


def rollback(
    campaign: CampaignName, reason: Reason = "ops", service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """Let the model version serve again that served before.

    The service does not promote the one that served by itself any more, nor the same model under another name; a person
    may.
    """
    with connect(service, token) as client:
        points = client.learning_curve(campaign).points
        view = client.roll_back(campaign, reason)
    _print_change(view, points)


def shadow(
    campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """Show how the challenger in the shadow does.

    By labels that came in after champion and challenger had answered, with 95 % intervals of the difference.
    """
    with connect(service, token) as client:
        report = client.shadow(campaign)
    if as_json:
        print_json(report)
        return
    table = Table("task", "metric", "samples", "unaided", "champion", "challenger", "difference")
    for entry in report.judgements:
        values = ["" if value is None else f"{value:.3f}" for value in (entry.champion, entry.challenger)]
        difference = "" if entry.difference is None else f"{entry.difference:+.3f}"
        if entry.low is not None and entry.high is not None:
            difference += f" [{entry.low:+.3f}, {entry.high:+.3f}]"
        table.add_row(
            entry.task, metric_name(entry.metric), str(entry.samples), str(entry.unaided), *values, difference
        )
    print_tables(*([table] if report.judgements else []))
    out = console(stderr=True)
    out.print(report.sentence, highlight=False, markup=False)
    answers = f"both answered {report.answered}; {report.dropped} dropped, {report.failed} failed since the start"
    out.print(answers, highlight=False)


def _print_change(view: CampaignView, points: Sequence[CurvePoint]) -> None:
    """Which version serves now and which did before, with their metrics.

    Both as the service answers them: of two promotions at once, what served before the call is not what the second
    took the place of.
    """
    out, now = console(stderr=True), view.current_model
    if now is None:
        return
    out.print(f"{view.name}: {now.version} serves{_measured(points, now.version)}", highlight=False)
    if now.previous is not None:
        out.print(f"{view.name}: {now.previous} served before{_measured(points, now.previous)}", highlight=False)


def pin(campaign: CampaignName, version: Version, service: Service = DEFAULT_URL, token: Token = None) -> None:
    """Keep the files of a model version for good.

    Whatever the policy's retention says, it is never pruned.
    """
    with connect(service, token) as client:
        client.pin(campaign, version)
    console(stderr=True).print(f"{campaign}: {version} is pinned", highlight=False)


def unpin(campaign: CampaignName, version: Version, service: Service = DEFAULT_URL, token: Token = None) -> None:
    """Let a pinned model version go as any other.

    Its files stay until the policy's retention does not keep them.
    """
    with connect(service, token) as client:
        client.pin(campaign, version, pinned=False)
    console(stderr=True).print(f"{campaign}: {version} is not pinned any more", highlight=False)


def prune(
    campaign: CampaignName,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Remove files of old rounds, versions and encoders, or say what would go.

    As after each round, by the policy's retention. What serves, what served before, the best and what is pinned stay,
    and so do labels, metrics, verdicts and cards of all.
    """
    with connect(service, token) as client:
        report = client.prune(campaign, dry_run=dry_run)
    if as_json:
        print_json(report)
        return
    table = Table("kind", "name", "MB")
    for item in report.items:
        table.add_row(item.kind, item.name, f"{item.bytes / 1e6:.1f}")
    if report.items:
        print_tables(table)
    out = console(stderr=True)
    out.print(f"{campaign}: {report.sentence}", highlight=False)
    for entry in report.kept:
        out.print(f"  {entry.version} stays: {', '.join(entry.why)}", highlight=False)


def _measured(points: Sequence[CurvePoint], version: str) -> str:
    """Its metrics in brackets, or nothing."""
    metrics = [
        f"{metric_name(point.metric)} {point.value:.3f} [{point.low:.3f}, {point.high:.3f}]"
        for point in points
        if point.version == version
    ]
    return f" ({', '.join(metrics)})" if metrics else ""


def _read(file: Path, hint: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint=hint) from error
