"""`al-loop predict`: the answer of a model for a whole scene, on this machine or by the service."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from al_loop.errors import ConflictError, InvalidValueError, NotFoundError
from service.commands.following import bars, follow_with_bar
from service.commands.options import (
    DEFAULT_URL,
    AsJson,
    CampaignName,
    Force,
    Quiet,
    Service,
    Token,
    check_not_there,
    check_writable,
    connect,
)
from service.commands.output import console, print_json
from service.commands.styling import (
    WithStyle,
    colours_of,
    write_area_style,
    write_mask_style,
    write_prediction_item,
)
from service.settings import PREFIX

if TYPE_CHECKING:
    from models.inference.scenes.spec import SceneResult

ENDINGS = {".tif": "tif", ".tiff": "tif", ".geojson": "geojson", ".json": "geojson"}


def predict(
    campaign: CampaignName,
    scene: Annotated[Path, typer.Argument(help="Raster of any size; with --on-service as the service sees it.")],
    out: Annotated[Path, typer.Option(help="File to write: .tif or .geojson.", dir_okay=False)],
    file_format: Annotated[
        Literal["tif", "geojson"] | None, typer.Option("--format", help="Format; by the ending of --out if left out.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task; the model's only one if left out.")] = None,
    version: Annotated[str | None, typer.Option(help="Model version; the one that serves if left out.")] = None,
    cell: Annotated[
        int | None,
        typer.Option(help="Side in pixels of the squares that are classified; 256 if left out.", min=32, max=8192),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads of the model; all if left out.", min=1)] = None,
    data: Annotated[
        Path | None, typer.Option(help="Data directory that holds the models; AL_LOOP_DATA, or al-loop-data.")
    ] = None,
    on_service: Annotated[
        bool, typer.Option("--on-service", help="Let the service predict it, and download the file.")
    ] = False,
    style: WithStyle = True,
    stac: Annotated[
        bool, typer.Option("--stac", help="Write an item of STAC beside the file, derived from scene and model: .json.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Predict a whole scene, however large, and write a GeoTIFF or GeoJSON.

    Tiles overlap and are blended. After Ctrl-C or a kill the same command goes on where it was. Runs on this machine
    with the models of the data directory, and needs no service; with --on-service the service does the work.
    """
    wanted = file_format or ENDINGS.get(out.suffix.lower())
    if wanted is None:
        raise typer.BadParameter(f"{out.name} ends neither in .tif nor in .geojson; name --format", param_hint="--out")
    check_writable(out)
    check_not_there(out, force)
    if stac:
        check_not_there(out.with_suffix(".json"), force)
    colours: dict[str, str] = {}
    if on_service:
        with connect(service, token) as client:
            body = {"scene": str(scene), "format": wanted, "task": task, "version": version, "cell_px": cell}
            view = client.predict_scene(campaign, {name: value for name, value in body.items() if value is not None})
            number = view.number
            view = follow_with_bar(
                view,
                lambda: client.scene_prediction(campaign, number),
                lambda: client.cancel_scene_prediction(campaign, number),
                quiet=quiet,
            )
            if view.result is None:
                raise ConflictError(f"scene prediction {view.number} is {view.state}: {view.error}")
            with out.open("wb") as file:
                client.scene_prediction_file(campaign, view.number, file)
            result = view.result
            if style or stac:
                colours = colours_of(client, campaign, result.task)
    else:
        result, colours = _here(campaign, scene, out, wanted, task, version, cell, threads, data, quiet=quiet)
    if style:
        _write_style(out, result, colours)
    if stac:
        write_prediction_item(out, scene, campaign, result, colours)
    if as_json:
        print_json(result)
    else:
        found = "" if result.features is None else f", {result.features:,} features"
        console(stderr=True).print(
            f"wrote {out}: a scene of {result.width:,} x {result.height:,} px, by {result.version}{found} "
            f"({out.stat().st_size:,} bytes, {result.seconds:.0f} s)",
            highlight=False,
            soft_wrap=True,
        )


def _here(
    campaign: str,
    scene: Path,
    out: Path,
    wanted: str,
    task: str | None,
    version: str | None,
    cell: int | None,
    threads: int | None,
    data: Path | None,
    *,
    quiet: bool,
) -> tuple["SceneResult", dict[str, str]]:
    """The result, and the colours of the classes that it may hold."""
    from models.predict_scene import limit_block_cache

    limit_block_cache()  # before GDAL is loaded
    from al_loop.campaigns.layout import DataLayout
    from al_loop.domain.class_colours import task_colours
    from models.errors import ModelsError
    from models.inference.scenes.run import predict_scene
    from models.inference.scenes.spec import SceneSpec
    from models.registry import ModelRegistry

    directory = data or Path(os.environ.get(f"{PREFIX}DATA", "al-loop-data"))
    models = DataLayout(directory).models(campaign)
    if not models.is_dir():
        raise NotFoundError(
            "models of campaign",
            campaign,
            f"{directory} has none; name the data directory of its service (--data), or let the service predict it "
            "(--on-service)",
        )
    registry = ModelRegistry(models)
    try:
        chosen = version or registry.current()
        if chosen is None:
            raise ConflictError(f"no model of campaign {campaign!r} serves; name a --version of `al-loop model list`")
        card = registry.verify(chosen)
        known = [spec.task for spec in card.tasks]
        if task is None and len(known) != 1:
            raise InvalidValueError("--task", f"{chosen} answers {', '.join(known)}; name one of them")
        _check_outside(out, registry.path(chosen))
        classes = next((spec.classes for spec in card.tasks if spec.task == (task or known[0])), [])
        colours = task_colours(card, task or known[0], {})
        spec = SceneSpec(
            scene=str(scene.absolute()),
            name=str(scene),
            model_dir=str(registry.path(chosen).resolve()),
            task=task or known[0],
            format="tif" if wanted == "tif" else "geojson",
            cell_px=cell,
            threads=threads,
            colours=colours,
        )
        with bars(quiet=quiet) as progress:
            bar = progress.add_task("reading the scene", total=None)

            def report(phase: str, done: int, total: int, message: str) -> None:
                progress.update(bar, description=phase, completed=done, total=total or None)
                if message:
                    progress.console.print(message, highlight=False)

            result = predict_scene(spec, out.absolute(), report=report)
            return result, dict(zip(classes, colours, strict=True))
    except ModelsError as error:
        raise ConflictError(str(error)) from error


def _write_style(out: Path, result: "SceneResult", colours: dict[str, str]) -> None:
    """Beside masks and areas; values of cells have no colours."""
    from models.tasks import kind_of

    if result.format == "geojson":
        write_area_style(out, colours, "class")
    elif kind_of(result.task).per_pixel:
        write_mask_style(out, colours)


def _check_outside(out: Path, version: Path) -> None:
    """Refuse a file among a campaign's images: the next scan would register it as one of them."""
    from models.manifest import MANIFEST_FILE, read_manifest

    if not (version / MANIFEST_FILE).is_file():
        return
    folders = [str(Path(path).parent) for path in read_manifest(version).statistics_paths]
    if folders and out.resolve().is_relative_to(os.path.commonpath(folders)):
        raise typer.BadParameter(
            f"{out} lies among the campaign's images ({os.path.commonpath(folders)}), where the next scan would take "
            "it for one of them; choose another folder",
            param_hint="--out",
        )
