"""The command line `al-loop`: the service, and everything an operator does with a running one."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from al_loop.errors import AlLoopError
from service.client import Client, ServiceError, ServiceUnreachableError
from service.commands import agreement, assists, imports, models, pretrainings, rounds, scaneo, serve, simulate, status
from service.settings import SettingsError

DEFAULT_URL = "http://127.0.0.1:8090"
Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Known errors are one sentence on stderr, without a traceback."""
    arguments = build_parser().parse_args(argv)
    run: Command = arguments.run
    try:
        return run(arguments)
    except (AlLoopError, ServiceError, ServiceUnreachableError, SettingsError) as error:
        print(f"al-loop: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("al-loop: stopped", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """Parser of all commands."""
    parser = argparse.ArgumentParser(prog="al-loop", description="Active learning for satellite-image labelling.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _serve(commands.add_parser("serve", help="run the service"))
    _import(commands.add_parser("import", help="create a campaign from a labelled folder, or add one to a campaign"))
    _export(commands.add_parser("export", help="write a campaign's labels to a file"))
    _status(commands.add_parser("status", help="show how campaigns stand"))
    _round(commands.add_parser("round", help="start, watch or cancel a training round"))
    _pretrain(commands.add_parser("pretrain", help="make an encoder from a campaign's images, without labels"))
    _model(commands.add_parser("model", help="list model versions, promote one, roll back"))
    _simulate(commands.add_parser("simulate", help="learning curves of strategies on a labelled folder"))
    _agreement(commands.add_parser("agreement", help="show how far annotators agree with one another"))
    _assists(commands.add_parser("assists", help="show what became of a campaign's suggestions"))
    _scaneo(commands.add_parser("scaneo", help="link a campaign to SCANEO, hand out ranked batches"))
    return parser


def _with_client(run: Callable[[argparse.Namespace, Client], int]) -> Command:
    """A command that is given a client for the service that its arguments name."""

    def command(arguments: argparse.Namespace) -> int:
        with Client(arguments.service, token=arguments.token) as client:
            return run(arguments, client)

    return command


def _talks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--service", default=os.environ.get("AL_LOOP_URL", DEFAULT_URL), help="address of the service")
    parser.add_argument("--token", default=os.environ.get("AL_LOOP_TOKEN"), help="token, if the service asks for one")


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="directory of labels, models and rounds (default: al-loop-data)")
    parser.add_argument(
        "--imagery", action="append", type=Path, help="folder that campaign roots must lie in; may be repeated"
    )
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="TCP port (default: 8090)")
    parser.set_defaults(run=lambda arguments: serve.run(arguments, os.environ))


def _import(parser: argparse.ArgumentParser) -> None:
    _talks(parser)
    parser.add_argument("directory", type=Path, help="SCANEO export, class folders, or images with *_mask files")
    parser.add_argument("--campaign", required=True, help="name; the campaign is created if there is none")
    parser.add_argument("--images", type=Path, help="folder of the images, if a SCANEO export lies elsewhere")
    parser.add_argument("--annotator", default="import", help="name that the labels are recorded under")
    parser.set_defaults(run=_with_client(imports.run))


def _export(parser: argparse.ArgumentParser) -> None:
    _talks(parser)
    parser.add_argument("campaign")
    parser.add_argument("--format", choices=["scaneo", "geojson", "parquet"], default="geojson")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.set_defaults(run=_with_client(imports.run_export))


def _status(parser: argparse.ArgumentParser) -> None:
    _talks(parser)
    parser.add_argument("campaign", nargs="?", help="one campaign in detail (default: all)")
    parser.set_defaults(run=_with_client(status.run))


def _assists(parser: argparse.ArgumentParser) -> None:
    _talks(parser)
    parser.add_argument("campaign")
    parser.set_defaults(run=_with_client(assists.run))


def _agreement(parser: argparse.ArgumentParser) -> None:
    _talks(parser)
    parser.add_argument("campaign")
    parser.set_defaults(run=_with_client(agreement.run))


def _round(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    start = actions.add_parser("start", help="start a round and watch it")
    _talks(start)
    start.add_argument("campaign")
    start.add_argument("--queue", action="store_true", help="queue behind a running round instead of failing")
    start.add_argument("--detach", action="store_true", help="do not watch")
    start.set_defaults(run=_with_client(rounds.start))
    for name, run, text in (
        ("watch", rounds.watch, "follow a round until it ends"),
        ("cancel", rounds.cancel, "stop a round"),
    ):
        action = actions.add_parser(name, help=text)
        _talks(action)
        action.add_argument("campaign")
        action.add_argument("number", type=int, nargs="?", help="default: the newest")
        action.set_defaults(run=_with_client(run))
    listing = actions.add_parser("list", help="all rounds of a campaign")
    _talks(listing)
    listing.add_argument("campaign")
    listing.set_defaults(run=_with_client(rounds.show_all))


def _pretrain(parser: argparse.ArgumentParser) -> None:
    _talks(parser)
    parser.add_argument("campaign")
    parser.add_argument("--minutes", type=float, help="time to train (default: 20)")
    parser.add_argument("--encoder", help="timm encoder (default: that of the campaign's models)")
    parser.add_argument("--method", choices=["barlow_twins", "pretrained"], default="barlow_twins")
    parser.add_argument("--weights", help="safetensors file on the service's machine to start from, or to use as it is")
    parser.add_argument("--watch", action="store_true", help="follow it until it ends")
    parser.set_defaults(run=_with_client(pretrainings.run))


def _model(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="all versions of a campaign")
    _talks(listing)
    listing.add_argument("campaign")
    listing.set_defaults(run=_with_client(models.show_all))
    promote = actions.add_parser("promote", help="make a version serve; an older one rolls back")
    _talks(promote)
    promote.add_argument("campaign")
    promote.add_argument("version")
    promote.add_argument("--reason", default="ops")
    promote.set_defaults(run=_with_client(models.promote))


def _simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, help="labelled folder, as for import")
    parser.add_argument("--strategy", default="random,auto", help="strategies, separated by commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--query-size", type=int, default=20)
    parser.add_argument("--first-query-size", type=int, help="labels of the first round (default: --query-size)")
    parser.add_argument("--growth", type=float, default=1.0, help="factor from one query to the next (default: 1)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True, help="directory of curve.png and curve.json")
    parser.add_argument(
        "--mode", choices=["fast", "full"], default="full",
        help="full retrains the network every round; fast refits heads on a self-supervised encoder (default: full)",
    )  # fmt: skip
    parser.add_argument(
        "--pretrain-minutes", type=float, default=20.0, help="fast: minutes of self-supervised training, 0 for none"
    )
    parser.add_argument(
        "--thin", type=_share, action="append", metavar="CLASS=SHARE",
        help="fast: keep this share of a class in the pool, as if it were rare; may be repeated",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="runs side by side (default: cores)")
    parser.set_defaults(run=simulate.run)


def _scaneo(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    connect = actions.add_parser("connect", help="link a campaign of SCANEO: labels flow in, models appear there")
    _talks(connect)
    connect.add_argument("url", help="root of SCANEO, such as http://localhost:8000")
    connect.add_argument("--campaign", required=True, help="name of the campaign in SCANEO")
    connect.add_argument("--as", dest="as_name", help="name of our campaign (default: made from SCANEO's)")
    connect.add_argument("--tasks", help="classification, segmentation or both with a comma (default: as annotated)")
    connect.add_argument(
        "--path-map", action="append", default=[], metavar="A=B", help="folder A in SCANEO is folder B here"
    )
    connect.add_argument("--annotator", default="scaneo", help="name for labels of which nobody knows who drew them")
    connect.add_argument("--database", type=Path, help="SCANEO's scaneo.db on this machine: fewer requests")
    connect.add_argument("--service-url", help="address at which SCANEO reaches the service")
    connect.set_defaults(run=_with_client(scaneo.connect))
    shown = actions.add_parser("status", help="what is linked, and how fresh it is")
    _talks(shown)
    shown.add_argument("campaign", nargs="?", help="default: all")
    shown.set_defaults(run=_with_client(scaneo.status))
    undone = actions.add_parser("disconnect", help="undo a link; labels stay")
    _talks(undone)
    undone.add_argument("campaign")
    undone.add_argument("--force", action="store_true", help="even if SCANEO does not answer")
    undone.set_defaults(run=_with_client(scaneo.disconnect))
    batch = actions.add_parser("batch", help="make the next samples a SCANEO campaign in ranked order")
    _talks(batch)
    batch.add_argument("campaign")
    batch.add_argument("--annotator", required=True)
    batch.add_argument("--size", type=int, default=20)
    batch.set_defaults(run=_with_client(scaneo.batch))
    closed = actions.add_parser("close-batch", help="read a batch to the last and remove it from SCANEO")
    _talks(closed)
    closed.add_argument("campaign")
    closed.add_argument("number", type=int)
    closed.set_defaults(run=_with_client(scaneo.close_batch))
    boxes = actions.add_parser("push-boxes", help="offer a detector's boxes to annotators")
    _talks(boxes)
    boxes.add_argument("campaign")
    boxes.add_argument("boxes", type=Path, help='JSON: [{"path", "label", "box": [left, top, right, bottom]}]')
    boxes.set_defaults(run=_with_client(scaneo.push_boxes))


def _share(text: str) -> tuple[str, float]:
    """`CLASS=SHARE` as name and number."""
    name, _, share = text.rpartition("=")
    try:
        value = float(share)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not CLASS=SHARE, as in River=0.05") from error
    if not name or not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not CLASS=SHARE with a share above 0 and up to 1")
    return name, value
