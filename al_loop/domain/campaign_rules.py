"""What a campaign may be and how it may change. Pure checks that name the JSON path of the field at fault."""

import math
import re
from collections.abc import Sequence

from al_loop.domain.band_rules import check_bands
from al_loop.domain.campaigns import CampaignSettings, View, ViewSettings, WindowSettings
from al_loop.domain.line_widths import LineSettings
from al_loop.domain.patterns import read_pattern
from al_loop.domain.queries import QueryUnit
from al_loop.errors import InvalidValueError
from models.card import TaskSpec
from models.errors import BandMathsError
from models.pictures.band_maths import read_band_maths
from models.pretrain_config import ENCODER_NAME, OTHER_PLACES
from models.tasks import task_kinds, task_of

NAME = re.compile(r"[a-z0-9-]{1,64}")
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


def check_campaign(
    name: str, tasks: Sequence[TaskSpec], bands: Sequence[int] | None, settings: CampaignSettings
) -> None:
    """Refuse what no campaign may have.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    check_name(name)
    if not tasks:
        raise InvalidValueError("$.tasks", "a campaign needs at least one task")
    for position, spec in enumerate(tasks):
        path = f"$.tasks[{position}]"
        if spec.task in {earlier.task for earlier in tasks[:position]}:
            raise InvalidValueError(f"{path}.task", f"{spec.task} is listed twice; a task may appear once only")
        if spec.multi_label and not task_kinds()[spec.task].takes_several:
            able = [name for name, kind in task_kinds().items() if kind.takes_several]
            raise InvalidValueError(f"{path}.multi_label", f"multi_label is for {' and '.join(able)} only")
        least, most = task_of(spec).class_bounds
        if not least <= len(spec.classes) <= most:
            raise InvalidValueError(
                f"{path}.classes",
                f"{spec.task} needs at least {least} classes and at most {most}, got {len(spec.classes)}",
            )
        for index, label in enumerate(spec.classes):
            if not label.strip():
                raise InvalidValueError(f"{path}.classes[{index}]", "a class needs a name")
            if CONTROL_CHARACTERS.search(label):
                raise InvalidValueError(f"{path}.classes[{index}]", f"{label!r} holds a control character")
            if label in spec.classes[:index]:
                raise InvalidValueError(
                    f"{path}.classes[{index}]", f"class {label!r} is listed twice; names are unique"
                )
    if bands is not None:
        if not bands:
            raise InvalidValueError("$.bands", "list at least one band, or null for all")
        for index, band in enumerate(bands):
            if band < 1 or band in bands[:index]:
                raise InvalidValueError(f"$.bands[{index}]", f"{band} is not a band number from 1 that is listed once")
    check_settings(settings, "$.settings")
    check_unit(settings.query.unit, tasks, "$.settings.query.unit")
    check_line_classes(settings.lines, tasks, "$.settings.lines")


def check_name(name: str) -> None:
    """Refuse what cannot name a campaign.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    if not NAME.fullmatch(name):
        raise InvalidValueError("$.name", f"{name!r} is not 1 to 64 of the characters a-z, 0-9 and -")


def check_growth(old: Sequence[TaskSpec], new: Sequence[TaskSpec]) -> None:
    """Refuse new tasks that do more than append classes and tasks to the old ones.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    positions = {spec.task: position for position, spec in enumerate(new)}
    for spec in old:
        position = positions.get(spec.task)
        if position is None:
            raise InvalidValueError("$.tasks", f"{spec.task} cannot be dropped: it may have labels and models")
        grown, path = new[position], f"$.tasks[{position}]"
        if grown.multi_label != spec.multi_label:
            raise InvalidValueError(f"{path}.multi_label", "cannot change: labels were given under the other rule")
        if grown.classes[: len(spec.classes)] != spec.classes:
            raise InvalidValueError(
                f"{path}.classes", f"new classes go to the end; the old ones stay as they are: {spec.classes}"
            )


def point_task(tasks: Sequence[TaskSpec]) -> TaskSpec | None:
    """The task that queries about points ask: the first that is answered for each pixel; None: there is none."""
    return next((spec for spec in tasks if task_of(spec).per_pixel), None)


def check_unit(unit: QueryUnit, tasks: Sequence[TaskSpec], path: str) -> None:
    """Refuse queries about points where no task is answered for each pixel.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    if unit == "point" and point_task(tasks) is None:
        able = " or ".join(name for name, kind in task_kinds().items() if kind.per_pixel)
        raise InvalidValueError(path, f"only {able} is asked about points; send `image`")


