"""Decides once for a campaign which bands of its files are data: from what files declare, else from their pixels."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from al_loop.domain.band_rules import check_bands
from al_loop.domain.campaigns import BandDecision, Campaign, CampaignSettings
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from models.card import BandPolicy
from models.errors import RasterError
from models.rasters.bands import DATA_SHARE, RGB_BANDS, data_share, declares_alpha, is_default_tag, layout_of
from models.rasters.files import open_file, resolve_inside

LOOKED_AT = 40
"""Files at most, spread evenly over those that are registered."""

_INFRARED = ("rgb-nir", "bgr-nir")


class FileBands(NamedTuple):
    """What one file says of its bands, and its fourth one's pixels where that may be GDAL's doing."""

    stored: int
    """Bands, an alpha band included."""
    dtype: str
    alpha: bool
    """Whether it declares its last band to be alpha."""
    texture: float | None
    """Share of pixels of the last band that no alpha band would have; None: its declaration can be trusted."""
    expandable: bool
    """Whether it is 8-bit grey or has a palette."""

    @property
    def is_uncertain(self) -> bool:
        """Whether the alpha band may be declared only because GDAL does so by default."""
        return self.texture is not None


class DecidedBands(NamedTuple):
    """The decision and its outcome."""

    source_bands: int
    decision: BandDecision


def with_bands(store: LabelStore, campaign: Campaign, paths: Sequence[str]) -> Campaign:
    """The campaign with its bands decided, by the files of these paths if that was not done yet; nothing is stored.

    Raises:
        InvalidValueError: The settings say something else about the bands than the files.
    """
    if campaign.source_bands is not None:
        return campaign if campaign.band_decision is not None else _as_before(store, campaign)
    decided = decide(look_at(Path(campaign.root), paths), campaign.settings, campaign.bands)
    if decided is None:
        return campaign
    check_bands(campaign.settings, decided.source_bands)
    return msgspec.structs.replace(campaign, source_bands=decided.source_bands, band_decision=decided.decision)


def decide_again(store: LabelStore, campaign: Campaign, settings: CampaignSettings) -> DecidedBands | None:
    """What other settings make of a campaign's bands; None where that stays as it is, or nothing is registered.

    Raises:
        InvalidValueError: No image can be read, or the campaign reads a band that would be none any more.
    """
    if settings.alpha == campaign.settings.alpha or campaign.source_bands is None:
        return None
    _, paths = store.samples.paths(campaign.campaign_id)
    decided = decide(look_at(Path(campaign.root), [str(path) for path in paths]), settings, campaign.bands)
    if decided is None:
        raise InvalidValueError("$.alpha", "no image of the campaign can be read, so its bands cannot be told")
    if campaign.bands is not None and max(campaign.bands) > decided.source_bands:
        raise InvalidValueError(
            "$.alpha",
            f"the campaign reads band {max(campaign.bands)}, and its images would have {decided.source_bands}",
        )
    return decided


def look_at(root: Path, paths: Sequence[str]) -> list[FileBands]:
    """Up to `LOOKED_AT` of the files below a root; those that cannot be read are left out."""
    found = []
    for index in np.unique(np.linspace(0, len(paths) - 1, min(LOOKED_AT, len(paths))).round().astype(int)).tolist():
        try:
            with open_file(resolve_inside(root, paths[index]), paths[index]) as dataset:
                alpha = declares_alpha(dataset)
                as_rgb = layout_of(dataset, BandPolicy(source_bands=RGB_BANDS, expand=True))
                found.append(
                    FileBands(
                        dataset.count,
                        dataset.dtypes[0],
                        alpha,
                        data_share(dataset) if alpha and is_default_tag(dataset) else None,
                        as_rgb.expanded is not None,
                    )
                )
        except RasterError:  # registration says why
            continue
    return found


def decide(files: Sequence[FileBands], settings: CampaignSettings, bands: Sequence[int] | None) -> DecidedBands | None:
    """Which bands of a campaign's files are data.

    Args:
        files: As `look_at` found them.
        settings: `alpha` decides, `sensor` is a hint.
        bands: 1-based bands that the campaign reads; None: all.

    Returns:
        None without a file.
    """
    if not files:
        return None
    if settings.alpha == "none":
        counted, why = [file.stored for file in files], "settings.alpha is none, so every band is data"
    elif settings.alpha == "last":
        most = max(file.stored for file in files)
        counted = [max(1, file.stored - (file.stored == most or file.alpha)) for file in files]
        why = f"settings.alpha is last, so band {most} is alpha"
    else:
        is_data, why = _uncertain(files, settings, bands)
        counted = [file.stored - (file.alpha and not (file.is_uncertain and is_data)) for file in files]
    rgb8 = [file for file, count in zip(files, counted, strict=True) if count == RGB_BANDS and file.dtype == "uint8"]
    if rgb8:  # grey images among RGB ones are the exception, however many there are
        counted = [RGB_BANDS if file.expandable else count for file, count in zip(files, counted, strict=True)]
    source_bands = Counter(counted).most_common(1)[0][0]
    alpha = any(file.stored > source_bands == count for file, count in zip(files, counted, strict=True))
    overruled = [file for file in files if file.is_uncertain and file.stored == source_bands + 1]
    if settings.alpha == "auto" and overruled and not alpha:  # `layout_of` believes them, as they do not fit otherwise
        alpha = True
        why = f"most files have {source_bands} bands, so band {source_bands + 1} of those that declare it is alpha"
    decision = BandDecision(alpha=alpha, rgb=bool(rgb8) and source_bands == RGB_BANDS, reason=why)
    return DecidedBands(source_bands, decision)


def _uncertain(files: Sequence[FileBands], settings: CampaignSettings, bands: Sequence[int] | None) -> tuple[bool, str]:
    """Whether the last band of files with an uncertain declaration is data, and what that and the others say."""
    uncertain = [file for file in files if file.is_uncertain]
    sure = [file for file in files if not file.is_uncertain and file.dtype == "uint8"]
    declared = sum(file.alpha for file in files)
    said = f"{declared} of {len(files)} files looked at declare an alpha band"
    if not uncertain:
        return False, said if declared else f"none of {len(files)} files looked at declares an alpha band"
    texture = float(np.mean([file.texture for file in uncertain]))
    seen = f"{texture:.0%} of its pixels have texture"
    said = f"{said}, which GDAL writes by default"
    if bands is not None and max(bands) > RGB_BANDS:
        return True, f"band 4 is data: the campaign reads it ({said})"
    if settings.band_names is not None and len(settings.band_names) > RGB_BANDS:
        return True, f"band 4 is data: settings.band_names names it ({said})"
    if settings.sensor in _INFRARED:
        return True, f"band 4 is data: settings.sensor is {settings.sensor} ({said})"
    if any(file.stored - file.alpha == RGB_BANDS + 1 for file in sure):
        return True, f"band 4 is data: it is in other files, which declare none ({said})"
    named_alpha = settings.sensor == "rgb" or (settings.band_names and len(settings.band_names) == RGB_BANDS)
    if not named_alpha and texture > DATA_SHARE:
        return True, f"band 4 is data: {seen}, which an alpha band has at its edges only ({said})"
    return False, f"band 4 is alpha: {declared} of {len(files)} files looked at declare it ({seen})"


def _as_before(store: LabelStore, campaign: Campaign) -> Campaign:
    """A campaign whose bands were decided by an earlier version: they stay."""
    ids, _ = store.samples.paths(campaign.campaign_id)
    first = store.samples.get(campaign.campaign_id, int(ids[0])) if len(ids) else None
    rgb = campaign.source_bands == RGB_BANDS and first is not None and first.dtype == "uint8"
    decision = BandDecision(alpha=False, rgb=rgb, reason="as the first images were read when they were registered")
    return msgspec.structs.replace(campaign, band_decision=decision)
