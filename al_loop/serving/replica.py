"""Answers predictions for a service that owns the label store, in a process of its own that only reads.

What it needs to know it asks of that service, the writer; what it is about to show, the writer remembers first. Models
are read from the data directory that both see, or from where the writer lays copies (`al_loop.serving.model_copies`).
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import Challenger
from al_loop.domain.predictions import ShadowAnswer, ShownPrediction
from al_loop.errors import AlLoopError, NoModelError, NotFoundError, WithheldError
from al_loop.serving.prediction_log import packed
from al_loop.serving.predictions import answer_image, read_for, untrained
from al_loop.serving.shadow.answering import ShadowModel
from models.card import TaskName
from models.errors import ModelsError
from models.inference.batching import Batcher
from models.inference.image_model import select_bands
from models.inference.predictor import Predictor
from models.rasters.reading import open_upload
from models.tasks import task_of

logger = logging.getLogger(__name__)


class ServedCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """What a replica has to know to answer for a campaign."""

    campaign: Campaign
    version: str | None
    """What serves; None: nothing does."""
    copy_key: str | None
    """Folder of the version's copy; other files have another one."""
    hidden: list[str]
    """Classes that are not answered."""
    challenger: Challenger | None = None
    """A version that answers in the shadow; None: none does."""
    challenger_key: str | None = None
    """As `copy_key`, of the challenger."""


