"""The formulas: what must hold of them whatever the line, and the cases at the edges."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline import theory
from dropline.theory import Steady

rates = st.floats(1e-6, 1e6)
shares = st.floats(0.01, 0.999)
counts = st.integers(1, 300)
scvs = st.floats(0, 20)
percentiles = st.floats(0, 0.9999)


def close(value: float, rel: float = 1e-9) -> object:
    # below the smallest normal float digits are lost
    return pytest.approx(value, rel=rel, abs=sys.float_info.min)


def assert_same(one: Steady, other: Steady, rel: float = 1e-9) -> None:
    for a, b in zip(astuple(one), astuple(other), strict=True):
        assert a == b or a == close(b, rel)


# --- what must hold -------------------------------------------------------------------------------


@given(rates, shares, counts, scvs, scvs, st.integers(0, 50))
def test_littles_law_holds(mu: float, rho: float, c: int, ca: float, cs: float, room: int) -> None:
    lam = rho * c * mu
    for line in [
        theory.mmc(lam, mu, c),
        theory.ggc(lam, mu, c, ca, cs),
        theory.mg1(rho * mu, mu, cs),
        theory.mmck(lam, mu, c, c + room),
    ]:
        assert line.mean_in_system == close(line.throughput * line.mean_response)
        assert line.mean_waiting == close(line.throughput * line.mean_wait)
        assert line.mean_response == close(line.mean_wait + 1 / mu)


@given(rates, shares, st.integers(1, 100))
def test_one_worker_more_never_hurts(mu: float, rho: float, c: int) -> None:
    lam = rho * c * mu
    fewer, more = theory.mmc(lam, mu, c), theory.mmc(lam, mu, c + 1)
    assert more.mean_wait < fewer.mean_wait
    assert theory.erlang_b(lam / mu, c + 1) < theory.erlang_b(lam / mu, c)
    p95 = [theory.tails(lam, mu, n).response_percentile(0.95) for n in (c, c + 1)]
    assert p95[1] <= p95[0] * (1 + 1e-9)
    assert theory.mean_drain_time(2 * c, 0, mu, c + 1) < theory.mean_drain_time(2 * c, 0, mu, c)


@given(rates, shares)
def test_the_models_agree_where_they_meet(mu: float, rho: float) -> None:
    one = theory.mm1(rho * mu, mu)
    assert_same(one, theory.mmc(rho * mu, mu, 1))
    assert_same(one, theory.mg1(rho * mu, mu, 1))
    for c in (1, 7):
        many = theory.mmc(rho * c * mu, mu, c)
        general = theory.ggc(rho * c * mu, mu, c, 1, 1)
        assert general.mean_wait == close(many.mean_wait)
        assert general.mean_in_system == close(many.mean_in_system)


@given(st.floats(0.01, 0.95), st.integers(1, 50))
def test_a_large_room_is_as_none(rho: float, c: int) -> None:
    room = c + math.ceil(math.log(1e-13) / math.log(rho))
    assert theory.mmck(rho * c, 1, c, room).p_blocked < 1e-12
    limited, free = theory.mmck(rho * c, 1, c, room), theory.mmc(rho * c, 1, c)
    assert limited.mean_in_system == close(free.mean_in_system)
    assert limited.p_wait == pytest.approx(free.p_wait, rel=1e-9, abs=1e-12)
    assert limited.p_empty == close(free.p_empty or 0.0)


@given(st.floats(0.01, 50), st.integers(1, 50))
def test_no_room_to_wait_is_erlang_b(load: float, c: int) -> None:
    assert theory.mmck(load, 1, c, c).p_blocked == close(theory.erlang_b(load, c))


@given(rates, shares, counts, st.floats(0, 20), st.floats(0, 20))
def test_tails_fall(mu: float, rho: float, c: int, one: float, other: float) -> None:
    line = theory.tails(rho * c * mu, mu, c)
    early, late = sorted((one / mu, other / mu))
    assert 0 <= line.wait_tail(late) <= line.wait_tail(early) <= line.p_wait
    assert 0 <= line.response_tail(late) <= line.response_tail(early) * (1 + 1e-12)
    assert line.wait_tail(late) <= line.response_tail(late) * (1 + 1e-12)


@given(rates, shares, counts, percentiles)
def test_a_percentile_is_where_the_tail_is(mu: float, rho: float, c: int, p: float) -> None:
    line = theory.tails(rho * c * mu, mu, c)
    assert line.response_tail(line.response_percentile(p)) == close(1 - p)
    wait = line.wait_percentile(p)
    if wait:
        assert line.wait_tail(wait) == close(1 - p)
    else:
        assert line.p_wait <= 1 - p


@given(shares, counts, st.integers(0, 1000))
def test_draining_takes_the_work_at_least(rho: float, c: int, jobs: int) -> None:
    lam = rho * c
    no_queue = theory.time_to_no_queue(jobs, lam, 1, c)
    fluid = theory.fluid_drain_time(jobs, lam, 1, c)
    assert no_queue <= fluid
    assert fluid <= theory.mean_drain_time(jobs, lam, 1, c) * (1 + 1e-12)


@given(st.integers(1, 1000), counts, rates)
def test_a_batch_of_exponential_or_equal_jobs_is_exact(jobs: int, c: int, mu: float) -> None:
    exponential = theory.batch_time(jobs, c, 1 / mu, 1.0)
    assert exponential.expected == close(theory.mean_drain_time(jobs, 0, mu, c))
    rounds = math.ceil(jobs / c) / mu
    assert theory.batch_time(jobs, c, 1 / mu, 0.0) == pytest.approx((rounds,) * 3)


@given(st.integers(1, 1000), counts, st.floats(0, 4))
def test_the_range_of_a_batch_holds_what_is_expected(jobs: int, c: int, scv: float) -> None:
    low, expected, high = theory.batch_time(jobs, c, 1.0, scv)
    assert 0 < low <= expected * (1 + 1e-12)
    assert expected <= high * (1 + 1e-12)


@given(st.floats(0, 500), st.floats(0.1, 10), st.floats(0.01, 0.99), st.floats(1.001, 50))
def test_the_fewest_workers_are_enough_and_one_less_is_not(
    lam: float, mu: float, p: float, times: float
) -> None:
    fewest = theory.workers_to_keep_up(lam, mu)
    assert math.isfinite(theory.mmc(lam, mu, fewest).mean_wait)
    assert fewest == 1 or math.isinf(theory.mmc(lam, mu, fewest - 1).mean_wait)

    def mean(c: int) -> float:
        return theory.mmc(lam, mu, c).mean_response

    def percentile(c: int) -> float:
        return theory.tails(lam, mu, c).response_percentile(p)

    goals: list[tuple[Callable[[int], float], float | None, float]] = [
        (mean, None, times / mu),
        (percentile, p, -math.log1p(-p) * times / mu),
    ]
    for figure, share, goal in goals:
        c = theory.workers_for_response(lam, mu, goal, share)
        assert c is not None
        assert figure(c) <= goal * (1 + 1e-9)
        assert c == 1 or figure(c - 1) > goal * (1 - 1e-9)


# --- the edges ------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1.0, 1 / 60, 60.0])
def test_ten_ten_minute_jobs_a_minute_need_101_workers(unit: float) -> None:
    lam, mu = 10 * unit, 0.1 * unit
    assert theory.workers_to_keep_up(lam, mu) == 101
    assert theory.mmc(lam, mu, 100).mean_wait == math.inf
    # every goal that can be met needs at least as many
    assert theory.workers_for_response(lam, mu, 1000 / mu) == 101
    assert (theory.workers_for_response(lam, mu, 1.01 / mu) or 0) > 101
    assert theory.workers_for_response(lam, mu, 1 / mu) is None


def test_a_third_of_a_last_bit_is_no_spare_capacity() -> None:
    line = theory.mmc(0.3, 0.1, 3)  # 3 * 0.1 > 0.3 in floats
    assert line.utilisation == 1.0
    assert line.mean_in_system == math.inf
    assert theory.workers_to_keep_up(0.3, 0.1) == 4


@given(rates, st.floats(1, 1e6), counts, percentiles)
def test_overload_is_infinite_not_an_error(mu: float, rho: float, c: int, p: float) -> None:
    lam = rho * c * mu
    for line in (theory.mmc(lam, mu, c), theory.ggc(lam, mu, c, 0, 0)):
        assert line.utilisation >= 1
        assert line.mean_wait == line.mean_response == line.mean_waiting == math.inf
        assert line.throughput == close(c * mu)
        assert line.growth == pytest.approx(lam - c * mu, rel=1e-6, abs=1e-9 * c * mu)
    tails = theory.tails(lam, mu, c)
    assert tails.wait_tail(1) == tails.response_tail(1) == 1
    assert tails.wait_percentile(p) == tails.response_percentile(p) == math.inf
    assert theory.relaxation_time(lam, mu, c) == math.inf
    assert theory.time_to_no_queue(c + 1, lam, mu, c) == math.inf
    assert theory.time_to_no_queue(c, lam, mu, c) == 0


def test_an_idle_line_has_a_response_of_one_service() -> None:
    for line in (theory.mmc(0, 2, 3), theory.mmck(0, 2, 3, 5), theory.mg1(0, 2, 9)):
        assert line.mean_in_system == line.mean_waiting == line.mean_wait == 0
        assert line.mean_response == 0.5
        assert line.p_empty == 1
    assert theory.mean_drain_time(0, 0, 1, 3) == 0
    assert theory.workers_to_keep_up(0, 1) == 1
    assert theory.workers_for_wait(0, 1, 1e-9) == 1


@pytest.mark.parametrize("rho", [0.5, 0.999, 1 - 1e-9, 1 - 1e-12])
def test_ten_thousand_workers_up_to_the_limit(rho: float) -> None:
    line = theory.mmc(10_000 * rho, 1, 10_000)
    assert line.mean_in_system == close(line.throughput * line.mean_response)
    # Halfin and Whitt: P(wait) nears 1 as √c(1 − ρ) nears 0
    assert line.p_wait is not None
    assert (line.p_wait > 0.999) == (rho > 0.9999)


def test_the_relaxation_time() -> None:
    assert theory.relaxation_time(0.5, 1, 1) == pytest.approx(11.66, rel=1e-3)
    assert theory.relaxation_time(0.99, 1, 1) == pytest.approx(39_800, rel=1e-3)
    assert theory.relaxation_time(0, 2, 2) == 0.25


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: theory.mm1(-1, 1), "the arrival rate is a number of 0 or more, not -1"),
        (lambda: theory.mm1(math.nan, 1), "arrival rate"),
        (lambda: theory.mm1(math.inf, 1), "arrival rate"),
        (lambda: theory.mm1(1, 0), "the service rate is a number above 0, not 0"),
        (lambda: theory.mm1(1, math.nan), "service rate"),
        (lambda: theory.mm1(1e300, 1e-300), "too many"),
        (lambda: theory.mmc(1, 1, 0), "the number of workers is a whole number from 1"),
        (lambda: theory.mmc(1, 1, 2.5), "not 2.5"),  # type: ignore[arg-type]
        (lambda: theory.mmc(1, 1, math.nan), "not nan"),  # type: ignore[arg-type]
        (lambda: theory.mmc(1, 1, 10**7), "to 1,000,000"),
        (lambda: theory.mg1(1, 1, -0.1), "variability of service times"),
        (lambda: theory.ggc(1, 1, 1, math.inf, 1), "variability of arrivals"),
        (lambda: theory.mmck(1, 1, 3, 2), "2 places for 3 workers"),
        (lambda: theory.erlang_b(-1, 1), "offered load"),
        (lambda: theory.erlang_c(1, 0), "number of workers"),
        (lambda: theory.tails(1, 2, 1).wait_tail(-1), "the time"),
        (lambda: theory.tails(1, 2, 1).response_percentile(1), "such as 0.95"),
        (lambda: theory.tails(1, 2, 1).wait_percentile(math.nan), "such as 0.95"),
        (lambda: theory.workers_for_wait(1, 1, 0), "the goal is above 0"),
        (lambda: theory.workers_for_wait(1, 1, math.nan), "the goal"),
        (lambda: theory.workers_for_response(1, 1, 2, 95), "such as 0.95"),
        (lambda: theory.workers_to_keep_up(1e9, 1), "erlangs"),
        (lambda: theory.mean_drain_time(-1, 0, 1, 1), "number of jobs"),
        (lambda: theory.batch_time(1, 1, -1, 1), "mean service time"),
        (lambda: theory.relaxation_time(1, 1, 0), "number of workers"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(call: Callable[[], object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        call()
