"""Capacity that bends: the Universal Scalability Law, fitted to what a line has done.

X(N) = γN/(1 + α(N − 1) + βN(N − 1)): γ the rate of one worker, α contention for what is shared, β
coherency (crosstalk). It peaks at √((1 − α)/β) workers, or tends to γ/α where β is 0. Source: N. J.
Gunther, "Guerrilla Capacity Planning" (2007).

N is the number of workers that are *busy*, and X the rate of completions while so many are
(`points_by_busy`): of a line that is not saturated X against the workers it has is only λ.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import stdtrit

from dropline.theory import curve
from dropline.theory.curve import Array, Data

#: Completions that the rate of a number of workers needs, and at least one a worker.
FEWEST_COMPLETIONS = 20
#: Different numbers of workers that a fit needs; with which α gets an interval; with which, if they
#: span so many times the least, everything may be shown.
FEWEST, FOR_CONTENTION, FOR_ALL, SPAN = 3, 4, 6, 8
#: The top is flat: so much of the peak is enough, and no more workers than so many times the most
#: that were measured are ever recommended.
ENOUGH, FURTHEST = 0.95, 2


@dataclass(frozen=True, slots=True)
class Point:
    """What was seen with `workers` busy: `throughput` a second, from so many `completions`.

    Without `completions` the scatter is unknown, and all points count alike.
    """

    workers: float
    throughput: float
    completions: int | None = None


class Shown(enum.Enum):
    """How much of a fit may be shown: few points fix a curve, and say nothing of its peak."""

    CURVE = enum.auto()
    CONTENTION = enum.auto()
    ALL = enum.auto()


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval, None where the points leave none.

    On its bound (0, or 1 for α) the interval goes from there to a one-sided 95 % limit, and there
    is no standard error.
    """

    value: float
    low: float | None = None
    high: float | None = None
    error: float | None = None
    on_bound: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """The curve, and what may be said of it."""

    contention: Estimate
    coherency: Estimate
    rate: Estimate
    #: Workers at the peak; infinite if none is seen.
    peak: Estimate
    #: The standard deviation about the curve: completions a second, or, where completions were
    #: counted, in those of a Poisson count. None with three points.
    residual: float | None
    most_measured: float
    #: More than γ a worker was seen: caching, warm-up or points of an unsaturated line. Such a
    #: curve says nothing beyond what was measured.
    superlinear: bool
    shown: Shown
    #: α, β and γ of the fits to what chance could have made of the curve, in rows.
    chances: Array | None = field(default=None, repr=False, compare=False)

    def throughput(self, workers: float) -> float:
        """X(N), completions a second."""
        return float(curve.law(self._parameters, np.array([workers], float))[0])

    def service_rate(self, workers: float) -> float:
        """μ(N), completions a second of each of `workers` (above 0) that are busy."""
        return self.throughput(workers) / workers

    def ratio_error(self, workers: float, known: float) -> float | None:
        """The standard deviation of log X(workers)/X(known), of what the fit leaves open."""
        if self.chances is None:
            return None
        ratios = curve.law(self.chances, np.array(workers)) / curve.law(
            self.chances, np.array(known)
        )
        return float(np.log(ratios).std())

    @property
    def shows_peak(self) -> bool:
        """Whether the peak may be shown: few points must at least bound it."""
        if self.superlinear or self.shown is Shown.CURVE:
            return False
        return self.shown is Shown.ALL or (self.peak.high or math.inf) < math.inf

    @property
    def best(self) -> int | None:
        """The whole number of workers with the highest throughput; None if no peak is seen."""
        if math.isinf(self.peak.value):
            return None
        below = max(1, math.floor(self.peak.value))
        return max(below, below + 1, key=self.throughput)

    @property
    def recommended(self) -> int | None:
        """The fewest workers with 95 % of the peak's throughput, or of the limit γ/α without one.

        At most twice as many as were measured. None where the peak may not be shown.
        """
        if not self.shows_peak:
            return None
        most = math.floor(FURTHEST * self.most_measured)
        if self.best is not None:
            top, most = self.throughput(self.best), min(most, self.best)
        else:
            alpha = self.contention.value
            top = self.rate.value / alpha if alpha else math.inf
        # up to the peak more is always more
        few, many = 0, most
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if self.throughput(middle) >= ENOUGH * top else (middle, many)
        return many

    @property
    def _parameters(self) -> Array:
        return np.array([self.contention.value, self.coherency.value, self.rate.value])


