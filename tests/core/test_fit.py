"""The fit of service times and the time left: exact where there is no noise, honest where there is.

Lines are simulated: c workers take files in order, each for a + b·size times noise.
"""

from __future__ import annotations

import heapq
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.meter import Range, ServiceFit, ServiceTime, time_left
from dropline.meter.fit import ENOUGH, HORIZON

A, B, MEAN = 0.02, 1e-6, 1e5


def learnt(points: list[tuple[int, float]]) -> ServiceTime:
    fit = ServiceFit()
    for size, seconds in points:
        fit.add(size, seconds)
    made = fit.fit()
    assert made is not None
    return made


def lognormal(rng: random.Random, mean: float, cv: float) -> float:
    sigma = math.sqrt(math.log1p(cv**2))
    return mean * rng.lognormvariate(-(sigma**2) / 2, sigma)


# --- the fit ------------------------------------------------------------------------------------


@given(
    a=st.floats(1e-3, 100),
    b=st.floats(1e-12, 1e-3),
    sizes=st.lists(st.integers(0, 10**12), min_size=ENOUGH, max_size=60),
)
def test_without_noise_the_line_is_found_exactly(a: float, b: float, sizes: list[int]) -> None:
    sizes = [*sizes, 10**6, 2 * 10**6]
    made = learnt([(size, a + b * size) for size in sizes])
    for size in (10**6, 2 * 10**6, max(sizes)):
        assert made.seconds(size) == pytest.approx(a + b * size, rel=1e-4, abs=2e-6)


def test_a_plain_line_is_found_to_the_last_digits() -> None:
    made = learnt([(size, A + B * size) for size in range(10_000, 600_000, 10_000)])
    assert (made.a, made.b) == (pytest.approx(A, rel=1e-9), pytest.approx(B, rel=1e-9))
    assert max(made.spread, made.a_error, made.b_error / B) < 1e-6


def test_nothing_is_said_before_there_is_enough() -> None:
    fit = ServiceFit()
    for _ in range(ENOUGH - 1):
        fit.add(1000, 0.1)
        assert fit.fit() is None
    fit.add(1000, 0.1)
    assert fit.fit() is not None


def test_of_one_size_only_the_mean_is_known() -> None:
    made = learnt([(1000, 0.1 + 0.02 * (number % 2)) for number in range(400)])
    assert (made.b, made.b_error, made.covariance) == (0, 0, 0)
    assert made.a == pytest.approx(0.11, rel=0.01)
    assert made.spread == pytest.approx(0.01 / 0.11, rel=0.05)


@pytest.mark.parametrize("line", [(0.1, -1e-7), (-0.1, 1e-6)])
def test_no_coefficient_is_negative(line: tuple[float, float]) -> None:
    a, b = line
    sizes = range(200_000, 900_000, 10_000)
    made = learnt([(size, max(0.0, a + b * size)) for size in sizes])
    assert min(made.a, made.b) == 0
    assert max(made.a, made.b) > 0


def test_empty_files_and_a_clock_that_stands_still() -> None:
    made = learnt([(0, 0.0)] * 50 + [(10**9, 10.0)] * 20)
    assert made.seconds(10**9) == pytest.approx(10, rel=0.5)


def test_the_errors_are_those_that_are_seen() -> None:
    """Over many fits a and b scatter as each says, and lie about the truth."""
    rng = random.Random(1)
    made = []
    for _ in range(200):
        sizes = [round(lognormal(rng, MEAN, 1.0)) for _ in range(80)]
        made.append(learnt([(size, (A + B * size) * lognormal(rng, 1, 0.3)) for size in sizes]))
    for name, truth in (("a", A), ("b", B)):
        values = [getattr(fit, name) for fit in made]
        mean = math.fsum(values) / len(values)
        scatter = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
        told = math.fsum(getattr(fit, f"{name}_error") for fit in made) / len(made)
        assert mean == pytest.approx(truth, rel=0.05)
        assert told == pytest.approx(scatter, rel=0.35)
    assert math.fsum(fit.spread for fit in made) / len(made) == pytest.approx(0.3, rel=0.1)


def test_the_fit_follows_a_change() -> None:
    rng = random.Random(2)
    fit = ServiceFit()
    for slower, count in ((1, 1000), (3, 10 * HORIZON)):
        for _ in range(count):
            size = round(lognormal(rng, MEAN, 1.0))
            fit.add(size, slower * (A + B * size))
    made = fit.fit()
    assert made is not None
    assert made.seconds(MEAN) == pytest.approx(3 * (A + B * MEAN), rel=0.05)


