"""Whether a prediction for a settled line holds now, from what has been measured of the line.

A steady-state formula asks for arrivals and service that do not change, enough of both, spare
capacity and, unless it takes ca² and cs² into account, chance (Poisson) arrivals. A big drop is
none of that: it is a batch, and the drain time is its answer.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, kolmogorov

from dropline.theory.drain import relaxation_time
from dropline.theory.load import check_count, check_number

#: Fewer arrivals, bursts of them or service times than this say too little: a rate from 30 events
#: is known to about a third.
ENOUGH = 30
#: Relaxation times that figures of the long run need.
SETTLED = 10
#: Significance of the tests: three of them cast doubt on a line in good order 3 times in 100.
LEVEL = 0.01
#: A distribution nearer than this to a Poisson process's makes no difference that matters, however
#: surely very many arrivals tell them apart.
NEAR = 0.05
#: Half of the arrivals came within this share of the time: a third of what they take by chance.
CONCENTRATED = 0.05
#: Arrivals of which that can be said: by chance 10 are so concentrated 6 times in 1,000.
FEWEST_IN_BATCH = 10

_Z = 1.959963984540054
Array = NDArray[np.float64]


class Verdict(enum.Enum):
    """What to make of a prediction: take it, mind the doubts, or look at the drain time instead."""

    VALID = enum.auto()
    DOUBTFUL = enum.auto()
    BATCH = enum.auto()


class Reason(enum.Enum):
    """Why a prediction is doubtful; `Doubt` has the figures."""

    #: Arrivals, against `ENOUGH`.
    FEW_ARRIVALS = enum.auto()
    #: Service times, against `ENOUGH`.
    FEW_SERVICES = enum.auto()
    #: The offered load ρ, against 1: the queue grows.
    OVERLOADED = enum.auto()
    #: The upper limit of ρ, against 1: whether the line keeps up can't be told yet.
    MAYBE_OVERLOADED = enum.auto()
    #: Seconds watched, against `SETTLED` relaxation times.
    NOT_SETTLED = enum.auto()
    #: Seconds since the last arrival, against what chance exceeds 1 time in 100.
    ARRIVALS_STOPPED = enum.auto()
    #: The p-value of a constant arrival rate, against `LEVEL`.
    ARRIVALS_CHANGE = enum.auto()
    #: The p-value of a constant mean service time, against `LEVEL`.
    SERVICE_CHANGES = enum.auto()
    #: The p-value of Poisson arrivals, against `LEVEL`.
    NOT_POISSON = enum.auto()


class Doubt(NamedTuple):
    """A reason, its figure, and the limit on whose wrong side that is."""

    reason: Reason
    value: float
    limit: float


class Estimate(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Outcome(NamedTuple):
    """A test's statistic, and how often chance alone makes it as great (the p-value)."""

    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Validity:
    """The verdict and what it rests on; None where too little was seen to tell."""

    verdict: Verdict
    doubts: tuple[Doubt, ...]
    #: ca² and cs².
    scv_arrival: Estimate | None
    scv_service: Estimate | None
    #: The offered load ρ = λ/(cμ).
    utilisation: Estimate | None
    constant_arrivals: Outcome | None
    constant_service: Outcome | None
    poisson: Outcome | None
    #: The least share of the time with half of the arrivals: by chance 0.153, in batches 0.
    concentration: float | None
    #: Runs of arrivals with no gap above the mean one.
    bursts: int


