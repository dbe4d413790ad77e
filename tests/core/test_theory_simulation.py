"""The formulas against simulation by Ciw: within the intervals of independent replications."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import ciw
import numpy as np
import pytest
from scipy.special import stdtrit

from dropline import theory

REPLICATIONS, WARM_UP, JOBS = 16, 100.0, 3000
#: Two-sided, of each of some twenty comparisons: all hold for 98 seeds in 100.
CONFIDENCE = 0.999

Distribution = Callable[[], object]


@dataclass(frozen=True)
class Seen:
    """Means of one replication."""

    wait: float
    response: float
    late: float
    blocked: float


def simulate(
    seed: int,
    seconds: float,
    arrivals: Distribution,
    service: Distribution,
    workers: int,
    *,
    places: float = math.inf,
    late: float = math.inf,
) -> Seen:
    """One run from empty; who arrived in its first `WARM_UP` seconds does not count."""
    ciw.seed(seed)
    network = ciw.create_network(
        arrival_distributions=[arrivals()],
        service_distributions=[service()],
        number_of_servers=[workers],
        queue_capacities=[places - workers],
    )
    run = ciw.Simulation(network)
    run.simulate_until_max_time(WARM_UP + seconds)
    records = [r for r in run.get_all_records() if r.arrival_date >= WARM_UP]
    done = [r for r in records if r.record_type == "service"]
    waits = np.array([r.waiting_time for r in done])
    responses = waits + np.array([r.service_time for r in done])
    return Seen(
        wait=float(waits.mean()),
        response=float(responses.mean()),
        late=float((responses > late).mean()),
        blocked=sum(r.record_type == "rejection" for r in records) / len(records),
    )


def replicate(
    rate: float, arrivals: Distribution, service: Distribution, workers: int, **options: float
) -> list[Seen]:
    """Independent runs of about `JOBS` arrivals, `rate` a second."""
    seconds = JOBS / rate
    return [
        simulate(seed, seconds, arrivals, service, workers, **options)
        for seed in range(REPLICATIONS)
    ]


def assert_within(predicted: float, values: list[float]) -> None:
    quantile = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    half = quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    assert half < 0.35 * predicted  # or it would say nothing
    assert float(np.mean(values)) == pytest.approx(predicted, abs=half)


def exponential(rate: float) -> Distribution:
    return lambda: ciw.dists.Exponential(rate=rate)


@pytest.mark.parametrize(("load", "workers"), [(0.6, 1), (2.1, 3), (8.0, 10)])
def test_mmc(load: float, workers: int) -> None:
    tails = theory.tails(load, 1, workers)
    late = tails.response_percentile(0.9)
    seen = replicate(load, exponential(load), exponential(1), workers, late=late)
    line = theory.mmc(load, 1, workers)
    assert_within(line.mean_response, [one.response for one in seen])
    assert_within(0.1, [one.late for one in seen])
    if workers < 10:  # where few wait, the wait is too scattered to say much
        assert_within(line.mean_wait, [one.wait for one in seen])


def test_mmck() -> None:
    seen = replicate(3.0, exponential(3.0), exponential(1), 2, places=6)
    line = theory.mmck(3.0, 1, 2, 6)
    assert_within(line.p_blocked, [one.blocked for one in seen])
    assert_within(line.mean_wait, [one.wait for one in seen])
    assert_within(line.mean_response, [one.response for one in seen])


@pytest.mark.parametrize(
    ("service", "scv"),
    [
        (lambda: ciw.dists.Deterministic(value=1.0), 0.0),
        (lambda: ciw.dists.Gamma(shape=2, scale=0.5), 0.5),
        (lambda: ciw.dists.HyperExponential(rates=[1.6, 0.4], probs=[0.8, 0.2]), 2.125),
    ],
    ids=["deterministic", "gamma", "hyperexponential"],
)
def test_mg1(service: Distribution, scv: float) -> None:
    seen = replicate(0.6, exponential(0.6), service, 1)
    line = theory.mg1(0.6, 1, scv)
    assert_within(line.mean_wait, [one.wait for one in seen])


def test_ggc_is_near() -> None:
    seen = replicate(2.1, exponential(2.1), lambda: ciw.dists.Gamma(shape=2, scale=0.5), 3)
    line = theory.ggc(2.1, 1, 3, 1, 0.5)
    assert line.mean_wait == pytest.approx(np.mean([one.wait for one in seen]), rel=0.1)


@pytest.mark.parametrize(("load", "workers", "jobs"), [(0.0, 4, 30), (2.0, 4, 30)])
def test_drain_time(load: float, workers: int, jobs: int) -> None:
    """The time to empty from a backlog, by the same birth and death process step by step."""
    chance = np.random.default_rng(4)
    times = []
    for _ in range(400):
        time, present = 0.0, jobs
        while present:
            out = min(present, workers)
            time += chance.exponential(1 / (load + out))
            present += 1 if chance.random() < load / (load + out) else -1
        times.append(time)
    assert_within(theory.mean_drain_time(jobs, load, 1, workers), times)


@pytest.mark.parametrize("scv", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(("jobs", "workers"), [(40, 4), (200, 16), (1000, 8)])
def test_batch_time(scv: float, jobs: int, workers: int) -> None:
    chance = np.random.default_rng(5)
    service = chance.gamma(1 / scv, 2 * scv, (400, jobs))
    free = np.zeros((400, workers))
    for i in range(jobs):
        free[np.arange(400), free.argmin(axis=1)] += service[:, i]
    ends = free.max(axis=1)
    low, expected, high = theory.batch_time(jobs, workers, 2.0, scv)
    assert expected == pytest.approx(float(ends.mean()), rel=0.02)
    assert float(((low <= ends) & (ends <= high)).mean()) > 0.84
