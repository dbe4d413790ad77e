"""The Universal Scalability Law: published fits reproduced, and what may be said of few points."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.theory.usl import Fit, Point, Shown, fit, points_by_busy

Row = dict[str, str]


def published() -> dict[str, list[Row]]:
    cases: dict[str, list[Row]] = {}
    with (Path(__file__).parents[1] / "data" / "usl.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            cases.setdefault(row["case"], []).append(row)
    return cases


PUBLISHED = published()


def points(case: str) -> list[Point]:
    return [Point(float(row["N"]), float(row["X"])) for row in PUBLISHED[case]]


def fitted(measured: list[Point], **options: int) -> Fit:
    found = fit(measured, **options)
    assert found is not None
    return found


def law(n: float, alpha: float, beta: float, gamma: float) -> float:
    return gamma * n / (1 + alpha * (n - 1) + beta * n * (n - 1))


def counted(counts: list[int], alpha: float, beta: float, seconds: float = 30.0) -> list[Point]:
    """Points as a line of 10 completions a second a worker would show them, by chance."""
    chance = np.random.default_rng(11)
    seen = {n: int(chance.poisson(law(n, alpha, beta, 10.0) * seconds)) for n in counts}
    return points_by_busy(dict.fromkeys(counts, seconds), seen)


# --- published fits -------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PUBLISHED)
def test_a_published_fit_is_reproduced(case: str) -> None:
    row = PUBLISHED[case][0]
    found = fitted(points(case), refits=1)
    assert found.contention.value == pytest.approx(float(row["alpha"]), abs=float(row["tol_alpha"]))
    assert found.coherency.value == pytest.approx(float(row["beta"]), abs=float(row["tol_beta"]))
    assert found.rate.value == pytest.approx(float(row["gamma"]), abs=float(row["tol_gamma"]))
    assert found.contention.value == pytest.approx(float(row["fit_alpha"]), rel=1e-5, abs=1e-8)
    assert found.coherency.value == pytest.approx(float(row["fit_beta"]), rel=1e-5, abs=1e-9)
    assert found.rate.value == pytest.approx(float(row["fit_gamma"]), rel=1e-5)
    assert found.peak.value == pytest.approx(float(row["peak_N_expected"]), rel=0.05)
    assert not found.superlinear


def test_specsdm91_whole() -> None:
    found = fitted(points("specsdm91"))
    assert found.contention.error == pytest.approx(0.0091217, rel=1e-4)
    assert found.coherency.error == pytest.approx(1.99e-5, rel=1e-2)
    assert found.rate.error == pytest.approx(14.2134894, rel=1e-4)
    assert found.residual == pytest.approx(82.8, abs=0.1)
    assert found.peak.value == pytest.approx(96.51956, abs=1e-4)
    assert found.best in (96, 97)
    assert found.throughput(found.peak.value) == pytest.approx(1884, abs=0.5)
    assert found.rate.value / found.contention.value == pytest.approx(3246, abs=1)
    # the bootstrap of usl.md: [82, 121]
    assert found.peak.low == pytest.approx(82, abs=4)
    assert found.peak.high == pytest.approx(121, abs=6)
    assert found.shown is Shown.ALL


def test_cisco_peak_interval() -> None:
    found = fitted(points("cisco32"))
    assert found.peak.low == pytest.approx(32.6, abs=0.5)
    assert found.peak.high == pytest.approx(40.1, abs=1)


def test_raytracer_shows_no_peak_and_a_one_sided_limit() -> None:
    found = fitted(points("raytracer"))
    assert found.coherency.on_bound
    assert found.coherency.error is None
    assert found.coherency.low == 0.0
    assert 0 < (found.coherency.high or 0) < 1e-3
    assert found.peak.value == found.peak.high == math.inf
    assert found.peak.low == pytest.approx(62, abs=12)
    assert found.best is None
    # 95 % of the limit γ/α is far beyond twice the 64 that were measured
    assert found.recommended == 128


# --- how much may be shown ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([1, 2, 4], Shown.CURVE),
        ([1, 2, 4, 8], Shown.CONTENTION),
        ([1, 2, 4, 8, 16], Shown.CONTENTION),
        ([5, 6, 7, 8, 9, 10], Shown.CONTENTION),
        ([1, 2, 3, 4, 6, 8], Shown.ALL),
    ],
)
def test_few_points_show_little(counts: list[int], shown: Shown) -> None:
    found = fitted(counted(counts, 0.05, 0.002), refits=50)
    assert found.shown is shown
    finite = found.peak.high is not None and found.peak.high < math.inf
    assert found.shows_peak == (shown is Shown.ALL or (shown is Shown.CONTENTION and finite))
    assert (found.recommended is None) != found.shows_peak
    assert (found.contention.high is None) == (shown is Shown.CURVE)


def test_fewer_than_three_worker_counts_are_no_fit() -> None:
    assert fit([]) is None
    assert fit(counted([1, 4], 0.05, 0.002) * 3) is None


def test_several_windows_of_one_worker_count_are_all_kept_and_still_one_count() -> None:
    found = fitted(counted([1, 2, 4], 0.05, 0.002) * 3, refits=20)
    assert found.shown is Shown.CURVE
    assert found.contention.high is not None


def test_superlinear_is_told_and_not_extrapolated() -> None:
    found = fitted([Point(n, 10 * n**1.3, 500) for n in (1, 2, 3, 4, 6, 8, 12)], refits=20)
    assert found.superlinear
    assert not found.shows_peak
    assert found.recommended is None


def test_a_linear_line_is_not_taken_for_superlinear_by_chance() -> None:
    found = fitted(counted([1, 2, 3, 4, 6, 8, 12, 16], 0.0, 0.0), refits=20)
    assert not found.superlinear
    assert found.contention.value < 0.02


# --- the fit --------------------------------------------------------------------------------------


def test_counts_make_intervals_that_hold_the_truth() -> None:
    found = fitted(counted([1, 2, 3, 4, 6, 8, 12, 16, 24, 32], 0.05, 0.002))
    truth = [0.05, 0.002, 10.0, math.sqrt(0.95 / 0.002)]
    estimates = [found.contention, found.coherency, found.rate, found.peak]
    for estimate, value in zip(estimates, truth, strict=True):
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= value <= estimate.high
    assert found.recommended in (14, 15, 16)


def test_an_outlier_is_bent_away_not_obeyed() -> None:
    clean = counted([1, 2, 3, 4, 6, 8, 12, 16, 24, 32], 0.05, 0.002)
    halved = [
        Point(p.workers, p.throughput / 2, (p.completions or 0) // 2) if p.workers == 8 else p
        for p in clean
    ]
    one, other = fitted(clean, refits=1), fitted(halved, refits=1)
    assert other.peak.value == pytest.approx(one.peak.value, rel=0.1)


def test_others_may_go_first_in_the_middle_of_a_fit() -> None:
    asked = 0

    def between() -> None:
        nonlocal asked
        asked += 1

    measured = counted([1, 2, 4, 8, 16], 0.05, 0.001)
    assert fit(measured, refits=10, between=between) == fit(measured, refits=10)
    assert asked >= 10


def test_it_repeats_with_its_seed() -> None:
    measured = points("noisy-3%")
    assert fitted(measured, refits=20) == fitted(measured, refits=20)
    assert fitted(measured, refits=20, seed=1).peak != fitted(measured, refits=20).peak


@given(
    st.floats(0, 0.5),
    st.floats(0, 0.05),
    st.floats(1e-3, 1e6),
    st.sets(st.integers(1, 64), min_size=6, max_size=12),
)
def test_points_without_noise_give_their_law_back(
    alpha: float, beta: float, gamma: float, counts: set[int]
) -> None:
    measured = [Point(n, law(n, alpha, beta, gamma)) for n in counts]
    found = fitted(measured, refits=1)
    for point in measured:
        assert found.throughput(point.workers) == pytest.approx(point.throughput, rel=1e-4)
    assert found.service_rate(2) == found.throughput(2) / 2
    if (enough := found.recommended) is not None:
        assert 1 <= enough <= 2 * max(counts)
        if found.best is not None:
            top = found.throughput(found.best)
            assert enough == 1 or found.throughput(enough - 1) < 0.95 * top
            assert found.throughput(enough) >= 0.95 * top or enough == 2 * max(counts)


def test_a_rate_needs_enough_completions() -> None:
    seconds = {0: 5.0, 1: 10.0, 2: 10.0, 30: 10.0, 31: 0.0}
    done = {0: 50, 1: 19, 2: 20, 30: 29, 31: 40}
    assert points_by_busy(seconds, done) == [Point(2, 2.0, 20)]


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (Point(0, 1.0), "busy workers is 1 or more"),
        (Point(math.nan, 1.0), "busy workers"),
        (Point(1, 0.0), "throughput is above 0"),
        (Point(1, math.inf), "throughput"),
        (Point(1, 1.0, 0), "completions are 1 or more"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(point: Point, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        fit([point, Point(2, 1.0), Point(3, 1.0)])
    with pytest.raises(ValueError, match="either all points tell"):
        fit([Point(1, 1.0, 20), Point(2, 1.0), Point(3, 1.0)])
