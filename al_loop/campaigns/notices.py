"""What an operator should know of a campaign, a line each. Every part of the loop adds its lines here."""

from collections.abc import Callable, Sequence

from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import ShadowSettings
from al_loop.domain.queries import SKIPS_TO_GIVE_UP
from al_loop.domain.retraining import drift_level
from al_loop.domain.rounds import RoundState
from al_loop.domain.samples import SkippedPath
from al_loop.store import LabelStore
from al_loop.store.tables.images import paths_of

NAMED_PATHS = 5
"""Most samples that a notice names."""


def campaign_notices(store: LabelStore, campaign: Campaign) -> list[str]:
    """Lines about a campaign as it stands in the store, the most pressing first; empty if all is well."""
    return [line for source in SOURCES for line in source(store, campaign)]


def named(paths: Sequence[str], *, most: int = NAMED_PATHS) -> str:
    """The first few, and how many there are beside them: "a.tif, b.tif and 3 more"."""
    return ", ".join(paths[:most]) + (f" and {len(paths) - most} more" if len(paths) > most else "")


def counted(count: int, noun: str) -> str:
    """A number and its noun: "1 image", "2 images"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _versions(store: LabelStore, campaign: Campaign) -> list[str]:
    """Versions that cannot be used."""
    versions = store.versions.list(campaign.campaign_id)
    return [f"{entry.version}: {entry.problem}" for entry in versions if entry.problem is not None]


def _failed_rounds(store: LabelStore, campaign: Campaign) -> list[str]:
    """A round that started by itself, failed, and is not tried again; until one does not fail."""
    rounds = [entry for entry in store.rounds.list(campaign.campaign_id) if not entry.background]
    announced = store.announcements.newest(campaign.campaign_id, "round_failed")
    if announced is None:
        return []
    since = [entry.state for entry in rounds if entry.number >= announced.detail["round"]]
    if not since or any(state is not RoundState.FAILED for state in since):
        return []
    return [f"{announced.sentence}; `al-loop round log {campaign.name}` says more, `al-loop round start` tries again"]


def _challenger(store: LabelStore, campaign: Campaign) -> list[str]:
    """A version that passed the gate and waits for the last word."""
    waiting = store.gate.challenger(campaign.campaign_id)
    if waiting is None:
        return []
    name = campaign.name
    hint = f"`al-loop model promote {name} challenger` lets it serve, `al-loop model reject {name}` drops it"
    if waiting.mode == "ask":
        return [f"{waiting.version} passed the gate and waits for your decision: {waiting.reason}; {hint}"]
    settings = campaign.policy.shadow or ShadowSettings()
    if campaign.policy.promotion == "shadow" and settings.decide == "automatic":
        decided = f"{settings.labels} labels that come in decide"
    else:
        decided = f"`al-loop model shadow {name}` says how it does, and you decide"
    return [f"{waiting.version} passed the gate and answers in the shadow: {decided}; {hint}"]


def _drift(store: LabelStore, campaign: Campaign) -> list[str]:
    """New images that are unlike the older ones."""
    report, settings = store.drift.report(campaign.campaign_id), campaign.policy.drift
    level = drift_level(report, settings)
    if report is None or settings is None or level == "none":
        return []
    label = f"label {settings.labels} of them and a round starts" if level == "critical" else "label some of them"
    said = f"images registered since round {report.since_round} are unlike the older ones"
    return [f"{said}: AUC {report.auc:.2f}, where 0.5 is chance and {settings.critical:g} is critical; {label}"]


def _given_up(store: LabelStore, campaign: Campaign) -> list[str]:
    """Samples that too many annotators skipped."""
    paths = store.leases.given_up(campaign.campaign_id)
    if not paths:
        return []
    many = f"skipped by {SKIPS_TO_GIVE_UP} annotators and offered no more; label or look at them yourself"
    return [f"{many}: {named(paths)}"]


def _with_reasons(files: Sequence[SkippedPath], noun: str, one: str, many: str, said: str) -> list[str]:
    """A line that counts files and names the first ones with the reason; no line for none."""
    if not files:
        return []
    listed = named([f"{entry.path} ({entry.reason})" for entry in files])
    return [f"{counted(len(files), noun)} {one if len(files) == 1 else many} {said}: {listed}"]


def _unusable_files(store: LabelStore, campaign: Campaign) -> list[str]:
    """Images that are damaged or gone."""
    said = "damaged or gone, and left out until the file is back; put it back, or remove the sample"
    return _with_reasons(store.images.problems(campaign.campaign_id), "image", "is", "are", said)


def _skipped_files(store: LabelStore, campaign: Campaign) -> list[str]:
    """Files that are no samples because they cannot be used."""
    said = f"skipped; `al-loop add {campaign.name} --json` looks again and lists all"
    return _with_reasons(store.skipped_files.of(campaign.campaign_id), "file", "was", "were", said)


def _without_place(store: LabelStore, campaign: Campaign) -> list[str]:
    """Images with a CRS that lie nowhere on Earth."""
    said = "no place on Earth, so each stands alone in the test reserve and its labels are exported in pixels"
    return _with_reasons(store.samples.without_place(campaign.campaign_id), "image", "has", "have", said)


def _replaced_images(store: LabelStore, campaign: Campaign) -> list[str]:
    """Images that the serving version has not seen as they are now, and labels that this puts in doubt."""
    serving = next((entry for entry in store.versions.list(campaign.campaign_id) if entry.current), None)
    replaced = store.images.replaced_since(campaign.campaign_id, None if serving is None else serving.created_at)
    doubts = store.images.open_doubts(campaign.campaign_id)
    lines = []
    if replaced:
        kept = "labels in world coordinates are drawn on the new ones, scores are renewed"
        lines.append(f"{counted(len(replaced), 'image')} replaced since the last training; {kept}: {named(replaced)}")
    if doubts:
        ask = "they are not trained on until answered again; `al-loop relabels` lists them, re-annotation offers them"
        lines.append(
            f"{counted(len(doubts), 'label')} in doubt, as the image was replaced; {ask}: {named(paths_of(doubts))}"
        )
    return lines


def _copies(store: LabelStore, campaign: Campaign) -> list[str]:
    """Images that are registered more than once."""
    groups = store.copies.groups(campaign.campaign_id)
    if not groups:
        return []
    listed = [f"{copy.path} (of {first.path})" for first, *others in groups for copy in others]
    be = "is a copy of another" if len(listed) == 1 else "are copies of others"
    advice = f"`al-loop duplicates {campaign.name}` lists them and can take them out"
    return [f"{counted(len(listed), 'image')} {be}, on one side of the test reserve; {advice}: {named(listed)}"]


SOURCES: Sequence[Callable[[LabelStore, Campaign], list[str]]] = (
    _failed_rounds,
    _versions,
    _challenger,
    _drift,
    _unusable_files,
    _skipped_files,
    _without_place,
    _replaced_images,
    _copies,
    _given_up,
)
