"""Export a campaign from the store into a temporary file, label page by label page."""

from collections.abc import Iterator, Sequence
from tempfile import TemporaryFile
from typing import BinaryIO

import msgspec

from al_loop.campaigns.exporting import DataSetOptions, ExportFormat, export_labels
from al_loop.campaigns.scenes.joining import join_windows, scene_headers
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore

PAGE = 1_000
BLOCK_BYTES = 1 << 16
_OF_SCENES: tuple[ExportFormat, ...] = ("scaneo", "geojson", "cvat", "label-studio", "stac", "eotdl")


def export_campaign(
    store: LabelStore,
    campaign: Campaign,
    export_format: ExportFormat,
    options: DataSetOptions | None = None,
    *,
    tasks: Sequence[str] | None = None,
    gold_standard: bool = True,
    person: str | None = None,
) -> Iterator[bytes]:
    """The current labels as blocks of bytes; the file is complete before the first block is given out.

    With `tasks` as if the campaign asked for these only, so that a format that holds one drawn task holds that one.
    Without `gold_standard` known answers are left out, as annotators are not told which samples have one, and for a
    `person` what others answered to these.

    Raises:
        InvalidValueError: The campaign has no labels of the kind that the format holds, or a wrong option.
    """
    campaign = _asking_for(campaign, tasks)
    labels = list(_current(store, campaign, gold_standard, person))
    samples = store.samples.get_many(campaign.campaign_id, {label.sample_id for label in labels})
    headers: dict[int, SampleHeader] = {**samples}
    if export_format in _OF_SCENES:  # the others have a row, or an image, for each answer
        labels, headers = join_windows(labels, headers, scene_headers(store, campaign, headers))
    target = TemporaryFile()  # noqa: SIM115  # closed by the generator that reads it
    try:
        export_labels(target, campaign, labels, headers, export_format, options)
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return _blocks(target)


def _asking_for(campaign: Campaign, tasks: Sequence[str] | None) -> Campaign:
    if not tasks:
        return campaign
    asked = [spec.task for spec in campaign.tasks]
    for task in tasks:
        if task not in asked:
            raise InvalidValueError("task", f"{campaign.name} does not ask for {task!r}, but for {', '.join(asked)}")
    return msgspec.structs.replace(campaign, tasks=[spec for spec in campaign.tasks if spec.task in tasks])


def _current(store: LabelStore, campaign: Campaign, gold_standard: bool, person: str | None) -> Iterator[Label]:
    after, number, asked = 0, campaign.campaign_id, {spec.task for spec in campaign.tasks}
    while page := store.labels.current(number, limit=PAGE, after=after, gold_standard=gold_standard, person=person):
        yield from (label for label in page if label.task in asked)
        after = page[-1].label_id


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while block := file.read(BLOCK_BYTES):
            yield block
