"""Whether a prediction holds: lines in good order pass, and each way to be out of it is told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dropline.theory.validity import (
    ENOUGH,
    LEVEL,
    Reason,
    Validity,
    Verdict,
    assess,
    constant_mean,
    poisson,
    scv,
)

Array = NDArray[np.float64]


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(20)


def reasons(validity: Validity) -> set[Reason]:
    return {doubt.reason for doubt in validity.doubts}


def exponential(chance: np.random.Generator, mean: float, count: int) -> Array:
    return chance.exponential(mean, count)


# --- verdicts -------------------------------------------------------------------------------------


def test_a_line_in_good_order_is_valid(chance: np.random.Generator) -> None:
    found = assess(exponential(chance, 1, 1000), exponential(chance, 2, 1000), 4)
    assert found.verdict is Verdict.VALID
    assert found.doubts == ()
    assert found.scv_arrival is not None
    assert found.scv_service is not None
    assert found.utilisation is not None
    assert found.scv_arrival.low < 1 < found.scv_arrival.high
    assert found.scv_service.low < 1 < found.scv_service.high
    assert found.utilisation.low < 0.5 < found.utilisation.high
    assert found.concentration == pytest.approx(0.153, abs=0.02)


def test_tests_seldom_doubt_a_line_in_good_order(chance: np.random.Generator) -> None:
    verdicts = [
        assess(exponential(chance, 1, 300), exponential(chance, 1, 300), 4).verdict
        for _ in range(200)
    ]
    assert verdicts.count(Verdict.VALID) >= 190


@pytest.mark.parametrize(("files", "during"), [(10_000, 1.0), (10_000, 5.0), (10, 0.1)])
def test_a_drop_and_then_silence_is_a_batch(
    chance: np.random.Generator, files: int, during: float
) -> None:
    gaps = exponential(chance, during / files, files)
    found = assess(gaps, exponential(chance, 0.01, 300), 4, seconds=60)
    assert found.verdict is Verdict.BATCH
    assert Reason.ARRIVALS_STOPPED in reasons(found)


def test_files_that_arrive_in_one_instant_are_a_batch() -> None:
    found = assess([0.0] * 50, [1.0] * 50, 2)
    assert found.verdict is Verdict.BATCH
    assert found.concentration == 0
    assert found.scv_arrival is None


def test_many_small_batches_are_no_batch_but_no_poisson_process(
    chance: np.random.Generator,
) -> None:
    gaps = exponential(chance, 1, 2000)
    gaps[chance.random(2000) < 0.5] = 0
    found = assess(gaps, exponential(chance, 0.3, 2000), 4)
    assert found.verdict is Verdict.DOUBTFUL
    assert Reason.NOT_POISSON in reasons(found)
    assert found.scv_arrival is not None
    assert found.scv_arrival.low > 2


# --- doubts ---------------------------------------------------------------------------------------


def test_little_was_seen(chance: np.random.Generator) -> None:
    found = assess(exponential(chance, 1, 29), exponential(chance, 0.1, 5), 4)
    assert found.verdict is Verdict.DOUBTFUL
    doubts = {doubt.reason: doubt for doubt in found.doubts}
    assert doubts[Reason.FEW_ARRIVALS][1:] == (29, ENOUGH)
    assert doubts[Reason.FEW_SERVICES][1:] == (5, ENOUGH)


def test_nothing_was_seen() -> None:
    found = assess([], [], 1)
    assert found.verdict is Verdict.DOUBTFUL
    assert reasons(found) == {Reason.FEW_ARRIVALS, Reason.FEW_SERVICES}
    assert found.scv_arrival is found.scv_service is found.utilisation is None
    assert found.poisson is found.constant_arrivals is found.concentration is None
    assert found.bursts == 0


def test_arrivals_that_get_more_are_told(chance: np.random.Generator) -> None:
    gaps = np.concatenate([exponential(chance, 1, 300), exponential(chance, 0.5, 300)])
    found = assess(gaps, exponential(chance, 0.5, 600), 4)
    assert Reason.ARRIVALS_CHANGE in reasons(found)
    assert found.constant_arrivals is not None
    assert found.constant_arrivals.p_value < LEVEL
    assert found.constant_service is not None
    assert found.constant_service.p_value > LEVEL


def test_a_service_that_gets_slower_is_told(chance: np.random.Generator) -> None:
    service = np.concatenate([exponential(chance, 0.5, 300), exponential(chance, 1, 300)])
    found = assess(exponential(chance, 1, 600), service, 4)
    assert reasons(found) == {Reason.SERVICE_CHANGES}


@pytest.mark.parametrize("shape", [2.0, 100.0])
def test_regular_arrivals_are_no_poisson_process(chance: np.random.Generator, shape: float) -> None:
    found = assess(chance.gamma(shape, 1 / shape, 300), exponential(chance, 1, 300), 4)
    assert reasons(found) == {Reason.NOT_POISSON}
    assert found.scv_arrival is not None
    assert found.scv_arrival.low < 1 / shape < found.scv_arrival.high


def test_equal_gaps_and_service_times_are_constant_and_regular() -> None:
    found = assess([1.0] * 200, [0.5] * 200, 1)
    assert reasons(found) == {Reason.NOT_POISSON}
    assert found.scv_arrival == found.scv_service == (0, 0, 0)
    assert found.constant_service == (0, 1)


def test_overload_is_told_from_what_may_be(chance: np.random.Generator) -> None:
    gaps = exponential(chance, 1, 400)
    over = assess(gaps, exponential(chance, 5, 400), 4)
    assert Reason.OVERLOADED in reasons(over)
    near = assess(gaps, exponential(chance, 3.8, 400) * 3.8 / 4.0, 4)
    assert near.utilisation is not None
    assert near.utilisation.value < 1 < near.utilisation.high
    assert {Reason.MAYBE_OVERLOADED, Reason.NOT_SETTLED} <= reasons(near)


def test_a_busy_line_has_to_be_watched_for_ten_relaxation_times(
    chance: np.random.Generator,
) -> None:
    gaps, service = exponential(chance, 1, 200), exponential(chance, 0.8, 200)
    [doubt] = [d for d in assess(gaps, service, 1).doubts if d.reason is Reason.NOT_SETTLED]
    assert doubt.value == pytest.approx(float(gaps.sum()))
    assert doubt.limit > doubt.value


# --- the tests ------------------------------------------------------------------------------------


def test_their_p_values_are_uniform_where_nothing_is_wrong(chance: np.random.Generator) -> None:
    for test in (constant_mean, poisson):
        outcomes = [test(exponential(chance, 1, 200)) for _ in range(400)]
        p_values = [outcome.p_value for outcome in outcomes if outcome is not None]
        assert np.mean(np.array(p_values) < 0.1) == pytest.approx(0.1, abs=0.05)
        assert np.mean(np.array(p_values) < 0.5) == pytest.approx(0.5, abs=0.12)


def test_the_interval_of_a_variability_holds_it(chance: np.random.Generator) -> None:
    held = 0
    for _ in range(300):
        found = scv(exponential(chance, 3, 300))
        assert found is not None
        held += found.low <= 1 <= found.high
    assert held / 300 == pytest.approx(0.92, abs=0.05)


@given(st.lists(st.floats(0, 1e6), max_size=60), st.lists(st.floats(0, 1e6), max_size=60))
@example([5e-324, 5e-324], [5e-324, 5e-324])
@example([5e-324, 0.0, 0.0], [5e-324, 0.0, 0.0])
def test_any_measurements_get_a_verdict(gaps: list[float], services: list[float]) -> None:
    found = assess(gaps, services, 3)
    assert (found.verdict is Verdict.VALID) <= (not found.doubts)
    for estimate in (found.scv_arrival, found.scv_service, found.utilisation):
        if estimate is not None:
            assert 0 <= estimate.low <= estimate.value <= estimate.high
    for outcome in (found.constant_arrivals, found.constant_service, found.poisson):
        if outcome is not None:
            assert 0 <= outcome.p_value <= 1


@given(st.floats(1e-3, 1e3))
def test_a_verdict_knows_no_unit_of_time(unit: float) -> None:
    chance = np.random.default_rng(3)
    gaps, service = exponential(chance, 1, 100), exponential(chance, 2, 100)
    one, other = assess(gaps, service, 4), assess(gaps * unit, service * unit, 4)
    assert one.verdict is other.verdict
    assert reasons(one) == reasons(other)
    assert one.poisson == pytest.approx(other.poisson)


@pytest.mark.parametrize(
    ("gaps", "services", "workers", "seconds", "reason"),
    [
        ([-1.0], [], 1, None, "a time between arrivals is a number of 0 or more, not -1"),
        ([], [math.nan], 1, None, "a service time is a number of 0 or more, not nan"),
        ([], [], 0, None, "number of workers"),
        ([], [], 1, math.inf, "the time watched"),
        ([[1.0]], [], 1, None, "2 dimensions"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(
    gaps: list[float], services: list[float], workers: int, seconds: float | None, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        assess(gaps, services, workers, seconds=seconds)
