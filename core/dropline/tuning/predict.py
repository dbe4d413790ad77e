"""What the line would do with another number of workers, and how sure that is.

The line is one of Poisson arrivals and exponential service whose pace bends (`theory.chain`), its
wait made longer or shorter by the measured ca² and cs² (Allen and Cunneen; Krämer and
Langenbach-Belz for arrivals more regular than chance). Ranges hold 9 times in 10: of λ and of the
pace the errors are known, and a line a little more, or less, loaded is what they make. A mean over
some seconds wavers besides, by what the chain wavers in such a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from dropline import theory
from dropline.theory import validity
from dropline.theory.usl import Fit
from dropline.theory.validity import Validity, Verdict
from dropline.tuning.advice import UNKNOWN, Check, Doubt, Figure, Prediction
from dropline.tuning.observed import Snapshot
from dropline.tuning.pace import LEAST_SCV, Pace, Rate, Z

#: Arrivals and service times that a model needs.
FEWEST = 5
#: Quantiles that stand for the law of service times, where the 95th percentile is asked for.
QUANTILES = 100
#: So many mean gaps without an arrival, and more of irregular ones, are the end of arrivals.
STOPPED = 20
_EQUALLY = (np.arange(QUANTILES) + 0.5) / QUANTILES
#: Of a 95 % interval, which the variabilities have.
_Z95 = 1.959963984540054


class _Settled(NamedTuple):
    """Means of a settled line; infinite where it does not keep up."""

    in_system: float
    waiting: float
    response: float
    wait: float
    p95: float


#: How long a number of workers takes for what is here, if nothing more comes.
Finish = Callable[[int], theory.Range]


@dataclass(frozen=True, slots=True)
class Model:
    """The line as it was seen; `predict` says what it would do."""

    workers: int
    in_system: int
    busy: int
    #: λ and the relative standard error of it; 0 in a batch, for no more is expected.
    arrival_rate: float
    arrival_error: float
    scv_arrival: float
    scv_service: float
    #: How many times as much λ and μ waver from one while to the next as by independent gaps and
    #: service times.
    arrivals_waver: float
    services_waver: float
    #: In units of their mean, in order: equally probable service times.
    services: tuple[float, ...]
    pace: Pace
    most_measured: int
    validity: Validity
    finish: Finish | None = None
    _rates: list[Rate] = field(default_factory=list, repr=False)
    _settled: dict[tuple[int, float], _Settled] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, snapshot: Snapshot, fit: Fit | None = None, finish: Finish | None = None
    ) -> Model | None:
        """The model of what was seen; None while that is too little to go by.

        Only what came since arrivals, and service times, last changed their mean counts. `finish`
        is for who knows better how long the jobs here will take, by their sizes.
        """
        gaps, services = np.array(snapshot.gaps), np.array(snapshot.services)
        if len(services) < FEWEST or not services.any():
            return None
        first = validity.latest(services)
        services, busy_then = services[first:], np.array(snapshot.busy_then)[first:]
        latest = gaps[validity.latest(gaps) :]
        silence = max(0.0, snapshot.watched - float(gaps.sum()))
        watched = float(latest.sum()) + silence
        workers = max(1, snapshot.workers)
        verdict = validity.assess(gaps, services, workers, seconds=snapshot.watched)
        batch = verdict.verdict is Verdict.BATCH
        if not batch and len(latest) < len(gaps):
            verdict = validity.assess(latest, services, workers, seconds=watched)
        if watched and silence * len(latest) > STOPPED * float(latest.sum()) * max(
            1.0, 0.0 if verdict.scv_arrival is None else verdict.scv_arrival.value
        ):
            batch = True
        rate = 0.0 if batch or not watched else len(latest) / watched
        ca = 1.0 if verdict.scv_arrival is None else verdict.scv_arrival.value
        cs = 1.0 if verdict.scv_service is None else verdict.scv_service.value
        mean = float(services.mean())
        arrivals_waver = validity.dispersion(latest)
        services_waver = validity.dispersion(services)
        most = max((n for n, jobs in snapshot.completions_by_busy.items() if jobs >= 20), default=0)
        return cls(
            workers=snapshot.workers,
            in_system=snapshot.in_system,
            busy=snapshot.busy,
            arrival_rate=rate,
            arrival_error=math.sqrt(max(ca * arrivals_waver, LEAST_SCV) / max(1, len(latest))),
            scv_arrival=ca,
            scv_service=cs,
            arrivals_waver=arrivals_waver,
            services_waver=services_waver,
            services=tuple((np.quantile(services, _EQUALLY) / mean).tolist()),
            pace=Pace.of(services, cs * services_waver, busy_then, most, fit),
            most_measured=most,
            validity=verdict,
            finish=finish,
        )

    @property
    def is_batch(self) -> bool:
        """Whether no more is expected to come: then only what is here counts."""
        return not self.arrival_rate

    def check(self) -> Check:
        """Whether predictions hold, as a fact for the bus."""
        return Check(
            self.validity.verdict.name.lower(),
            tuple(
                Doubt(doubt.reason.name.lower(), doubt.value, doubt.limit)
                for doubt in self.validity.doubts
            ),
            None if self.validity.scv_arrival is None else self.scv_arrival,
            None if self.validity.scv_service is None else self.scv_service,
        )

    def predict(self, workers: int, seconds: float = math.inf) -> Prediction:
        """The line with so many workers (1 or more), as means over so many seconds once settled."""
        if math.isfinite(seconds) and max(self.arrivals_waver, self.services_waver) > 1:
            return self._lately(workers, seconds).predict(workers, seconds)
        rate = self._rate(workers)
        capacity = _around(rate.expected, rate.down, rate.up)
        beyond = workers > self.most_measured
        if self.is_batch:
            return Prediction(
                workers=workers,
                stable=True,
                beyond=beyond,
                capacity=capacity,
                utilisation=UNKNOWN,
                throughput=self._counted(capacity, rate.expected, self.scv_service, seconds),
                in_system=UNKNOWN,
                waiting=UNKNOWN,
                response=UNKNOWN,
                response_p95=UNKNOWN,
                wait=UNKNOWN,
                drain=self.drain(workers),
                finish=self.finishing(workers),
            )
        expected = self._at(workers, 0.0)
        low, high = self._at(workers, -Z), self._at(workers, Z)
        stable = math.isfinite(expected.in_system)
        present, response = self._wavering(workers, seconds) if stable else (0.0, 0.0)
        waits = self._wait_error()
        waiting = waits * expected.waiting / expected.in_system if stable else 0.0
        load = self.arrival_rate / rate.expected
        return Prediction(
            workers=workers,
            stable=stable,
            beyond=beyond,
            capacity=capacity,
            utilisation=_around(
                load,
                math.hypot(self.arrival_error, rate.up),
                math.hypot(self.arrival_error, rate.down),
            ),
            throughput=self._throughput(capacity, rate.expected, seconds),
            in_system=_figure(low.in_system, expected.in_system, high.in_system, present, waiting),
            waiting=_figure(low.waiting, expected.waiting, high.waiting, present, waits),
            response=_figure(low.response, expected.response, high.response, response, waiting),
            response_p95=_figure(low.p95, expected.p95, high.p95, response, waiting),
            wait=_figure(low.wait, expected.wait, high.wait, response, waits),
            drain=self.drain(workers),
            finish=self.finishing(workers),
        )

    def settles(self, workers: int) -> float:
        """Seconds until the line with so many workers has forgotten where it was; perhaps infinite.

        Until nobody waits that is too many, and three relaxation times from there: of a memory of
        the beginning e⁻³ are left. ca² and cs² draw them out as they do the wait.
        """
        rate = self.pace.expected(workers)
        left = rate - self.arrival_rate
        if left <= 0 or self.is_batch:
            return math.inf
        expected = self._at(workers, 0.0).in_system
        too_many = max(0.0, self.in_system - max(workers, expected))
        return too_many / left + 3 * self.relaxes(workers)

    def relaxes(self, workers: int) -> float:
        """The relaxation time with so many workers."""
        rate = self.pace.expected(workers)
        relaxation = theory.relaxation_time(self.arrival_rate, rate / workers, workers)
        return max(relaxation * max(1.0, self._variability), workers / rate)

    def drain(self, workers: int) -> Figure:
        """Seconds until nobody waits any more, from now, those that come meanwhile included."""
        behind = self.in_system - workers
        if behind <= 0:
            return Figure(0.0, 0.0, 0.0)
        if self.is_batch and self.finish is not None:
            share = behind / self.in_system * self._slower(workers)
            rate = self._rate(workers)
            low, expected, high = (t * share for t in self.finish(workers))
            return _figure(low, expected, high, 0.0, rate.down)
        rate = self._rate(workers)
        came, went = self.arrival_rate, rate.expected
        if went <= came:
            return UNKNOWN
        # A walk down of drift went − came: its passage time has this relative variance.
        chance = (self.scv_arrival * came + self.scv_service * went) / (behind * (went - came))
        s_came, s_went = (self.arrival_error if came else 0.0), rate.down
        s = math.hypot(s_came, s_went)
        slow = went * math.exp(-Z * s_went**2 / s) - came * math.exp(Z * s_came**2 / s)
        s = math.hypot(s_came, rate.up)
        fast = went * math.exp(Z * rate.up**2 / s) - came * math.exp(-Z * s_came**2 / s)
        longest = behind / slow if slow > 0 else math.inf
        return _figure(behind / fast, behind / (went - came), longest, math.sqrt(chance))

    def finishing(self, workers: int) -> Figure:
        """Seconds until the line is empty, from now, if nothing more comes."""
        if not self.in_system:
            return Figure(0.0, 0.0, 0.0)
        rate = self._rate(workers)
        if self.finish is not None:
            low, expected, high = (t * self._slower(workers) for t in self.finish(workers))
            return _figure(low, expected, high, 0.0, rate.down)
        # Of who is being served only a residual service time is left.
        served = min(self.busy, self.in_system)
        full = self.in_system - served * max(0.0, 1 - (1 + self.scv_service) / 2)
        jobs = max(1, round(full))
        time = theory.batch_time(jobs, workers, workers / rate.expected, self.scv_service)
        low, high = _spread(time.expected, time.low, time.high)
        return _around(time.expected, math.hypot(low, rate.up), math.hypot(high, rate.down))

    def _lately(self, workers: int, seconds: float) -> Model:
        """With the errors of what λ and μ will be in some seconds, where those waver by themselves.

        What independent gaps and service times do in that time is not among it.
        """
        jobs = max(1.0, seconds * min(self.arrival_rate or math.inf, self._rate(workers).expected))
        came = (self.arrivals_waver - 1) * self.scv_arrival / jobs
        took = (self.services_waver - 1) * self.scv_service / jobs
        return replace(
            self,
            arrival_error=math.hypot(self.arrival_error, math.sqrt(came)),
            pace=replace(self.pace, error=math.hypot(self.pace.error, math.sqrt(took))),
            arrivals_waver=1.0,
            services_waver=1.0,
            _rates=[],
            _settled={},
        )

    def _slower(self, workers: int) -> float:
        """How many times as long a job takes with so many workers busy as it did lately."""
        return self.pace.service_rate * workers / self.pace.expected(workers)

    @property
    def _variability(self) -> float:
        return (self.scv_arrival + self.scv_service) / 2

    def _rate(self, workers: int) -> Rate:
        """The pace, kept."""
        while len(self._rates) < workers:
            self._rates.append(self.pace(len(self._rates) + 1))
        return self._rates[workers - 1]

    def _at(self, workers: int, errors: float) -> _Settled:
        """The settled line if λ and the pace are off by so many of their errors, together.

        Each has a part of what they do to ρ, by the square of its error: that of the pace is meant
        where the line mostly is, and is its own for other numbers of busy workers.
        """
        key = workers, errors
        if key in self._settled:
            return self._settled[key]
        rates = [self._rate(n + 1) for n in range(workers)]
        pace = [rate.expected for rate in rates]
        came = self.arrival_rate
        if errors:
            offs = [rate.down if errors > 0 else rate.up for rate in rates]
            mostly = min(workers, max(1, round(came / self.pace.service_rate)))
            off = offs[mostly - 1]
            both = math.hypot(self.arrival_error, off)
            came *= math.exp(errors * self.arrival_error**2 / both)
            pace = [x * math.exp(-errors * e * off / both) for x, e in zip(pace, offs, strict=True)]
        self._settled[key] = self._settle(came, pace)
        return self._settled[key]

    def _settle(self, arrival_rate: float, pace: Sequence[float]) -> _Settled:
        """The settled line with this λ and this pace of 1, 2, … busy workers."""
        line = theory.chain(arrival_rate, pace)
        if math.isinf(line.mean_waiting):
            return _Settled(*[math.inf] * 5)
        waiting = line.mean_waiting * self._wait_factor(arrival_rate / pace[-1], len(pace))
        service, wait = line.mean_busy / arrival_rate, waiting / arrival_rate
        p95 = self._percentile(0.95, line.p_wait, wait, service)
        return _Settled(line.mean_busy + waiting, waiting, wait + service, wait, p95)

    def _wait_error(self) -> float:
        """The standard deviation of log (ca² + cs²): of few values with a heavy tail much."""
        squared = 0.0
        for estimate in (self.validity.scv_arrival, self.validity.scv_service):
            if estimate is not None and estimate.value:
                squared += (estimate.value * math.log(estimate.high / estimate.value)) ** 2
        return math.sqrt(squared) / _Z95 / (2 * self._variability) if self._variability else 0.0

    def _wait_factor(self, utilisation: float, workers: int) -> float:
        """How many times as long as in M/M/c the wait is.

        (ca² + cs²)/2 by Allen and Cunneen. For several workers T. Kimura, "A two-moment
        approximation for the mean waiting time in the GI/G/s queue" (1986), goes by M/D/c, which
        G. P. Cosmetatos, "Approximate explicit formulae …" (1975), knows. For arrivals more regular
        than chance Krämer and Langenbach-Belz (1976).
        """
        ca, cs, v = self.scv_arrival, self.scv_service, self._variability
        more = (1 - utilisation) * (workers - 1) * (math.sqrt(4 + 5 * workers) - 2)
        more = min(more / (16 * workers * utilisation), (workers - 1) / (workers + 1))
        factor = v * (1 + more) / (1 + cs * more)
        if ca < 1 and v:
            factor *= math.exp(-(1 - utilisation) / (3 * utilisation) * (1 - ca) ** 2 / v)
        return factor

    def _percentile(self, p: float, p_wait: float, wait: float, service: float) -> float:
        """The response that a share `p` stays below: an exponential wait, then a measured service.

        Who waits does so for an exponential time, as in M/M/c, of the mean that is known.
        """
        given = wait / p_wait if p_wait else 0.0
        late, before = p_wait, 0.0
        # P(response > t) is, just after the k-th service time s, (n − k)/n and what of p_wait/n ·
        # Σ e^−(t − sᵢ)/given over the k before has not died away: it is followed from s to s.
        n, sum_late = len(self.services), 0.0
        for k, s in enumerate(self.services, 1):
            s *= service
            target = (1 - p) * n - (n - k + 1)  # until s
            decay = math.exp(-(s - before) / given) if given else 0.0
            if target > 0 and sum_late * decay <= target:
                return before + (given * math.log(sum_late / target) if sum_late > target else 0.0)
            sum_late, before = sum_late * decay + late, s
        target = (1 - p) * n
        return before + (given * math.log(sum_late / target) if sum_late > target else 0.0)

    def _throughput(self, capacity: Figure, expected: float, seconds: float) -> Figure:
        """X: what comes, but no more than can be done."""
        came = _around(self.arrival_rate, self.arrival_error, self.arrival_error)
        if expected <= self.arrival_rate:
            most = self._counted(capacity, expected, self.scv_service, seconds)
            return _least(most, came.high)
        came = self._counted(came, self.arrival_rate, self.scv_arrival, seconds)
        return _least(came, capacity.high) if capacity.high is not None else came

    def _counted(self, figure: Figure, expected: float, scv: float, seconds: float) -> Figure:
        """A rate as it is counted over so many seconds."""
        assert figure.low is not None
        assert figure.high is not None
        return _figure(figure.low, expected, figure.high, math.sqrt(scv / (expected * seconds)))

    def _wavering(self, workers: int, seconds: float) -> tuple[float, float]:
        """Relative standard deviations over so many seconds of the mean present, and response.

        That of M/M/c, times ca² and cs² as the wait. The response wavers less, L = λW, by what L
        owes to a λ that came out higher: told apart by what each does to L.
        """
        if math.isinf(seconds):
            return 0.0, 0.0
        pace = [self._rate(n + 1).expected for n in range(workers)]
        line = theory.chain(self.arrival_rate, pace)
        present = line.mean_variance(seconds) / line.mean_in_system**2 * self._variability
        here = self._at(workers, 0.0).in_system
        more = self._settle(1.01 * self.arrival_rate, pace)
        faster = self._settle(self.arrival_rate, [1.01 * rate for rate in pace])
        by_arrivals = math.log(more.in_system / here) / math.log(1.01)
        by_pace = math.log(faster.in_system / here) / math.log(1.01)
        if not (math.isfinite(by_arrivals) and math.isfinite(by_pace)):
            return math.sqrt(present), math.sqrt(present)
        ca, cs = max(self.scv_arrival, 1e-9), self.scv_service
        of_present = by_arrivals**2 * ca + by_pace**2 * cs
        of_response = (by_arrivals - 1) ** 2 * ca + by_pace**2 * cs
        return math.sqrt(present), math.sqrt(present * of_response / of_present)


def _spread(expected: float, low: float, high: float) -> tuple[float, float]:
    """A range as standard deviations of the logarithm, to below and above."""
    below = math.log(expected / low) / Z if low > 0 else math.inf
    return below, math.log(high / expected) / Z if expected > 0 else 0.0


def _around(expected: float, below: float, above: float) -> Figure:
    """The range of a log-normal figure with these standard deviations of its logarithm."""
    return Figure.of(expected * math.exp(-Z * below), expected, expected * math.exp(Z * above))


def _figure(low: float, expected: float, high: float, scatter: float, error: float = 0.0) -> Figure:
    """A range widened by an independent relative error of what is expected, and by a scatter.

    What scatters about a mean and can't be below 0 is more often below it than above: then the
    median is expected, as that of a log-normal variable.
    """
    if math.isinf(expected):
        return UNKNOWN
    if not expected:
        return Figure.of(0.0, 0.0, high)
    below, above = _spread(expected, low, high)
    squared = math.log1p(scatter**2)
    median = expected * math.exp(-squared / 2)
    wider = squared + error**2
    return _around(median, math.sqrt(below**2 + wider), math.sqrt(above**2 + wider))


def _least(figure: Figure, most: float | None) -> Figure:
    if most is None or figure.high is None or figure.expected is None:
        return figure
    return Figure(figure.low, figure.expected, max(figure.expected, min(figure.high, most)))