def assess(
    gaps: Sequence[float] | Array,
    services: Sequence[float] | Array,
    workers: int,
    *,
    seconds: float | None = None,
) -> Validity:
    """Judge predictions for a line of `workers` from what was seen of it, in order of time.

    `gaps` are the times between arrivals (from the start of watching to the first), `services` the
    service times that ended, all in seconds; `seconds` is how long the line was watched, by default
    until the last arrival: the silence after a drop is what makes it one.
    """
    arrivals, service = (
        _sample("a time between arrivals", gaps),
        _sample("a service time", services),
    )
    check_count("the number of workers", workers)
    until_last = float(arrivals.sum())
    watched = until_last if seconds is None else seconds
    check_number("the time watched", watched)
    silence = max(0.0, watched - until_last)

    ca, cs = scv(arrivals), scv(service)
    load = _offered_load(arrivals, service, workers, max(watched, until_last), ca, cs)
    change, service_change = constant_mean(arrivals), constant_mean(service)
    chance = poisson(arrivals)
    concentration = _concentration(arrivals, silence)
    bursts = _bursts(arrivals, silence)

    doubts: list[Doubt] = []
    if len(arrivals) < ENOUGH:
        doubts.append(Doubt(Reason.FEW_ARRIVALS, len(arrivals), ENOUGH))
    if len(service) < ENOUGH:
        doubts.append(Doubt(Reason.FEW_SERVICES, len(service), ENOUGH))
    if load is not None:
        doubts += _of_load(load, service, workers, watched)
    if ca is not None and silence > (longest := _longest_gap(arrivals, ca)):
        doubts.append(Doubt(Reason.ARRIVALS_STOPPED, silence, longest))
    for reason, test in [
        (Reason.ARRIVALS_CHANGE, change),
        (Reason.SERVICE_CHANGES, service_change),
    ]:
        if test is not None and test.p_value < LEVEL:
            doubts.append(Doubt(reason, test.p_value, LEVEL))
    if chance is not None and chance.p_value < LEVEL and chance.statistic >= NEAR:
        doubts.append(Doubt(Reason.NOT_POISSON, chance.p_value, LEVEL))

    batch = (
        concentration is not None
        and concentration <= CONCENTRATED
        and len(arrivals) >= FEWEST_IN_BATCH
        and bursts < ENOUGH
    )
    verdict = Verdict.BATCH if batch else Verdict.DOUBTFUL if doubts else Verdict.VALID
    return Validity(
        verdict=verdict,
        doubts=tuple(doubts),
        scv_arrival=ca,
        scv_service=cs,
        utilisation=load,
        constant_arrivals=change,
        constant_service=service_change,
        poisson=chance,
        concentration=concentration,
        bursts=bursts,
    )


def scv(sample: Array) -> Estimate | None:
    """The squared coefficient of variation, variance/mean²; None of fewer than two or of all 0.

    The interval is from its influence function, on the logarithm (delta method), for independent
    values: Serfling, "Approximation Theorems of Mathematical Statistics" (1980), chapter 6. Of few
    values with a heavy tail it is too narrow.
    """
    if len(sample) < 2 or not (mean := float(sample.mean())):
        return None
    relative = sample / mean - 1
    value = float(relative @ relative) / (len(sample) - 1)
    if not value:
        return Estimate(0.0, 0.0, 0.0)
    influence = relative**2 - value - 2 * value * relative
    factor = math.exp(_Z * float(influence.std()) / math.sqrt(len(sample)) / value)
    return Estimate(value, value / factor, value * factor)


def constant_mean(sample: Array) -> Outcome | None:
    """Whether the mean stays the same, by the greatest excursion of the cumulative sum (CUSUM).

    Over σ√n it is distributed as Kolmogorov's statistic where the values are independent, whatever
    their law, so it needs no Poisson arrivals: Csörgő, Horváth, "Limit Theorems in Change-Point
    Analysis" (1997); for times between arrivals it is the like of Lewis and Robinson's (1974)
    trend test, for changes of any kind. Conservative for few values.
    """
    if len(sample) < 2:
        return None
    deviation = float(sample.std())
    if deviation <= 1e-12 * float(sample.mean()):
        return Outcome(0.0, 1.0)
    walk = np.cumsum(sample - sample.mean())
    statistic = float(np.abs(walk).max()) / (deviation * math.sqrt(len(sample)))
    return Outcome(statistic, float(kolmogorov(statistic)))


def latest(sample: Array, level: float = LEVEL / 10) -> int:
    """Where the latest part of the sample begins in which the mean does not change.

    By the same test: it is cut at the greatest excursion until the rest passes, or would be too
    short to tell. `level` is how often chance alone makes a cut: of who looks often, often.
    """
    first = 0
    while len(rest := sample[first:]) > ENOUGH:
        change = constant_mean(rest)
        cut = int(np.abs(np.cumsum(rest - rest.mean())).argmax()) + 1
        if change is None or change.p_value >= level or len(rest) - cut < ENOUGH // 2:
            break
        first += cut
    return first


