"""A reading: everything the instruments show of a station at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dropline.events import Event
from dropline.meter import Figures, LittlesLaw, Totals
from dropline.meter.percentiles import Spread
from dropline.value import value


@value
class Reading(Event):
    """A station's state and its figures over a window that ends now.

    `t` is in monotonic seconds. `waiting` includes jobs in back-off. `finished` and `cancelled`
    count since the start; `failed` is how many failed jobs wait for a decision now. `oldest` is
    the age in seconds of the oldest job present. `bytes_rate` is bytes a second over the window.
    `eta` is the seconds in which all that is here is expected to be sent, with 90 % confidence
    between `eta_low` and `eta_high`; these two are None until enough was sent to know. `window` is
    the seconds that the figures really cover. Percentiles are of the response time in seconds.
    `responses` is the sum of the response times of all `finished` files, in seconds: the difference
    of two readings gives the mean of those finished in between. `next_try` is the seconds until a
    target that is down may be tried again, 0 while it is being tried and None while it is up. None
    stands for what is not known.
    """

    type: ClassVar[str] = "dropline.station.measured"
    station: str
    t: float
    paused: bool
    wanted: int
    running: int
    busy: int
    waiting: int
    in_system: int
    finished: int
    failed: int
    cancelled: int
    oldest: float | None
    bytes_rate: float | None
    eta: float | None
    eta_low: float | None
    eta_high: float | None
    window: float
    figures: Figures
    p50: float | None
    p95: float | None
    p99: float | None
    little: LittlesLaw
    responses: float
    next_try: float | None


@dataclass(frozen=True, slots=True)
class Instruments:
    """A reading, and what adds up: for programs that make figures of their own of it."""

    reading: Reading
    totals: Totals
    """Since the station began, …"""
    spread: Spread
    """… and the times of all jobs finished since."""
    recommended: int | None = None
    """The number of workers that is recommended, where there is one."""
