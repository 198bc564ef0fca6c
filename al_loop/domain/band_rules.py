"""Which statements about the bands of a campaign's files contradict each other. Pure checks, as in `campaign_rules`."""

from al_loop.domain.campaigns import CampaignSettings
from al_loop.errors import InvalidValueError
from models.encoders.bands import UNKNOWN, band_kinds, kind_of, unknown_name
from models.errors import TrainingDataError


def check_bands(settings: CampaignSettings, count: int | None, path: str = "$.settings") -> None:
    """Refuse names of bands that nobody knows, and a list of names or a sensor that do not fit.

    Args:
        settings: `sensor` and `band_names` say what the bands are.
        count: Bands with data of the files; None: nothing is registered yet, so only the settings are compared.
        path: Where the settings are in what the client sent.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    names, sensor = settings.band_names, settings.sensor
    for index, name in enumerate(names or ()):
        if kind_of(name) is None:
            raise InvalidValueError(f"{path}.band_names[{index}]", unknown_name(name))
    if names is not None and not names:
        raise InvalidValueError(f"{path}.band_names", "name at least one band, or null for what the files say")
    named = None if names is None else [kind_of(name) for name in names]
    if count is not None:
        try:
            band_kinds(count, names=names)
        except TrainingDataError as error:
            raise InvalidValueError(f"{path}.band_names", str(error)) from error
    if sensor is None or (count is None and named is None):
        return
    try:
        own = band_kinds(count or len(named or ()), sensor)
    except TrainingDataError as error:
        if named is None:
            raise InvalidValueError(f"{path}.sensor", str(error)) from error
        raise InvalidValueError(
            f"{path}.sensor", f"a sensor {sensor} has no {len(named)} bands as settings.band_names lists; leave it out"
        ) from error
    for number, (kind, other) in enumerate(zip(named or (), own, strict=False), start=1):
        if kind != other and UNKNOWN not in (kind, other):
            raise InvalidValueError(
                f"{path}.band_names[{number - 1}]",
                f"band {number} is {kind} by this list, but {other} of a sensor {sensor}; leave one of the two out",
            )
