"""Who asks: the tokens of the settings and of the token file, which is read again whenever it has changed."""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from threading import RLock

import msgspec

from al_loop.domain.audit import Role
from service.access.token_file import TokenEntry, digest_of, read_tokens
from service.settings import Settings

logger = logging.getLogger("al_loop.tokens")

Stamp = tuple[int, int, int] | None


class Identity(msgspec.Struct, frozen=True):
    """Whom a token stands for."""

    role: Role
    name: str | None = None
    """The person; None: a token that many share."""


class Tokens:
    """All tokens that the service takes. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        """Read the token file, if one is set; it may vanish later, which revokes all of its tokens."""
        self._shared = {digest_of(token): Identity(role) for token, role in settings.roles.items()}
        self._path: Path | None = settings.tokens_file
        self._reading = RLock()
        self._stamp: Stamp = None
        self._entries: list[TokenEntry] = []
        self.on_change: Callable[[], None] = lambda: None
        """Called after the file was read again, with whoever asks for tokens waiting."""
        self.required = bool(self._shared) or self._path is not None
        """Whether every request needs a token."""

    def find(self, secret: str) -> Identity | None:
        """Whom a token stands for; None: it is not known, or not any more.

        Every known hash is compared, in constant time.
        """
        given = digest_of(secret)
        found: Identity | None = None
        for digest, identity in self._shared.items():
            if secrets.compare_digest(digest, given):
                found = identity
        for entry in self.entries():
            if secrets.compare_digest(entry.digest, given):
                found = Identity(entry.role, entry.name)
        return found

    def entries(self) -> list[TokenEntry]:
        """Tokens of the file as it is now."""
        if self._path is None:
            return []
        if _stamp(self._path) != self._stamp:
            with self._reading:
                stamp = _stamp(self._path)  # before the file: a change while it is read is seen the next time
                if stamp != self._stamp:
                    self._entries, self._stamp = self._read(self._path), stamp
                    self.on_change()
        return self._entries

    def _read(self, path: Path) -> list[TokenEntry]:
        try:
            entries = read_tokens(path)
        except (OSError, UnicodeDecodeError) as error:
            logger.error("%s cannot be read, so none of its tokens is taken: %s", path, error)
            return []
        logger.info("%s has %d tokens", path, len(entries))
        return entries


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return status.st_mtime_ns, status.st_size, status.st_ino
