"""What theory says of a load before it begins: settled means, or how long a batch takes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dropline import theory
from dropline.load.arrivals import Arrivals, Batch, Even, Poisson
from dropline.load.laws import Exponential, Fixed, Law
from dropline.load.target import Service
from dropline.station import MAX_WORKERS
from dropline.theory import Range, Steady


@dataclass(frozen=True, slots=True)
class Expected:
    """A model's figures; times in seconds, rates a second."""

    #: Such as "M/M/4", in Kendall's notation; "batch"; empty where no model applies.
    model: str
    #: λ, and μ of a busy worker.
    arrival_rate: float | None
    service_rate: float
    #: The fewest workers that keep up; None where there is no such number, or no λ.
    enough: int | None = None
    steady: Steady | None = None
    #: How long a batch takes.
    drain: Range | None = None
    #: The response time that 95 % of the jobs stay below, where the model tells.
    p95: float | None = None
    #: Seconds after which the line has forgotten that it was empty.
    settling: float = 0.0

    @property
    def is_unstable(self) -> bool:
        """Whether more comes than the workers can do: nothing settles."""
        return self.steady is not None and math.isinf(self.steady.mean_wait)


def expect(arrivals: Arrivals, sizes: Law, service: Service, workers: int) -> Expected:
    """The figures of the model that fits best.

    With contention those of a line whose pace bends (`theory.chain`), exact in M/M/c. Raises
    ValueError for a mean service time of 0, or less than one worker.
    """
    by_size = service.per_byte * sizes.mean
    mean = service.law.mean + by_size
    if not mean > 0:
        raise ValueError("a mean service time of 0 seconds: choose more")
    if workers < 1:
        raise ValueError(f"{workers} workers: choose 1 or more")
    scv = (service.law.scv * service.law.mean**2 + sizes.scv * by_size**2) / mean**2
    slowest = 1 / (mean * service.slowness(workers))  # of a worker while all are busy
    if isinstance(arrivals, Batch):
        drain = theory.batch_time(arrivals.jobs, workers, 1 / slowest, scv)
        return Expected("batch", None, slowest, drain=drain)
    rate = arrivals.rate
    if rate is None or arrivals.scv is None:
        return Expected("", None, slowest)
    kinds = _arrival_letter(arrivals), _service_letter(service.law, by_size)
    contended = service.slowness(workers) > 1
    p95 = None
    match kinds:
        case _ if contended:
            steady = _contended(rate, mean, service, workers, (arrivals.scv + scv) / 2)
        case "M", "M":
            steady = theory.mmc(rate, slowest, workers)
            p95 = theory.tails(rate, slowest, workers).response_percentile(0.95)
        case "M", _ if workers == 1:
            steady = theory.mg1(rate, slowest, scv)
        case _:
            steady = theory.ggc(rate, slowest, workers, arrivals.scv, scv)
    settling = theory.relaxation_time(rate, slowest, workers)
    return Expected(
        f"{kinds[0]}/{kinds[1]}/{workers}" + (" with contention" if contended else ""),
        rate,
        slowest if math.isinf(settling) else rate / (steady.utilisation * workers),
        enough=next(
            (n for n in range(1, MAX_WORKERS + 1) if n / (mean * service.slowness(n)) > rate), None
        ),
        steady=steady,
        p95=p95,
        settling=0.0 if math.isinf(settling) else settling,
    )


def _contended(
    rate: float, mean: float, service: Service, workers: int, variability: float
) -> Steady:
    """The wait of a chain times (ca² + cs²)/2, as Allen and Cunneen have it for M/M/c."""
    rates = [n / (mean * service.slowness(n)) for n in range(1, workers + 1)]
    found = theory.chain(rate, rates)
    unstable = math.isinf(found.mean_waiting)
    waiting = found.mean_waiting * variability if not unstable else math.inf
    in_system = found.mean_busy + waiting
    return Steady(
        utilisation=rate / rates[-1] if unstable else found.mean_busy / workers,
        p_empty=None,
        p_wait=found.p_wait if variability == 1 else None,
        p_blocked=0.0,
        mean_waiting=waiting,
        mean_in_system=in_system,
        mean_wait=waiting / rate,
        mean_response=in_system / rate,
        throughput=min(rate, rates[-1]),
        growth=max(0.0, rate - rates[-1]),
    )


def _arrival_letter(arrivals: Arrivals) -> str:
    return "M" if isinstance(arrivals, Poisson) else "D" if isinstance(arrivals, Even) else "G"


def _service_letter(law: Law, by_size: float) -> str:
    if by_size:
        return "G"
    return "M" if isinstance(law, Exponential) else "D" if isinstance(law, Fixed) else "G"
