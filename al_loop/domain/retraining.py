"""When rounds start by themselves: the policy of a campaign, and what is answered about its next round."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from al_loop.domain.gate import GateSettings, PromotionMode, ShadowSettings
from al_loop.domain.retention import Retention

CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"
QuietWindow = Annotated[
    str, msgspec.Meta(pattern=f"^{CLOCK}-({CLOCK}|24:00)$", extra={"words": "times of the day such as 22:00-06:00"})
]
"""`22:00-06:00`: from the first time to the second, on the next day where that is earlier."""
Auc = Annotated[float, msgspec.Meta(gt=0.5, le=1.0)]


class DriftSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From when on new imagery counts as unlike the old.

    Measured is the AUC of a classifier that tells images registered since the last round from older ones by their
    embeddings: 0.5 is chance, 1 tells all of them apart.
    """

    warn: Auc = 0.75
    """A notice appears from this AUC on."""
    critical: Auc = 0.9
    """From this AUC on a round starts, once `labels` of the new images are labelled."""
    labels: Annotated[int, msgspec.Meta(ge=1, le=10**9)] = 10
    """Labelled new images that a round for critical drift waits for: without them it would learn nothing of them."""


class RetrainPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a round starts by itself and what it promotes. The first trigger that holds starts it."""

    new_labels: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = 50
    """Start after this many samples were newly labelled since the last snapshot, or once no sample is left to label, if
    a tenth as many labels are new; None: never by count."""
    new_labels_share: Annotated[float, msgspec.Meta(gt=0, le=100)] | None = None
    """Start once newly labelled samples are this share of those that the last snapshot had; None: never by share."""
    interval_s: Annotated[float, msgspec.Meta(ge=10, le=10**9)] | None = None
    """Start this long after the last round began, if there is at least one new label; None: never by time."""
    cron: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """Start at these times, if there is at least one new label: minute, hour, day of the month, month, day of the week
    (0 or 7 is Sunday) as in crontab, by the clocks of `timezone`; None: never by the clock."""
    timezone: Annotated[str, msgspec.Meta(max_length=64)] = "UTC"
    """IANA name such as `Europe/Berlin`, of `cron` and `quiet_hours`."""
    quiet_hours: Annotated[tuple[QuietWindow, ...], msgspec.Meta(max_length=20)] = ()
    """Windows such as `22:00-06:00`, by the clocks of `timezone`, in which no round starts by itself; what fell due
    starts at their end."""
    expected_gain: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    """Start once the learning curve projects at least this improvement of the metric, and more than its noise; None:
    never by that."""
    drift: DriftSettings | None = None
    """Measure whether new imagery is unlike the old, warn, and start where that is critical; None: do not."""
    retries: Annotated[int, msgspec.Meta(ge=0, le=20)] = 3
    """How often a round that started by itself and failed is tried again."""
    retry_wait_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300.0
    """Seconds before the first retry; each further one waits twice as long."""
    min_labels: Annotated[int, msgspec.Meta(ge=2, le=10**9)] = 10
    """Labelled samples outside the reserve that a round needs; one is enough to measure a model from elsewhere."""
    min_reserve_labels: Annotated[int, msgspec.Meta(ge=2, le=10**9)] = 5
    """Labelled samples inside the reserve that a round needs."""
    debounce_s: Annotated[float, msgspec.Meta(ge=0, le=10**9)] = 5.0
    """Wait until no label has arrived for this long, so that a bulk import starts one round, but sixty times this long
    at most."""
    tolerance: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """A candidate may be this much worse than the serving model and still be promoted."""
    retention: Retention = Retention()
    """What is kept of rounds, versions and encoders; the files of the rest go after each round."""
    gate: GateSettings = GateSettings()
    """What else is asked of a candidate."""
    promotion: PromotionMode = "automatic"
    """Who promotes what passed the gate: the service, a person, or labels that come in while it answers in the shadow.
    With `shadow` a first model is promoted at once: there is nothing to stand in the shadow of."""
    shadow: ShadowSettings | None = None
    """How a challenger in the shadow is judged; null: by the defaults. Only with `promotion` `shadow`."""


TriggerName = Literal["retry", "new_labels", "new_labels_share", "expected_gain", "drift", "cron", "interval_s"]


class TriggerOutlook(msgspec.Struct, frozen=True, kw_only=True):
    """What one trigger of a policy says now."""

    trigger: TriggerName
    """Which, by the name of its field in the policy; `retry` belongs to `retries`."""
    on: bool
    """Whether the policy has it."""
    holds: bool
    """Whether it asks for a round now."""
    at: datetime | None
    """From when on it asks for one if nothing changes; null: other things have to change first."""
    sentence: str
    """What it looks at, in words."""
    figures: dict[str, float | None] = {}
    """What it compared, such as `new_labels` and `needed`."""


class PolicyPreview(msgspec.Struct, frozen=True, kw_only=True):
    """When the next round would start by itself, and why."""

    sentence: str
    """All of it in words."""
    due: bool
    """Whether it starts now."""
    starts_at: datetime | None
    """When it starts if nothing changes until then; null: something has to change first."""
    trigger: TriggerName | None
    """What starts it then."""
    reason: str | None
    """As the round will name it."""
    waits_for: list[str]
    """What keeps a round from starting that a trigger asks for, such as quiet hours or missing labels."""
    triggers: list[TriggerOutlook]
    """Every trigger that there is, in the order in which they are asked."""
    new_labels: int
    """Samples outside the test reserve that were newly labelled since the last snapshot."""
    as_of: datetime
    """The time by which this was decided."""
    timezone: str
    """Of the times in `sentence`."""


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far images registered since the last round can be told from older ones by their embeddings."""

    version: str
    """Of the embeddings: `features`, an encoder."""
    since_round: int
    """The round after whose start images count as new."""
    auc: float
    """Of the classifier, left-one-out: 0.5 is chance, 1 tells all of them apart."""
    chance: float
    """AUC that 95 of 100 random divisions of the same images stay below."""
    p_value: float
    """Share of random divisions that reach `auc`."""
    new_images: int
    """New images that were compared."""
    old_images: int
    """Older images that they were compared with."""


LEAST_P = 0.01
"""Drift is taken for real where at most this share of random divisions reaches its AUC."""


def drift_level(report: DriftReport | None, settings: DriftSettings | None) -> Literal["none", "warn", "critical"]:
    """What a report means under a policy; one that chance explains is none."""
    if report is None or settings is None or report.p_value > LEAST_P or report.auc < settings.warn:
        return "none"
    return "critical" if report.auc >= settings.critical else "warn"
