"""Jobs that wait out of memory: only their ids are kept here, the rest is fetched when needed.

A job in memory takes most of a kilobyte, its id eight bytes, and ids that follow each other, as
those of a folder's files do, nothing but their bounds; so of a million files that wait in
first-come order, the first few thousand are in memory and the others on the shelf.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dropline.compact import compact


@dataclass(slots=True)
class _Batch:
    """Jobs that arrived at one time, by ascending id."""

    arrived: float
    ids: Sequence[int]


class Shelf:
    """Ids of jobs in the order of their arrival, with the time of it. Not thread-safe."""

    def __init__(self) -> None:
        self._batches: deque[_Batch] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return ((job, batch.arrived) for batch in self._batches for job in batch.ids)

    def add(self, jobs: Iterable[int], arrived: float) -> None:
        """Put jobs at the end."""
        ids = compact(jobs)
        if ids:
            self._batches.append(_Batch(arrived, ids))
            self._count += len(ids)

    def take(self, count: int) -> dict[int, float]:
        """Take the first jobs off, whole batches, at least `count` jobs if there are as many."""
        taken: dict[int, float] = {}
        while self._batches and len(taken) < count:
            batch = self._batches.popleft()
            taken.update((job, batch.arrived) for job in batch.ids)
        self._count -= len(taken)
        return taken

    def pick(self, jobs: Collection[int]) -> dict[int, float]:
        """Take these jobs off, as far as they are here."""
        wanted = sorted(jobs)
        picked: dict[int, float] = {}
        for batch in self._batches:
            first = bisect_left(wanted, batch.ids[0])
            last = bisect_left(wanted, batch.ids[-1] + 1)
            if first == last:
                continue
            here = set(wanted[first:last]).intersection(batch.ids)
            picked.update((job, batch.arrived) for job in here)
            batch.ids = compact(job for job in batch.ids if job not in here)
        if picked:
            self._batches = deque(batch for batch in self._batches if batch.ids)
            self._count -= len(picked)
        return picked
