"""The sample headers used last, in memory: a point query costs DuckDB one to three milliseconds, a label needs one."""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from al_loop.domain.samples import SampleHeader

Key = tuple[int, int]
"""Campaign id, sample id."""


class HeaderCache:
    """Least recently used headers, at most `size`. Whoever changes or removes a sample calls `forget`."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._headers: OrderedDict[Key, SampleHeader] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, keys: Iterable[Key]) -> dict[Key, SampleHeader]:
        """Those of the keys that are here."""
        found = {}
        with self._lock:
            for key in keys:
                header = self._headers.get(key)
                if header is not None:
                    self._headers.move_to_end(key)
                    found[key] = header
        return found

    def forget(self, key: Key) -> None:
        """Its sample was removed, or its image is another one now."""
        with self._lock:
            self._headers.pop(key, None)

    def add(self, headers: dict[Key, SampleHeader]) -> None:
        """Keep these, at the cost of those used longest ago."""
        with self._lock:
            self._headers.update(headers)
            while len(self._headers) > self._size:
                self._headers.popitem(last=False)
