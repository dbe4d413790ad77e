"""The state of a station at one moment, as it counts it."""

from __future__ import annotations

from dataclasses import dataclass

from dropline.meter import ServiceTime
from dropline.station.work import Spent


@dataclass(frozen=True, slots=True)
class Counts:
    """The station's state at one moment; see `Reading`. `serving` jobs are in service.

    `squares_left` is the sum of the squares of the bytes left of each job, `largest_left` the most
    that is left of a running one. `service` is how long jobs of a size take, `spent` what workers
    have spent their time on so far.
    """

    paused: bool
    wanted: int
    running: int
    busy: int
    serving: int
    waiting: int
    finished: int
    failed: int
    cancelled: int
    bytes_done: int
    bytes_left: int
    squares_left: int
    largest_left: int
    service: ServiceTime | None
    spent: Spent
    next_try: float | None

    @property
    def target_down(self) -> bool:
        """Whether the target counts as down."""
        return self.next_try is not None
