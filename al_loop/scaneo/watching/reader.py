"""Reads images' annotations from SCANEO and has labels made of those that have come to rest."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.scaneo_links import Link, LinkedImage
from al_loop.errors import ScaneoFileError
from al_loop.scaneo.labels import Collector, count_in, digest_of, stamps_of
from al_loop.scaneo.port import ScaneoPort
from al_loop.scaneo.records import ScaneoAnnotation
from al_loop.scaneo.watching.change_search import ChangeSearch
from al_loop.scaneo.watching.database_file import AnnotationFile
from al_loop.scaneo.watching.debounce import IN_WORK, Debouncer
from al_loop.scaneo.watching.watched_images import WatchedImages
from al_loop.store import LabelStore

logger = logging.getLogger(__name__)


class ImageReader:
    """Reads the images it is asked for, by requests or from SCANEO's file."""

    def __init__(
        self,
        store: LabelStore,
        port: ScaneoPort,
        campaign_name: str,
        link: Link,
        clock: Callable[[], datetime],
        flush: Callable[[], None],
    ) -> None:
        """Read for one link; see `LinkWatcher`."""
        self.link = link
        self.images = WatchedImages(store, link.campaign_id)
        self.debouncer = Debouncer(timedelta(seconds=link.options.settle_s))
        self.file_problem: str | None = None
        """Why SCANEO's file is done without."""
        self._store, self._port, self._name, self._clock = store, port, campaign_name, clock
        self._collector = Collector(store, flush)
        self._empty: list[LinkedImage] = []
        self._read_at: dict[int, float] = {}
        self._file = self._open_file()

    @property
    def has_file(self) -> bool:
        """Whether changes are found in SCANEO's file."""
        return self._file is not None

    def longest_unread(self, image_ids: Iterable[int]) -> list[int]:
        """Sort images by their last reading, those first that were read longest ago or never."""
        return sorted(image_ids, key=lambda image_id: self._read_at.get(image_id, 0.0))

    def read(self, image_id: int, chase: ChangeSearch | None, *, again: bool = False) -> float:
        """Read one image; a change has to settle before labels are made of it.

        Args:
            image_id: The image.
            chase: The search that it is read for.
            again: Make labels once more if a problem kept the image from it last time.

        Returns:
            Seconds that SCANEO took to answer.
        """
        image = self.images.find(image_id)
        if image is None:
            return 0.0
        started = time.monotonic()
        rows = self._port.annotations(image_id)
        self._read_at[image_id] = time.monotonic()
        if image.digest is None and not rows:
            self._remember_empty(image)
            changed = False
        elif image.digest is None and self._is_old(rows):
            self._collect(image, rows)
            changed = True
        else:
            changed = self._notice(image, digest_of(stamps_of(rows)))
            if again and not changed and image.problem is not None:
                self._collect(image, rows)
        if chase is not None:
            chase.found(image_id, count_in(image.digest), [row.created_at for row in rows], changed=changed)
        return self._read_at[image_id] - started

    def read_settled(self, ends: Callable[[], bool]) -> None:
        """Make labels of the images whose changes are debounced."""
        rested = self.debouncer.rested(self._clock())
        from_file = self._from_file(list(rested))
        for image_id, rest in rested.items():
            image = self.images.find(image_id)
            if image is None:
                continue
            rows = self._port.annotations(image_id) if from_file is None else from_file.get(image_id, [])
            digest = digest_of(stamps_of(rows))
            if digest == rest:
                self.debouncer.drop(image_id)
                self._collect(image, rows)
            else:
                self._notice(image, digest)
            if ends():
                return

    def read_file(self, name: str) -> bool:
        """Find the changed images of a campaign in SCANEO's own file; returns whether it could be read."""
        if self._file is None:
            return False
        try:
            stamps = self._file.stamps(name)
        except ScaneoFileError as error:
            self._do_without_file(error)
            return False
        images = self.images.of(name)
        for image in list(images.values()):
            if image.digest is None and image.image_id not in stamps:
                self._remember_empty(image)
        self.save_empty()
        for image in images.values():
            self._notice(image, digest_of(stamps.get(image.image_id, [])))
        if name == self.link.scaneo_campaign:
            self._store.scaneo.set_swept(self.link.campaign_id, self._clock())
        return True

    def collect_now(self, images: Iterable[LinkedImage]) -> None:
        """Read images and make labels of them at once, without waiting for them to settle; from any thread.

        Raises:
            ScaneoError: SCANEO is down or refused.
        """
        for image in images:
            rows = self._port.annotations(image.image_id)
            self._collector.collect(self.link, self._campaign(), image, rows, self._clock())

    def _remember_empty(self, image: LinkedImage) -> None:
        """An image without annotations was read for the first time: stored with others of its kind."""
        read = msgspec.structs.replace(image, digest=digest_of([]), read_at=self._clock())
        self.images.put(read)
        self._empty.append(read)

    def save_empty(self) -> None:
        """Store the images that were found without annotations, in one step."""
        if self._empty:
            self._store.scaneo.save_readings(self._empty)
            self._empty.clear()

    def _collect(self, image: LinkedImage, rows: Sequence[ScaneoAnnotation]) -> None:
        self.images.put(self._collector.collect(self.link, self._campaign(), image, rows, self._clock()))

    def _notice(self, image: LinkedImage, digest: str) -> bool:
        """Whether an image's annotations differ from those that its labels were made of; if so, it settles."""
        if digest == image.digest:
            self.debouncer.drop(image.image_id)
            return False
        now = self._clock()
        if self.debouncer.see(image.image_id, digest, now):
            self._extend_leases(image, now)
        return True

    def _is_old(self, rows: Sequence[ScaneoAnnotation]) -> bool:
        """Whether nobody has touched an image's annotations for so long that they need not settle."""
        latest = max((self.link.aware(row.updated_at) for row in rows), default=None)
        return latest is None or self._clock() - latest > IN_WORK

    def _extend_leases(self, image: LinkedImage, now: datetime) -> None:
        """Extend leases while their annotator draws, so that nobody else is offered those samples."""
        campaign = self._campaign()
        active = self._store.queries.leases(campaign.campaign_id, now)
        holder = next((lease.annotator for lease in active if lease.sample_id == image.sample_id), None)
        if holder is not None:
            self._store.leases.renew(campaign.campaign_id, holder, None, lease_s=campaign.settings.lease_s, now=now)

    def _from_file(self, image_ids: Sequence[int]) -> dict[int, list[ScaneoAnnotation]] | None:
        """Annotations in SCANEO's file; None if they have to be asked for."""
        if self._file is None or not image_ids:
            return None
        try:
            return self._file.annotations(image_ids)
        except ScaneoFileError as error:
            self._do_without_file(error)
            return None

    def _open_file(self) -> AnnotationFile | None:
        """SCANEO's own file, if the link names it and it can be read."""
        if self.link.options.database is None:
            return None
        try:
            return AnnotationFile(self.link.options.database)
        except ScaneoFileError as error:
            self._do_without_file(error)
            return None

    def _do_without_file(self, error: ScaneoFileError) -> None:
        """Go on by requests alone, until the service starts again."""
        logger.warning("campaign %s: %s", self._name, error)
        self._file, self.file_problem = None, str(error)

    def _campaign(self) -> Campaign:
        return self._store.campaigns.get(self._name)
