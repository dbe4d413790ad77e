"""Which contents were sent, as far as this run remembers."""

from __future__ import annotations

import threading
from collections import OrderedDict

#: More than this many are not remembered: the oldest are forgotten first.
REMEMBERED = 100_000


class SentFiles:
    """The last contents that were sent: path, size in bytes, time of modification. Thread-safe."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._sent: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sent)

    def add(self, path: str, size: int, mtime_ns: int) -> None:
        """Remember it."""
        with self._lock:
            self._sent[path, size, mtime_ns] = None
            self._sent.move_to_end((path, size, mtime_ns))
            if len(self._sent) > self._most:
                self._sent.popitem(last=False)

    def holds(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether it is remembered."""
        with self._lock:
            return (path, size, mtime_ns) in self._sent
