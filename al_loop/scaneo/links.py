"""Keeps every link alive: one job a link watches SCANEO; connecting, batches and boxes go through here."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import POINTS_ASKED, HeldLease, QuerySample, QueryUnit
from al_loop.domain.scaneo_links import Batch, BatchView, BoxReport, Link, LinkStatus, OfferedBox, SuggestedBoxes
from al_loop.errors import NoModelError, NotFoundError, ScaneoError
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import StrategyConfig
from al_loop.runtime.ticks import Ticks
from al_loop.scaneo.batches import close_batch, is_done, open_batch, view
from al_loop.scaneo.boxes import push_boxes
from al_loop.scaneo.connect import ConnectRequest, connect, disconnect, model_name
from al_loop.scaneo.port import OpenScaneo, ScaneoPort
from al_loop.scaneo.suggesting import Suggest, suggest_boxes
from al_loop.scaneo.watching.database_file import AnnotationFile
from al_loop.scaneo.watching.watcher import LinkWatcher
from al_loop.store import LabelStore
from models.tasks import kind_of

logger = logging.getLogger(__name__)

TICK_S = 0.5
MOST_NOTICES = 5
"""Single images that annotators are told of at most."""
BATCHES_EVERY = timedelta(seconds=10)


class ScaneoLinks:
    """All links of one service. Several threads may call it."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        sampler: Sampler,
        open_scaneo: OpenScaneo,
        clock: Callable[[], datetime],
        flush: Callable[[], None],
        ticks: Ticks,
        suggest: Suggest,
    ) -> None:
        """Keep links; nothing is watched before `start`.

        Args:
            store: Where links are.
            layout: Where folders of batches are made.
            sampler: Chooses what a batch holds.
            open_scaneo: Makes a client of the SCANEO at an address.
            clock: Gives aware UTC times.
            flush: Brings shown predictions that wait to be written into the store.
            ticks: Looks at each link again and again.
            suggest: Runs the serving model on a sample.
        """
        self._suggest = suggest
        self._store, self._layout, self._sampler = store, layout, sampler
        self._open_scaneo, self._clock, self._flush, self._ticks = open_scaneo, clock, flush, ticks
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._watchers: dict[int, LinkWatcher] = {}
        self._stop_ticks: dict[int, Callable[[], None]] = {}
        self._batches_at: dict[int, datetime] = {}

    def start(self) -> None:
        """Begin to watch every link."""
        names = {campaign.campaign_id: campaign.name for campaign in self._store.campaigns.list()}
        for link in self._store.scaneo.all():
            try:
                self._watch(names[link.campaign_id], link)
            except ScaneoError as error:
                logger.error("campaign %s is not watched: %s", names[link.campaign_id], error)

    def close(self) -> None:
        """Stop watching and wait for what is going on."""
        self._closing.set()
        self._ticks.close()
        for watcher in self._watchers.values():
            watcher.stop()

    def connect(self, name: str, request: ConnectRequest, *, imagery: Sequence[Path], token: str | None) -> LinkStatus:
        """Link a campaign and begin to watch it; the same again changes nothing. See `connecting.connect`."""
        if request.options.database is not None:
            AnnotationFile(request.options.database)  # refused before anything is written
        with self._lock, self._open_scaneo(request.url) as port:
            link = connect(self._store, port, name, request, imagery=imagery, token=token, now=self._clock())
            self._unwatch(link.campaign_id)
            self._watch(name, link).answered()
        return self.status(self._store.campaigns.get(name))

    def disconnect(self, campaign: Campaign, *, force: bool = False) -> None:
        """Undo a link: SCANEO loses our models, mappings, batches and untouched boxes; labels stay here.

        Args:
            campaign: Ours.
            force: Forget the link here even if SCANEO cannot be reached.

        Raises:
            NotFoundError: It has no link.
            ScaneoUnreachableError, ScaneoAnswerError: Nothing was forgotten here.
        """
        with self._lock:
            link = self._link(campaign)
            watcher = self._watchers.get(campaign.campaign_id)
            with self._open_scaneo(link.url) as port:
                try:
                    port.campaigns()
                except ScaneoError:
                    if not force:
                        raise
                    disconnect(self._store, None, link)
                else:
                    for batch in self._store.scaneo.batches(campaign.campaign_id, open_only=True):
                        self._close(campaign, batch, "disconnected", watcher)
                    self._unwatch(campaign.campaign_id)  # before boxes are deleted: that is nobody's answer
                    try:
                        disconnect(self._store, port, link)
                    except ScaneoError:
                        self._watch(campaign.name, link)
                        raise
            self._unwatch(campaign.campaign_id)

    def working(self) -> dict[int, bool]:
        """Whether each watched link works as far as is known, by campaign id."""
        return {campaign_id: watcher.problem is None for campaign_id, watcher in list(self._watchers.items())}

    def answered_at(self) -> dict[int, datetime]:
        """When the SCANEO of each watched link answered last, by campaign id; left out: not yet."""
        return {
            campaign_id: watcher.asked_at
            for campaign_id, watcher in list(self._watchers.items())
            if watcher.asked_at is not None
        }

    def status(self, campaign: Campaign) -> LinkStatus:
        """What is linked, and how fresh it is.

        Raises:
            NotFoundError: The campaign has no link.
        """
        link = self._link(campaign)
        watcher = self._watchers.get(campaign.campaign_id)
        counts = self._store.scaneo.counts(campaign.campaign_id, link.scaneo_campaign)
        batches = self._store.scaneo.batches(campaign.campaign_id, open_only=True)
        return LinkStatus(
            campaign=campaign.name,
            url=link.url,
            scaneo_campaign=link.scaneo_name,
            labelling_page=link.page(),
            models={task: model_name(campaign.name, task) for task in link.models},
            images=counts["images"],
            images_read=counts["images_read"],
            images_unusable=counts["images_unusable"],
            labels=counts["labels"],
            reachable=None if watcher is None else watcher.reachable,
            asked_at=None if watcher is None else watcher.asked_at,
            swept_at=link.swept_at,
            requests_a_minute=0.0 if watcher is None else watcher.requests_a_minute,
            problem=None if watcher is None else watcher.problem,
            image_problems=self._store.scaneo.problems(campaign.campaign_id),
            batches=[view(self._store, link, batch) for batch in batches],
        )

    def notices(self, campaign: Campaign) -> list[str]:
        """Trouble with the link that annotators should know of: the link's own, and single images; none without one."""
        watcher = self._watchers.get(campaign.campaign_id)
        if watcher is None:
            return []
        images = self._store.scaneo.problems(campaign.campaign_id, MOST_NOTICES)
        own = [] if watcher.problem is None else [watcher.problem]
        return [*own, *(f"{image.path}: {image.problem}" for image in images)]

    def refresh(self, campaign: Campaign) -> LinkStatus:
        """Begin to read everything in SCANEO again, without waiting for a sign of change.

        Raises:
            NotFoundError: The campaign has no link.
        """
        status = self.status(campaign)
        watcher = self._watchers.get(campaign.campaign_id)
        if watcher is not None:
            watcher.refresh()
        return status

    def labelling_page(self, campaign: Campaign) -> str | None:
        """Where annotators label the campaign in SCANEO; None without a link."""
        link = self._store.scaneo.find(campaign.campaign_id)
        return None if link is None else link.page()

    def placed(self, campaign: Campaign, annotator: str, leases: Sequence[HeldLease]) -> list[HeldLease]:
        """Leases with the address at which each is labelled in SCANEO."""
        link = self._store.scaneo.find(campaign.campaign_id)
        if link is None:
            return list(leases)
        places = self._store.scaneo.places(campaign.campaign_id, annotator, [lease.sample_id for lease in leases])
        placed = []
        for lease in leases:
            scaneo_campaign, path = places.get(lease.sample_id, (None, None))
            placed.append(msgspec.structs.replace(lease, scaneo_url=link.page(scaneo_campaign), scaneo_path=path))
        return placed

    def open_batch(
        self,
        campaign: Campaign,
        annotator: str,
        query_size: int | None,
        strategy: StrategyConfig | None,
        unit: QueryUnit = "image",
        points: int = POINTS_ASKED,
    ) -> BatchView | str:
        """Make a batch campaign of new samples, or (`query_size` None) of those that the annotator has on lease.

        With nothing to make it of, it says why.

        Raises:
            NotFoundError: The campaign has no link.
            InvalidValueError: The query is wrong, or SCANEO cannot see the batch's folder.
            ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused; the leases are given back.
        """
        link = self._link(campaign)
        now = self._clock()
        with self._lock, self._open_scaneo(link.url) as port:
            if query_size is None:
                samples, reason = self._on_lease(campaign, annotator, now), "everything you have on lease is in a batch"
            else:
                answer = self._sampler.query(
                    campaign, annotator=annotator, query_size=query_size, strategy=strategy, now=now, unit=unit,
                    points=points,
                )  # fmt: skip
                samples, reason = answer.samples, answer.reason or "there is nothing to label"
            if not samples:
                return reason
            try:
                batch = open_batch(self._store, port, self._layout, campaign, link, annotator, samples, now)
            except BaseException:
                if query_size is not None:
                    given = [sample.sample_id for sample in samples]
                    self._store.queries.release(campaign.campaign_id, annotator, given, self._clock())
                raise
            self._reload(campaign)
            self._suggest_in(campaign, link, batch, [sample.path for sample in samples], port)
        return view(self._store, link, batch)

    def batches(self, campaign: Campaign) -> list[BatchView]:
        """All batches of a campaign, closed ones too.

        Raises:
            NotFoundError: The campaign has no link.
        """
        link = self._link(campaign)
        return [view(self._store, link, batch) for batch in self._store.scaneo.batches(campaign.campaign_id)]

    def close_batch(self, campaign: Campaign, number: int) -> BatchView:
        """Read a batch to the last, then end it.

        Raises:
            NotFoundError: No such batch.
            ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused; the batch stays open.
        """
        link = self._link(campaign)
        batch = self._batch(campaign, number)
        if batch.closed_at is None:
            with self._lock:
                self._close(campaign, batch, "closed by hand", self._watchers.get(campaign.campaign_id))
            batch = self._batch(campaign, number)
        return view(self._store, link, batch)

    def push_boxes(self, campaign: Campaign, boxes: Sequence[OfferedBox]) -> BoxReport:
        """Offer boxes in SCANEO. See `boxes.push_boxes`.

        Raises:
            NotFoundError: The campaign has no link.
        """
        link = self._link(campaign)
        with self._lock, self._open_scaneo(link.url) as port:
            return push_boxes(self._store, port, campaign, link, boxes, self._clock())

    def suggest_boxes(self, campaign: Campaign, paths: Sequence[str]) -> SuggestedBoxes:
        """Draw what the serving model finds in images. See `suggesting.suggest_boxes`.

        Raises:
            NotFoundError: The campaign has no link.
        """
        link = self._link(campaign)
        with self._lock, self._open_scaneo(link.url) as port:
            return suggest_boxes(self._store, port, campaign, link, paths, self._suggest, self._clock())

    def _suggest_in(self, campaign: Campaign, link: Link, batch: Batch, paths: Sequence[str], port: ScaneoPort) -> None:
        """Suggestions for a new batch; without a model for boxes, or where SCANEO fails, it goes without them."""
        if campaign.current_version is None or not any(kind_of(spec.task).finds_objects for spec in campaign.tasks):
            return
        try:
            done = suggest_boxes(
                self._store, port, campaign, link, paths, self._suggest, self._clock(), batch=batch.scaneo_campaign
            )
        except (NoModelError, ScaneoError) as error:
            logger.warning("campaign %s: batch %d has no suggestions: %s", campaign.name, batch.number, error)
            return
        for image in done.left_out:
            logger.info("campaign %s: batch %d, %s: %s", campaign.name, batch.number, image.path, image.problem)

    def _on_lease(self, campaign: Campaign, annotator: str, now: datetime) -> list[QuerySample]:
        """What an annotator has on lease and in no open batch yet, the best first."""
        link = self._link(campaign)
        held = [
            lease for lease in self._store.leases.held(campaign.campaign_id, annotator, now) if lease.state == "open"
        ]
        places = self._store.scaneo.places(campaign.campaign_id, annotator, [lease.sample_id for lease in held])
        return [
            QuerySample(
                sample_id=lease.sample_id, path=lease.path, score=lease.score, reason=lease.reason, points=lease.points
            )
            for lease in held
            if places.get(lease.sample_id, ("",))[0] == link.scaneo_campaign
        ]

    def _link(self, campaign: Campaign) -> Link:
        link = self._store.scaneo.find(campaign.campaign_id)
        if link is None:
            raise NotFoundError(
                "link to SCANEO of campaign", campaign.name, "make one: al-loop scaneo connect URL --campaign NAME"
            )
        return link

    def _batch(self, campaign: Campaign, number: int) -> Batch:
        for batch in self._store.scaneo.batches(campaign.campaign_id):
            if batch.number == number:
                return batch
        raise NotFoundError("batch", number)

    def _watch(self, name: str, link: Link) -> LinkWatcher:
        watcher = LinkWatcher(
            self._store,
            self._open_scaneo(link.url, patient=False),
            name,
            link,
            self._clock,
            self._closing,
            self._flush,
        )
        self._watchers[link.campaign_id] = watcher
        stop = self._ticks.every(TICK_S, f"scaneo {name}", lambda: self._tick(name, watcher))
        self._stop_ticks[link.campaign_id] = stop
        return watcher

    def _unwatch(self, campaign_id: int) -> None:
        watcher = self._watchers.pop(campaign_id, None)
        if watcher is not None:
            self._stop_ticks.pop(campaign_id)()
            watcher.stop()

    def _reload(self, campaign: Campaign) -> None:
        watcher = self._watchers.get(campaign.campaign_id)
        if watcher is not None:
            watcher.reload()

    def _tick(self, name: str, watcher: LinkWatcher) -> None:
        watcher.tick()
        now = self._clock()
        campaign_id = watcher.link.campaign_id
        if watcher.problem is None and now - self._batches_at.get(campaign_id, watcher.link.linked_at) > BATCHES_EVERY:
            self._batches_at[campaign_id] = now
            self._close_done(self._store.campaigns.get(name), watcher, now)

    def _close_done(self, campaign: Campaign, watcher: LinkWatcher, now: datetime) -> None:
        for batch in self._store.scaneo.batches(campaign.campaign_id, open_only=True):
            try:
                if batch.scaneo_campaign in watcher.deleted:
                    close_batch(self._store, None, batch, "deleted in SCANEO", now)
                    watcher.reload()
                elif is_done(self._store, batch, now):
                    self._close(campaign, batch, "done", watcher)
            except ScaneoError as error:
                logger.warning("campaign %s: batch %d stays open: %s", campaign.name, batch.number, error)

    def _close(self, campaign: Campaign, batch: Batch, reason: str, watcher: LinkWatcher | None) -> None:
        """Read a batch's annotations to the last, then remove it from SCANEO."""
        if watcher is None:
            raise NotFoundError("link to SCANEO of campaign", campaign.name, "connect it again first")
        watcher.collect_now(self._store.scaneo.images(campaign.campaign_id, batch.scaneo_campaign))
        close_batch(self._store, watcher.port, batch, reason, self._clock())
        watcher.reload()
