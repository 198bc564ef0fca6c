"""Model versions as immutable directories, and the one that serves: files, digests and renames, nothing else.

<root>/v3/{model.onnx, card.json, ...}      read-only files; card.json is written last and seals the rest with digests
<root>/current.json                         {"version": "v3"}, replaced atomically
<root>/.staging-*                           leftovers of a crash; `clean` removes them
"""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

import msgspec

from models.card import ModelCard
from models.errors import CorruptVersionError, RegistryError, VersionExistsError, VersionNotFoundError
from models.files import STAGING_PREFIX, sync, sync_directory, write_atomically

CARD_FILE = "card.json"
ONNX_FILE = "model.onnx"
_CURRENT_FILE = "current.json"
_VERSION = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class _Current(msgspec.Struct, frozen=True):
    version: str | None


class ModelRegistry:
    """The versions of one campaign. Safe to use from several threads and processes."""

    def __init__(self, root: Path) -> None:
        """Use `root`, made when it is missing."""
        root.mkdir(parents=True, exist_ok=True)
        self.root = root

    def publish(self, version: str, staged: Path, card: ModelCard) -> ModelCard:
        """Take files into a new version and seal it: by hard links, or copies where the file system has none.

        Either the whole version appears, or nothing does: files are written to a staging directory, flushed to disk
        and renamed into place in one step.

        Args:
            version: Its name: lower-case letters, digits, `.`, `_` and `-`, at most 64 characters.
            staged: Directory with `model.onnx` and other plain files; nobody may write into these any more, as they
                may be one with those of the version. They can be removed.
            card: The card; its version must be `version`, its digests are computed here.

        Returns:
            The card with digests.

        Raises:
            RegistryError: A bad name, no `model.onnx`, or a card of another version.
            VersionExistsError: The name is taken.
            OSError: The files could not be written (a full disk); nothing was published.
        """
        final = self._final(version)
        if card.version != version:
            raise RegistryError(f"the card is of version {card.version!r}, not {version!r}")
        if final.exists():
            raise VersionExistsError(version)
        names = sorted(path.name for path in staged.iterdir() if path.is_file() and path.name != CARD_FILE)
        if ONNX_FILE not in names:
            raise RegistryError(f"{staged} holds no {ONNX_FILE}")
        staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=self.root))
        try:
            digests = {name: _take(staged / name, staging / name) for name in names}
            sealed = msgspec.structs.replace(card, digests=digests)
            with write_atomically(staging / CARD_FILE, read_only=True) as file:
                file.write(msgspec.json.format(msgspec.json.encode(sealed), indent=1))
            staging.chmod(0o755)
            self._rename(staging, final, version)
        except BaseException:
            _remove_tree(staging)
            raise
        return sealed

    def remove(self, version: str) -> None:
        """Remove the files of a version for good, if there are any. It must not serve.

        Raises:
            RegistryError: It serves, or the name is none of a version.
            OSError: A file could not be removed.
        """
        final = self._final(version)
        if version == self.current():
            raise RegistryError(f"{version} serves and cannot be removed")
        if final.is_dir():
            leaving = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=self.root))
            final.rename(leaving / version)  # in one step: half a version is never seen
            sync_directory(self.root)
            _remove_tree(leaving)

    def versions(self) -> list[str]:
        """Names of all versions, numbers in them in numeric order: v2 before v10."""
        names = [path.name for path in self.root.iterdir() if path.is_dir() and _VERSION.fullmatch(path.name)]
        return sorted(names, key=_natural)

    def path(self, version: str) -> Path:
        """Directory of a version.

        Raises:
            VersionNotFoundError: There is none of that name.
        """
        if not _VERSION.fullmatch(version) or not (self.root / version).is_dir():
            raise VersionNotFoundError(version, self.versions())
        return self.root / version

    def card(self, version: str) -> ModelCard:
        """Card of a version; its other files are not looked at.

        Raises:
            VersionNotFoundError: There is none of that name.
            CorruptVersionError: The card is missing or not a card.
        """
        directory = self.path(version)
        try:
            card = read_card(directory)
        except (OSError, msgspec.MsgspecError) as error:
            raise CorruptVersionError(version, f"{CARD_FILE}: {error}") from error
        if card.version != version:
            raise CorruptVersionError(version, f"{CARD_FILE} is of version {card.version!r}")
        return card

    def verify(self, version: str) -> ModelCard:
        """Card of a version after every file was compared with its digest.

        Raises:
            VersionNotFoundError: There is none of that name.
            CorruptVersionError: A file is missing, unreadable or changed.
        """
        card = self.card(version)
        if ONNX_FILE not in card.digests:
            raise CorruptVersionError(version, f"{CARD_FILE} has no digest of {ONNX_FILE}")
        for name, digest in card.digests.items():
            if Path(name).name != name:
                raise CorruptVersionError(version, f"{CARD_FILE} names {name!r}, which is no file of this version")
            try:
                with (self.root / version / name).open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise CorruptVersionError(version, f"{name}: {error.strerror}") from error
            if found != digest:
                raise CorruptVersionError(version, f"{name} does not match its digest")
        return card

    def current(self) -> str | None:
        """Name of the version that serves, or None. It is not checked here.

        Raises:
            RegistryError: `current.json` is damaged.
        """
        try:
            return msgspec.json.decode((self.root / _CURRENT_FILE).read_bytes(), type=_Current).version
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise RegistryError(f"{self.root / _CURRENT_FILE} is damaged ({error}); promote a version again") from error

    def set_current(self, version: str | None) -> None:
        """Make a version the one that serves, after checking its digests; None: nothing serves.

        Raises:
            VersionNotFoundError: There is none of that name.
            CorruptVersionError: Its files do not match its card.
        """
        if version is not None:
            self.verify(version)
        with write_atomically(self.root / _CURRENT_FILE, read_only=True) as file:
            file.write(msgspec.json.encode(_Current(version)))

    def clean(self) -> list[str]:
        """Remove the staging folders of a crash and return their names. Call it only while nothing is published."""
        leftovers = sorted(self.root.glob(STAGING_PREFIX + "*"))
        for path in leftovers:
            _remove_tree(path)
        return [path.name for path in leftovers]

    def _final(self, version: str) -> Path:
        if not _VERSION.fullmatch(version) or version == _CURRENT_FILE:
            raise RegistryError(
                f"{version!r} cannot name a version: use lower-case letters, digits, '.', '_' and '-', at most 64"
            )
        return self.root / version

    def _rename(self, staging: Path, final: Path, version: str) -> None:
        """Move the finished directory into place; renaming onto a version that has files fails on every system."""
        try:
            staging.rename(final)
        except OSError as error:
            if final.exists():
                raise VersionExistsError(version) from error
            raise
        sync_directory(self.root)


def read_card(directory: Path) -> ModelCard:
    """Decode `card.json` of a version's directory.

    Raises:
        OSError: There is none, or it is unreadable.
        msgspec.MsgspecError: It is not a card.
    """
    return msgspec.json.decode((directory / CARD_FILE).read_bytes(), type=ModelCard)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key: runs of digits by value, before other characters."""
    return [(int(digits), "") if digits else (-1, text) for digits, text in re.findall(r"(\d+)|(\D+)", name)]


def _take(source: Path, target: Path) -> str:
    """Give a file a second name, or copy it where that cannot be; it is on disk then. Returns its sha256."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    with target.open("rb") as file:  # bytes of another descriptor are synced, too
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        sync(file, read_only=True)
    return digest


def _remove_tree(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
