"""The command line `al-loop`: the service, and everything an operator does with a running one."""

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated

import typer

from al_loop import __version__
from al_loop.client.errors import ClientError, ForeignAnswerError, NoAnswerError, ServiceError
from al_loop.errors import AlLoopError
from al_loop.runtime.disk import FULL, UNWRITABLE
from service.commands import (
    agreement,
    annotating,
    assists,
    backups,
    campaigns,
    classes,
    comparisons,
    doctor,
    evaluation,
    exports,
    imports,
    lineage,
    models,
    people,
    pretrainings,
    reports,
    rounds,
    scaneo,
    scenes,
    serve,
    settings,
    simulate,
    status,
    super_resolution,
    super_resolution_jobs,
    upkeep,
    webhooks,
)
from service.commands.output import MEANINGS, ExitCode, in_plain_words, open_closed_streams, write
from service.settings import SettingsError

SERVICE, CAMPAIGNS, TRAINING, QUALITY, SCANEO = "Service", "Campaigns", "Training", "Quality", "SCANEO"
"""Panels of the help, in their order."""

EXIT_CODES = "\n\n".join(["Exit codes:", *(f"* {code.value}: {meaning}" for code, meaning in MEANINGS.items())])


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"al-loop {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Active learning for satellite-image labelling."""


def _group() -> typer.Typer:
    return typer.Typer(
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )


def _add(to: typer.Typer, name: str, run: Callable[..., int | None], *examples: str, panel: str | None = None) -> None:
    text = _described(run)
    epilog = "\n\n".join(f"Example: al-loop {example}" for example in examples)
    to.command(name, help=text, short_help=text.split("\n\n")[0], epilog=epilog, rich_help_panel=panel)(run)


app = _group()


def _add_group(name: str, text: str, panel: str) -> typer.Typer:
    group = _group()
    app.add_typer(group, name=name, help=text, short_help=text, rich_help_panel=panel)
    return group


def _described(run: Callable[..., object]) -> str:
    """The docstring, a line a paragraph, without what is for programmers."""
    paragraphs = inspect.cleandoc(run.__doc__ or "").split("\n\n")
    return "\n\n".join(part.replace("\n", " ") for part in paragraphs if not part.startswith("Raises:"))


app.callback(epilog=EXIT_CODES)(_root)
_add(
    app,
    "serve",
    serve.run,
    "serve --data ./al-loop-data --imagery /path/to/imagery",
    "serve --imagery /data --port 8091",
    panel=SERVICE,
)
_add(
    app,
    "open",
    campaigns.open_page,
    "open",
    "open fields --imagery /path/to/imagery --data ./al-loop-data",
    panel=SERVICE,
)
_add(app, "stop", campaigns.stop, "stop", "stop --data ./al-loop-data", panel=SERVICE)
_add(app, "example", campaigns.example, "example", panel=SERVICE)
_add(
    app,
    "create",
    campaigns.create,
    "create fields ./images --classes water,forest",
    "create roofs ./images --classes roof --task segmentation --bands 4,3,2",
    panel=CAMPAIGNS,
)
_add(app, "add", campaigns.add, "add fields", panel=CAMPAIGNS)
_add(
    app,
    "import",
    imports.run,
    "import /path/to/imagery/fields --campaign fields",
    "import /path/to/imagery/fields --campaign trial --without-labels 0.7",
    panel=CAMPAIGNS,
)
_add(app, "rename", upkeep.rename, "rename fields fields-2025", panel=CAMPAIGNS)
_add(app, "archive", upkeep.archive, "archive fields", "archive fields --undo", panel=CAMPAIGNS)
_add(app, "delete", upkeep.delete, "delete fields", panel=CAMPAIGNS)
_add(app, "remove", upkeep.remove, "remove fields 17", panel=CAMPAIGNS)
_add(app, "duplicates", upkeep.duplicates, "duplicates fields", "duplicates fields --remove --yes", panel=CAMPAIGNS)
_add(
    app,
    "query",
    annotating.query,
    "query fields --size 5",
    "query fields --unit point --points 8",
    panel=CAMPAIGNS,
)
_add(
    app,
    "label",
    annotating.label,
    "label fields 17 forest",
    "label fields north/tile_002.tif water --annotator anna",
    "label fields 17 water --point 40.5,9.5 --point 12.5,33.5",
    panel=CAMPAIGNS,
)
tokens = _add_group("token", "Add, list and revoke tokens of single persons.", SERVICE)
_add(tokens, "add", people.add, "token add Anna --file tokens.tsv", "token add Max --role ops --file tokens.tsv")
_add(tokens, "list", people.show_all, "token list --file tokens.tsv")
_add(tokens, "revoke", people.revoke, "token revoke Anna --file tokens.tsv")
_add(app, "audit", people.audit, "audit", "audit fields --limit 20", panel=SERVICE)
_add(
    app,
    "backup",
    backups.backup,
    "backup al-loop-2026-03-01.tar.zst",
    panel=SERVICE,
)
_add(
    app,
    "restore",
    backups.restore,
    "restore al-loop-2026-03-01.tar.zst --data ./restored",
    "restore al-loop-2026-03-01.tar.zst --data ./restored --path-map /srv/imagery=/data/imagery",
    panel=SERVICE,
)
_add(app, "doctor", doctor.examine, "doctor", "doctor --data ./al-loop-data", panel=SERVICE)
hook = _add_group("webhook", "Have other programs told of rounds, models, pools and links.", SERVICE)
_add(
    hook,
    "add",
    webhooks.add,
    "webhook add https://hooks.example.org/al-loop",
    "webhook add https://hooks.example.org/al-loop --event round.failed --event link.lost --campaign fields",
)
_add(hook, "list", webhooks.show_all, "webhook list")
_add(hook, "remove", webhooks.remove, "webhook remove 1")
_add(hook, "test", webhooks.send_test, "webhook test 1")
_add(hook, "rotate", webhooks.rotate, "webhook rotate 1 --overlap-hours 48")
_add(hook, "deliveries", webhooks.deliveries, "webhook deliveries 1", "webhook deliveries 1 --state dead --json")
_add(hook, "redeliver", webhooks.redeliver, "webhook redeliver 1 17", "webhook redeliver 1")
_add(app, "export", exports.run, "export fields --format parquet --out labels.parquet", panel=CAMPAIGNS)
_add(app, "status", status.show, "status", "status fields --json", panel=CAMPAIGNS)

