"""Ranked batches: a query becomes a SCANEO campaign with folders 1/ 2/ 3/ ..., which it lists in that order."""

import contextlib
import logging
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import QuerySample
from al_loop.domain.scaneo_links import Batch, BatchView, Link, LinkedImage
from al_loop.errors import InvalidValueError, ScaneoError
from al_loop.scaneo.campaign_plan import PathMap
from al_loop.scaneo.classes import write_mappings
from al_loop.scaneo.point_marks import COLOUR, mark_points, refuse_mark_as_class, remove_marks
from al_loop.scaneo.port import ScaneoPort
from al_loop.scaneo.records import MARK
from al_loop.store import LabelStore

logger = logging.getLogger(__name__)

CLOSE_AFTER = timedelta(minutes=10)
"""A batch that is done is closed when nobody has changed anything in it for this long."""

SUFFIXES = (".tif", ".tiff")
"""What SCANEO looks for, in small letters only."""


def open_batch(
    store: LabelStore,
    port: ScaneoPort,
    layout: DataLayout,
    campaign: Campaign,
    link: Link,
    annotator: str,
    samples: Sequence[QuerySample],
    now: datetime,
) -> Batch:
    """Make a SCANEO campaign of leased samples, in the order of their ranking, with labels and mappings.

    Points that are asked about are marked, see `al_loop.scaneo.point_marks`.

    Args:
        store: Where the batch is remembered.
        port: The SCANEO.
        layout: Where the folder of links is made.
        campaign: Ours.
        link: Its link.
        annotator: Whom the batch is for; labels drawn in it are theirs.
        samples: Leased to them.
        now: The present.

    Raises:
        InvalidValueError: SCANEO cannot see the folder, has no such image, or cannot mark points.
        ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused; what was made is removed again,
            as far as SCANEO still answers.
    """
    number = store.scaneo.next_batch_number(campaign.campaign_id)
    taken = {entry.name for entry in port.campaigns()}
    while (name := f"{link.scaneo_name} · batch {number} · {annotator}") in taken:
        number += 1  # of a link that was made again
    folder = layout.batch(campaign.folder, number)
    there = PathMap.parse(link.options.path_map).theirs(folder.absolute())
    labels = [(label.name, label.color) for label in reversed(port.labels(link.scaneo_campaign))]
    points = {sample.sample_id: sample.points for sample in samples if sample.points}
    if points:
        refuse_mark_as_class(campaign)
        labels.append((MARK, COLOUR))
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        ranks = _link_images(store, port, campaign, link, folder, samples)
        made = port.create_campaign(
            name, there, labels, description=f"{len(samples)} images for {annotator}, the most useful first"
        )
        undo.callback(_delete_if_possible, port, made.id)
        write_mappings(port, campaign, made.id, link.models, port.labels(made.id))
        images = port.images(made.id)
        batch = Batch(
            campaign_id=campaign.campaign_id,
            number=number,
            scaneo_campaign=made.id,
            name=name,
            folder=str(folder),
            annotator=annotator,
            opened_at=now,
        )
        linked = [
            LinkedImage(
                campaign_id=campaign.campaign_id,
                scaneo_campaign=made.id,
                image_id=image.id,
                path=image.path,
                sample_id=ranks[image.path.partition("/")[0]],
            )
            for image in images
        ]
        headers = store.samples.headers(campaign.campaign_id, list(points))
        marked = [image for image in linked if image.sample_id in points]
        if marked:
            undo.callback(_unmark_if_possible, port, marked)
        for image in marked:
            mark_points(port, image.image_id, headers[image.sample_id or 0], points[image.sample_id or 0])
        store.scaneo.save_batch(batch, linked)
        undo.pop_all()
    return batch


