"""Thirty days of a campaign on a real store, with a clock that is moved: labels, rounds, failures, restarts."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.notices import campaign_notices
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from al_loop.domain.retraining import RetrainPolicy
from al_loop.domain.rounds import Round, RoundState, StartedBy
from al_loop.scheduler import LoopScheduler
from al_loop.store import LabelStore
from al_loop.training.outlook import RoundOutlook
from al_loop.training.triggers.drift_watch import DriftWatch
from models.card import Evaluation, TaskEvaluation, TaskSpec
from models.scoring.embeddings import EmbeddingStore
from tests.al_loop.store.fixtures import plain_headers

TASK = TaskSpec(task="classification", classes=["forest", "water"])
TRAINING = timedelta(minutes=3)
RESERVE = 20


class Event(NamedTuple):
    at: datetime
    kind: str
    """labels, break, repair, stop, start, clock."""
    amount: float = 0


class StoredRounds:
    """In place of the runner: rounds are stored, and end when the month says."""

    def __init__(self, month: "Month") -> None:
        self._month = month

    def start(self, campaign: Campaign, reason: str, *, queue: bool, started_by: StartedBy | None) -> Round:
        return self._month.begin(campaign, reason, started_by)

    def deep_reason(self, campaign: Campaign) -> str | None:
        return None


class Month:
    """One campaign, lived through."""

    def __init__(self, path: Path, policy: RetrainPolicy, start: datetime, samples: int) -> None:
        self._path, self.now, self._labelled = path, start, 0
        self.fails, self.running = False, False
        self.ends_at: datetime | None = None
        self.open()
        settings = CampaignSettings(reserve=ReserveSettings(share=0.0, minimum=RESERVE))
        self.store.campaigns.create(
            name="fields", tasks=[TASK], root=str(path), bands=None, settings=settings, policy=policy, now=start
        )
        self.store.samples.register(self.campaign.campaign_id, plain_headers(samples), start)
        self.store.samples.draw_reserve(self.campaign.campaign_id, start)
        page = self.store.samples.page(self.campaign.campaign_id, now=start, limit=samples)
        self._pool = [entry.sample_id for entry in page if entry.state != "reserve"]
        self.label([entry.sample_id for entry in page if entry.state == "reserve"])

    @property
    def campaign(self) -> Campaign:
        return self.store.campaigns.get("fields")

    @property
    def rounds(self) -> list[Round]:
        return self.store.rounds.list(self.campaign.campaign_id)

    def open(self) -> None:
        """The service starts."""
        self.store = LabelStore.open(self._path / "a.duckdb")
        self.outlook = RoundOutlook(self.store, lambda: self.now)
        drift = DriftWatch(self.store, lambda _: EmbeddingStore(self._path / "scores"), lambda: self.now)
        self.scheduler = LoopScheduler(self.store, StoredRounds(self), None, self.outlook, drift, lambda: self.now)  # type: ignore[arg-type]
        self.running = True

    def close(self) -> None:
        """The service stops; what it trained is cut off."""
        if self.ends_at is not None:
            self.end(RoundState.INTERRUPTED, "the service was stopped")
        self.store.close()
        self.running = False

    def live(self, events: list[Event], until: datetime) -> None:
        """Let time pass, looking at the policy whenever something is due."""
        for event in [*events, Event(until, "end")]:
            while self.now < event.at:
                self.now = min(event.at, self.look() if self.running else event.at)
            self.happen(event)

    def look(self) -> datetime:
        """Do what is due; returns when something is again."""
        if self.ends_at is not None and self.now >= self.ends_at:
            self.end(RoundState.FAILED if self.fails else RoundState.PROMOTED, "no space left" if self.fails else None)
        before = len(self.rounds)
        self.scheduler.retrain(self.campaign)
        if len(self.rounds) > before:
            return self.now + TRAINING
        dues = [due for due in (self.outlook.preview(self.campaign).starts_at, self.ends_at) if due is not None]
        return max(self.now + timedelta(seconds=1), min(dues, default=self.now + timedelta(days=1)))

    def happen(self, event: Event) -> None:
        match event.kind:
            case "labels":
                count = int(event.amount)
                self.label(self._pool[self._labelled : self._labelled + count])
                self._labelled += count
            case "break" | "repair":
                self.fails = event.kind == "break"
            case "stop":
                self.close()
            case "start":
                self.open()
            case "clock":
                self.now += timedelta(seconds=event.amount)
        if self.running:
            self.look()

    def label(self, sample_ids: list[int]) -> None:
        given = [
            LabelInput(sample_id=number, task=TASK.task, annotator="ann", classes=[TASK.classes[number % 2]])
            for number in sample_ids
        ]
        record_labels(self.store, self.campaign, given, self.now)

    def begin(self, campaign: Campaign, reason: str, started_by: StartedBy | None) -> Round:
        number = campaign.campaign_id
        entry = self.store.rounds.create(number, reason=reason, now=self.now, queue=True, started_by=started_by)
        newest = self.store.new_labels.newest_before(number, self.now)
        labels = self.store.campaigns.counts(number, self.now).labelled
        self.ends_at = self.now + TRAINING
        return self.store.rounds.set_state(
            number, entry.number, RoundState.SNAPSHOT, self.now, label_event_id=newest, labels=labels
        )

    def end(self, state: RoundState, error: str | None) -> None:
        entry = self.rounds[-1]
        fields: dict[str, object] = {"error": error}
        if state is RoundState.PROMOTED:
            value = 0.95 - 2 * (entry.labels or 1) ** -0.6
            result = TaskEvaluation(
                task=TASK.task, metric="accuracy", value=value, low=value - 0.05, high=value + 0.05, baseline=0.5,
                samples=RESERVE, per_class={}, expected_calibration_error=0.1,
            )  # fmt: skip
            fields = {"version": f"v{entry.number}", "evaluation": Evaluation(candidate=[result])}
        self.store.rounds.set_state(self.campaign.campaign_id, entry.number, state, self.now, **fields)  # type: ignore[arg-type]
        self.ends_at = None

    def notices(self) -> list[str]:
        return campaign_notices(self.store, self.campaign)
