"""What can go wrong with imagery and models.

ModelsError
    RasterError                 a file or an upload is not a raster that we take
        UnreadableRasterError       not a raster, truncated, empty, or a driver outside the allow-list
        RasterTooLargeError         the header claims more pixels than the limit
        PathOutsideRootError        a path that leaves the directory it must lie in
    UnusableRasterError         a readable raster that this model or campaign cannot use (bands, all nodata)
    RegistryError
        VersionNotFoundError        no such version in the registry
        VersionExistsError          versions are immutable: a name is used once
        CorruptVersionError         a file is missing or its digest differs from the card
    NoPlaceError                a CRS from which PROJ knows no way to another
    UnknownCrsError             text that names no CRS, or names one in a way that is not taken
    BandMathsError              text that is no band maths, or more than is taken
    UnknownTaskError            the model has no head for that task
    TrainingDataError           a manifest that cannot be trained on (too few labels, one class)
        UnreadableSampleError       a sample whose file broke; the run goes on without it
        ShippedWeightsError         the weights of the default encoder are missing here, or are not what they should be
    ExportParityError           the ONNX file and torch disagree
    SuperResolutionError        images that are no pair, or a model of super-resolution that cannot be made or used
    PromptableModelError        the operator's promptable ONNX file is not what it has to be
    ScoringError                samples that cannot be scored or ranked
        AllNodataError              rows of probabilities without a valid pixel
        NonFiniteScoresError        NaN or infinite scores; carries the sample ids
    OverloadedError             more is waiting than can be answered soon
    NotWantedError              nobody waits for the answer any more
"""

from pathlib import Path

from al_loop_records.texts import printable as printable


class ModelsError(Exception):
    """Base of every error that this package raises on purpose."""


class RasterError(ModelsError, ValueError):
    """A file or an upload is not a raster that we take."""


class UnreadableRasterError(RasterError):
    """Not a raster, truncated, empty, or of a driver outside the allow-list."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, printable(reason)
        super().__init__(f"{printable(name)}: {self.reason}")


class MissingRasterError(UnreadableRasterError):
    """There is no such file: it may come back as it was."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "there is no such file")


class RasterTooLargeError(RasterError):
    """The header claims more pixels than the limit; no pixel was read."""

    def __init__(self, name: str, width: int, height: int, bands: int, limit: int, unit: str = "values") -> None:
        self.name, self.width, self.height, self.bands, self.limit = name, width, height, bands, limit
        super().__init__(
            f"{printable(name)}: {width} x {height} px x {bands} bands is over the limit of {limit} {unit}; "
            "cut the scene into smaller files"
        )


class PathOutsideRootError(RasterError):
    """A path that leaves the directory it must lie in; nothing was opened."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{printable(repr(path))}: {reason}")


class UnusableRasterError(ModelsError, ValueError):
    """A raster we can read but the model or the campaign cannot use."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{printable(name)}: {reason}")


class RegistryError(ModelsError):
    """Base of the registry's errors."""


class VersionNotFoundError(RegistryError, LookupError):
    """No such version in the registry."""

    def __init__(self, version: str, known: list[str]) -> None:
        self.version, self.known = version, known
        super().__init__(f"no model version {version!r}; known: {', '.join(known) or 'none yet'}")


class VersionExistsError(RegistryError):
    """Versions are immutable: a name is used once."""

    def __init__(self, version: str) -> None:
        self.version = version
        super().__init__(f"model version {version!r} exists already; versions are never rewritten")


class CorruptVersionError(RegistryError):
    """A file of a version is missing or does not match the digest in its card."""

    def __init__(self, version: str, reason: str) -> None:
        self.version, self.reason = version, reason
        super().__init__(f"model version {version!r} is corrupt: {reason}; promote another version or retrain")


class ForeignModelError(ModelsError, ValueError):
    """An ONNX file from elsewhere, or what is said about it, that cannot be taken; the message says what to do."""


class SuperResolutionError(ModelsError, ValueError):
    """Images that are no pair, or a model of super-resolution that cannot be made or used; the message says which."""


