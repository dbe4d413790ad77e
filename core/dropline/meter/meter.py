"""The meter: observes a line's entries as they happen, and tells its figures at any time."""

import math
import threading
from collections.abc import Iterable
from itertools import islice

from dropline.meter.history import History, Stretch
from dropline.meter.log import Entry
from dropline.meter.percentiles import Spread, merged
from dropline.meter.tally import FLOAT_TICKS, State, Tally, Totals, to_ticks
from dropline.meter.window import Figures, LittlesLaw, Window, figures, littles_law

__all__ = [
    "Figures",
    "LittlesLaw",
    "Meter",
    "State",
    "Totals",
    "Window",
    "figures",
    "littles_law",
]

BATCH = 1024
"""Entries applied under one lock: a long iterable must not keep readers waiting."""


class Meter:
    """Figures of one line from `start` on, in seconds of the entries' own clock.

    Any thread may observe and any may read. O(1) an entry; memory for the jobs present and a
    fixed number of bins. Reading changes nothing, so it may happen at any rate, also ahead of
    entries that are still on their way.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._tally = Tally(to_ticks(start))
        self._history = History(self._tally)

    @property
    def late(self) -> int:
        """Entries that were older than one before them and so were applied at its time."""
        return self._tally.late

    @property
    def ignored(self) -> int:
        """Entries that couldn't follow from what came before, such as the finish of a job that
        wasn't running; they count nowhere else.
        """
        return self._tally.ignored

    def observe(self, entry: Entry) -> None:
        """Take in one entry."""
        with self._lock:
            self._observe((entry,))

    def observe_all(self, entries: Iterable[Entry]) -> None:
        """Take in `entries` in their order."""
        iterator = iter(entries)
        while batch := list(islice(iterator, BATCH)):
            with self._lock:
                self._observe(batch)

    def totals(self, now: float) -> Totals:
        """The totals at `now` as they are before any entry at `now`, or at the last entry's time
        when that is later. Two of them make a window for `figures` and `littles_law`.
        """
        with self._lock:
            return self._tally.at(to_ticks(now))

    def state(self, now: float) -> State:
        """The line at `now`, or at the last entry's time when that is later."""
        with self._lock:
            return self._tally.state(to_ticks(now))

    def whole(self, now: float) -> tuple[Totals, Spread]:
        """The totals at `now`, and the times of all jobs finished since the meter's start."""
        with self._lock:
            return self._tally.at(to_ticks(now)), self._history.whole()

    def seconds(self, start: int, now: float) -> list[Stretch]:
        """The whole seconds, counted from the meter's start, that lie from `start` to `now`.

        `start`, in ticks, is the last edge that the caller has, or 0 for all there are: about the
        last two minutes. Edges up to `now` are cut, so an entry that comes later for a time before
        counts in the second that is open by then: ask a little behind the clock.
        """
        with self._lock:
            time = to_ticks(now)
            if time >= self._history.next_edge:
                self._history.advance(time)
            return self._history.seconds(start)

    def rest(self, start: int, now: float) -> Stretch:
        """From the stored edge at or before `start`, in ticks, to `now`."""
        with self._lock:
            last = self._tally.at(to_ticks(now))
            first, spreads = self._history.since(start)
        return Stretch(first, last, merged(spreads))

    def window(self, seconds: float, now: float) -> Window:
        """About the last `seconds` up to `now`, or to the last entry's time when that is later.

        It starts at the latest stored edge that is `seconds` or more before its end: up to 1/8 s
        more than asked for 16 s, 1 s for 2 min, 10 s for 21 min, 60 s for 2 h. A younger meter,
        or a longer window, gives what there is; the window's start says which.

        Raises ValueError unless `seconds` is a finite number above 0.
        """
        if not 0 < seconds < math.inf:
            raise ValueError(f"a window lasts a number of seconds above 0, not {seconds}")
        with self._lock:
            last = self._tally.at(to_ticks(now))
            state = self._tally.state(last.time)
            first, spreads = self._history.since(last.time - to_ticks(seconds))
        spread = merged(spreads)  # outside the lock: observers don't wait for it
        return Window(
            figures=figures(first, last),
            littles_law=littles_law(first, last),
            response=spread.response,
            wait=spread.wait,
            state=state,
            totals=last,
        )

    def _observe(self, entries: Iterable[Entry]) -> None:
        tally, history = self._tally, self._history
        for entry in entries:
            try:
                time = round(entry.t * FLOAT_TICKS)  # to_ticks, without a call
            except (ValueError, OverflowError):  # not a time at all: NaN or infinite
                tally.ignored += 1
                continue
            if time >= history.next_edge:
                history.advance(time)
            served = tally.apply(time, entry)
            if served is not None:
                history.add(served)