class ServedState(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer serves."""

    version: str
    """Of al-loop."""
    campaigns: list[ServedCampaign]


class StoreOwner(Protocol):
    """The service that owns the store. Methods raise `WriterUnreachableError`."""

    def state(self) -> ServedState:
        """What it serves now."""
        ...

    def note(self, campaign: str, shown: ShownPrediction) -> bool:
        """Let it remember a prediction; returns whether the answer has to be withheld."""
        ...

    def record_shadow(self, campaign: str, answers: Sequence[ShadowAnswer]) -> None:
        """Let it keep what a challenger would have answered."""
        ...

    def close(self) -> None:
        """Ask nothing any more."""
        ...


class WriterUnreachableError(AlLoopError):
    """The writer does not answer, or refuses."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.retry_after_s = url, 2
        super().__init__(f"The service at {url} does not answer ({reason}); this replica goes on once it does.")


class Replica:
    """The models that a writer serves, loaded here. Safe to share between threads."""

    def __init__(
        self,
        writer: StoreOwner,
        find: Callable[[ServedCampaign], Path],
        clock: Callable[[], datetime],
        *,
        max_bytes: int,
        load: Callable[[Path], Predictor] = Predictor,
    ) -> None:
        """Nothing is loaded before the first `look`.

        Args:
            writer: Whose replica it is.
            find: Gives the directory of the version that serves a campaign; may raise as it likes.
            clock: Gives aware UTC times.
            max_bytes: Most bytes that the pixels of an image take, as float32 at least.
            load: Loads the version of a directory.
        """
        self._writer, self._find, self._clock = writer, find, clock
        self._max_bytes, self._load_version = max_bytes, load
        self._served: dict[str, ServedCampaign] = {}
        self._batchers: dict[int, tuple[str | None, Batcher]] = {}
        self._looking = threading.Lock()
        self._shadow = ShadowModel(_WriterHome(writer, find, self._served), clock)
        self.problem: str | None = "nothing is known of the writer yet"
        """Why what serves here may not be what serves there; None: all is well."""

    @property
    def serving(self) -> dict[str, str]:
        """Version that answers for each campaign that has one."""
        batchers = dict(self._batchers)
        return {
            name: batchers[entry.campaign.campaign_id][1].version
            for name, entry in self._served.items()
            if entry.campaign.campaign_id in batchers
        }

    @property
    def shadows(self) -> dict[str, str]:
        """For people, by campaign: the version that answers in the shadow, and what it could not answer."""
        found = {}
        for name, entry in list(self._served.items()):
            if entry.challenger is not None:
                dropped, failed = self._shadow.counts(entry.campaign)
                found[name] = f"{entry.challenger.version}: {dropped} images dropped, {failed} failed"
        return found

    def flush_shadow(self, timeout_s: float) -> bool:
        """Return once what was answered so far is answered in the shadow, too; whether that came in time."""
        return self._shadow.flush(timeout_s)

    def look(self) -> None:
        """Ask the writer what serves, and load what is new; requests go on meanwhile, on the versions they began with.

        A version that cannot be loaded leaves the one before at work. `problem` says what went wrong.
        """
        with self._looking:
            try:
                state = self._writer.state()
            except AlLoopError as error:
                self.problem = str(error)
                return
            problems = [sentence for entry in state.campaigns if (sentence := self._load(entry)) is not None]
            gone = [
                entry for name, entry in self._served.items() if name not in {e.campaign.name for e in state.campaigns}
            ]
            self._served.update({entry.campaign.name: entry for entry in state.campaigns})
            for entry in gone:
                self._served.pop(entry.campaign.name)
                self._shadow.attend(entry.campaign, None)
            for entry in state.campaigns:
                self._shadow.attend(entry.campaign, entry.challenger)
            ids = {entry.campaign.campaign_id for entry in state.campaigns if entry.version is not None}
            for number in set(self._batchers) - ids:
                self._batchers.pop(number)[1].close()
            self.problem = "; ".join(problems) or None

    def predict(
        self,
        campaign_name: str,
        task: TaskName,
        data: bytes,
        *,
        most_values: int | None = None,
        note_version: Callable[[str], object] = lambda version: None,
    ) -> Any:  # noqa: ANN401  # each task's own
        """As `PredictionService.predict`, which says what is given, returned and raised.

        Raises:
            WriterUnreachableError: The writer cannot remember the answer, so it is not given.
        """
        entry = self._served.get(campaign_name)
        if entry is None:
            raise NotFoundError("campaign", campaign_name, self.problem or "")
        campaign = entry.campaign
        spec = campaign.task(task)
        if spec is None:
            tasks = ", ".join(spec.task for spec in campaign.tasks)
            raise NotFoundError("task", task, f"campaign {campaign_name!r} has {tasks}")
        loaded = self._batchers.get(campaign.campaign_id)
        if loaded is None:
            raise NoModelError("No trained model for this campaign yet.")
        model, asked = loaded[1].pin(), task_of(spec)
        if task not in model.tasks:
            raise untrained(model, task)
        upload = open_upload(
            data,
            max_bytes=self._max_bytes,
            max_values=most_values,
            policy=campaign.reading(model.card),
            check=lambda header, shown: select_bands(header.band_count, model.card, shown=shown),
        )
        hidden = () if asked.per_pixel else entry.hidden
        image = read_for(model, upload)
        shown, answer = answer_image(
            campaign, model, asked, image, hidden, pixel_hash=upload.pixel_hash, shown_at=self._clock()
        )
        codes = answer if asked.per_pixel else None
        blind = self._writer.note(campaign_name, packed(shown, codes))
        shown = msgspec.structs.replace(shown, blind=blind)
        self._shadow.offer(campaign, asked, shown, codes, image, model.card.bands)
        if blind:
            raise WithheldError
        note_version(shown.version)
        return asked.response(answer, upload.header.crs, upload.header.transform)

    def close(self) -> None:
        """Let every model go."""
        self._shadow.close()
        self._writer.close()
        with self._looking:
            for _, batcher in self._batchers.values():
                batcher.close()

    def _load(self, entry: ServedCampaign) -> str | None:
        """Serve the version that serves a campaign there; returns why it cannot be, or None."""
        number, loaded = entry.campaign.campaign_id, self._batchers.get(entry.campaign.campaign_id)
        if entry.version is None or (loaded is not None and loaded[0] == entry.copy_key):
            return None
        try:
            predictor = self._load_version(self._find(entry))
        except (AlLoopError, ModelsError, OSError) as error:
            return f"{entry.version} of campaign {entry.campaign.name!r} cannot be loaded: {error}"
        if loaded is None:
            self._batchers[number] = entry.copy_key, Batcher(predictor)
        else:
            loaded[1].swap(predictor)
            self._batchers[number] = entry.copy_key, loaded[1]
        logger.info("campaign %s: %s serves here", entry.campaign.name, entry.version)
        return None


class _WriterHome:
    """Where a challenger's model comes from, and where its answers go, at a replica: see `shadow.homes.ShadowHome`."""

    def __init__(
        self, writer: StoreOwner, find: Callable[[ServedCampaign], Path], served: Mapping[str, ServedCampaign]
    ) -> None:
        self._writer, self._find, self._served = writer, find, served

    def find(self, campaign: Campaign, version: str) -> Path:
        entry = self._entry(campaign)
        return self._find(msgspec.structs.replace(entry, version=version, copy_key=entry.challenger_key))

    def hidden(self, campaign: Campaign) -> Sequence[str]:
        return self._entry(campaign).hidden

    def record(self, campaign: Campaign, answers: Sequence[ShadowAnswer]) -> None:
        self._writer.record_shadow(campaign.name, answers)

    def _entry(self, campaign: Campaign) -> ServedCampaign:
        entry = self._served.get(campaign.name)
        if entry is None:
            raise NotFoundError("campaign", campaign.name)
        return entry
