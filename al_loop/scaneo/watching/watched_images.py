"""The images that a link watches, kept in memory, and which of them are likely to change next."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from al_loop.domain.scaneo_links import LinkedImage
from al_loop.store import LabelStore

SUGGESTED = timedelta(minutes=10)
"""An image for which a model's answer was shown within this is likely to change next."""

Images = dict[int, LinkedImage]


class WatchedImages:
    """Images of a linked campaign and of its open batches, by SCANEO's campaign."""

    def __init__(self, store: LabelStore, campaign_id: int) -> None:
        """Watch nothing yet.

        Args:
            store: Where the images are.
            campaign_id: Of our campaign.
        """
        self._store, self._campaign_id = store, campaign_id
        self._images: dict[str, Images] = {}

    @property
    def names(self) -> list[str]:
        """Ids of the SCANEO campaigns."""
        return list(self._images)

    def reload(self, names: Iterable[str]) -> None:
        """Read the images of these SCANEO campaigns from the store."""
        self._images = {name: {} for name in names}
        for image in self._store.scaneo.images(self._campaign_id):
            if image.scaneo_campaign in self._images:
                self._images[image.scaneo_campaign][image.image_id] = image

    def of(self, name: str) -> Images:
        """Images of one SCANEO campaign, in the order of its explorer."""
        return self._images[name]

    def every(self) -> list[LinkedImage]:
        """All images."""
        return [image for images in self._images.values() for image in images.values()]

    def find(self, image_id: int) -> LinkedImage | None:
        """One image, if it is watched."""
        return next((images[image_id] for images in self._images.values() if image_id in images), None)

    def put(self, image: LinkedImage) -> None:
        """Replace an image by what was made of it."""
        self._images[image.scaneo_campaign][image.image_id] = image

    def likely(self, name: str, now: datetime) -> list[int]:
        """Images of one campaign whose samples a model answered for lately, or that are leased."""
        samples = self._store.scaneo.lately_shown(self._campaign_id, now - SUGGESTED)
        samples += [lease.sample_id for lease in self._store.queries.leases(self._campaign_id, now)]
        by_sample: dict[int, list[int]] = {}
        for image in self._images[name].values():
            if image.sample_id is not None:
                by_sample.setdefault(image.sample_id, []).append(image.image_id)
        return [image_id for sample_id in dict.fromkeys(samples) for image_id in by_sample.get(sample_id, [])]
