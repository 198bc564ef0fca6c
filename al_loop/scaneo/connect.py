"""Link a campaign to a SCANEO campaign, or undo that. Doing it twice changes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import msgspec

from al_loop.campaigns.create import create_campaign, resolve_root
from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign, CampaignRequest, TaskRequest
from al_loop.domain.scaneo_links import Link, LinkedImage, LinkOptions
from al_loop.errors import InvalidValueError, NotFoundError
from al_loop.scaneo.campaign_plan import LABELLED_TASKS, TASKS, PathMap, infer_tasks, plan_tasks, root_of
from al_loop.scaneo.classes import labels_missing, write_mappings
from al_loop.scaneo.port import ScaneoPort
from al_loop.scaneo.records import ScaneoAnnotation, ScaneoCampaign, ScaneoImage, ScaneoLabel
from al_loop.store import LabelStore
from models.card import TaskName

LOOKED_AT = 100
"""Images whose annotations are read to tell which tasks people answer."""

ZONE_STEP_S = 900
"""Time zones lie a multiple of this from UTC."""


class ConnectRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to link to what."""

    url: str
    """Root of SCANEO, such as http://localhost:8000."""
    campaign: str
    """Name of the campaign in SCANEO."""
    tasks: list[str] | None = None
    """None: those of our campaign, or else those that its annotations answer so far."""
    options: LinkOptions


def connect(
    store: LabelStore,
    port: ScaneoPort,
    name: str,
    request: ConnectRequest,
    *,
    imagery: Sequence[Path],
    token: str | None,
    now: datetime,
) -> Link:
    """Create or update our campaign from SCANEO's, register its images, and register our models there.

    Args:
        store: Where campaigns and links are.
        port: The SCANEO at `request.url`.
        name: Of our campaign; made if there is none.
        request: What to link.
        imagery: Folders that campaign roots must lie in.
        token: Goes into the URLs of our models, as SCANEO can send nothing else; None: none is needed.
        now: The present.

    Raises:
        NotFoundError: SCANEO has no such campaign.
        InvalidValueError: Its images are not here, it has no labels, or nothing tells the tasks.
        ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused.
    """
    theirs = _campaign_there(port, request.campaign)
    labels, images = port.labels(theirs.id), port.images(theirs.id)
    campaign = _campaign_here(store, port, name, request, theirs, labels, images, imagery, now)
    old = store.scaneo.find(campaign.campaign_id)
    if old is not None and (old.url, old.scaneo_campaign) != (request.url.rstrip("/"), theirs.id):
        raise InvalidValueError(
            "$.campaign", f"{name!r} is linked to {old.scaneo_name!r} at {old.url}; disconnect it first"
        )
    models, offset = _register_models(port, campaign, request.options, token, now)
    write_mappings(port, campaign, theirs.id, models, labels)
    link = Link(
        campaign_id=campaign.campaign_id,
        url=request.url.rstrip("/"),
        scaneo_campaign=theirs.id,
        scaneo_name=theirs.name,
        options=request.options,
        models=models,
        prefix=_prefix(campaign, root_of(theirs, PathMap.parse(request.options.path_map))),
        hidden=labels_missing(campaign, labels),
        zone_offset_s=offset if offset is not None else (old.zone_offset_s if old else 0),
        linked_at=old.linked_at if old else now,
        signal=old.signal if old else None,
        swept_at=old.swept_at if old else None,
    )
    store.scaneo.save(link, _linked_images(store, campaign, link, images, now))
    return link


def disconnect(store: LabelStore, port: ScaneoPort | None, link: Link) -> None:
    """Remove from SCANEO what the link wrote there: models with their mappings, and boxes that nobody touched.

    Labels and samples stay in our store, and so do annotations in SCANEO. Batches have to be closed before.

    Args:
        store: Where the link is.
        port: The SCANEO; None: forget the link here only, as SCANEO is gone for good.
        link: The link.

    Raises:
        ScaneoUnreachableError, ScaneoAnswerError: SCANEO is down, or refused; the link stays.
    """
    if port is not None:
        for box in store.scaneo.boxes(link.campaign_id):
            rows = {row.id: row for row in port.annotations(box.image_id)}
            row = rows.get(box.annotation_id)
            if row is not None and row.updated_at - row.created_at < timedelta(seconds=1):
                port.delete_annotation(row.id)
        for model_id in link.models.values():
            port.delete_model(model_id)
    store.scaneo.forget(link.campaign_id)


def model_name(campaign: str, task: TaskName) -> str:
    """Name of our model in SCANEO's list of models, which is one for all campaigns."""
    return f"al-loop {campaign} {task}"


def zone_offset(local: datetime, now: datetime) -> int:
    """Seconds that a naive local time, written just now, lies from UTC; whole quarters of an hour."""
    apart = (local - now.replace(tzinfo=None)).total_seconds()
    return round(apart / ZONE_STEP_S) * ZONE_STEP_S


def _campaign_there(port: ScaneoPort, name: str) -> ScaneoCampaign:
    campaigns = port.campaigns()
    found = next((entry for entry in campaigns if entry.name == name), None)
    if found is None:
        names = ", ".join(sorted(entry.name for entry in campaigns)) or "none yet"
        raise NotFoundError("SCANEO campaign", name, f"it has: {names}")
    return found