def test_an_attempt_that_hung_does_not_outweigh_the_others() -> None:
    rng = random.Random(3)
    sizes = [round(lognormal(rng, MEAN, 1.0)) for _ in range(200)]
    points = [(size, A + B * size) for size in sizes]
    made = learnt([*points, (0, 3600.0)])
    assert made.seconds(MEAN) < 1.5 * (A + B * MEAN)


# --- the time left ------------------------------------------------------------------------------


def known(a: float = A, b: float = B, **changes: float) -> ServiceTime:
    values = {"a_error": 0.0, "b_error": 0.0, "covariance": 0.0, "spread": 0.0, "count": 100}
    return ServiceTime(a, b, **(values | changes))  # type: ignore[arg-type]


def test_one_worker_without_scatter_needs_just_the_work() -> None:
    left = time_left(known(), 10, 1e6, 1e11, 1)
    assert left == Range(*[pytest.approx(10 * A + B * 1e6)] * 3)


@given(
    items=st.floats(0.5, 1e6),
    mean=st.floats(0, 1e10),
    unequal=st.floats(1, 50),
    workers=st.integers(1, 256),
    spread=st.floats(0, 3),
    largest=st.floats(0, 1e12),
)
def test_the_range_is_in_order_and_within_what_is_possible(
    items: float, mean: float, unequal: float, workers: int, spread: float, largest: float
) -> None:
    service = known(spread=spread, a_error=A / 10, b_error=B / 10)
    size = items * mean
    left = time_left(service, items, size, items * mean**2 * unequal, workers, largest=largest)
    assert 0 < left.low <= left.expected <= left.high < math.inf
    work = service.a * items + service.b * size
    alone = service.seconds(largest) if largest else 0.0
    assert left.low >= alone
    assert left.expected >= work / workers * (1 - 1e-9)
    assert left.expected <= max(work, alone) * (1 + 1e-9)


def test_more_workers_than_files_are_of_no_use() -> None:
    few = time_left(known(spread=0.3), 3, 3e5, 3e10, 3)
    assert time_left(known(spread=0.3), 3, 3e5, 3e10, 64) == few


def simulate(
    rng: random.Random, workers: int, cv: float, noise: float, files: int, seen: int
) -> tuple[Range, float]:
    """What was told after `seen` files had been sent, and how long the rest really took."""
    sizes = [round(lognormal(rng, MEAN, cv)) for _ in range(files)]
    fit, running, now, told, at = ServiceFit(), [], 0.0, None, 0.0
    waiting = list(enumerate(sizes))[::-1]
    for done in range(-workers, files):
        if done >= 0:
            now, number, began = heapq.heappop(running)
            fit.add(sizes[number], now - began)
        if waiting:
            number, size = waiting.pop()
            end = now + (A + B * size) * lognormal(rng, 1, noise)
            heapq.heappush(running, (end, number, now))
        if done + 1 == seen:
            left = [size for _, size in waiting]
            left += [sizes[n] * (end - now) / (end - began) for end, n, began in running]
            service = fit.fit()
            assert service is not None
            told, at = (
                time_left(
                    service,
                    len(waiting) + len(running) / 2,
                    sum(left),
                    sum(size**2 for size in left),
                    workers,
                    largest=max(left[len(waiting) :]),
                ),
                now,
            )
    assert told is not None
    return told, now - at


@pytest.mark.parametrize(
    ("workers", "cv", "noise", "files", "seen"),
    [
        (1, 0.0, 0.3, 300, 150),
        (1, 2.0, 0.5, 300, 100),
        (2, 1.0, 0.3, 300, 150),
        (4, 1.0, 0.3, 600, 200),
        (4, 2.0, 0.5, 600, 200),
        (8, 1.0, 0.3, 1000, 400),
    ],
)
def test_the_range_holds_the_truth_as_often_as_it_says(
    workers: int, cv: float, noise: float, files: int, seen: int
) -> None:
    rng = random.Random(4)
    runs = [simulate(rng, workers, cv, noise, files, seen) for _ in range(150)]
    held = sum(told.low <= truth <= told.high for told, truth in runs) / len(runs)
    assert 0.83 <= held <= 0.97
    bias = math.fsum(math.log(truth / told.expected) for told, truth in runs) / len(runs)
    assert abs(bias) < 0.05
