"""What can go wrong in the loop. `service/errors.py` maps each class to an HTTP status.

AlLoopError
    NotFoundError               unknown campaign, sample, query, round, version
    InvalidValueError           a value that breaks a rule; carries the path of the field
    UnsupportedError            named by the interface, not built yet (501)
    NotInstalledError           packages are missing (501)
    ConflictError               the state does not allow it now
        DuplicateCampaignError
        ArchivedError               the campaign is put away
        LeasedError                 the sample is leased to another annotator
        RoundRunningError           one round at a time per campaign
        PretrainingRunningError     one pretraining at a time per campaign
        NotEnoughLabelsError        says how many labels are missing
        NoModelError                nothing is promoted yet
        RejectedVersionError        a version that was rejected is not promoted unless it is forced
        CrowdedError                a sample has answers of very many annotators
        WithheldError               no suggestion for this image, on purpose
        KeyReusedError              an idempotency key of another request
        RepeatedRequestError        a request that was carried out before
    EmptyPoolError              nothing to choose from
    ArchiveError                a backup that cannot be restored
    StoreError
        StoreLockedError            another process owns the DuckDB file
        StoreFullError              the disk has no room; nothing was stored
        StoreClosedError
    ScaneoError
        ScaneoUnreachableError      down, too slow, or the connection broke
        ScaneoAnswerError           it answered with an error; carries status, detail and path
            ScaneoLockedError       its database is locked
        ScaneoFileError             its SQLite file cannot be read
"""

from collections.abc import Sequence
from pathlib import Path


class AlLoopError(Exception):
    """Base of every error that this package raises on purpose."""


class NotFoundError(AlLoopError, LookupError):
    """Nothing has that name or id."""

    def __init__(self, kind: str, name: object, hint: str = "") -> None:
        self.kind, self.name = kind, name
        super().__init__(f"no {kind} {name!r}" + (f"; {hint}" if hint else ""))


class InvalidValueError(AlLoopError, ValueError):
    """A value that breaks a rule. `path` is the JSON path of the field, as in `$.labels[2].classes[0]`."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{reason} - at `{path}`")


class UnsupportedError(AlLoopError):
    """Part of the interface that is not built yet."""


class NotInstalledError(AlLoopError):
    """This installation lacks packages that the work needs."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing_packages = list(missing)
        super().__init__(
            f"this installation cannot train ({', '.join(missing)} not installed): pip install 'al-loop[train]'"
        )


class ArchiveError(AlLoopError):
    """A backup that is none, is damaged, or cannot be restored here; the message says which and what to do."""


class ConflictError(AlLoopError):
    """The state does not allow this now."""


class RejectedVersionError(ConflictError):
    """A version that was rejected."""

    def __init__(self, version: str, reason: str) -> None:
        self.version, self.rejected_because = version, reason
        super().__init__(f"{version} was rejected ({reason}); promote it all the same with `force` true or --force")


