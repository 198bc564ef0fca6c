"""Regular expressions of users: matched by RE2, in time that grows with the text and never faster.

Python's own engine may take years for a pattern such as `^(a+)+$`, and nothing else of the process runs meanwhile.
"""

from typing import Any

import re2

from al_loop.errors import InvalidValueError

MOST_MEMORY = 8 << 20
"""Bytes of a compiled pattern, at most."""


def read_pattern(text: str, path: str) -> Any:  # noqa: ANN401  # re2 has no types
    """The compiled pattern: `search`, and `groups`, as those of Python.

    Raises:
        InvalidValueError: It is none, or needs what cannot be matched in linear time; with the JSON path of the field.
    """
    options = re2.Options()
    options.log_errors, options.max_mem = False, MOST_MEMORY
    try:
        return re2.compile(text, options)
    except (re2.error, UnicodeError) as error:
        cause = error.args[0] if error.args else error
        reason = cause.decode(errors="replace") if isinstance(cause, bytes) else str(cause)
        raise InvalidValueError(
            path,
            f"not a regular expression that takes linear time ({reason[:200]}); it cannot look ahead or behind, refer "
            "back to a group, or repeat anything more than 1,000 times",
        ) from error


def first_group(pattern: Any, text: str) -> str | None:  # noqa: ANN401  # as above
    """The first group of the first match, or the whole match of a pattern without groups; None: no match."""
    match = pattern.search(text)
    found: str | None = None if match is None else match.group(1 if pattern.groups else 0)
    return found
