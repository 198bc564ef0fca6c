"""From a version back to labels, code, seed and environment, and from a label on to rounds and versions."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow.parquet as pq

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label, counting
from al_loop.domain.lineage import LabelLineage, LabelUse, LineageFile, Serving, VersionLineage
from al_loop.domain.rounds import Promotion, Round
from al_loop.errors import NotFoundError
from al_loop.store import LabelStore
from al_loop.training.evaluation.report import manifest_of
from al_loop.training.round_diff import CONFIGURATION
from models.card import ModelCard
from models.errors import RegistryError
from models.manifest import SAMPLES_FILE, Manifest
from models.registry import ModelRegistry


def version_lineage(store: LabelStore, layout: DataLayout, campaign: Campaign, version: str) -> VersionLineage:
    """Where a version comes from, and what came of it; what is gone is said, and is no error.

    Raises:
        NotFoundError: The campaign never had such a version.
    """
    entry = next((one for one in store.rounds.list(campaign.campaign_id) if one.version == version), None)
    if entry is None:
        raise NotFoundError("model version", version, "`al-loop model list` names those that there are")
    manifest, notices = manifest_of(layout, campaign, entry), []
    if manifest is None:
        notices.append("The manifest is gone: label events are known by their number, what was configured by the card.")
    try:
        card: ModelCard | None = ModelRegistry(layout.models(campaign.folder)).card(version)
    except RegistryError as error:
        card = None
        notices.append(f"The files of the version are gone: {error}.")
    if card is not None and card.environment is None:
        notices.append("What it was made in was not recorded when it was made.")
    event = entry.label_event_id
    environment = None if card is None else card.environment
    return VersionLineage(
        campaign=campaign.name,
        version=version,
        round_number=entry.number,
        started_by=entry.started_by,
        reason=entry.reason,
        manifest_sha256=entry.manifest_sha256,
        label_event_id=event,
        as_of=None if manifest is None else datetime.fromisoformat(manifest.created_at),
        labels=entry.labels,
        reserve_labels=entry.reserve_labels,
        sources=[] if event is None else store.lineage.sources(campaign.campaign_id, up_to=event),
        code=None if environment is None else f"al-loop {environment.code_version}, sources {environment.code_digest}",
        seed=_seed(card, manifest),
        configuration=_configuration(card, manifest),
        environment=None if environment is None else msgspec.to_builtins(environment),
        trained_from=next((one.trained_from for one in (card, manifest) if one is not None and one.trained_from), None),
        incumbent_version=None if entry.evaluation is None else entry.evaluation.incumbent_version,
        files=[] if card is None else _files(layout.models(campaign.folder) / version, card.digests),
        served=_served(store.versions.promotions(campaign.campaign_id), version),
        answers=store.lineage.answers(campaign.campaign_id, version),
        notices=notices,
    )


def label_lineage(store: LabelStore, layout: DataLayout, campaign: Campaign, label_id: int) -> LabelLineage:
    """Which rounds a label event went into.

    Raises:
        NotFoundError: The campaign has no such event.
    """
    found = store.labels.by_ids(campaign.campaign_id, [label_id])
    if not found:
        raise NotFoundError("label", label_id, "`GET .../labels` names those that there are")
    label = found[0]
    history = store.labels.history(campaign.campaign_id, label.sample_id)
    rounds = [
        entry
        for entry in store.rounds.list(campaign.campaign_id)
        if entry.label_event_id is not None and entry.label_event_id >= label_id
    ]
    return LabelLineage(
        label_id=label_id,
        sample_id=label.sample_id,
        path=label.path,
        task=label.task,
        annotator=label.annotator,
        recorded_at=label.recorded_at,
        current=label.retracts is None and _counts(history, label, None, own=True),
        rounds=[_use(layout, campaign, entry, history, label) for entry in rounds],
    )


def _use(layout: DataLayout, campaign: Campaign, entry: Round, history: list[Label], label: Label) -> LabelUse:
    def told(why: str, split: Literal["train", "calibration", "test"] | None = None, *, used: bool = False) -> LabelUse:
        return LabelUse(round_number=entry.number, version=entry.version, used=used, split=split, why=why)

    if label.retracts is not None:
        return told(f"it withdraws label {label.retracts}")
    if not _counts(history, label, entry.label_event_id, own=True):
        return told("the annotator had replaced or withdrawn it before")
    if not _counts(history, label, entry.label_event_id, own=False):
        return told("another annotator's answer counted")
    file = layout.round(campaign.folder, entry.number) / "snapshot" / SAMPLES_FILE
    if not file.is_file():
        return told("it counted; the file of this round that says where it went was removed", used=True)
    rows = pq.read_table(file, columns=["split", label.task], filters=[("sample_id", "=", label.sample_id)]).to_pylist()
    if not rows or rows[0][label.task] is None:
        return told("it counted, but its image was left out: gold standard, in doubt, damaged, or leaking")
    split = rows[0]["split"]
    words = {"train": "trained on", "calibration": "calibrated on", "test": "measured on"}
    return told(words[split], split, used=True)


def _counts(history: list[Label], label: Label, up_to: int | None, *, own: bool) -> bool:
    """Whether a label was current after an event (None: the newest): of its annotator, or of all of them."""
    known = [entry for entry in history if up_to is None or entry.label_id <= up_to]
    newest = {(entry.task, entry.annotator): entry for entry in known}
    current = [entry for entry in newest.values() if entry.retracts is None]
    if own:
        return label.label_id in {entry.label_id for entry in current}
    chosen = counting(current).get(label.sample_id, {}).get(label.task)
    return chosen is not None and chosen.label_id == label.label_id


def _served(promotions: list[Promotion], version: str) -> list[Serving]:
    ends = [entry.promoted_at for entry in promotions[1:]]
    times = zip(promotions, [*ends, None], strict=True) if promotions else []
    return [
        Serving(since=entry.promoted_at, until=until, reason=entry.reason)
        for entry, until in times
        if entry.version == version
    ]


def _files(directory: Path, digests: Mapping[str, str]) -> list[LineageFile]:
    found = []
    for name, digest in sorted(digests.items()):
        state: Literal["there", "gone", "changed"] = "gone"
        if (directory / name).is_file():
            with (directory / name).open("rb") as file:
                state = "there" if hashlib.file_digest(file, "sha256").hexdigest() == digest else "changed"
        found.append(LineageFile(name=name, sha256=digest, state=state))
    return found


def _seed(card: ModelCard | None, manifest: Manifest | None) -> int | None:
    source = card or manifest
    return None if source is None else source.train.seed


def _configuration(card: ModelCard | None, manifest: Manifest | None) -> dict[str, Any]:
    source = card or manifest
    names = [name for name in CONFIGURATION if hasattr(source, name)]
    return {name: msgspec.to_builtins(getattr(source, name)) for name in names}
