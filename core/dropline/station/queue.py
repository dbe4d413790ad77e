"""The queue of a station: who waits, and who is served next.

Jobs of higher priority go first. Among those of one priority the *order* decides: first come, first
served; the shortest first, which makes the mean response time least (Schrage, 1968) and lets large
jobs wait longest; or a *lane for small jobs*, where large ones never hold all the workers.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from enum import StrEnum
from typing import Generic

from dropline.station.work import ItemT, Job

#: A job of up to this many bytes may use the small jobs' lane.
SMALL = 1 << 20


class Order(StrEnum):
    """Who goes next among jobs of the same priority."""

    FIFO = "fifo"
    SHORTEST = "shortest"
    SMALL_LANE = "small-lane"


_Entry = tuple[int, int, int, int]


class Queue(Generic[ItemT]):
    """Waiting jobs by id. Not thread-safe. A job that is *held* waits without being served."""

    def __init__(self) -> None:
        self._order = Order.FIFO
        self._jobs: dict[int, Job[ItemT]] = {}
        self._held: dict[int, Job[ItemT]] = {}
        self._behind = itertools.count(1)
        self._before = itertools.count(-1, -1)
        # Entries whose job has left or has another turn by now are skipped when they come up.
        self._small: list[_Entry] = []
        self._large: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._jobs) + len(self._held)

    def __iter__(self) -> Iterator[Job[ItemT]]:
        return itertools.chain(self._jobs.values(), self._held.values())

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._jobs or job_id in self._held

    @property
    def ready(self) -> int:
        """How many jobs could be served now."""
        return len(self._jobs)

    @property
    def order(self) -> Order:
        """Who goes next; may be changed at any time."""
        return self._order

    @order.setter
    def order(self, order: Order) -> None:
        self._order = order
        self._small, self._large = [], []
        for job in self._jobs.values():
            self._lane(job).append(self._entry(job))
        heapq.heapify(self._small)
        heapq.heapify(self._large)

    def add(self, job: Job[ItemT], *, first: bool = False) -> None:
        """Let a job join, behind the others of its priority or, `first`, before them."""
        job.turn = next(self._before if first else self._behind)
        self._jobs[job.id] = job
        heapq.heappush(self._lane(job), self._entry(job))

    def get(self, job_id: int) -> Job[ItemT]:
        """A job that is here. Raises KeyError."""
        job = self._jobs.get(job_id)
        return self._held[job_id] if job is None else job

    def remove(self, job_id: int) -> Job[ItemT] | None:
        """Take a job out, held or not; None when it is not here."""
        return self._jobs.pop(job_id, None) or self._held.pop(job_id, None)

    def hold(self, job_id: int) -> bool:
        """Let a job wait without being served; whether it was to be served."""
        job = self._jobs.pop(job_id, None)
        if job is not None:
            self._held[job_id] = job
        return job is not None

    def release(self, job_id: int) -> bool:
        """Let a held job take its turn again; whether it was held."""
        job = self._held.pop(job_id, None)
        if job is not None:
            self._jobs[job_id] = job
            heapq.heappush(self._lane(job), self._entry(job))
        return job is not None

    def prioritise(self, job_id: int, priority: int) -> bool:
        """Give a job another priority, behind the others that have it; whether it is here."""
        if job_id not in self:
            return False
        job = self.get(job_id)
        if job.priority != priority:
            job.priority = priority
            job.turn = next(self._behind)
            if job_id in self._jobs:
                heapq.heappush(self._lane(job), self._entry(job))
        return True

    def has_small(self) -> bool:
        """Whether a job of the small jobs' lane could be served."""
        return self._head(self._small) is not None

    def peek(self, *, large: bool = True) -> Job[ItemT] | None:
        """The job that is next; without `large` only small ones count."""
        small = self._head(self._small)
        big = self._head(self._large) if large else None
        if small is None or big is None:
            return small or big
        return min(small, big, key=self._entry)

    def pop(self, *, large: bool = True) -> Job[ItemT] | None:
        """Take the next job out."""
        job = self.peek(large=large)
        if job is not None:
            heapq.heappop(self._lane(job))
            del self._jobs[job.id]
        return job

    def _lane(self, job: Job[ItemT]) -> list[_Entry]:
        return self._small if job.size <= SMALL else self._large

    def _entry(self, job: Job[ItemT]) -> _Entry:
        size = job.size if self._order is Order.SHORTEST else 0
        return (-job.priority, size, job.turn, job.id)

    def _head(self, lane: list[_Entry]) -> Job[ItemT] | None:
        while lane:
            _, _, turn, job_id = lane[0]
            job = self._jobs.get(job_id)
            if job is not None and job.turn == turn:
                return job
            heapq.heappop(lane)
        return None
