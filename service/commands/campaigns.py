"""`al-loop create`, `add`, `open`, `stop`, `example`: from a folder of images to the page that labels them."""

import os
import shlex
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from al_loop.client.errors import ServiceError
from al_loop.domain.campaigns import (
    CampaignRequest,
    CampaignSettings,
    RegistrationReport,
    Sensor,
    TaskRequest,
    WindowSettings,
)
from al_loop.domain.labels import LabelInput
from al_loop.domain.retraining import RetrainPolicy
from service.commands.background import ensure_service, stop_service
from service.commands.imports import import_plan, progress_bars
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, counted, exit_for, print_json
from service.settings import Settings, is_loopback

if TYPE_CHECKING:
    from al_loop.campaigns.importing import ImportPlan
    from al_loop.client.http import Client

EXAMPLE_POOL = 0.8
"""Share of the example's images whose labels are kept back."""
EXAMPLE_NEW_LABELS = 20
"""New labels after which the example trains."""
NAMED_SKIPS = 10
"""Files that a summary names with the reason why they were skipped."""

Data = Annotated[
    Path | None, typer.Option(help="Data directory of a service that is started; al-loop-data if left out.")
]
Windows = Annotated[
    int | None,
    typer.Option(
        "--windows", help="Cut images that are larger into windows of this many pixels a side.", metavar="PX", min=32
    ),
]
Overlap = Annotated[int, typer.Option("--overlap", help="Pixels that neighbouring windows share.", min=0)]
MaxNodata = Annotated[
    float,
    typer.Option("--max-nodata", help="Leave out windows with a larger share of nodata, 0 to 1.", min=0.0, max=1.0),
]


def create(
    name: Annotated[str, typer.Argument(help="Name of the campaign: a-z, 0-9 and -.")],
    directory: Annotated[Path, typer.Argument(help="Folder of the images.")],
    classes: Annotated[
        list[str], typer.Option("--classes", help="Classes, separated by commas; may be repeated.", metavar="A,B,..")
    ],
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="classification (the default), segmentation or detection; may be repeated: all have the same classes."
        ),
    ] = None,
    multi_label: Annotated[bool, typer.Option("--multi-label", help="An image may show several classes.")] = False,
    bands: Annotated[
        str | None,
        typer.Option(help="Bands that models read, from 1, such as 4,3,2; all if left out.", metavar="N,N,.."),
    ] = None,
    sensor: Annotated[Sensor | None, typer.Option(help="What took the images: tells the order of their bands.")] = None,
    band_names: Annotated[
        str | None,
        typer.Option(
            "--band-names",
            help="What each band of the files is, in their order: names such as red, nir or swir16, bands of "
            "Sentinel-2 such as B04, wavelengths such as 842 nm.",
            metavar="NAME,NAME,..",
        ),
    ] = None,
    windows: Windows = None,
    overlap: Overlap = 0,
    max_nodata: MaxNodata = 0.9,
    data: Data = None,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Create a campaign over a folder of images without labels.

    Starts a service in the background if none answers on this machine, registers every image below the folder, and says
    where to label them. A service that it starts may read this folder and the working directory. `al-loop import` does
    the same for a folder with labels.
    """
    from models.tasks import task_kinds  # here: it loads numpy

    names = [entry.strip() for part in classes for entry in part.split(",") if entry.strip()]
    kinds = task or [next(iter(task_kinds()))]
    request = CampaignRequest(
        name=name,
        tasks=[TaskRequest(task=kind, classes=names, multi_label=multi_label) for kind in kinds],
        root=str(directory),
        bands=None if bands is None else _bands(bands),
        settings=CampaignSettings(
            sensor=sensor, band_names=_named(band_names), windows=_windows(windows, overlap, max_nodata)
        ),
    )
    out = console(stderr=True)
    with connect(service, token) as client:
        local = is_loopback(client.host)
        if local and not directory.is_dir():
            raise typer.BadParameter(f"{directory} is no folder", param_hint="DIRECTORY")
        if local:
            request = _at(request, directory)
            _start(service, token, [directory, Path.cwd()], data)
        try:
            client.create_campaign(request)
        except ServiceError as error:
            if error.status == 409:
                raise ServiceError(
                    409, f"there is a campaign {name!r} already; `al-loop add {name}` registers new images", error.facts
                ) from error
            raise
        with out.status("registering images"):
            report = client.register(name)
        _say(name, report)
        if report.registered:
            out.print(f"label them at {client.url}/annotate/{name} (al-loop open {name})", highlight=False)
        return exit_for(report.registered + report.known, report.skipped_count)


def add(
    campaign: CampaignName,
    windows: Windows = None,
    overlap: Overlap = 0,
    max_nodata: MaxNodata = 0.9,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Register images that are new in a campaign's folder.

    What was registered before stays as it is, and so does what was removed. Files that cannot be used are skipped:
    `--json` lists them all with the reasons.
    """
    with connect(service, token) as client, console(stderr=True).status("registering images"):
        report = client.register(campaign, windows=_windows(windows, overlap, max_nodata))
    if as_json:
        print_json(report)
    else:
        _say(campaign, report)
    return exit_for(report.registered + report.known, report.skipped_count)