class DuplicateCampaignError(ConflictError):
    """Campaign names are unique."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"campaign {name!r} exists already; choose another name or use the existing one")


class ArchivedError(ConflictError):
    """The campaign is put away."""

    def __init__(self, campaign: str) -> None:
        self.campaign = campaign
        super().__init__(f"campaign {campaign!r} is archived; bring it back with `al-loop archive {campaign} --undo`")


class LeasedError(ConflictError):
    """The sample is leased to another annotator."""

    def __init__(self, path: str, sample_id: int, annotator: str, expires_at: str) -> None:
        self.path, self.sample_id, self.annotator, self.expires_at = path, sample_id, annotator, expires_at
        super().__init__(
            f"sample {sample_id} is leased to {annotator!r} until {expires_at}; wait, ask for other samples, or send "
            f"the label with `override_lease` true - at `{path}`"
        )


class RoundRunningError(ConflictError):
    """One round at a time per campaign."""

    def __init__(self, campaign: str, number: int, state: str) -> None:
        self.campaign, self.number, self.state = campaign, number, state
        super().__init__(
            f"round {number} of campaign {campaign!r} is {state}; wait for it, cancel it, or send `queue` true to "
            "start another when it ends"
        )


class PretrainingRunningError(ConflictError):
    """One pretraining at a time per campaign."""

    def __init__(self, campaign: str, number: int, state: str) -> None:
        self.campaign, self.number, self.state = campaign, number, state
        super().__init__(f"pretraining {number} of campaign {campaign!r} is {state}; wait for it or cancel it")


class NotEnoughLabelsError(ConflictError):
    """The labels do not allow a training run yet; `missing` more are needed at least."""

    def __init__(self, reason: str, missing: int) -> None:
        self.reason, self.missing = reason, missing
        super().__init__(reason)


class CrowdedError(ConflictError):
    """A sample has answers of as many annotators as it may."""

    def __init__(self, sample_id: int, most: int) -> None:
        self.sample_id = sample_id
        super().__init__(
            f"sample {sample_id} would have answers of more than {most:,} annotators; give them to other samples"
        )


class NoModelError(ConflictError):
    """Nothing is promoted yet."""


class WithheldError(ConflictError):
    """The image belongs to the share that gets no suggestion; says nothing of the answer that was computed."""

    def __init__(self) -> None:
        super().__init__("No suggestion for this image on purpose: please label it unaided.")


class KeyReusedError(ConflictError):
    """An `Idempotency-Key` that stands for another request."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the Idempotency-Key {key!r} was used for another request; send a new key with each new request, and the "
            "old one only to repeat the very same request"
        )


class RepeatedRequestError(ConflictError):
    """The same request was carried out a moment ago; its answer is stored."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the request with the Idempotency-Key {key!r} was carried out before; ask again for its answer"
        )


class EmptyPoolError(AlLoopError, ValueError):
    """A strategy was asked to choose from no samples."""

    def __init__(self) -> None:
        super().__init__("the pool is empty: every sample is labelled or leased")


class StoreError(AlLoopError):
    """Base of the label store's own errors."""


class StoreLockedError(StoreError):
    """Another process owns the DuckDB file. `process_id` is None where the operating system does not tell."""

    def __init__(self, directory: Path, process_id: int | None) -> None:
        self.process_id = process_id
        holder = "another process" if process_id is None else f"another process (pid {process_id})"
        super().__init__(
            f"the data directory {directory} is in use by {holder}; stop that service, or use another directory"
        )


class StoreFullError(StoreError):
    """The disk has no room for what was to be stored; nothing of it was."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the data directory's disk is full and nothing was stored ({reason}); send it again once there is room"
        )


class StoreClosedError(StoreError):
    """The store was used after `close`."""


class ScaneoError(AlLoopError):
    """Trouble with SCANEO."""


class ScaneoUnreachableError(ScaneoError):
    """Nothing answers there, or not in time."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        super().__init__(f"SCANEO at {url} does not answer ({reason}); is it running, and is this its address?")


class ScaneoAnswerError(ScaneoError):
    """SCANEO refused."""

    def __init__(self, status: int, detail: str, path: str) -> None:
        self.status, self.detail, self.path = status, detail, path
        super().__init__(f"SCANEO refused {path}: {detail} (status {status})")


class ScaneoLockedError(ScaneoAnswerError):
    """Its database is locked: every write fails until the connection that holds the lock is collected."""

    def __init__(self, status: int, detail: str, path: str) -> None:
        super().__init__(status, detail, path)
        self.args = (f"SCANEO's database is locked ({detail}); restart SCANEO if this goes on",)


class ScaneoFileError(ScaneoError):
    """SCANEO's SQLite file cannot be read."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(
            f"SCANEO's database {path} cannot be read ({reason}); it is the file scaneo.db in its cache directory, and "
            "linking without it works as well"
        )
