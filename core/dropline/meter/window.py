"""What the time between two totals says: the figures, Little's law, and the live window."""

from dataclasses import dataclass, fields

from dropline.meter.percentiles import Percentiles
from dropline.meter.tally import TICKS, State, Totals, to_seconds

STATIONARY_EDGE = 0.2
"""Share of L from which Little's edge term shows that the line was not stationary."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the window [start, end), T = end − start; times in seconds.

    Counts take start ≤ t < end; means over time are exact integrals. None is undefined: rates
    and means over time when T = 0, the others when nothing was there to divide by.
    """

    start: float
    end: float
    arrivals: int
    finished: int
    failed: int
    retried: int
    cancelled: int
    arrival_rate: float | None
    """λ, arrivals / T, per second."""
    throughput: float | None
    """X, finished / T, per second."""
    service_rate: float | None
    """μ, attempts ended / busy worker-seconds: per second and worker."""
    mean_in_system: float | None
    """L, ∫N/T."""
    mean_waiting: float | None
    """Lq, ∫Nq/T; a job in back-off waits."""
    mean_busy: float | None
    """∫busy/T."""
    mean_workers: float | None
    """∫max(c, busy)/T."""
    utilisation: float | None
    """ρ, ∫busy / ∫max(c, busy); None without workers."""
    mean_response: float | None
    """τ = W, finish − arrive over the jobs finished in the window."""
    mean_wait: float | None
    """Wq, first start − arrive over the jobs finished in the window."""

    def as_dict(self) -> dict[str, float | int | None]:
        """The figures by name, without the window's start and end."""
        names = (field.name for field in fields(self) if field.name not in ("start", "end"))
        return {name: getattr(self, name) for name in names}


def figures(a: Totals, b: Totals) -> Figures:
    """The figures of the window from `a` to `b`; raises ValueError when `b` is the earlier."""
    d = change(a, b)
    t = d.time
    attempts = d.finished + d.failed + d.retried
    return Figures(
        start=to_seconds(a.time),
        end=to_seconds(b.time),
        arrivals=d.arrivals,
        finished=d.finished,
        failed=d.failed,
        retried=d.retried,
        cancelled=d.cancelled,
        arrival_rate=_ratio(d.arrivals * TICKS, t),
        throughput=_ratio(d.finished * TICKS, t),
        service_rate=_ratio(attempts * TICKS, d.busy_area),
        mean_in_system=_ratio(d.in_system_area, t),
        mean_waiting=_ratio(d.in_system_area - d.serving_area, t),
        mean_busy=_ratio(d.busy_area, t),
        mean_workers=_ratio(d.capacity_area, t),
        utilisation=_ratio(d.busy_area, d.capacity_area),
        mean_response=_ratio(d.response_sum, d.finished * TICKS),
        mean_wait=_ratio(d.wait_sum, d.finished * TICKS),
    )


@dataclass(frozen=True, slots=True)
class LittlesLaw:
    """Little's law on a finite window: L = X·W + (G(end) − G(start))/T, exactly.

    G is the total age of the jobs present. The law holds for any window and any order of
    service, so it checks the books themselves. Over a window of no length all terms are 0.
    """

    mean_in_system: float
    """L, ∫N/T."""
    throughput_times_response: float
    """X·W: Σ sojourns of the jobs that left in the window / T."""
    edge: float
    """(G(end) − G(start))/T: what the window's edges cut off."""
    error: float
    """L − X·W − edge, in exact arithmetic: 0 unless the books are wrong."""
    stationary: bool
    """|edge| ≤ 20 % of L: L = X·W says something about this window."""


def littles_law(a: Totals, b: Totals) -> LittlesLaw:
    """Little's law from `a` to `b`; raises ValueError when `b` is the earlier."""
    d = change(a, b)
    t = d.time
    return LittlesLaw(
        mean_in_system=_ratio(d.in_system_area, t) or 0.0,
        throughput_times_response=_ratio(d.sojourn_sum, t) or 0.0,
        edge=_ratio(d.age, t) or 0.0,
        error=_ratio(d.in_system_area - d.sojourn_sum - d.age, t) or 0.0,
        stationary=abs(d.age) <= STATIONARY_EDGE * d.in_system_area,
    )


@dataclass(frozen=True, slots=True)
class Window:
    """The last while of a line, as a meter saw it."""

    figures: Figures
    littles_law: LittlesLaw
    response: Percentiles
    """Of the jobs finished in the window; long waits still going on show in `state` only."""
    wait: Percentiles
    """To the first start, of the jobs finished in the window."""
    state: State
    """The line at the window's end."""
    totals: Totals
    """All that was counted up to the window's end."""

    @property
    def start(self) -> float:
        """Where the window truly starts, in seconds."""
        return self.figures.start

    @property
    def end(self) -> float:
        """Where the window truly ends, in seconds."""
        return self.figures.end


def change(a: Totals, b: Totals) -> Totals:
    """What happened from `a` to `b`: their differences, `time` being the ticks in between.

    Raises ValueError when `b` is the earlier.
    """
    if b.time < a.time:
        raise ValueError("the window ends before it starts: give the earlier totals first")
    return Totals(*(y - x for x, y in zip(a, b, strict=True)))


def _ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None
