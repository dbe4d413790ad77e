"""The line whose pace bends: M/M/c where it doesn't, and how much its means waver."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline import theory


def straight(service_rate: float, workers: int) -> list[float]:
    return [service_rate * n for n in range(1, workers + 1)]


@given(
    workers=st.integers(1, 256),
    utilisation=st.floats(0.01, 0.999),
    service_rate=st.floats(1e-3, 1e3),
)
def test_with_a_straight_pace_it_is_mmc(
    workers: int, utilisation: float, service_rate: float
) -> None:
    arrival_rate = utilisation * workers * service_rate
    line = theory.chain(arrival_rate, straight(service_rate, workers))
    known = theory.mmc(arrival_rate, service_rate, workers)
    assert line.p_wait == pytest.approx(known.p_wait, rel=1e-7)
    assert line.mean_waiting == pytest.approx(known.mean_waiting, rel=1e-7)
    assert line.mean_in_system == pytest.approx(known.mean_in_system, rel=1e-7)


@pytest.mark.parametrize("utilisation", [0.1, 0.5, 0.9, 0.99])
def test_one_worker_wavers_as_known(utilisation: float) -> None:
    """2ρ(1 + ρ)/(1 − ρ)⁴ service times: Whitt, "Planning queueing simulations" (1989)."""
    line = theory.chain(utilisation, [1.0])
    known = 2 * utilisation * (1 + utilisation) / (1 - utilisation) ** 4
    assert line.wavering == pytest.approx(known, rel=1e-9)
    variance = utilisation / (1 - utilisation) ** 2
    assert line.mean_variance(0.0) == pytest.approx(variance)
    assert line.mean_variance(1e9) == pytest.approx(known / 1e9, rel=1e-4)


def test_where_nobody_waits_it_wavers_as_with_workers_without_end() -> None:
    """2a service times, for the number present is then a Poisson variable."""
    assert theory.chain(5.0, straight(1.0, 200)).wavering == pytest.approx(10.0)


def test_a_line_that_does_not_keep_up_has_no_mean() -> None:
    line = theory.chain(2.0, [1.0, 1.5, 1.9])
    assert line.p_wait == 1.0
    assert math.isinf(line.mean_waiting)
    assert math.isinf(line.mean_variance(10.0))


@given(st.lists(st.floats(0.5, 3.0), min_size=2, max_size=30))
def test_it_balances(rates: list[float]) -> None:
    """Jobs leave as fast as they come: what is weighed by the rates is λ."""
    arrival_rate = 0.8 * rates[-1]
    line = theory.chain(arrival_rate, rates)
    assert 0 < line.p_wait < 1
    assert 0 < line.mean_busy < len(rates)
    assert line.mean_waiting == pytest.approx(line.p_wait * 4.0)


def test_a_bending_pace_agrees_with_a_simulation() -> None:
    chance, rates, arrival_rate = random.Random(1), [1.0, 1.6, 1.9, 2.0], 1.5
    n, area, elapsed = 0, 0.0, 0.0
    for _ in range(400_000):
        pace = arrival_rate + (rates[min(n, 4) - 1] if n else 0.0)
        stay = chance.expovariate(pace)
        area += n * stay
        elapsed += stay
        n += 1 if chance.random() * pace < arrival_rate else -1
    line = theory.chain(arrival_rate, rates)
    error = math.sqrt(line.mean_variance(elapsed))
    assert abs(area / elapsed - line.mean_in_system) < 4 * error


def test_nonsense_is_refused() -> None:
    for arrival_rate, rates in itertools.product([0.0, 1.0], [[0.0], [1.0, -1.0]]):
        with pytest.raises(ValueError, match="is above 0"):
            theory.chain(arrival_rate, rates)