def open_page(
    campaign: Annotated[str | None, typer.Argument(help="Campaign to open; the list of all if left out.")] = None,
    imagery: Annotated[
        list[Path] | None,
        typer.Option(help="Folder that a service that is started may read; the working directory if left out."),
    ] = None,
    data: Data = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Open the page that labels images in a browser.

    Starts a service in the background if none answers on this machine; its log and process id are in the data
    directory. Prints the address to standard output.
    """
    if not _start(service, token, imagery or [], data) and imagery:
        console(stderr=True).print(
            "a service is running already and reads the folders that it was started with; for others stop it, then run "
            "this again",
            highlight=False,
        )
    with connect(service, token) as client:
        if campaign is not None:
            client.campaign(campaign)
        _show(client, campaign, browser=browser)


def stop(
    data: Annotated[Path | None, typer.Option(help="Its data directory; al-loop-data if left out.")] = None,
) -> None:
    """Stop the service that runs in the background.

    The one that `open` or `example` started over the data directory. No label is lost; a round that runs goes
    on when the service runs again.
    """
    folder = Settings.from_env(os.environ, data=None if data is None else str(data)).data
    out, pid = console(stderr=True), stop_service(folder)
    said = f"no service runs in the background over {folder}" if pid is None else f"stopped the service over {folder}"
    out.print(said, highlight=False, soft_wrap=True)


def example(
    directory: Annotated[Path, typer.Argument(help="Folder for the images; made if missing.")] = Path(
        "al-loop-example"
    ),
    name: Annotated[str, typer.Option(help="Name of the campaign.")] = "example",
    scenes: Annotated[int, typer.Option(help="Generated scenes, of up to 64 images each.", min=1, max=50)] = 4,
    data: Data = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Make a small campaign of generated satellite scenes to try things on.

    Writes the images, starts a service in the background if none answers on this machine, records a fifth of the labels
    and keeps the rest back, so that there is something to label. Repeating it changes nothing. A service that it starts
    may read the images and the working directory.
    """
    with connect(service, token) as client:
        if not is_loopback(client.host):
            raise typer.BadParameter(
                "the example's images are written to this machine, which the service must read", param_hint="--service"
            )
    if directory.exists() and any(directory.iterdir()) and not (directory / "classes.json").exists():
        raise typer.BadParameter(f"{directory} holds other files; name a new folder", param_hint="DIRECTORY")
    out = console(stderr=True)
    with out.status("writing images"):
        plan = _generated(directory, scenes)
    out.print(f"{counted(len(plan.paths), 'image')} in {directory}", highlight=False, soft_wrap=True)
    _start(service, token, [directory, Path.cwd()], data)
    with connect(service, token) as client:
        if name not in [view.name for view in client.campaigns()]:
            with progress_bars(out) as progress:
                policy = RetrainPolicy(new_labels=EXAMPLE_NEW_LABELS)
                report = import_plan(client, plan, name, "example", progress, withheld=EXAMPLE_POOL, policy=policy)
            out.print(f"{name}: {report.recorded} labels recorded, the others are yours to give", highlight=False)
        _show(client, name, browser=browser)


def _generated(directory: Path, scenes: int) -> "ImportPlan":
    """Write generated scenes, cut into chips; returns what is known of them."""
    from al_loop.campaigns.importing import ImportPlan  # here: these load rasterio
    from models.card import TaskSpec
    from models.synthetic.scenes import CLASSES, write_scenes
    from models.tasks import task_kinds

    root, task = directory.resolve(), next(iter(task_kinds()))
    shown = {chip.path.relative_to(root).as_posix(): chip.class_name for chip in write_scenes(root, scenes=scenes)}

    def labels(annotator: str) -> Iterator[LabelInput]:
        for path, name in shown.items():
            yield LabelInput(path=path, task=task, annotator=annotator, classes=[name])

    return ImportPlan(
        kind="class-folders",
        root=root,
        tasks=[TaskSpec(task=task, classes=list(CLASSES))],
        paths=sorted(shown),
        settings=CampaignSettings(),
        label_counts={task: len(shown)},
        skipped=[],
        read_labels=labels,
    )


def _windows(size_px: int | None, overlap_px: int, max_nodata: float) -> WindowSettings | None:
    """The options as a setting; None without a size.

    Raises:
        BadParameter: An overlap without a size.
    """
    if size_px is None:
        if overlap_px:
            raise typer.BadParameter("windows overlap where --windows gives their size", param_hint="--overlap")
        return None
    return WindowSettings(size_px=size_px, overlap_px=overlap_px, max_nodata=max_nodata)


def _named(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(","))


def _bands(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a list of band numbers such as 4,3,2", param_hint="--bands"
        ) from error


def _at(request: CampaignRequest, directory: Path) -> CampaignRequest:
    return msgspec.structs.replace(request, root=str(directory.resolve()))


def _start(service: str, token: str | None, imagery: list[Path], data: Path | None) -> bool:
    """Start a service where none answers; whether that was so."""
    started = ensure_service(service, token, imagery, data)
    if started is not None:
        console(stderr=True).print(
            f"started a service in the background (log: {started.log}; stop it with: {_stopping(started.log.parent)})",
            highlight=False,
            soft_wrap=True,
        )
    return started is not None


def _stopping(data: Path) -> str:
    """The command that stops a service over a data directory, as typed where we are."""
    usual = data == Settings.from_env(os.environ).data.resolve()
    return "al-loop stop" if usual else f"al-loop stop --data {shlex.quote(str(data))}"


def _say(name: str, report: RegistrationReport) -> None:
    out = console(stderr=True)
    known = f", {report.known} were registered before" if report.known else ""
    removed = f", {report.removed} were removed from the campaign" if report.removed else ""
    skipped = f", {report.skipped_count} skipped" if report.skipped_count else ""
    out.print(f"{name}: {counted(report.registered, 'image')} registered{known}{removed}{skipped}", highlight=False)
    for entry in report.skipped[:NAMED_SKIPS]:
        out.print(f"  skipped {entry.path}: {entry.reason}", highlight=False)
    if report.skipped_count > NAMED_SKIPS:
        more = report.skipped_count - NAMED_SKIPS
        out.print(f"  and {more} more; al-loop add {name} --json lists all of them", highlight=False)
    for note in report.remarks[:NAMED_SKIPS]:
        out.print(f"  note {note.path}: {note.remark}", highlight=False)
    if len(report.remarks) > NAMED_SKIPS:
        out.print(f"  and {len(report.remarks) - NAMED_SKIPS} more notes", highlight=False)
    if not report.registered and not report.known:
        out.print("there is nothing to label yet: put GeoTIFF, JPEG or PNG files into the folder and run al-loop add")


def _show(client: "Client", campaign: str | None, *, browser: bool) -> None:
    """Print the page's address and open it, if somebody may be there to see it."""
    address = f"{client.url.rstrip('/')}/" + ("" if campaign is None else f"annotate/{campaign}")
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    if browser and (sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ):
        webbrowser.open(address)
