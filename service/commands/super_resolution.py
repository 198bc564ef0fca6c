"""`al-loop super-resolution` and `al-loop super-resolve`: pairs, training, measures, and enlarged scenes.

They need no service and no campaign: what a campaign gets is the folder of a model, by `view.super_resolution`.
"""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from al_loop.errors import ConflictError
from service.commands.following import bars
from service.commands.options import Force, Quiet, check_not_there, check_writable
from service.commands.output import ExitCode, console, exit_for, print_json, print_tables

if TYPE_CHECKING:
    from models.progress import ProgressLine
    from models.super_resolution.card import SuperResolutionReport
    from models.super_resolution.pairs.finding import PairPlan

ModelFolder = Annotated[Path, typer.Argument(help="Folder that `super-resolution train` made.", file_okay=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON to standard output.")]
_SHOWN = 20


def pairs(
    high: Annotated[Path, typer.Argument(help="Folder of fine images.", file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder of pairs to make: low/, high/ and pairs.json.")],
    low: Annotated[
        Path | None,
        typer.Option(help="Folder of coarse images; left out: they are made from the fine ones.", file_okay=False),
    ] = None,
    match: Annotated[
        Literal["auto", "name", "footprint"],
        typer.Option(help="How files are matched; auto: by footprint where all have a place on Earth, else by name."),
    ] = "auto",
    factor: Annotated[
        int | None, typer.Option(help="2 or 4; by the sizes of pixels, or 2, if left out.", min=2, max=4)
    ] = None,
    mtf: Annotated[
        float, typer.Option(help="Modulation transfer function of the coarse sensor at its Nyquist frequency.")
    ] = 0.3,
    histogram: Annotated[
        Literal["none", "linear", "quantiles"],
        typer.Option(help="How values of fine images are brought to those of the coarse ones, band by band."),
    ] = "linear",
    register: Annotated[
        bool, typer.Option("--register/--no-register", help="Shift fine images onto the coarse ones, to 1/20 px.")
    ] = True,
    bands: Annotated[str | None, typer.Option(help="Bands of the coarse images, as in 4,3,2; all if left out.")] = None,
    high_bands: Annotated[
        str | None, typer.Option(help="Bands of the fine images, in the same order; as --bands if left out.")
    ] = None,
    place: Annotated[
        str | None, typer.Option(help="Regular expression that finds the place in a name; places are held out whole.")
    ] = None,
    files: Annotated[str, typer.Option(help="Pattern of the names of files, such as '*.jpg'.")] = "*",
    held_out: Annotated[
        float, typer.Option(help="Share of the places that is held out to measure by.", min=0.01, max=0.9)
    ] = 0.25,
    seed: Annotated[int, typer.Option(help="Which places are held out.", min=0)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan; write nothing.")] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Make pairs of low and high resolution for `super-resolution train`.

    From two folders, matched by footprint or by name, registered to parts of a pixel, histograms matched; or from fine
    images alone, by a point-spread function: a Gaussian and the mean over each coarse pixel.
    """
    from al_loop.training.super_resolution.program import check_can_super_resolve
    from models.errors import ModelsError

    check_can_super_resolve()
    from models.super_resolution.card import PAIRS_FILE
    from models.super_resolution.pairs.finding import plan_pairs
    from models.super_resolution.pairs.pair_files import PairOptions, make_pairs

    if factor == 3:  # between the bounds that Typer checks
        raise typer.BadParameter("the factor is 3; it is 2 or 4", param_hint="--factor")
    options = PairOptions(
        factor=factor, mtf=mtf, histogram=histogram, register=register, bands=_numbers(bands, "--bands"),
        high_bands=_numbers(high_bands, "--high-bands"), held_out=held_out, seed=seed,
    )  # fmt: skip
    if not dry_run:
        check_writable(out)
        check_not_there(out / PAIRS_FILE, force)
    try:
        plan = plan_pairs(high, low, match=match, place_pattern=place, files=files)
        if dry_run:
            if as_json:
                print_json(plan)
            else:
                _show_plan(plan)
            return exit_for(len(plan.pairs), len(plan.refused))
        (out / PAIRS_FILE).unlink(missing_ok=True)
        with bars(quiet=quiet) as progress:
            bar = progress.add_task("making pairs", total=len(plan.pairs))

            def report(done: int, total: int, remark: str) -> None:
                progress.update(bar, completed=done, total=total)
                if remark:
                    progress.console.print(remark, highlight=False)

            made = make_pairs(plan, out, options, report)
    except ModelsError as error:
        raise ConflictError(str(error)) from error
    if as_json:
        print_json(made)
    else:
        held = [entry for entry in made.pairs if entry.split == "test"]
        console(stderr=True).print(
            f"wrote {len(made.pairs)} pairs, {made.factor}x, to {out}; {len(held)}, of {len({e.place for e in held})} "
            f"places, are held out; {len(made.refused)} files left out",
            highlight=False,
            soft_wrap=True,
        )
    return exit_for(len(made.pairs), len(made.refused))


def train(
    folder: Annotated[Path, typer.Argument(metavar="PAIRS", help="Folder of pairs.json.", file_okay=False)],
    out: Annotated[Path, typer.Option(help="Folder for model.onnx, card.json and examples.png.")],
    minutes: Annotated[
        float, typer.Option(help="Processor time on a CPU, wall time on a GPU.", min=0.01, max=100_000)
    ] = 10.0,
    steps: Annotated[int | None, typer.Option(help="Steps instead of minutes.", min=1)] = None,
    channels: Annotated[int, typer.Option(help="Channels of the network.", min=4, max=256)] = 48,
    blocks: Annotated[int, typer.Option(help="Blocks of the network.", min=1, max=32)] = 6,
    batch_size: Annotated[int, typer.Option(help="Patches of a step.", min=1, max=1024)] = 8,
    patch: Annotated[int, typer.Option(help="Side of a coarse patch in pixels.", min=8, max=1024)] = 32,
    learning_rate: Annotated[float, typer.Option(help="Highest learning rate.", min=1e-8, max=1.0)] = 4e-3,
    seed: Annotated[int, typer.Option(help="Of weights and patches.", min=0)] = 0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")] = "auto",
    threads: Annotated[int, typer.Option(help="Processors that it runs on.", min=1)] = 1,
    memory_mb: Annotated[
        int | None, typer.Option("--memory-mb", help="Memory in 10^6 bytes above which it is ended.", min=100)
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Train a model of super-resolution, and measure it beside bicubic on the held-out places.

    After Ctrl-C or a kill the same command goes on where it was. A model that is not shown to be better than bicubic is
    written, and not used by `super-resolve` and campaigns; the exit code says so.
    """
    from al_loop.training.super_resolution.program import check_can_super_resolve, train_on_pairs
    from models.errors import ModelsError
    from models.limits import RunLimits
    from models.super_resolution.card import CARD_FILE, SuperResolutionConfig

    check_can_super_resolve()
    check_writable(out)
    check_not_there(out / CARD_FILE, force)
    config = SuperResolutionConfig(
        channels=channels, blocks=blocks, minutes=minutes, steps=steps, batch_size=batch_size, patch_px=patch,
        learning_rate=learning_rate, seed=seed, device=device,
    )  # fmt: skip
    limits = RunLimits(memory_mb=memory_mb, threads=threads)
    cancelled = threading.Event()
    try:
        with bars(quiet=quiet) as progress:
            bar = progress.add_task("starting", total=None)

            def follow(line: "ProgressLine") -> None:
                said = line.phase if line.loss is None else f"{line.phase}, loss {line.loss:.4f}"
                progress.update(bar, description=said, completed=line.done, total=line.total or None)

            card = train_on_pairs(folder, out, config, limits, on_progress=follow, cancelled=cancelled)
    except KeyboardInterrupt:
        cancelled.set()
        raise
    except ModelsError as error:
        raise ConflictError(str(error)) from error
    if as_json:
        print_json(card)
    else:
        show_report(card.report)
        console(stderr=True).print(f"wrote {card.version} to {out}: {card.report.verdict}", highlight=False)
    return ExitCode.DONE if card.report.better else ExitCode.FAILED


def show(folder: ModelFolder, as_json: AsJson = False) -> None:
    """Show the measures of a model of super-resolution, beside bicubic.

    Each is a mean over images of held-out places; the interval of the difference is of 95 %, paired, by place.
    """
    from models.errors import ModelsError
    from models.super_resolution.card import read_super_card

    try:
        card = read_super_card(folder)
    except ModelsError as error:
        raise ConflictError(str(error)) from error
    if as_json:
        print_json(card)
        return
    show_report(card.report)
    console(stderr=True).print(f"{card.version}, {card.factor}x: {card.report.verdict}", highlight=False)


def resolve(
    scene: Annotated[Path, typer.Argument(help="Raster of any size.", dir_okay=False)],
    model: Annotated[Path, typer.Option(help="Folder that `super-resolution train` made.", file_okay=False)],
    out: Annotated[Path, typer.Option(help="GeoTIFF to write.", dir_okay=False)],
    threads: Annotated[int | None, typer.Option(help="CPU threads of the model; all if left out.", min=1)] = None,
    unproven: Annotated[
        bool, typer.Option("--unproven", help="Use a model, too, that was not shown to be better than bicubic.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a scene with two or four times as many pixels along each side, as a cloud-optimised GeoTIFF.

    The pixels are made up: the file says so in its tags (SYNTHETIC=YES). Look at it, and measure nothing in it.
    """
    from models.predict_scene import limit_block_cache

    limit_block_cache()  # before GDAL is loaded
    from models.errors import ModelsError
    from models.super_resolution.resolver import SuperResolver
    from models.super_resolution.scene import resolve_scene, synthetic_words

    check_writable(out)
    check_not_there(out, force)
    try:
        resolver = SuperResolver(model, threads=threads, unproven=unproven)
        with bars(quiet=quiet) as progress:
            bar = progress.add_task("super-resolving", total=None)
            made = resolve_scene(
                resolver, scene, out, report=lambda done, total: progress.update(bar, completed=done, total=total)
            )
    except ModelsError as error:
        raise ConflictError(str(error)) from error
    if as_json:
        print_json(made)
    else:
        console(stderr=True).print(
            f"wrote {out}: {made.width:,} x {made.height:,} px, {synthetic_words(made.version, made.factor)} "
            f"({made.seconds:.0f} s)",
            highlight=False,
            soft_wrap=True,
        )


def _numbers(text: str | None, option: str) -> list[int] | None:
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1 or len(set(numbers)) != len(numbers):
        raise typer.BadParameter(f"{text!r} is not a list of band numbers such as 4,3,2", param_hint=option)
    return numbers


def _show_plan(plan: "PairPlan") -> None:
    table = Table("pair", "place", "coarse", "fine")
    for pair in plan.pairs[:_SHOWN]:
        table.add_row(pair.name, pair.place, pair.low or "made from the fine one", pair.high)
    print_tables(table)
    said = console(stderr=True)
    more = len(plan.pairs) - _SHOWN
    how = "made from the fine images" if plan.matched_by == "made" else f"matched by {plan.matched_by}"
    said.print(
        f"{len(plan.pairs)} pairs of {len({pair.place for pair in plan.pairs})} places, {how}"
        + (f"; {more} of them are not listed" if more > 0 else ""),
        highlight=False,
    )
    for line in (*plan.notes, *plan.refused):
        said.print(line, highlight=False, soft_wrap=True)


def show_report(report: "SuperResolutionReport") -> None:
    """Print the measures of a model beside bicubic."""
    table = Table("measure", "model", "bicubic", "difference", "95 % interval", "better is")
    words = {True: "higher", False: "lower", None: "neither"}
    for row in report.rows:
        unit = f" {row.unit}" if row.unit else ""
        table.add_row(
            row.name, f"{row.model:.4f}{unit}", f"{row.bicubic:.4f}{unit}", f"{row.difference:+.4f}",
            f"{row.low:+.4f} to {row.high:+.4f}", words[row.higher_is_better],
        )  # fmt: skip
    print_tables(table)
