"""Settling: when has a file rested long enough to be taken?

A pure state machine. It is told what each look at a file showed and at what time, and says when to
look again and whether the file has rested: the same size and modification time, seen by two looks
far enough apart. A file that never rests waits for ever, and one that is gone is dropped.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

#: Looks are put off to multiples of this many seconds, so that files are taken many at a time.
GATHER = 0.125


@dataclass(slots=True)
class _File:
    """A file that waits: rested at `due` if it shows `content` until then; next look at `look`."""

    content: tuple[int, int]
    due: float
    look: float = math.inf


class Settling:
    """The files that wait to be at rest. All times are in seconds of one monotonic clock."""

    def __init__(self, settle: float, closed: float) -> None:
        """`settle`: how long a file must rest; `closed`: how long when its writer closed it."""
        self._settle = settle
        self._closed = min(closed, settle)
        self._files: dict[str, _File] = {}
        self._looks: list[tuple[float, str]] = []  # a heap; an item counts if its file says so too

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: str) -> bool:
        return path in self._files

    @property
    def waiting(self) -> tuple[str, ...]:
        """The paths that wait. Safe from any thread."""
        return tuple(self._files)  # one step of the interpreter

    def seen(
        self, path: str, size: int, mtime_ns: int, now: float, *, closed: bool = False
    ) -> bool:
        """A look showed the file like this; `closed`: its writer has just closed it.

        True when it has rested: then it waits no more, and a later look begins anew.
        """
        content = (size, mtime_ns)
        due = now + (self._closed if closed else self._settle)
        file = self._files.get(path)
        if file is None or file.content != content:
            look = math.inf if file is None else file.look
            file = self._files[path] = _File(content, due, look)
        elif now >= file.due:
            del self._files[path]
            return True
        elif closed:
            file.due = min(file.due, due)
        self._plan(path, file)
        return False

    def stirred(self, path: str, now: float) -> bool:
        """Somebody touches the file: it must rest anew from now on. False when it does not wait."""
        file = self._files.get(path)
        if file is not None:
            file.due = max(file.due, now + self._settle)
        return file is not None

    def gone(self, path: str) -> None:
        """A look showed no file there."""
        self._files.pop(path, None)

    def clear(self) -> None:
        """Nothing waits any more."""
        self._files.clear()
        self._looks.clear()

    @property
    def next_look(self) -> float:
        """When `due` will have something to look at; infinite when nothing waits."""
        return self._looks[0][0] if self._looks else math.inf

    def due(self, now: float, limit: int) -> Sequence[str]:
        """Up to `limit` files to look at now; tell of each what was `seen`, or that it is `gone`.

        There may be more while `next_look` is not in the future.
        """
        paths: list[str] = []
        while self._looks and self._looks[0][0] <= now and len(paths) < limit:
            look, path = heapq.heappop(self._looks)
            file = self._files.get(path)
            if file is None or file.look != look:
                continue  # taken, gone, or looked at earlier
            file.look = math.inf
            if file.due > now:  # stirred meanwhile
                self._plan(path, file)
            else:
                paths.append(path)
        return paths

    def _plan(self, path: str, file: _File) -> None:
        """See to it that the file is looked at when it is due, or before."""
        look = math.ceil(file.due / GATHER) * GATHER
        if look < file.look:
            file.look = look
            heapq.heappush(self._looks, (look, path))