def points_by_busy(seconds: Mapping[int, float], completions: Mapping[int, int]) -> list[Point]:
    """A point for each number n of busy workers: n was so for `seconds[n]`, with `completions[n]`.

    Left out is n with fewer than `FEWEST_COMPLETIONS`, or fewer than n: not one service time long.
    """
    return [
        Point(n, done / seconds[n], done)
        for n, done in sorted(completions.items())
        if n >= 1 and done >= max(FEWEST_COMPLETIONS, n) and seconds.get(n, 0.0) > 0
    ]


def fit(
    points: Sequence[Point],
    *,
    refits: int = 200,
    seed: int = 0,
    between: Callable[[], None] = lambda: None,
) -> Fit | None:
    """Fit the law; None with fewer than three different numbers of workers.

    Weighted least squares on X, 0 ≤ α ≤ 1, β ≥ 0, γ > 0; γ is free, for one worker's rate is
    measured no better than any other. A point weighs completions/X² (Poisson), and outliers less
    (soft-L1); without completions all weigh alike. Standard errors are from JᵀJ, intervals from
    Student's t with n − 3 degrees of freedom; the peak's, and one-sided limits, from a parametric
    bootstrap of `refits`, which repeats with the same `seed`. About 0.3 s with 200;
    `between` is called every few milliseconds of it.
    """
    for point in points:
        _check(point)
    counted = {point.completions is not None for point in points}
    if len(counted) > 1:
        raise ValueError("either all points tell their completions, or none: leave out the others")
    different = {point.workers for point in points}
    if len(different) < FEWEST:
        return None
    data = Data.of(
        np.array([point.workers for point in points], float),
        np.array([point.throughput for point in points], float),
        np.array([point.completions for point in points], float) if True in counted else None,
        between,
    )
    found = curve.solve(data, curve.starts(data))
    scatter = curve.scatter(found, data)
    errors = again = few = many = None
    if scatter is not None:
        errors = curve.errors(found, scatter)
        again = curve.bootstrap(data, found.x, scatter, refits, seed)
        few, many = _quantiles(curve.peaks(again), 0.025, 0.975)
    alpha, beta, gamma = (_estimate(found, i, errors, again, data) for i in range(3))
    unit = data.scale if data.completions is None else 1.0
    return Fit(
        contention=alpha,
        coherency=beta,
        rate=gamma,
        peak=Estimate(float(curve.peaks(found.x[None])[0]), few, many),
        residual=None if scatter is None else scatter * unit,
        most_measured=max(different),
        superlinear=not found.x[0] and curve.is_superlinear(data, found.x),
        shown=_shown(different, has_interval=scatter is not None),
        chances=again,
    )


def _check(point: Point) -> None:
    if not (math.isfinite(point.workers) and point.workers >= 1):
        raise ValueError(f"a number of busy workers is 1 or more, not {point.workers}")
    if not (math.isfinite(point.throughput) and point.throughput > 0):
        raise ValueError(f"a throughput is above 0, not {point.throughput}")
    if point.completions is not None and point.completions < 1:
        raise ValueError(f"completions are 1 or more, not {point.completions}: leave the point out")


def _shown(different: set[float], *, has_interval: bool) -> Shown:
    if len(different) < FOR_CONTENTION or not has_interval:
        return Shown.CURVE
    wide = max(different) >= SPAN * min(different)
    return Shown.ALL if len(different) >= FOR_ALL and wide else Shown.CONTENTION


def _estimate(
    found: Any, index: int, errors: Array | None, again: Array | None, data: Data
) -> Estimate:
    """A parameter and its interval; γ back in completions a second."""
    unit = data.scale if index == 2 else 1.0
    value = float(found.x[index]) * unit
    bound = curve.on_bound(found.x)[index]
    if errors is None or again is None:
        return Estimate(value, on_bound=bound)
    if bound:
        low, high = _quantiles(again[:, index], 0.05, 0.95)
        return Estimate(value, 0.0 if not value else low, 1.0 if value else high, on_bound=True)
    error = float(errors[index]) * unit
    half = float(stdtrit(len(data.n) - 3, 0.975)) * error
    most = 1.0 if index == 0 else math.inf
    return Estimate(value, max(0.0, value - half), min(most, value + half), error)


def _quantiles(values: Array, low: float, high: float) -> tuple[float, float]:
    # of the values themselves: between a number and infinity there is nothing to interpolate
    few, many = np.quantile(values, [low, high], method="inverted_cdf")
    return float(few), float(many)