class_group = _add_group("classes", "List, add, describe, rename and retire classes; guidelines.", CAMPAIGNS)
_add(class_group, "list", classes.show_all, "classes list fields")
_add(class_group, "add", classes.add, 'classes add fields wetland --description "water with plants" --colour "#469990"')
_add(
    class_group,
    "change",
    classes.change,
    "classes change fields wetland --rename marsh",
    "classes change fields marsh --retire",
)
_add(class_group, "guidelines", classes.guidelines, "classes guidelines fields guidelines.md")

setting_group = _add_group("settings", "Show and change the settings of a campaign.", CAMPAIGNS)
_add(setting_group, "show", settings.show_settings, "settings show fields")
_add(setting_group, "set", settings.change_settings, "settings set fields lease_s=600 query.control_share=0.1")

policy_group = _add_group("policy", "Show and change when a campaign retrains by itself.", TRAINING)
_add(policy_group, "show", settings.show_policy, "policy show fields")
_add(
    policy_group,
    "set",
    settings.change_policy,
    "policy set fields new_labels=100 interval_s=null",
    'policy set fields cron="0 3 * * *" timezone=Europe/Berlin',
)
_add(policy_group, "preview", settings.preview_policy, "policy preview fields")

training_round = _add_group("round", "Start, follow, list and cancel training rounds.", TRAINING)
_add(training_round, "start", rounds.start, "round start fields", "round start fields --queue --detach")
_add(training_round, "watch", rounds.watch, "round watch fields", "round watch fields 3")
_add(training_round, "cancel", rounds.cancel, "round cancel fields")
_add(training_round, "list", rounds.show_all, "round list fields --json")
_add(training_round, "diff", rounds.diff, "round diff fields 3 4")
_add(
    training_round,
    "report",
    evaluation.report,
    "round report fields 3",
    "round report fields 3 --out round-3.html",
)
_add(training_round, "gate", rounds.gate, "round gate fields", "round gate fields 3")
_add(training_round, "log", rounds.log, "round log fields", "round log fields 3 --out round-3.log")
_add(training_round, "reproduce", lineage.reproduce, "round reproduce fields 3", "round reproduce fields 3 --json")

_add(
    app,
    "compare",
    comparisons.compare,
    "compare fields",
    "compare fields --seeds 5 --candidates deep --out joint-or-not",
    panel=TRAINING,
)
_add(app, "pretrain", pretrainings.run, "pretrain fields --minutes 20 --watch", panel=TRAINING)