def check_line_classes(lines: LineSettings, tasks: Sequence[TaskSpec], path: str = "$.lines") -> None:
    """Refuse widths of classes that no task with lines has: a name that is misspelt would have no effect.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    known = list(dict.fromkeys(name for spec in tasks if task_of(spec).per_pixel for name in spec.classes))
    for name in lines.class_width_m:
        if name not in known:
            listed = ", ".join(known) or "none: no task is answered with areas"
            raise InvalidValueError(
                f"{path}.class_width_m", f"no class {name!r} is drawn as a line; there are {listed}"
            )


def check_settings(settings: CampaignSettings, path: str = "$") -> None:
    """Refuse settings that would fail later: patterns, quotas, views, names of encoders.

    Args:
        settings: The campaign's.
        path: Where they are in what the client sent.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    _check_pattern(settings.reserve.group_pattern, f"{path}.reserve.group_pattern", groups=1)
    check_spread(settings, f"{path}.query.spread")
    check_views(settings.view, f"{path}.view")
    check_bands(settings, None, path)
    check_windows(settings.windows, f"{path}.windows")
    if not ENCODER_NAME.fullmatch(settings.model.encoder):
        raise InvalidValueError(f"{path}.model.encoder", f"{settings.model.encoder!r} is {OTHER_PLACES}")


def check_windows(windows: WindowSettings | None, path: str = "$.windows") -> None:
    """Refuse windows that overlap by more than half.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    if windows is not None and 2 * windows.overlap_px > windows.size_px:
        raise InvalidValueError(
            f"{path}.overlap_px",
            f"{windows.overlap_px} px is more than half of a window of {windows.size_px} px; choose a smaller overlap "
            "or larger windows",
        )


def check_spread(settings: CampaignSettings, path: str = "$.settings.query.spread") -> None:
    """Refuse a quota without groups, and a `group_pattern` that is no regular expression.

    Args:
        settings: The campaign's.
        path: Where the spread is in what the client sent.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    spread = settings.query.spread
    _check_pattern(spread.group_pattern, f"{path}.group_pattern")
    if spread.max_per_group is not None and spread.group_pattern is None:
        raise InvalidValueError(
            f"{path}.max_per_group", "a quota needs a group_pattern that names the group, such as (S2[AB])_"
        )


def check_views(settings: ViewSettings, path: str = "$.settings.view") -> None:
    """Refuse views that cannot be drawn, and two of one name or key. Bands are not compared with those of the files.

    Args:
        settings: The campaign's.
        path: Where they are in what the client sent.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    for number, view in enumerate(settings.views):
        where, earlier = f"{path}.views[{number}]", settings.views[:number]
        if view.name in {other.name for other in earlier}:
            raise InvalidValueError(f"{where}.name", f"{view.name!r} is listed twice; names are unique")
        if view.key is not None and view.key in {other.key for other in earlier}:
            raise InvalidValueError(f"{where}.key", f"{view.key!r} switches to another view already")
        _check_view(view, where)
    _check_limits(settings.limits, f"{path}.limits")


def _check_view(view: View, path: str) -> None:
    if (view.bands is None) == (view.expression is None):
        raise InvalidValueError(path, "give either `bands` or `expression`")
    if view.bands is not None and (len(view.bands) not in (1, 3) or min(view.bands) < 1):
        raise InvalidValueError(f"{path}.bands", "give one band, or three for red, green and blue; the first band is 1")
    count = len(view.bands or ())
    if view.expression is not None:
        try:
            count = len(read_band_maths(view.expression).blocks)
        except BandMathsError as error:
            raise InvalidValueError(f"{path}.expression", str(error)) from error
    if view.colormap is not None and count != 1:
        raise InvalidValueError(f"{path}.colormap", "a colour map is for views with one channel")
    if view.limits is not None and len(view.limits) != count:
        raise InvalidValueError(f"{path}.limits", f"give {count} pairs, one for each channel; got {len(view.limits)}")
    _check_limits(view.limits, f"{path}.limits")


def _check_limits(limits: Sequence[tuple[float, float]] | None, path: str) -> None:
    for number, (low, high) in enumerate(limits or ()):
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise InvalidValueError(f"{path}[{number}]", f"{low} is not below {high}")


def _check_pattern(pattern: str | None, path: str, *, groups: int = 0) -> None:
    if pattern is not None and read_pattern(pattern, path).groups < groups:
        raise InvalidValueError(path, "needs one group, as in ^(tile[0-9]+)_")
