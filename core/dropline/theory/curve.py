"""The least squares behind `usl`: the law's curve through weighted points, and what it leaves open.

Parameters are α, β and γ, throughputs in units of the greatest measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls
from scipy.special import stdtrit

Array = NDArray[np.float64]

#: What changes no measured rate by more than this share is 0.
_NOTHING = 1e-6
#: Scaled residuals beyond so many standard deviations count as outliers: soft-L1 bends there.
_OUTLYING = 2.0
_TOLERANCE = 1e-12
#: What is one of many needs no more.
_ROUGH = 1e-6
#: Starts besides the linear fit: α and β.
_STARTS = ((0.01, 1e-4), (0.1, 0.01), (0.5, 1e-3))
#: From the median of absolute values to the standard deviation of a normal distribution.
_OF_MEDIAN = 1.4826


@dataclass(frozen=True, slots=True)
class Data:
    """The points: X in units of its greatest (`scale`); `between` is called at every look."""

    n: Array
    x: Array
    weight: Array
    scale: float
    completions: Array | None
    between: Callable[[], None] = lambda: None

    @classmethod
    def of(
        cls,
        n: Array,
        x: Array,
        completions: Array | None,
        between: Callable[[], None] = lambda: None,
    ) -> Data:
        """Points of throughput `x` at `n` busy workers, from so many completions if they are known.

        Then a point weighs completions/x² (Poisson).
        """
        scale = float(x.max())
        weight = np.ones_like(x) if completions is None else np.sqrt(completions) * scale / x
        return cls(n, x / scale, weight, scale, completions, between)


def law(p: Array, n: Array) -> Array:
    """X(N) of the parameters α, β, γ for each N."""
    return p[..., 2] * n / (1 + p[..., 0] * (n - 1) + p[..., 1] * n * (n - 1))


def _slopes(p: Array, n: Array) -> Array:
    below = 1 + p[0] * (n - 1) + p[1] * n * (n - 1)
    x = p[2] * n / below
    return np.stack([-x * (n - 1) / below, -x * n * (n - 1) / below, n / below], axis=1)


def starts(data: Data) -> list[tuple[float, float, float]]:
    """The linear form N/X = 1/γ + (α/γ)(N − 1) + (β/γ)N(N − 1), none negative, and fixed ones."""
    columns = np.stack([np.ones_like(data.n), data.n - 1, data.n * (data.n - 1)], axis=1)
    # each row times X/N, so that errors are relative
    relative = data.weight * data.x
    linear, _ = nnls(columns * (relative * data.x / data.n)[:, None], relative)
    fastest = float((data.x / data.n).max())
    found = [(alpha, beta, fastest) for alpha, beta in _STARTS]
    if linear[0] > 0:
        alpha, beta = linear[1] / linear[0], linear[2] / linear[0]
        found.insert(0, (min(1.0, float(alpha)), float(beta), 1 / float(linear[0])))
    return found


def solve(data: Data, starting: Sequence[Sequence[float] | Array], least: float = 0.0) -> Any:
    """The best of the fits from these parameters, α ≥ `least`: SciPy's result.

    Of counts, where soft-L1 bends is told by the residuals' median about a curve on which outliers
    have little say: one that bends early.
    """
    if data.completions is None:
        return _best(data, starting, least, "linear", 1.0)
    early = _best(data, starting, least, "soft_l1", 1.0)
    spread = max(1.0, _OF_MEDIAN * float(np.median(np.abs(early.fun))))
    return _best(data, [early.x], least, "soft_l1", _OUTLYING * spread)


def _best(
    data: Data,
    starting: Sequence[Sequence[float] | Array],
    least: float,
    loss: str,
    bend: float,
    tolerance: float = _TOLERANCE,
) -> Any:
    def residuals(p: Array) -> Array:
        data.between()
        return data.weight * (law(p, data.n) - data.x)

    found = [
        least_squares(
            residuals,
            start,
            jac=lambda p: data.weight[:, None] * _slopes(p, data.n),
            bounds=([least, 0, _TOLERANCE], [1, np.inf, np.inf]),
            # The one method that ends exactly on a bound.
            method="dogbox",
            x_scale="jac",
            loss=loss,
            f_scale=bend,
            xtol=tolerance,
            ftol=tolerance,
            gtol=tolerance,
        )
        for start in starting
    ]
    best = min(found, key=lambda result: result.cost)
    for i, reach in enumerate((data.n.max() - 1, data.n.max() * (data.n.max() - 1))):
        if abs(best.x[i]) * reach < _NOTHING:
            best.x[i] = 0.0
    return best


def on_bound(p: Array) -> tuple[bool, bool, bool]:
    """Whether α, β and γ are on their bounds."""
    return bool(p[0] in (0.0, 1.0)), bool(p[1] == 0.0), False


def scatter(found: Any, data: Data) -> float | None:
    """The standard deviation of the scaled residuals, outliers counting as in the fit."""
    freedom = len(data.n) - 3
    if freedom < 1:
        return None
    # The cost is Σρ/2, which is Σr²/2 of a linear loss.
    squares = 2 * float(found.cost) / freedom
    # Counts scatter no less than Poisson's do; and a perfect fit is rounding.
    least = np.finfo(float).eps if data.completions is None else 1.0
    return max(math.sqrt(squares), float(least))


def errors(found: Any, deviation: float) -> Array:
    """Standard errors from JᵀJ of the parameters that are not on a bound; NaN for the others."""
    free = [i for i, bound in enumerate(on_bound(found.x)) if not bound]
    covariance = np.linalg.pinv(found.jac[:, free].T @ found.jac[:, free])
    every = np.full(3, np.nan)
    every[free] = deviation * np.sqrt(np.diag(covariance))
    return every


def bootstrap(data: Data, p: Array, deviation: float, refits: int, seed: int) -> Array:
    """The parameters of fits to what chance could have made of the curve `p`."""
    chance = np.random.default_rng(seed)
    curve = law(p, data.n)
    found = np.empty((refits, 3))
    for i in range(refits):
        if data.completions is None:
            x = curve + deviation * chance.standard_normal(len(curve))
        else:
            # Poisson counts in lumps, so that their variance is deviation² times their mean
            lumps = data.completions * curve / data.x / deviation**2
            x = curve * chance.poisson(lumps) / lumps
        like = replace(data, x=np.maximum(x, _NOTHING))
        # chance of this kind makes no outliers
        found[i] = _best(like, [p], 0.0, "linear", 1.0, _ROUGH).x
    return found


def peaks(p: Array) -> Array:
    """The number of workers at the peak for each row of parameters; infinite where β is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):  # 0/0 is not chosen
        return np.where(p[:, 1] > 0, np.maximum(1.0, np.sqrt((1 - p[:, 0]) / p[:, 1])), np.inf)


def is_superlinear(data: Data, start: Array) -> bool:
    """Whether the points want α below 0, by more than chance (5 %, one-sided)."""
    # Above it the law has no pole among the points.
    least = -0.99 / max(data.n.max() - 1, 1.0)
    found = solve(data, [start, (least / 2, 0.0, start[2])], least)
    deviation = scatter(found, data)
    if deviation is None:
        return bool(found.x[0] < 0)
    error = errors(found, deviation)[0]
    return bool(found.x[0] + stdtrit(len(data.n) - 3, 0.95) * error < 0)
