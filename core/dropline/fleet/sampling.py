"""Which tasks a monitor follows when more is told than it can take in: whole tasks, by their ids.

One task in 2, 4, 8 … is followed, the same ones by every event, so that times of tasks stay exact;
counts, rates and numbers of tasks are scaled up from them. Of n followed tasks a rate is off by
about 1/√n (relative, one standard deviation of a binomial count).
"""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

from dropline.fleet.quality import ARRIVALS, ENDS, LEVELS
from dropline.meter import Figures, Totals

#: Events a second above which fewer tasks are followed; below a quarter of it, after so many
#: seconds, more. `make bench ARGS="--only monitor"` tells what a monitor can take in.
BOUND, CALM = 4000.0, 30.0

#: What grows with the number of tasks that are followed; the others are times or of workers.
COUNTED = (*ARRIVALS, *ENDS, *LEVELS, "cancelled", "mean_busy", "utilisation")


class Share:
    """The share of the tasks that is followed: one in `factor`."""

    def __init__(self, bound: float = BOUND) -> None:
        self.factor = 1
        """A power of 2, so that who was followed still is when it falls."""
        self._bound = bound
        self._offered = 0
        self._since: float | None = None
        self._calm_since: float | None = None

    def takes(self, task: str) -> bool:
        """Whether a task is followed."""
        return self.factor == 1 or crc32(task.encode()) % self.factor == 0

    def offer(self, events: int, now: float) -> int:
        """So many more events were told at `now`; the factor that there should be, looked at once
        a second.
        """
        self._offered += events
        self._since = now if self._since is None else self._since
        seconds = now - self._since
        if seconds < 1:
            return self.factor
        kept = self._offered / seconds / self.factor
        self._offered, self._since = 0, now
        factor = self.factor
        while kept > self._bound:
            kept, factor = kept / 2, factor * 2
        if factor > 1 and kept < self._bound / 4:
            self._calm_since = now if self._calm_since is None else self._calm_since
            if now - self._calm_since >= CALM:
                self._calm_since, factor = None, factor // 2
        else:
            self._calm_since = None
        return factor


class Scale:
    """Totals of a meter that followed another share of the tasks at other times."""

    def __init__(self) -> None:
        self.factor = 1
        self._base: Totals | None = None
        self._from: Totals | None = None

    def totals(self, measured: Totals) -> Totals:
        """What the meter would have counted of all tasks, about."""
        if self._base is None or self._from is None:
            return measured
        pairs = zip(self._base, self._from, measured, strict=True)
        scaled = Totals(*(base + (now - then) * self.factor for base, then, now in pairs))
        workers = measured.capacity_area - self._from.capacity_area + self._base.capacity_area
        return scaled._replace(time=measured.time, capacity_area=workers)

    def change(self, before: Totals, factor: int, after: Totals) -> None:
        """From now on one task in `factor` is followed: `before` and `after` are the totals at this
        moment, with the others and without.
        """
        self._base, self._from, self.factor = self.totals(before), after, factor


def scaled(figures: Figures, factor: int) -> Figures:
    """Figures of all tasks, about, from those of one in `factor`."""
    if factor == 1:
        return figures
    known = {key: getattr(figures, key) for key in COUNTED}
    return replace(
        figures, **{key: value * factor for key, value in known.items() if value is not None}
    )
