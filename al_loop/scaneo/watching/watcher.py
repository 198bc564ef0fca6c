"""Watches one link: looks for changes in SCANEO with few requests, lets them settle, and has labels made of them."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.scaneo_links import Link, LinkedImage
from al_loop.errors import NotFoundError, ScaneoError, ScaneoUnreachableError
from al_loop.scaneo.classes import keep_mapped
from al_loop.scaneo.connect import zone_offset
from al_loop.scaneo.port import ScaneoPort
from al_loop.scaneo.watching.change_search import ChangeSearch, Signal, turns
from al_loop.scaneo.watching.reader import ImageReader
from al_loop.scaneo.watching.schedule import MOST_PAUSE_S, PollSchedule
from al_loop.store import LabelStore

logger = logging.getLogger(__name__)

LABELS_EVERY_S = 30.0
"""Seconds between looks for new or deleted labels."""

EDITS_EVERY_S = 3.0
"""Seconds between readings of one of the likely images: edits of boxes and repeated classes move no signal."""

BACKGROUND_SCAN_EVERY_S = 3.0
"""Seconds between two images of the background scan, which finds changes that no signal announced."""

FILE_EVERY_S = 15.0
"""Seconds between readings of SCANEO's file while its signal rests: edits of boxes do not move it."""

LOOKED_LATELY = timedelta(seconds=60)
"""A signal that moved since a look within this was written just now, as time zones go."""

MOST_LIKELY = 60
"""Images that something may be done with next, read once more after every move of the signal, as many as these: when
several people write at once, a count that fits explains one stroke and hides another."""

TIME_SHARE = 0.4
"""Share of SCANEO's time that a search may take, so that annotators do not feel it."""

QUIET_SHARE = 0.05
"""Share of SCANEO's time for a search when nothing is known to be missing: counts drift, so every image is read once
more after each change."""

TICK_S = 1.5
"""Longest time a tick searches before it returns."""