resolution = _add_group(
    "super-resolution", "Make pairs of low and high resolution, train a model on them, look at its measures.", TRAINING
)
_add(
    resolution,
    "pairs",
    super_resolution.pairs,
    "super-resolution pairs ./fine --out ./pairs --factor 2 --dry-run",
    "super-resolution pairs ./aerial --low ./sentinel-2 --out ./pairs --bands 4,3,2 --high-bands 1,2,3",
)
_add(
    resolution,
    "train",
    super_resolution.train,
    "super-resolution train ./pairs --out ./twice --minutes 10",
)
_add(
    resolution,
    "start",
    super_resolution_jobs.start,
    "super-resolution start fields /path/to/imagery/pairs --minutes 20",
)
_add(resolution, "list", super_resolution_jobs.show_all, "super-resolution list fields")
_add(resolution, "cancel", super_resolution_jobs.cancel, "super-resolution cancel fields 1")
_add(resolution, "show", super_resolution.show, "super-resolution show ./twice")
_add(
    app,
    "super-resolve",
    super_resolution.resolve,
    "super-resolve scene.tif --model ./twice --out scene-2x.tif",
    panel=TRAINING,
)
model = _add_group(
    "model", "List model versions, promote, reject, roll back and pin, and see how a challenger does.", TRAINING
)
_add(model, "list", models.show_all, "model list fields")
_add(model, "add", models.add, "model add fields roads.onnx --card roads.json")
_add(model, "card", models.card, "model card fields", "model card fields v2 --format html")
_add(
    model,
    "export",
    exports.run_model,
    "model export fields v2 --format stac --out fields-model",
    "model export fields champion --format deepness --out fields.onnx",
)
_add(model, "lineage", lineage.show, "model lineage fields v2", "model lineage fields --label 17")
_add(model, "promote", models.promote, 'model promote fields v2 --reason "v3 misses clouds"')
_add(model, "reject", models.reject, 'model reject fields --reason "it takes shadows for water"')
_add(model, "rollback", models.rollback, 'model rollback fields --reason "v3 misses clouds"')
_add(model, "shadow", models.shadow, "model shadow fields")
_add(model, "pin", models.pin, "model pin fields v2")
_add(model, "unpin", models.unpin, "model unpin fields v2")
_add(
    app,
    "predict",
    scenes.predict,
    "predict fields delta.tif --out delta-mask.tif",
    "predict fields delta.tif --out delta.geojson --task segmentation",
    "predict fields scenes/delta.tif --out delta-mask.tif --on-service",
    panel=TRAINING,
)
_add(app, "prune", models.prune, "prune fields --dry-run", "prune fields", panel=TRAINING)

_add(
    app,
    "simulate",
    simulate.run,
    "simulate /path/to/fields --strategy random,auto --mode fast --out curves",
    panel=TRAINING,
)
_add(app, "curve", reports.curve, "curve fields", "curve fields --json", panel=QUALITY)
_add(app, "advice", reports.advice, "advice fields", "advice fields --labels 500", panel=QUALITY)
_add(app, "savings", reports.savings, "savings fields --task classification", panel=QUALITY)
_add(app, "relabels", reports.relabels, "relabels fields --limit 50", panel=QUALITY)
_add(app, "agreement", agreement.show, "agreement fields", panel=QUALITY)
_add(app, "assists", assists.show, "assists fields", panel=QUALITY)

link = _add_group("scaneo", "Link a campaign to SCANEO, hand out ranked batches.", SCANEO)
_add(
    link,
    "connect",
    scaneo.connect_campaign,
    'scaneo connect http://localhost:8000 --campaign "Land cover" --tasks segmentation',
)
_add(link, "status", scaneo.status, "scaneo status", "scaneo status land-cover --json")
_add(link, "disconnect", scaneo.disconnect, "scaneo disconnect land-cover")
_add(link, "batch", scaneo.batch, "scaneo batch land-cover --annotator anna --size 20")
_add(link, "close-batch", scaneo.close_batch, "scaneo close-batch land-cover 1")
_add(link, "suggest", scaneo.suggest, "scaneo suggest ships north/tile_002.tif")
_add(link, "push-boxes", scaneo.push_boxes, "scaneo push-boxes land-cover boxes.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Known errors are one sentence on stderr, without a traceback."""
    open_closed_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in ([], ["help"]):
        arguments = ["--help"]
    try:
        code: int | None = app(args=arguments, prog_name="al-loop", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "al-loop")
        return _refuse(f"{error.format_message().rstrip('.')}; see `{command} --help`", ExitCode.REFUSED)
    except (NoAnswerError, ForeignAnswerError) as error:
        return _refuse(str(error), ExitCode.NO_ANSWER)
    except ServiceError as error:
        words = in_plain_words(str(error))
        if error.status == HTTPStatus.UNAUTHORIZED and "--token" not in words:
            words += " (--token or AL_LOOP_TOKEN)"
        return _refuse(words, ExitCode.REFUSED)
    except (AlLoopError, ClientError, SettingsError) as error:
        return _refuse(in_plain_words(str(error)), ExitCode.REFUSED)
    except BrokenPipeError:  # whoever reads what is printed, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is written at the end
        return ExitCode.FAILED
    except OSError as error:
        if error.filename is not None:
            return _refuse(f"{error.filename}: {error.strerror}", ExitCode.REFUSED)
        if error.errno in FULL | UNWRITABLE:
            return _refuse(f"what this command makes cannot be written: {error.strerror}", ExitCode.REFUSED)
        raise  # not about a file, so not foreseen
    if code == ExitCode.STOPPED:
        return _refuse("stopped", ExitCode.STOPPED)
    return ExitCode.DONE if code is None else int(code)


def _refuse(sentence: str, code: ExitCode) -> int:
    write(f"al-loop: {sentence}", stderr=True)
    return int(code)
