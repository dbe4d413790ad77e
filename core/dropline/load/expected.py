"""What theory says of a load before it begins: settled means, or how long a batch takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dropline import theory
from dropline.load.arrivals import Arrivals, Batch, Even, Poisson
from dropline.load.laws import Exponential, Fixed, Law
from dropline.load.target import Service
from dropline.theory import Range, Steady


@dataclass(frozen=True, slots=True)
class Expected:
    """A model's figures; times in seconds, rates a second."""

    #: Such as "M/M/4", in Kendall's notation; "batch"; empty where no model applies.
    model: str
    #: λ and μ.
    arrival_rate: float | None
    service_rate: float
    steady: Steady | None = None
    #: How long a batch takes.
    drain: Range | None = None
    #: The response time that 95 % of the jobs stay below, where the model tells.
    p95: float | None = None
    #: Seconds after which the line has forgotten that it was empty.
    settling: float = 0.0


def expect(arrivals: Arrivals, sizes: Law, service: Service, workers: int) -> Expected:
    """The figures of the model that fits best.

    Contention counts as if all workers were always busy, which is the worst that it can be. Raises
    ValueError for a mean service time of 0, or less than one worker.
    """
    slowness = service.slowness(workers)
    by_size = service.per_byte * sizes.mean
    mean = service.law.mean + by_size
    if not mean > 0:
        raise ValueError("a mean service time of 0 seconds: choose more")
    variance = service.law.scv * service.law.mean**2 + sizes.scv * by_size**2
    scv = variance / mean**2
    rate = 1 / (mean * slowness)
    if isinstance(arrivals, Batch):
        drain = theory.batch_time(arrivals.jobs, workers, 1 / rate, scv)
        return Expected("batch", None, rate, drain=drain)
    if arrivals.rate is None or arrivals.scv is None:
        return Expected("", None, rate)
    kinds = _arrival_letter(arrivals), _service_letter(service.law, by_size)
    match kinds:
        case "M", "M":
            steady = theory.mmc(arrivals.rate, rate, workers)
        case "M", _ if workers == 1:
            steady = theory.mg1(arrivals.rate, rate, scv)
        case _:
            steady = theory.ggc(arrivals.rate, rate, workers, arrivals.scv, scv)
    keeps_up = steady.mean_wait < math.inf
    p95 = None
    if kinds == ("M", "M") and keeps_up:
        p95 = theory.tails(arrivals.rate, rate, workers).response_percentile(0.95)
    return Expected(
        f"{kinds[0]}/{kinds[1]}/{workers}",
        arrivals.rate,
        rate,
        steady,
        p95=p95,
        settling=theory.relaxation_time(arrivals.rate, rate, workers) if keeps_up else 0.0,
    )


def _arrival_letter(arrivals: Arrivals) -> str:
    return "M" if isinstance(arrivals, Poisson) else "D" if isinstance(arrivals, Even) else "G"


def _service_letter(law: Law, by_size: float) -> str:
    if by_size:
        return "G"
    return "M" if isinstance(law, Exponential) else "D" if isinstance(law, Fixed) else "G"