def close_batch(store: LabelStore, port: ScaneoPort | None, batch: Batch, reason: str, now: datetime) -> None:
    """End a batch: its campaign there and its folder of links go, its labels stay.

    Args:
        store: Where the batch is.
        port: The SCANEO; None: the campaign is gone there already.
        batch: The batch; its annotations were read to the last.
        reason: For the record.
        now: The present.
    """
    if port is not None:
        if any(label.name == MARK for label in port.labels(batch.scaneo_campaign)):
            images = store.scaneo.images(batch.campaign_id, batch.scaneo_campaign)
            remove_marks(port, [image.image_id for image in images])
        port.delete_campaign(batch.scaneo_campaign)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(batch.folder)
    unanswered = [image.sample_id for image in _open_leases(store, batch, now) if image.sample_id is not None]
    if unanswered:
        store.queries.release(batch.campaign_id, batch.annotator, unanswered, now)
    store.scaneo.close_batch(batch, reason, now)


def is_done(store: LabelStore, batch: Batch, now: datetime) -> bool:
    """Whether nothing of a batch is waiting for its annotator any more, and nobody has changed anything for a while."""
    images = store.scaneo.images(batch.campaign_id, batch.scaneo_campaign)
    changed_at = max([batch.opened_at, *(image.read_at for image in images if image.read_at is not None)])
    return now - changed_at > CLOSE_AFTER and not _open_leases(store, batch, now)


def view(store: LabelStore, link: Link, batch: Batch) -> BatchView:
    """A batch as it is shown."""
    images = store.scaneo.images(batch.campaign_id, batch.scaneo_campaign)
    return BatchView(
        number=batch.number,
        name=batch.name,
        annotator=batch.annotator,
        url=link.page(batch.scaneo_campaign),
        samples=len(images),
        labelled=sum(1 for image in images if image.recorded and link.models.keys() <= image.recorded.keys()),
        opened_at=batch.opened_at,
        closed_at=batch.closed_at,
        close_reason=batch.close_reason,
    )


def _delete_if_possible(port: ScaneoPort, scaneo_campaign: str) -> None:
    """Undo a creation after a failure, which is what the caller receives; a second failure is only logged."""
    try:
        port.delete_campaign(scaneo_campaign)
    except ScaneoError as error:
        logger.warning("a half-made batch stays in SCANEO (%s); delete its campaign there", error)


def _unmark_if_possible(port: ScaneoPort, images: Sequence[LinkedImage]) -> None:
    """Undo the marks, as `_delete_if_possible`."""
    try:
        remove_marks(port, [image.image_id for image in images])
    except ScaneoError as error:
        logger.warning("marks of points stay in SCANEO (%s)", error)


def _open_leases(store: LabelStore, batch: Batch, now: datetime) -> list[LinkedImage]:
    """Images of a batch whose samples its annotator still has on lease."""
    leased = {lease.sample_id for lease in store.queries.leases(batch.campaign_id, now, batch.annotator)}
    images = store.scaneo.images(batch.campaign_id, batch.scaneo_campaign)
    return [image for image in images if image.sample_id in leased]


def _link_images(
    store: LabelStore,
    port: ScaneoPort,
    campaign: Campaign,
    link: Link,
    folder: Path,
    samples: Sequence[QuerySample],
) -> dict[str, int]:
    """Make `folder/<rank>/<name>`, each a link to the image as SCANEO sees it; returns samples by rank."""
    known = {image.sample_id: image.path for image in store.scaneo.images(campaign.campaign_id, link.scaneo_campaign)}
    root = port.campaign(link.scaneo_campaign).path or ""
    shutil.rmtree(folder, ignore_errors=True)
    ranks: dict[str, int] = {}
    for rank, sample in enumerate(samples, start=1):
        path = known.get(sample.sample_id)
        if path is None:
            raise InvalidValueError("$.samples", f"{sample.path} is not among the images of {link.scaneo_name!r}")
        name = PurePosixPath(path).name
        place = folder / str(rank) / (name if name.endswith(SUFFIXES) else f"{name}.tif")
        place.parent.mkdir(parents=True)
        place.symlink_to(PurePosixPath(root) / path)
        ranks[str(rank)] = sample.sample_id
    return ranks
