"""Remembers the pictures that were asked for last, so that an annotator who goes to and fro waits once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class PictureCache:
    """Encoded pictures by key, the least recently used thrown out first. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pictures: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, draw: Callable[[], bytes]) -> bytes:
        """The picture of `key`, drawn where it is not remembered; errors of `draw` are passed on and not kept."""
        with self._lock:
            picture = self._pictures.get(key)
            if picture is not None:
                self._pictures.move_to_end(key)
                return picture
        picture = draw()
        with self._lock:
            self._bytes += len(picture) - len(self._pictures.pop(key, b""))
            self._pictures[key] = picture
            while self._bytes > self._max_bytes:
                _, oldest = self._pictures.popitem(last=False)
                self._bytes -= len(oldest)
        return picture
