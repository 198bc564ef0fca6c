"""The file of tokens: one line each with the person's name, the role, the hash and when it was made.

The secrets are not in it. They are 256 random bits, so a plain SHA-256 keeps them: there is nothing to guess, and no
slow hash delays every request. Fields are separated by tabs; empty lines and lines that begin with `#` are skipped.
"""

import logging
import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import get_args

import msgspec

from al_loop.domain.audit import Role
from al_loop.domain.names import person_key
from service.settings import SettingsError

logger = logging.getLogger("al_loop.tokens")

PREFIX = "al_"
ID_LENGTH = 8
MOST_NAME = 200
HASH_LENGTH = 64
FIELDS = 4


class TokenEntry(msgspec.Struct, frozen=True):
    """A token, without its secret."""

    name: str
    """Whose it is; labels carry this name."""
    role: Role
    """What it may do."""
    digest: str
    """SHA-256 of the secret, in hex."""
    created_at: datetime
    """When it was made."""

    @property
    def token_id(self) -> str:
        """The first digits of the hash, which tell the tokens of a person apart."""
        return self.digest[:ID_LENGTH]


def digest_of(secret: str) -> str:
    """SHA-256 of a secret, in hex."""
    return sha256(secret.encode()).hexdigest()


def read_tokens(path: Path) -> list[TokenEntry]:
    """The tokens of a file, in its order; a line that is none is logged by its number and skipped.

    Raises:
        OSError: It cannot be read.
    """
    entries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        entry = _parsed(line)
        if entry is None:
            logger.warning("line %d of %s is no token and is skipped; `al-loop token add` writes them", number, path)
        else:
            entries.append(entry)
    return entries


def add_token(path: Path, name: str, role: Role, now: datetime) -> str:
    """Append a new token to a file, which is made if missing; returns the secret, which nothing keeps.

    Raises:
        SettingsError: The name is empty, too long or has tabs or line ends, or differs from another one by case only.
        OSError: The file cannot be written.
    """
    name = name.strip()
    if not name or len(name) > MOST_NAME or not name.isprintable() or name.startswith("#"):
        raise SettingsError(f"a name has 1 to {MOST_NAME} characters on one line and no # in front, not {name!r}")
    known = read_tokens(path) if path.exists() else []
    others = [entry.name for entry in known if entry.name != name]
    alike = next((other for other in others if person_key(other) == person_key(name)), None)
    if alike is not None:
        raise SettingsError(f"there is a token of {alike!r}: {name!r} would be another annotator; use that name")
    secret = PREFIX + secrets.token_urlsafe(32)
    _write(path, [*known, TokenEntry(name, role, digest_of(secret), now)])
    return secret


def revoke_tokens(path: Path, which: str) -> list[TokenEntry]:
    """Take out all tokens of a person, or the one with this id; returns what was taken out.

    Raises:
        SettingsError: There is none.
        OSError: The file cannot be read or written.
    """
    known = read_tokens(path)
    gone = [entry for entry in known if which in (entry.name, entry.token_id)]
    if not gone:
        names = ", ".join(sorted({entry.name for entry in known})) or "no tokens at all"
        raise SettingsError(f"there is no token of {which!r} in {path}; it has {names}")
    _write(path, [entry for entry in known if entry not in gone])
    return gone


def _parsed(line: str) -> TokenEntry | None:
    fields = line.split("\t")
    if len(fields) != FIELDS or fields[1] not in get_args(Role) or len(fields[2]) != HASH_LENGTH:
        return None
    try:
        created_at = datetime.fromisoformat(fields[3])
    except ValueError:
        return None
    return TokenEntry(fields[0], fields[1], fields[2], created_at)  # type: ignore[arg-type]  # a role, checked above


def _write(path: Path, entries: Sequence[TokenEntry]) -> None:
    """Replace the file as a whole, readable by its owner alone; who reads meanwhile sees the old or the new one."""
    lines = ["# name, role, SHA-256 of the token, made at; written by `al-loop token`"]
    lines += [
        "\t".join((entry.name, entry.role, entry.digest, entry.created_at.astimezone(UTC).isoformat()))
        for entry in entries
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