def dispersion(sample: Array) -> float:
    """How many times as uncertain the sample's mean is as if its values were independent.

    By the variance of the means of √n parts: 1 or more, and 1 where there are too few to tell or
    chance alone does as much (5 %). Source of the method of batch means: A. M. Law, "Simulation
    Modeling and Analysis".
    """
    parts = int(math.sqrt(len(sample)))
    variance = float(sample.var()) if len(sample) else 0.0
    if parts * parts < ENOUGH or not variance:
        return 1.0
    size = len(sample) // parts
    means = sample[-parts * size :].reshape(parts, size).mean(axis=1)
    times = float(means.var(ddof=1)) * size / variance
    return max(1.0, times) if times > float(chdtri(parts - 1, 0.05)) / (parts - 1) else 1.0


def poisson(gaps: Array) -> Outcome | None:
    """Whether arrivals are a Poisson process, by the distance from one after Durbin's change.

    The gaps, sorted and with their differences weighed by their ranks, become uniform order
    statistics, which Kolmogorov and Smirnov's test compares: Durbin (1961), Lewis (1965); the most
    powerful of such tests by Kim and Whitt, "Choosing arrival process models for service systems"
    (2014). The p-value is by Stephens (1970).
    """
    n = len(gaps)
    total = float(gaps.sum())
    if n < 3 or not total:
        return None
    steps = np.diff(np.sort(gaps), prepend=0.0) * np.arange(n, 0, -1)
    uniform = np.cumsum(steps[:-1]) / total
    expected = np.arange(n) / (n - 1)
    distance = float(max((expected[1:] - uniform).max(), (uniform - expected[:-1]).max()))
    root = math.sqrt(n - 1)
    return Outcome(distance, float(kolmogorov(distance * (root + 0.12 + 0.11 / root))))


def _sample(name: str, values: Sequence[float] | Array) -> Array:
    sample = np.asarray(values, float)
    if sample.ndim != 1:
        raise ValueError(
            f"{name} is one of a plain list of numbers, not of {sample.ndim} dimensions"
        )
    if not (np.isfinite(sample).all() and (sample >= 0).all()):
        wrong = sample[~(np.isfinite(sample) & (sample >= 0))][0]
        raise ValueError(f"{name} is a number of 0 or more, not {wrong}")
    return sample


def _offered_load(
    gaps: Array,
    service: Array,
    workers: int,
    watched: float,
    ca: Estimate | None,
    cs: Estimate | None,
) -> Estimate | None:
    """λ/(cμ): a ratio of two means, so its logarithm's variance is ca²/arrivals + cs²/services."""
    if ca is None or cs is None or not watched:
        return None
    value = len(gaps) / watched * float(service.mean()) / workers
    factor = math.exp(_Z * math.sqrt(ca.value / len(gaps) + cs.value / len(service)))
    return Estimate(value, value / factor, value * factor)


def _of_load(load: Estimate, service: Array, workers: int, watched: float) -> list[Doubt]:
    if load.value >= 1:
        return [Doubt(Reason.OVERLOADED, load.value, 1.0)]
    doubts = []
    if load.high >= 1:
        doubts.append(Doubt(Reason.MAYBE_OVERLOADED, load.high, 1.0))
    # in units of the mean service time
    relaxation = relaxation_time(load.value * workers, 1.0, workers)
    needed = SETTLED * relaxation * float(service.mean())
    if watched < needed:
        doubts.append(Doubt(Reason.NOT_SETTLED, watched, needed))
    return doubts


def _longest_gap(gaps: Array, ca: Estimate) -> float:
    """What an exponential gap exceeds with the chance `LEVEL`; longer of irregular arrivals."""
    return -math.log(LEVEL) * float(gaps.mean()) * max(1.0, ca.value)


def _concentration(gaps: Array, silence: float) -> float | None:
    """The Lorenz curve of the gaps at one half, the silence after the last counting as one."""
    total = float(gaps.sum()) + silence
    if not len(gaps):
        return None
    if not total:
        return 0.0
    half = len(gaps) // 2
    return float(np.partition(gaps, half)[:half].sum()) / total if half else 0.0


def _bursts(gaps: Array, silence: float) -> int:
    if not len(gaps):
        return 0
    mean = (float(gaps.sum()) + silence) / len(gaps)
    return max(1, int((gaps > mean).sum()))
