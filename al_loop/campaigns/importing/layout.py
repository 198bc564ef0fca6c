"""What names of folders say: splits, sides of a pair (images, masks), previews. None of them is a class by itself."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from al_loop.campaigns.importing.listing import stem

Side = Literal["image", "mask", "preview"]

SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Name of a folder -> the split it holds."""

_SIDES: dict[str, Side] = {
    **dict.fromkeys(
        ("image", "images", "img", "imgs", "jpegimages", "scene", "scenes", "chips", "sat", "input", "inputs",
         "imgdir"), "image",
    ),
    **dict.fromkeys(
        ("mask", "masks", "msk", "label", "labels", "lbl", "annotation", "annotations", "ann", "anns", "gt",
         "groundtruth", "groundtruths", "segmentation", "segmentations", "segmentationclass", "segmentationclassaug",
         "seg", "annot", "annots", "anndir", "target", "targets"), "mask",
    ),
    **dict.fromkeys(
        ("thumbnail", "thumbnails", "thumb", "thumbs", "preview", "previews", "quicklook", "quicklooks", "overviews",
         "segmentationobject", "imagesets"), "preview",
    ),
}  # fmt: skip
MASK_ENDINGS = ("_mask", "-mask", "_masks", "_gt", "-gt", "_label", "-label", "_labels", "_seg")
IMAGE_ENDINGS = ("_sat", "_image", "_img", "-image")
_MASK_WORDS = frozenset({"mask", "masks", "label", "labels", "annotation", "annotations", "groundtruth"})
_UNLABELLED = frozenset({"unlabelled", "unlabeled", "nolabel", "nolabels", "notlabelled", "notlabeled"})
_SPLIT_ENDINGS = {**SPLITS, "tr": "train", "ts": "test"}
"""Also those of nnU-Net (`imagesTr`), which are no names by themselves."""
_PARTS: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "dates of one place",
        frozenset({"a", "b", "label", "pre", "post", "before", "after", "predisaster", "postdisaster"}),
    ),
    ("inputs and outputs", frozenset({"x", "y", "xtrain", "ytrain", "xtest", "ytest", "xval", "yval"})),
    (
        "bands and sensors",
        frozenset(
            {"rgb", "nir", "swir", "red", "green", "blue", "rededge", "pan", "sar", "vv", "vh", "dsm", "dem", "ndsm",
             "ndvi", "ndwi", "irrg", "ir", "thermal", "optical", "ms", "hsi", "msi", "lidar", "depth", "scl", "cloud"}
        ),
    ),
)  # fmt: skip
_CODES = frozenset({"", "c", "class", "category", "cluster", "lcz", "type"})
"""What stands before the number of a class that has no name."""
_FORMATS = re.compile(r"(png|tiff?|jpe?g)$")
_YEAR = re.compile(r"(19|20)\d\d$")


class Place(NamedTuple):
    """A path, taken apart."""

    split: str | None
    side: Side | None
    folders: tuple[str, ...]
    """Those that are neither split nor side."""
    base: str
    """The file's name without extension, casefolded."""

    @property
    def key(self) -> tuple[str | None, tuple[str, ...], str]:
        """Equal for an image and its mask in folders beside each other."""
        return self.split, self.folders, self.base


def place_of(path: str) -> Place:
    """What the folders of a relative path say."""
    *folders, _ = path.split("/")
    split, side, rest = None, None, []
    for folder in folders:
        found_split, found_side = _role(folder)
        split, side = found_split or split, found_side or side
        if found_split is None and found_side is None:
            rest.append(folder)
    return Place(split, side, tuple(rest), stem(path).rpartition("/")[2].casefold())


def is_role(folder: str) -> bool:
    """Whether a folder's name is one of a split, of a side of pairs, or of previews."""
    return _role(folder) != (None, None)


def is_preview(folder: str) -> bool:
    """Whether a folder's name is one of small copies of images."""
    return _role(folder)[1] == "preview"


def is_unlabelled(folder: str) -> bool:
    """Whether a folder's name says that its images have no class yet."""
    return _plain(folder) in _UNLABELLED


def speaks_of_masks(folder: str) -> bool:
    """Whether one of several words of a name is of masks, as in `5_Labels_all`."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", folder).casefold())
    return len(words) > 1 and not _MASK_WORDS.isdisjoint(words)


def parts_of_one(names: Sequence[str]) -> str | None:
    """What folders beside each other are by their names if they are no classes: dates, bands, scenes; or None."""
    plain = {_plain(name) for name in names}
    for what, known in _PARTS:
        if plain <= known:
            return what
    before = {re.sub(r"\d+a?$|\d+", "", name) for name in plain}
    if len(plain) < 2 or len(before) > 1 or not all(re.search(r"\d", name) for name in plain):
        return None
    numbers = sorted(int("".join(re.findall(r"\d", name))) for name in plain)
    codes = before <= _CODES and numbers in ([*range(len(numbers))], [*range(1, len(numbers) + 1)])
    return None if codes else "numbered dates, bands, scenes or tiles"


def image_folders(names: Sequence[str]) -> list[str]:
    """Folders beside each other without those of masks and previews, where one of them is named as one of images."""
    sides = {name: _role(name)[1] for name in names}
    return [name for name in names if "image" not in sides.values() or sides[name] in (None, "image")]


def without_ending(base: str, endings: Iterable[str]) -> str | None:
    """The name without the first of the endings that it has, or None if it has none."""
    return next((base.removesuffix(end) for end in endings if base.endswith(end) and base != end), None)


def splits_note(paths: Iterable[str]) -> list[str]:
    """What was done with the splits of a folder, as a sentence; nothing where it has none."""
    counts = Counter(split for path in paths if (split := place_of(path).split) is not None)
    if not counts:
        return []
    told = ", ".join(f"{split} ({counts[split]})" for split in sorted(counts))
    return [
        f"splits of the folder were put together: {told} images; none of them becomes the test reserve, which the "
        "campaign draws by place"
    ]


def _role(folder: str) -> tuple[str | None, Side | None]:
    name = _plain(folder)
    name = _FORMATS.sub("", name) or name
    name = _YEAR.sub("", name) or name
    if name in SPLITS or name in _SIDES:
        return SPLITS.get(name), _SIDES.get(name)
    for word, split in _SPLIT_ENDINGS.items():
        for rest in (name.removeprefix(word) if word in SPLITS else name, name.removesuffix(word)):
            if rest != name and rest in _SIDES:
                return split, _SIDES[rest]
    return None, None


def _plain(folder: str) -> str:
    return re.sub(r"[-_ .]", "", folder.casefold())