class UnknownCrsError(ModelsError, ValueError):
    """Text that names no CRS that PROJ knows, or names it in a way that is not taken."""

    def __init__(self, text: str, reason: str) -> None:
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        super().__init__(
            f"{shown!r} is no CRS that PROJ knows{reason and f' ({reason})'}; send a code of EPSG, ESRI, IGNF or OGC "
            "(EPSG:32631), a URN (urn:ogc:def:crs:OGC:1.3:CRS84), or WKT 1 or 2 that names no grid files"
        )


class NoPlaceError(ModelsError, ValueError):
    """No way from one CRS to another, as from a local one, or one of another planet, to longitude and latitude."""


class BandMathsError(ModelsError, ValueError):
    """Text that is no band maths, or more than is taken."""

    def __init__(self, text: str, reason: str) -> None:
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        super().__init__(f"{shown!r} is no band maths: {reason}; an example is (b8-b4)/(b8+b4)")


class UnknownTaskError(ModelsError, LookupError):
    """The model has no head for that task."""

    def __init__(self, task: str, known: list[str]) -> None:
        self.task, self.known = task, known
        super().__init__(f"the model does not do {task}; it does {', '.join(known) or 'embeddings only'}")


class TrainingDataError(ModelsError, ValueError):
    """A manifest that cannot be trained on."""


class ShippedWeightsError(TrainingDataError):
    """The weights of the default encoder are missing here, or are not what they should be."""


class UnreadableSampleError(TrainingDataError):
    """A sample whose file broke after the snapshot was taken; the run goes on without it."""

    def __init__(self, sample_id: int, reason: str) -> None:
        self.sample_id, self.reason = sample_id, reason
        super().__init__(f"sample {sample_id} cannot be read: {reason}")


class ExportParityError(ModelsError):
    """The exported ONNX file and torch disagree by more than the tolerance."""

    def __init__(self, differences: dict[str, float], tolerance: float) -> None:
        self.differences, self.tolerance = differences, tolerance
        worst = ", ".join(f"{name}: {value:.2e}" for name, value in sorted(differences.items()))
        super().__init__(f"ONNX and torch differ by more than {tolerance:.0e} ({worst}); the version is refused")


class SceneError(ModelsError, ValueError):
    """A prediction of a whole scene cannot go on; says why, and what to do."""


class PromptableModelError(ModelsError):
    """The operator's promptable ONNX file has the wrong inputs or outputs."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"promptable model {path}: {reason}")


class OverloadedError(ModelsError):
    """More is waiting than can be answered soon; `retry_after_s` says when to come back."""

    def __init__(self, waiting: int, retry_after_s: float, what: str = "predictions") -> None:
        self.waiting, self.retry_after_s = waiting, max(1.0, retry_after_s)
        super().__init__(f"{waiting} {what} are waiting already; try again in {self.retry_after_s:.0f} s")


class NotWantedError(ModelsError):
    """Nobody waits for the answer any more."""

    def __init__(self) -> None:
        super().__init__("the client has gone; the work was ended")


class ScoringError(ModelsError, ValueError):
    """Samples that cannot be scored or ranked."""


class AllNodataError(ScoringError):
    """Rows of a batch of probabilities have no valid pixel, so they have no score. `rows` are their numbers."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows
        super().__init__(f"no valid pixel in rows {_some(rows)}; leave them out of the pool")


class NonFiniteScoresError(ScoringError):
    """NaN or infinite scores or embeddings. `sample_ids` says whose."""

    def __init__(self, what: str, sample_ids: list[int]) -> None:
        self.what, self.sample_ids = what, sample_ids
        super().__init__(f"{what} of samples {_some(sample_ids)} are not finite; score them again")


def _some(numbers: list[int], most: int = 10) -> str:
    """The first few numbers, and how many more there are."""
    shown = ", ".join(str(number) for number in numbers[:most])
    return shown + (f" and {len(numbers) - most} more" if len(numbers) > most else "")


class NoSuchTaskError(ModelsError, LookupError):
    """No task of that name is built or registered."""

    def __init__(self, task: str, known: list[str]) -> None:
        self.task, self.known = task, known
        super().__init__(f"there is no task {task!r}; the tasks are {', '.join(known)}")
