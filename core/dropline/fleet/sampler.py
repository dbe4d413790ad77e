"""Readings of a fleet at a fixed pace, the same as those of a line, for whoever displays them."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import ClassVar

from dropline.events import Event, WorkersChanged
from dropline.fleet.celery import CeleryFleet
from dropline.fleet.order import HOLD
from dropline.fleet.remote import FleetError
from dropline.fleet.sampling import scaled
from dropline.meter.tally import to_seconds
from dropline.station import Reading
from dropline.value import value

#: Seconds between readings, between two looks at what is doubtful, and how long that is told.
PERIOD = 0.1
NOTES_EVERY, NOTES_KEPT = 2.0, 60.0


@value
class FleetNoted(Event):
    """Why which figures of a fleet are approximate, and what its workers refuse: sentences."""

    type: ClassVar[str] = "dropline.fleet.noted"
    station: str
    notes: tuple[str, ...]


class FleetSampler:
    """Starts a fleet, hands readings of it to `post`, and closes it; none of that is waited for."""

    def __init__(
        self,
        fleet: CeleryFleet,
        post: Callable[[Event], None],
        failed: Callable[[str], None],
        *,
        window: float = 10.0,
    ) -> None:
        """`failed` gets a sentence when the fleet can't be watched. `window`: the seconds that
        figures are taken over; may be set while it runs.
        """
        self.window = window
        self._fleet = fleet
        self._post = post
        self._failed = failed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet sampler", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading, and let go of the fleet. Takes up to 2 seconds."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def resize(self, workers: int) -> None:
        """Want this many workers. Raises ValueError with a sentence when that can't be."""
        before = self._fleet.snapshot().workers
        self._fleet.resize(workers)
        self._post(WorkersChanged(self._fleet.name, before, workers))

    def read(self, seconds: float) -> Reading:
        """The instruments now, over the last `seconds` of what has been told."""
        fleet, t = self._fleet, self._fleet.now() - HOLD
        window, now, factor = fleet.meter.window(seconds, t), fleet.snapshot(), fleet.factor
        figures = scaled(window.figures, factor)
        return Reading(
            station=fleet.name,
            t=t,
            paused=False,
            wanted=now.workers if now.wanted is None else now.wanted,
            running=now.workers,
            busy=window.state.busy * factor,
            waiting=window.state.waiting * factor,
            in_system=window.state.in_system * factor,
            finished=window.totals.finished * factor,
            failed=window.totals.failed * factor,
            cancelled=window.totals.cancelled * factor,
            oldest=window.state.oldest_age,
            bytes_rate=None,
            eta=None,
            eta_low=None,
            eta_high=None,
            window=figures.end - figures.start,
            figures=figures,
            p50=window.response.quantile(0.50),
            p95=window.response.quantile(0.95),
            p99=window.response.quantile(0.99),
            little=window.littles_law,
            responses=to_seconds(window.totals.response_sum),
            next_try=None,
        )

    def _run(self) -> None:
        try:
            self._fleet.start()
            self._sample()
        except FleetError as error:
            self._failed(str(error))
        finally:
            with contextlib.suppress(FleetError):
                self._fleet.close()

    def _sample(self) -> None:
        notes: tuple[str, ...] | None = None
        marks = deque([self._fleet.mark_now()])
        while not self._stop.wait(PERIOD):
            self._post(self.read(self.window))
            for event in self._fleet.events():
                self._post(event)
            now = self._fleet.now()
            if now - marks[-1].t < NOTES_EVERY:
                continue
            while now - marks[0].t > NOTES_KEPT and len(marks) > 1:
                marks.popleft()
            marks.append(self._fleet.mark_now())
            told = self._fleet.notes(marks[0], marks[-1])
            if told != notes:
                notes = told
                self._post(FleetNoted(self._fleet.name, told))
