"""The snapshot of a round laid again: from its own file of labels, or from the label events up to its manifest."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import Round
from al_loop.store import LabelStore
from al_loop.training.snapshot import write_rows
from al_loop.training.snapshots.rows import labelled_rows
from models.manifest import MANIFEST_FILE, SAMPLES_FILE, Manifest


class LaidSnapshot(NamedTuple):
    """What a training is to see again."""

    problem: str | None
    """Why it cannot, in one sentence."""
    labels_rebuilt: bool
    """Whether the labels were put together from their events."""


def lay_snapshot(
    store: LabelStore, layout: DataLayout, campaign: Campaign, entry: Round, directory: Path
) -> LaidSnapshot:
    """Lay the snapshot of a round again: its own file of labels, or the labels as of its manifest.

    The version that served then is left out of the manifest: it is measured against, and changes nothing of the model.

    Args:
        store: Where the label events are.
        layout: Where rounds lie.
        campaign: Whose round.
        entry: The round.
        directory: Made; must not exist.
    """
    data = sealed_manifest(layout, campaign, entry)
    if data is None:
        return LaidSnapshot(f"not reproduced: the manifest of round {entry.number} was removed or changed", False)
    manifest = msgspec.json.decode(data, type=Manifest)
    directory.mkdir(parents=True)
    own = layout.round(campaign.folder, entry.number) / "snapshot" / SAMPLES_FILE
    there = _root_then(store, campaign, manifest)
    rebuilt = not own.is_file() or sha256_of(own) != manifest.samples_sha256
    if rebuilt:
        names = [spec.task for spec in manifest.tasks]
        scale = manifest.model.output_scale  # lines are laid on a grid of this
        model = msgspec.structs.replace(campaign.settings.model, output_scale=scale)
        settings = msgspec.structs.replace(campaign.settings, model=model)
        as_then = msgspec.structs.replace(campaign, root=there, settings=settings)
        rows = labelled_rows(store, as_then, up_to=manifest.label_event_id, tasks=names).rows
        if write_rows(directory, rows) != manifest.samples_sha256:
            return LaidSnapshot(
                f"not reproduced: the file of labels of round {entry.number} is gone, and label events up to "
                f"{manifest.label_event_id} no longer give the same: images or labels were removed, replaced or put in "
                "doubt since",
                True,
            )
    else:
        link_or_copy(own, directory / SAMPLES_FILE)
    alone = msgspec.structs.replace(manifest, incumbent_onnx=None, incumbent_version=None)
    if there != campaign.root:
        alone = _moved(directory, alone, there, campaign.root)
    (directory / MANIFEST_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(alone), indent=1))
    return LaidSnapshot(None, rebuilt)


def _root_then(store: LabelStore, campaign: Campaign, manifest: Manifest) -> str:
    """Where the campaign's images lay when a snapshot was made: another folder if a backup was restored elsewhere."""
    for path in manifest.statistics_paths:
        parts = Path(path).parts
        ends = [str(Path(*parts[start:])) for start in range(1, len(parts))]
        known = store.samples.by_paths(campaign.campaign_id, ends)
        if known:
            return str(Path(*parts[: len(parts) - len(Path(max(known, key=len)).parts)]))
    return campaign.root


def _moved(directory: Path, manifest: Manifest, old: str, new: str) -> Manifest:
    """Let a laid snapshot name the images where they lie now; all else stays as it was."""

    def there(path: str) -> str:
        return str(Path(new) / Path(path).relative_to(old))

    table = pq.read_table(directory / SAMPLES_FILE)
    paths = pa.array([there(path) for path in table["path"].to_pylist()], table["path"].type)
    (directory / SAMPLES_FILE).unlink()  # a second name of the round's own file
    pq.write_table(table.set_column(table.column_names.index("path"), "path", paths), directory / SAMPLES_FILE)
    return msgspec.structs.replace(
        manifest,
        statistics_paths=[there(path) for path in manifest.statistics_paths],
        samples_sha256=sha256_of(directory / SAMPLES_FILE),
    )


def sealed_manifest(layout: DataLayout, campaign: Campaign, entry: Round) -> bytes | None:
    """The manifest of a round as it was written, from its snapshot or its version; None: neither has it any more."""
    for place in (
        layout.round(campaign.folder, entry.number) / "snapshot" / MANIFEST_FILE,
        layout.models(campaign.folder) / str(entry.version) / MANIFEST_FILE,
    ):
        if place.is_file() and sha256_of(place) == entry.manifest_sha256:
            return place.read_bytes()
    return None


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under a second name, or a copy where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def sha256_of(path: Path) -> str:
    """Digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
