"""Find out which kind of labelled folder this is."""

from pathlib import Path

from al_loop.campaigns.importing import class_folders, mask_pairs, scaneo
from al_loop.campaigns.importing.listing import is_image, list_folder
from al_loop.campaigns.importing.plan import ImportPlan, ReportStep, ignore_steps
from al_loop.errors import InvalidValueError


def plan_import(directory: Path, *, images: Path | None = None, report: ReportStep = ignore_steps) -> ImportPlan:
    """Recognise a labelled folder and plan its import; nothing is written.

    Tried in this order: a SCANEO export (`spai.json`, or `labels.json` of its older format, with one GeoJSON an
    image), pairs of `image.ext` and `image_mask.tif|png`, class folders `<class>/<image>`.

    Args:
        directory: Folder with the labels, and with the images unless `images` is given.
        images: The campaign folder of a SCANEO export that was written somewhere else.
        report: Called while label files are read.

    Raises:
        InvalidValueError: Not a folder, of no known kind, or a label file that names the classes is malformed.
        UnsupportedError: The only labels are of a task that is not built yet.
    """
    root = _folder(directory, "$.directory")
    listing = list_folder(root)
    if images is not None:
        return scaneo.plan(listing, list_folder(_folder(images, "$.images")), report)
    if scaneo.recognises(listing):
        return scaneo.plan(listing, listing, report)
    if mask_pairs.recognises(listing):
        return mask_pairs.plan(listing, report)
    if class_folders.recognises(listing):
        return class_folders.plan(listing)
    count = sum(is_image(path) for path in listing.files)
    raise InvalidValueError(
        "$.directory",
        f"{root} is no labelled folder that we know ({len(listing.files)} files, {count} of them images); looked for "
        f"{scaneo.LOOKED_FOR}; {mask_pairs.LOOKED_FOR}; {class_folders.LOOKED_FOR}",
    )


def _folder(path: Path, field: str) -> Path:
    if not path.is_dir():
        raise InvalidValueError(field, f"{path} is not a folder" if path.exists() else f"no folder at {path}")
    return path.resolve()
