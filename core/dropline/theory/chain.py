"""A line whose pace depends on how many workers are busy: M/M/c where μ bends.

Workers share disk, network and target, so that n busy ones do X(n) jobs a second, not nμ. Arrivals
are Poisson, service is exponential: a birth–death chain on the number of jobs, exact. Seconds, and
rates a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dropline.theory.load import check_positive, spare


@dataclass(frozen=True, slots=True)
class Chain:
    """The settled line, and how much it wavers; infinite where it does not keep up."""

    #: The chance that a job has to wait; 1 where the line does not keep up.
    p_wait: float
    mean_busy: float
    #: Lq.
    mean_waiting: float
    #: The mean of the squared number of jobs present.
    mean_square: float
    #: The asymptotic variance of the number present, in seconds: a mean over a long time T has this
    #: over T as its variance.
    wavering: float

    @property
    def mean_in_system(self) -> float:
        """L."""
        return self.mean_busy + self.mean_waiting

    def mean_variance(self, seconds: float) -> float:
        """The variance of the mean number present over `seconds` of the settled line.

        As of a process whose correlation dies away exponentially: right for very long and for very
        short times.
        """
        variance = self.mean_square - self.mean_in_system**2
        if not (variance > 0 and math.isfinite(self.wavering)):
            return 0.0 if variance <= 0 else math.inf
        times = seconds * 2 * variance / self.wavering
        if times < 1e-6:
            return variance
        return variance * 2 * (times + math.expm1(-times)) / times**2


def chain(arrival_rate: float, rates: Sequence[float]) -> Chain:
    """The line with `len(rates)` workers of which n busy ones do `rates[n − 1]` jobs a second.

    Its states up to c are weighed one by one; those beyond, where the pace is the same, are a
    geometric series. Source of the variance: W. Whitt, "Asymptotic formulas for Markov processes
    with applications to simulation" (1992), for birth–death processes.
    """
    check_positive("the arrival rate", arrival_rate)
    for rate in rates:
        check_positive("a rate of completions", rate)
    workers = len(rates)
    left = spare(arrival_rate, rates[-1], 1)
    if left <= 0:
        return Chain(1.0, float(workers), math.inf, math.inf, math.inf)
    # The weights of the states, the greatest of them 1: a factorial fits in no float.
    logs = [0.0]
    for rate in rates:
        logs.append(logs[-1] + math.log(arrival_rate / rate))
    greatest = max(logs)
    weights = [math.exp(log - greatest) for log in logs]
    last, r = weights.pop(), arrival_rate / rates[-1]
    gap = left / rates[-1]  # 1 − r
    beyond = last / gap  # the weight of the states from c on
    total = math.fsum(weights) + beyond
    few = [weight / total for weight in weights]  # the chances of 0 … c − 1
    p_wait = beyond / total
    behind = r / gap  # the mean number that waits, given that all are busy
    busy = math.fsum(n * p for n, p in enumerate(few)) + workers * p_wait
    waiting = p_wait * behind
    present = busy + waiting
    squares = math.fsum(n * n * p for n, p in enumerate(few))
    # of n = c + k, k geometric with P(k) = (1 − r)rᵏ: E[k²] = r(1 + r)/(1 − r)²
    squares += p_wait * (workers**2 + 2 * workers * behind + r * (1 + r) / gap**2)

    # At each state the chances so far times their distance from the mean; what is on the other side
    # of the mean is summed from there, for the whole sum is 0 and its end would be rounding alone.
    wavering = below = 0.0
    for n, p in enumerate(few):
        if n >= present:
            break
        below += (present - n) * p
        wavering += below * below / p if p else 0.0
    above = p_wait * (workers + behind - present)
    for n in range(workers - 1, -1, -1):
        if n < present:
            break
        wavering += above * above / few[n] if few[n] else 0.0
        above += (n - present) * few[n]
    # From state c on the same sum: what is above j is π_c rᵐ⁺¹/(1 − r)·(m + b), with j = c + m.
    b = workers + 1 - present + behind
    series = r * (1 + r) / gap**3 + 2 * b * r / gap**2 + b * b / gap
    wavering += p_wait * gap * (r / gap) ** 2 * series
    return Chain(p_wait, busy, waiting, squares, 2 * wavering / arrival_rate)