def _campaign_here(
    store: LabelStore,
    port: ScaneoPort,
    name: str,
    request: ConnectRequest,
    theirs: ScaneoCampaign,
    labels: Sequence[ScaneoLabel],
    images: Sequence[ScaneoImage],
    imagery: Sequence[Path],
    now: datetime,
) -> Campaign:
    """Our campaign, made or brought up to date."""
    root = resolve_root(str(root_of(theirs, PathMap.parse(request.options.path_map))), imagery)
    existing = next((campaign for campaign in store.campaigns.list() if campaign.name == name), None)
    annotations = _some_annotations(port, theirs, images) if existing is None else []
    before = [] if existing is None else existing.tasks
    wanted = _tasks(request.tasks) or [spec.task for spec in before] or infer_tasks(annotations)
    planned = plan_tasks(wanted, labels, annotations, before)
    if existing is not None and existing.settings.windows is not None:
        raise InvalidValueError(
            "$.campaign",
            f"campaign {name!r} cuts scenes into windows, and SCANEO shows whole files only; link a campaign of files "
            "that are cut already, or label its windows on the page",
        )
    specs = planned + [spec for spec in before if spec.task not in wanted]
    if existing is None:
        tasks = [TaskRequest(task=spec.task, classes=spec.classes, multi_label=spec.multi_label) for spec in specs]
        return create_campaign(store, CampaignRequest(name=name, tasks=tasks, root=str(root)), imagery, now)
    if not root.is_relative_to(existing.root):
        raise InvalidValueError(
            "$.campaign",
            f"campaign {name!r} exists with the root {existing.root}, and SCANEO's images lie in {root}; "
            "link under another name (`--as`)",
        )
    if specs != existing.tasks:
        store.campaigns.set_tasks(existing.campaign_id, specs)
    return store.campaigns.get(name)


def _tasks(names: Sequence[str] | None) -> list[TaskName]:
    """Tasks by name."""
    tasks: list[TaskName] = []
    for index, name in enumerate(names or []):
        found: TaskName | None = next((task for task in LABELLED_TASKS if task == name), None)
        if found is None:
            raise InvalidValueError(f"$.tasks[{index}]", f"no task {name!r}; use {', '.join(LABELLED_TASKS)}")
        tasks.append(found)
    return list(dict.fromkeys(tasks))


def _some_annotations(
    port: ScaneoPort, theirs: ScaneoCampaign, images: Sequence[ScaneoImage]
) -> list[ScaneoAnnotation]:
    if theirs.annotation_count == 0:
        return []
    return [annotation for image in images[:LOOKED_AT] for annotation in port.annotations(image.id)]


def _register_models(
    port: ScaneoPort, campaign: Campaign, options: LinkOptions, token: str | None, now: datetime
) -> tuple[dict[TaskName, str], int | None]:
    """Ids of our models by task; and SCANEO's time zone, if one was made just now.

    SCANEO runs no models of detection: none is registered. Where there is nothing else, one is made and deleted again,
    as nothing else tells SCANEO's clock.
    """
    models: dict[TaskName, str] = {}
    offset = None
    for spec in campaign.tasks:
        if spec.task not in TASKS:
            continue
        url = f"{options.service_url.rstrip('/')}/campaigns/{campaign.name}/predictions/{spec.task}"
        if token is not None:
            url += f"?token={quote(token, safe='')}"
        known = {model.id for model in port.models()}
        model = port.ensure_model(
            model_name(campaign.name, spec.task), url, spec.task, f"The newest promoted model of {campaign.name}"
        )
        models[spec.task] = model.id
        if model.id not in known:
            offset = zone_offset(model.created_at, now)
    if not models:
        probe = port.ensure_model(model_name(campaign.name, "clock"), options.service_url, "clock", "deleted at once")
        offset = zone_offset(probe.created_at, now)
        port.delete_model(probe.id)
    return models, offset


def _prefix(campaign: Campaign, root: Path) -> str:
    inside = root.resolve().relative_to(campaign.root).as_posix()
    return "" if inside == "." else f"{inside}/"


def _linked_images(
    store: LabelStore, campaign: Campaign, link: Link, images: Sequence[ScaneoImage], now: datetime
) -> list[LinkedImage]:
    """Every image of the campaign there with its sample here; new ones are registered."""
    paths = {image.id: link.prefix + image.path for image in images}
    known = store.samples.by_paths(campaign.campaign_id, paths.values())
    report = register_paths(store, campaign, (path for path in paths.values() if path not in known), now)
    known = store.samples.by_paths(campaign.campaign_id, paths.values())
    reasons = {entry.path: entry.reason for entry in report.skipped}
    return [
        LinkedImage(
            campaign_id=link.campaign_id,
            scaneo_campaign=link.scaneo_campaign,
            image_id=image.id,
            path=image.path,
            sample_id=known.get(paths[image.id]),
            problem=None
            if paths[image.id] in known
            else f"left out: {reasons.get(paths[image.id], 'it could not be registered')}",
        )
        for image in images
    ]
