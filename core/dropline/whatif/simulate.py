"""The jobs of a trace through c workers, in the orders that the station knows.

First come, first served is the recursion of J. Kiefer and J. Wolfowitz ("On the Theory of Queues
with Many Servers", 1955): each job begins as soon as it is here and the first worker is free. The
other orders go from decision to decision: whenever a worker is free, the queue says who is next.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush, heapreplace
from math import inf
from typing import Protocol

import numpy as np

from dropline.station import SMALL, Order
from dropline.whatif.outcome import Outcome
from dropline.whatif.trace import Integers, Trace


def simulate(trace: Trace, workers: int, order: Order = Order.FIFO) -> Outcome:
    """How the jobs of `trace` fare with this many workers, no job being interrupted.

    Of jobs that arrive at one time the first in the log goes first, unless the order says
    otherwise; jobs that arrive at the moment at which a worker becomes free are among those of
    which it takes the next. Shortest first goes by size; where a log tells none, or one size for
    all, by service time, as if that were known beforehand.

    Raises ValueError for less than one worker, or an order that needs sizes that nobody knows.
    """
    if workers < 1:
        raise ValueError(f"{workers} workers: a job needs at least one to be served")
    match order:
        case Order.FIFO:
            starts = _first_come(trace, workers)
        case Order.SHORTEST:
            starts = _by_turns(trace, workers, _Shortest(trace))
        case Order.SMALL_LANE:
            if trace.sizes is None:
                raise ValueError(
                    f"the order {order} needs the size of every job, which the log doesn't tell: "
                    "record one anew"
                )
            starts = _by_turns(trace, workers, _Lane(trace.sizes, workers))
    begun = np.array(starts, dtype=np.float64)
    return Outcome(trace.arrivals, begun, begun + trace.services)


def _first_come(trace: Trace, workers: int) -> list[float]:
    """When each job begins."""
    free = [-inf] * min(workers, len(trace))  # a heap: from when on each worker is free
    starts = []
    for arrived, service in zip(trace.arrivals.tolist(), trace.services.tolist(), strict=True):
        start = free[0]
        if start < arrived:
            start = arrived
        heapreplace(free, start + service)
        starts.append(start)
    return starts


class _Queue(Protocol):
    """Who waits, by number in the trace."""

    def __len__(self) -> int: ...

    def join(self, job: int) -> None: ...

    def next(self) -> int:
        """Take out who is served next."""

    def done(self, job: int) -> None:
        """Take note that a job has been served."""


def _by_turns(trace: Trace, workers: int, queue: _Queue) -> list[float]:
    """When each job begins, if `queue` says who is next."""
    arrivals, services = [*trace.arrivals.tolist(), inf], trace.services.tolist()
    starts = [0.0] * len(trace)
    busy: list[tuple[float, int]] = []  # a heap: when each job in service ends
    come, arrived = 0, arrivals[0]
    while come < len(trace) or queue:
        # Whoever waits does so because all workers are busy.
        now = busy[0][0] if queue else arrived
        while busy and busy[0][0] <= now:
            queue.done(heappop(busy)[1])
        while arrived <= now:
            queue.join(come)
            come += 1
            arrived = arrivals[come]
        while queue and len(busy) < workers:
            job = queue.next()
            starts[job] = now
            heappush(busy, (now + services[job], job))
    return starts


class _Shortest:
    """The shortest first; among those that are equally short, first come."""

    def __init__(self, trace: Trace) -> None:
        known = trace.sizes is not None and np.ptp(trace.sizes) > 0 if len(trace) else False
        lengths = trace.sizes if known else trace.services
        assert lengths is not None
        turns = np.argsort(lengths, kind="stable")
        self._turns = turns.tolist()
        ranks = np.empty_like(turns)
        ranks[turns] = np.arange(len(turns))
        self._ranks = ranks.tolist()
        self._waiting: list[int] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, job: int) -> None:
        heappush(self._waiting, self._ranks[job])

    def next(self) -> int:
        job: int = self._turns[heappop(self._waiting)]
        return job

    def done(self, job: int) -> None:
        pass


class _Lane:
    """First come, first served, but large jobs leave the last worker to small ones that wait."""

    def __init__(self, sizes: Integers, workers: int) -> None:
        self._is_large = (sizes > SMALL).tolist()
        self._most = max(1, workers - 1)
        self._serving = 0  # large jobs in service
        self._small: deque[int] = deque()
        self._large: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._small) + len(self._large)

    def join(self, job: int) -> None:
        (self._large if self._is_large[job] else self._small).append(job)

    def next(self) -> int:
        small, large = self._small, self._large
        if small and (not large or self._serving >= self._most or small[0] < large[0]):
            return small.popleft()
        self._serving += 1
        return large.popleft()

    def done(self, job: int) -> None:
        self._serving -= self._is_large[job]