class LinkWatcher:
    """The state of watching one link; `tick` is called again and again, by one thread at a time."""

    def __init__(
        self,
        store: LabelStore,
        port: ScaneoPort,
        campaign_name: str,
        link: Link,
        clock: Callable[[], datetime],
        closing: threading.Event,
        flush: Callable[[], None],
    ) -> None:
        """Watch a link; nothing is asked of SCANEO yet.

        Args:
            store: Where labels go.
            port: The SCANEO.
            campaign_name: Ours.
            link: As stored.
            clock: Gives aware UTC times.
            closing: Set when the service stops.
            flush: Brings shown predictions that wait to be written into the store.
        """
        self.port = port
        self.reachable: bool | None = None
        self.asked_at: datetime | None = None
        self.problem: str | None = None
        self.deleted: set[str] = set()
        """Batches that were deleted in SCANEO."""
        self._store, self._name, self._clock, self._closing = store, campaign_name, clock, closing
        self._reader = ImageReader(store, port, campaign_name, link, clock, flush)
        self._images, self._debouncer = self._reader.images, self._reader.debouncer
        self._pace = PollSchedule()
        self._signals: dict[str, Signal | None] = {link.scaneo_campaign: Signal.parse(link.signal)}
        self._chases: dict[str, ChangeSearch] = {}
        self._turn: deque[int] = deque()
        self._edit_turn: deque[int] = deque()
        self._turns_left = 0
        """Images to read once more since the last change of the signal."""
        self._stale = True
        self._stopped = False
        self._ticking = threading.Lock()

    @property
    def name(self) -> str:
        """Name of our campaign."""
        return self._name

    @property
    def link(self) -> Link:
        """The link as it is now."""
        return self._reader.link

    def reload(self) -> None:
        """At the next tick, read images, batches and the link again: they changed in the store."""
        self._stale = True

    def _reload(self) -> None:
        self._stale = False
        self._reload_link()
        watched = {self.link.scaneo_campaign}
        watched |= {
            batch.scaneo_campaign for batch in self._store.scaneo.batches(self.link.campaign_id, open_only=True)
        }
        self._images.reload(watched)
        self._signals = {name: self._signals.get(name) for name in watched}
        self._chases = {name: chase for name, chase in self._chases.items() if name in watched}
        self._debouncer.keep_only({image.image_id for image in self._images.every()})
        self._turn = deque(self._images.of(self.link.scaneo_campaign))

    def answered(self) -> None:
        """SCANEO has just answered."""
        self.problem, self.reachable, self.asked_at = self._reader.file_problem, True, self._clock()
        self._pace.worked()

    def refresh(self) -> None:
        """At the next tick, begin to read everything again."""
        self._signals = dict.fromkeys(self._signals)
        self._pace.all_due()

    def stop(self) -> None:
        """Watch no more: wait for a tick that is going on, then close the connections."""
        self._stopped = True
        with self._ticking:
            self.port.__exit__(None, None, None)

    def tick(self) -> None:
        """Do what is due now; trouble with SCANEO is remembered in `problem`, and tried again later."""
        with self._ticking:
            if not self._stopped and self._pace.is_due("try"):
                if self._stale:
                    self._reload()
                self._try()

    def _try(self) -> None:
        try:
            self._tick()
        except ScaneoUnreachableError as error:
            self._pace.failed("try")
            self._note(str(error), reachable=False)
        except NotFoundError as error:
            self._pace.after("try", MOST_PAUSE_S)
            self._note(
                f"{error}: it was deleted there; its labels are kept here. Link another one, or disconnect",
                reachable=True,
            )
        except ScaneoError as error:
            self._pace.failed("try")
            self._note(str(error), reachable=True)

    def collect_now(self, images: Iterable[LinkedImage]) -> None:
        """Read images and make labels of them at once, without waiting for them to settle; from any thread.

        Raises:
            ScaneoError: SCANEO is down or refused.
        """
        self._reader.collect_now(images)
        self.reload()

    @property
    def requests_a_minute(self) -> float:
        """Requests sent to SCANEO during the last minute."""
        return self._pace.count(self.port.requests)

    def _tick(self) -> None:
        self._reader.read_settled(lambda: self._ends)
        if self._pace.is_due("look"):
            self._pace.after("look", self.link.options.poll_s)
            for name in self._images.names:
                self._look(name)
            if self.problem not in (None, self._reader.file_problem):
                logger.info("campaign %s: SCANEO at %s works again", self._name, self.link.url)
            self.answered()
        if self._pace.is_due("labels"):
            self._pace.after("labels", LABELS_EVERY_S)
            if keep_mapped(self._store, self.port, self._campaign(), self.link, self._images.names):
                self._retry_problems()
            self._reload_link()
        if not self._reader.has_file:
            self._search()
            self._read_in_turn()
        self._remember_signal()
        self._pace.count(self.port.requests)

    def _look(self, name: str) -> None:
        """Read a campaign's change signal; plan a search, or look into the file, if it moved."""
        try:
            now = Signal.of(self.port.campaign(name))
        except NotFoundError:
            if name == self.link.scaneo_campaign:
                raise
            self.deleted.add(name)  # a batch
            return
        before = self._signals.get(name)
        if before != now and before is not None:
            self._learn_zone(now)
        if self._reader.has_file:
            if before != now or self._pace.is_due(f"file {name}"):
                self._pace.after(f"file {name}", FILE_EVERY_S)
                self._signals[name] = now if self._reader.read_file(name) else before
            return
        chase = self._chases.get(name)
        if chase is None and before != now:
            must, likely = self._first(name)
            self._chases[name] = ChangeSearch(
                before, now, must, likely, self._reader.longest_unread(self._images.of(name))
            )
        elif chase is not None and chase.signal != now:
            chase.again(now, *self._first(name))

    def _first(self, name: str) -> tuple[list[int], list[int]]:
        """Images of one campaign that have to be read, as an annotator may be at work on them, and their neighbours.

        Those that are being drawn on come first, then those that were read longest ago, as a look may cut the
        search short.
        """
        images, now = self._images.of(name), self._clock()
        drawn, lately = self._debouncer.drawn_on(now), self._debouncer.in_work(now)
        near = [other for image_id in lately[:4] for other in (image_id + 1, image_id - 1)]
        hoped = dict.fromkeys(image_id for image_id in (*self._images.likely(name, now), *lately) if image_id in images)
        must = [
            *(image_id for image_id in drawn if image_id in images),
            *self._reader.longest_unread(hoped)[:MOST_LIKELY],
        ]
        return must, [other for other in near if other in images]

    def _search(self) -> None:
        """Go on with the searches, for a bounded time and with pauses that leave SCANEO to its annotators."""
        until = time.monotonic() + TICK_S
        for name in turns(self._chases, {name: len(self._images.of(name)) for name in self._chases}):
            chase = self._chases[name]
            while not chase.over and time.monotonic() < until and not self._has_better_to_do():
                image_id = chase.next()
                if image_id is None:
                    break
                waited_s = self._reader.read(image_id, chase)
                share = TIME_SHARE if chase.urgent else QUIET_SHARE
                self._closing.wait(min(TICK_S, waited_s * (1 / share - 1)))
            self._reader.save_empty()
            if chase.over:
                if name == self.link.scaneo_campaign and not chase.complete:
                    self._turns_left = len(self._turn)
                del self._chases[name]
                self._signals[name] = chase.signal
                if chase.complete and name == self.link.scaneo_campaign:
                    self._store.scaneo.set_swept(self.link.campaign_id, self._clock())

    def _has_better_to_do(self) -> bool:
        """Whether a look is due, or a label can be made."""
        return self._ends or self._pace.is_due("look") or bool(self._debouncer.rested(self._clock()))

    def _read_in_turn(self) -> None:
        """Read one of the likely images, and one of all, now and then."""
        if self._pace.is_due("edits"):
            self._pace.after("edits", EDITS_EVERY_S)
            if not self._edit_turn:
                now = self._clock()
                likely = [image_id for name in self._images.names for image_id in self._images.likely(name, now)]
                self._edit_turn = deque(dict.fromkeys([*likely, *self._debouncer.in_work(now)]))
            if self._edit_turn:
                self._reader.read(self._edit_turn.popleft(), None)
        if self._chases or not self._turn:
            return
        until = time.monotonic() + TICK_S
        if self._pace.is_due("background scan"):
            self._pace.after("background scan", BACKGROUND_SCAN_EVERY_S)
            self._read_next_in_turn()
        while self._turns_left > 0 and time.monotonic() < until and not self._has_better_to_do():
            waited_s = self._read_next_in_turn()
            self._closing.wait(min(TICK_S, waited_s * (1 / QUIET_SHARE - 1)))

    def _read_next_in_turn(self) -> float:
        """Read the image whose turn it is; returns the seconds that SCANEO took."""
        self._turns_left = max(0, self._turns_left - 1)
        image_id = self._turn[0]
        self._turn.rotate(-1)
        waited_s = self._reader.read(image_id, None, again=True)
        if self._turn[0] == next(iter(self._images.of(self.link.scaneo_campaign)), None):
            self._store.scaneo.set_swept(self.link.campaign_id, self._clock())
        return waited_s

    def _remember_signal(self) -> None:
        """Once labels were made of all that a signal announced, a restart need not look for it again."""
        signal = self._signals.get(self.link.scaneo_campaign)
        if signal is not None and str(signal) != self.link.signal and not self._debouncer and not self._chases:
            self._store.scaneo.set_signal(self.link.campaign_id, str(signal))
            self._reload_link()

    def _learn_zone(self, signal: Signal) -> None:
        """A signal that moved since the last look was written just now: that tells SCANEO's time zone."""
        now = self._clock()
        if self.asked_at is None or now - self.asked_at > LOOKED_LATELY:
            return  # it may have been written at any time since
        offset = zone_offset(signal.updated_at, now)
        if offset != self.link.zone_offset_s:
            self._store.scaneo.set_zone_offset(self.link.campaign_id, offset)
            self._reload_link()

    def _reload_link(self) -> None:
        self._reader.link = self._store.scaneo.find(self.link.campaign_id) or self.link

    def _retry_problems(self) -> None:
        """Read again the images that something kept from being a label."""
        for image in self._images.every():
            if image.problem is not None and image.sample_id is not None:
                self._images.put(msgspec.structs.replace(image, digest=None))
                self._edit_turn.appendleft(image.image_id)

    @property
    def _ends(self) -> bool:
        return self._stopped or self._closing.is_set()

    def _campaign(self) -> Campaign:
        return self._store.campaigns.get(self._name)

    def _note(self, problem: str, *, reachable: bool) -> None:
        if problem != self.problem:
            logger.warning("campaign %s: %s", self._name, problem)
        self.problem, self.reachable = problem, reachable
