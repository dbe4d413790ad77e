"""How the jobs of a trace fared: waits, response times, and the queue over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dropline.whatif.trace import Floats, Integers


@dataclass(frozen=True, slots=True)
class Outcome:
    """When each job arrived, began and ended, in seconds, in the order of their arrivals.

    A figure is None where there is no job to tell it of.
    """

    arrivals: Floats
    starts: Floats
    ends: Floats

    @property
    def jobs(self) -> int:
        """How many jobs there were."""
        return len(self.arrivals)

    @property
    def waits(self) -> Floats:
        """Start − arrival, in seconds."""
        waits: Floats = self.starts - self.arrivals
        return waits

    @property
    def responses(self) -> Floats:
        """End − arrival, in seconds."""
        responses: Floats = self.ends - self.arrivals
        return responses

    @property
    def mean_wait(self) -> float | None:
        """Wq in seconds."""
        return float(self.waits.mean()) if self.jobs else None

    @property
    def mean_response(self) -> float | None:
        """τ = W in seconds."""
        return float(self.responses.mean()) if self.jobs else None

    def response_quantiles(self, *shares: float) -> list[float] | list[None]:
        """The response times that these shares of the jobs don't exceed, exactly.

        Between two jobs it is interpolated: Hyndman and Fan's definition 7 (1996).
        """
        if not self.jobs:
            return [None] * len(shares)
        return [float(value) for value in np.quantile(self.responses, shares)]

    @property
    def max_waiting(self) -> int:
        """The most that ever waited at one time; who begins at once does not wait."""
        return int(self._waiting_at(self.arrivals).max(initial=0))

    @property
    def makespan(self) -> float | None:
        """Seconds from the first arrival to the last end."""
        return float(self.ends.max() - self.arrivals[0]) if self.jobs else None

    def queue_path(self, most: int = 1000) -> tuple[Floats, Integers]:
        """How many wait over time: each number holds from its time until the next one's.

        With more than `most` changes there are `most` equal stretches of time instead, each with
        the most that waited in it, so that no peak is lost.
        """
        times = np.unique(np.concatenate((self.arrivals, self.starts)))
        if not len(times):
            return times, np.empty(0, dtype=np.int64)
        waiting = self._waiting_at(times)
        changed = np.append(True, waiting[1:] != waiting[:-1])
        times, waiting = times[changed], waiting[changed]
        if len(times) <= most:
            return times, waiting
        edges = np.linspace(times[0], times[-1], most, endpoint=False)
        cuts = np.union1d(times, edges)
        peaks = np.maximum.reduceat(self._waiting_at(cuts), np.searchsorted(cuts, edges))
        return edges, peaks

    def as_dict(self) -> dict[str, float | int | None]:
        """The figures that `dropline whatif` prints."""
        p50, p95, p99 = self.response_quantiles(0.50, 0.95, 0.99)
        return {
            "jobs": self.jobs,
            "mean_wait": self.mean_wait,
            "mean_response": self.mean_response,
            "p50_response": p50,
            "p95_response": p95,
            "p99_response": p99,
            "max_waiting": self.max_waiting,
            "makespan": self.makespan,
        }

    def _waiting_at(self, times: Floats) -> Integers:
        """How many wait just after each of these times."""
        arrived = np.searchsorted(self.arrivals, times, side="right")
        begun = np.searchsorted(np.sort(self.starts), times, side="right")
        waiting: Integers = (arrived - begun).astype(np.int64)
        return waiting
