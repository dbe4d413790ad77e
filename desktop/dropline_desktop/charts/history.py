"""What the charts keep: rows of numbers in order of time, bounded however long the program runs.

The newest half of the rows stays as it came; of what is older, rows are dropped until neighbours
lie a small share of their age apart (a second after an hour, 24 s after a day). Every pixel
of a chart that ends now is thus still served, and a day fits where only two hours would.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A value belongs to a time if it was measured at most so many seconds from it.
REACH = 1.0


class History:
    """Columns of floats over time; NaN is "undefined". Not for use from several threads."""

    def __init__(self, columns: int, capacity: int = 72_000) -> None:
        """Room for `capacity` rows: at ten a second, the last hour in full and a day thinned."""
        self._times: Floats = np.empty(capacity)
        self._steps = capacity // 20  # older rows are thinned to steps of their age over this
        # A column is contiguous, as curves are made a column at a time.
        self._values: Floats = np.empty((columns, capacity))
        self._count = 0
        self._gone = 0  # rows dropped so far, so that a row's number never changes

    def __len__(self) -> int:
        return self._count

    @property
    def times(self) -> Floats:
        """The times of all rows kept, ascending."""
        return self._times[: self._count]

    @property
    def values(self) -> Floats:
        """All values kept, one row a column."""
        return self._values[:, : self._count]

    def append(self, t: float, values: Sequence[float | None]) -> None:
        """Add the values at `t`, None as NaN; what is older than the newest is ignored."""
        silence = t - self._times[self._count - 1] if self._count else 0.0
        if silence < 0:
            return
        if silence > REACH:  # a sleeping laptop: a gap in the curves, not a line across
            self._put(t - silence, np.full(len(self._values), np.nan))
        self._put(t, np.array(values, dtype=np.float64))

    def at(self, t: float) -> Floats | None:
        """The values measured nearest to `t`; None when none was within `REACH` or a step."""
        if not self._count:
            return None
        after = int(np.searchsorted(self.times, t))
        nearest = min(
            (i for i in (after - 1, after) if 0 <= i < self._count),
            key=lambda i: abs(self._times[i] - t),
        )
        age = self._times[self._count - 1] - t
        if abs(self._times[nearest] - t) > max(REACH, 2 * age / self._steps):
            return None
        column: Floats = self._values[:, nearest].copy()
        return column

    def between(self, start: float, end: float) -> slice:
        """The rows from `start` to `end`, and one more on each side so that curves reach out."""
        first, last = np.searchsorted(self.times, (start, end), side="left")
        return slice(max(0, int(first) - 1), min(self._count, int(last) + 1))

    def envelope(self, start: float, end: float, most: int) -> tuple[Floats, Floats]:
        """Times and values of curves from `start` to `end`, at most `2 * most` + 2 points each.

        `most` is at least 2. Where there are more rows, each run of 2ⁿ rows gives two points, its
        least and its greatest value, so that no peak is lost. Runs begin at multiples of 2ⁿ of the
        row number and so stay what they are while the view moves on: curves do not flicker.
        """
        rows = self.between(start, end)
        first, last = rows.start, rows.stop
        run = 1
        while (last - first) > run * most:
            run *= 2
        if run == 1:
            return self._times[rows], self._values[:, rows]
        first -= (self._gone + first) % run
        if first < 0:  # the run's beginning is gone
            first += run
        return self._runs(np.arange(first, last, run), last)

    def _put(self, t: float, values: Floats) -> None:
        if self._count == len(self._times):
            self._thin()
        self._times[self._count] = t
        self._values[:, self._count] = values
        self._count += 1

    def _runs(self, starts: NDArray[np.intp], stop: int) -> tuple[Floats, Floats]:
        """Two points for each run of rows: least and greatest, in the order of rise or fall."""
        first = int(starts[0])
        data = self._values[:, first:stop]
        low = np.fmin.reduceat(data, starts - first, axis=1)
        high = np.fmax.reduceat(data, starts - first, axis=1)
        ends = np.append(starts[1:], stop) - 1
        falls = self._values[:, ends] < self._values[:, starts]
        values = np.empty((len(data), 2 * len(starts)))
        values[:, 0::2] = np.where(falls, high, low)
        values[:, 1::2] = np.where(falls, low, high)
        times = np.empty(2 * len(starts))
        times[0::2] = self._times[starts]
        times[1::2] = self._times[ends]
        return times, values

    def _thin(self) -> None:
        """Make room: keep the newest half, and of the rest one row per step of its age."""
        capacity = len(self._times)
        half = capacity - capacity // 2
        times = self._times[: half + 1].tolist()
        now = float(self._times[-1])
        keep = [0]
        for i in range(1, half):
            if times[i + 1] - times[keep[-1]] > (now - times[i]) / self._steps:
                keep.append(i)
        keep = keep[-(half * 2 // 3) :]  # always a sixth of the room gained
        kept = np.concatenate((keep, np.arange(half, capacity)))
        self._times[: len(kept)] = self._times[kept]
        self._values[:, : len(kept)] = self._values[:, kept]
        self._gone += capacity - len(kept)
        self._count = len(kept)
