"""Class folders: `<class>/<image>`, one class an image, as EuroSAT and many others are published."""

from collections.abc import Iterator

from al_loop.campaigns.importing.listing import Listing, is_image
from al_loop.campaigns.importing.plan import ImportPlan
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from models.card import TaskSpec

LOOKED_FOR = "at least two class folders of images (<class>/*.tif, .jpg or .png)"
_DEPTH = 1  # slashes in `<class>/<image>`


def recognises(listing: Listing) -> bool:
    """Whether at least two folders directly below the root hold images."""
    return len(_classes(listing)) >= 2


def plan(listing: Listing) -> ImportPlan:
    """Plan a single-label classification campaign; images beside the class folders join the pool unlabelled."""
    classes = _classes(listing)
    paths = []
    for path in listing.files:
        if not is_image(path):
            listing.skip(path, "not an image (.tif, .tiff, .jpg, .jpeg, .png)")
        elif path.count("/") > _DEPTH:
            listing.skip(path, "deeper than <class>/<image>; its class is unclear")
        else:
            paths.append(path)

    def read(annotator: str) -> Iterator[LabelInput]:
        for path in paths:
            if "/" in path:
                yield LabelInput(path=path, task="classification", annotator=annotator, classes=[path.split("/", 1)[0]])

    return ImportPlan(
        kind="class-folders",
        root=listing.root,
        tasks=[TaskSpec(task="classification", classes=classes)],
        paths=paths,
        settings=CampaignSettings(reserve=ReserveSettings(block_by="auto")),
        label_counts={"classification": sum("/" in path for path in paths)},
        skipped=listing.skipped,
        read_labels=read,
    )


def _classes(listing: Listing) -> list[str]:
    return sorted({path.split("/", 1)[0] for path in listing.files if path.count("/") == _DEPTH and is_image(path)})
