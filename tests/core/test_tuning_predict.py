"""Models of lines in virtual time: what they predict, how surely, and what is recommended."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropline import theory
from dropline.theory import usl
from dropline.theory.usl import Point
from dropline.tuning import Figure, Goal, GoalKind, Prediction, Why
from dropline.tuning.observed import Observed, Snapshot
from dropline.tuning.pace import outdated
from dropline.tuning.predict import Model
from dropline.tuning.recommend import Recommender, recommend

from .virtual_line import VirtualLine


def poisson(chance: random.Random, rate: float) -> Iterator[float]:
    t = 0.0
    while True:
        t += chance.expovariate(rate)
        yield t


def watched(
    rate: float = 3.0, workers: int = 4, seconds: float = 400.0, seed: int = 1, mean: float = 1.0
) -> Snapshot:
    """An M/M/c line in virtual time."""
    chance, seen = random.Random(seed), Observed(0.0)
    line = VirtualLine(
        poisson(chance, rate), lambda: chance.expovariate(1 / mean), observers=[seen]
    )
    line.resize(workers)
    line.run(seconds)
    return seen.snapshot(seconds)


def dropped(jobs: int, workers: int = 4, seconds: float = 60.0) -> Snapshot:
    """A drop that has been going for a while."""
    chance, seen = random.Random(2), Observed(0.0)
    line = VirtualLine(iter(()), lambda: chance.expovariate(1.0), observers=[seen])
    line.resize(workers)
    line.feed(jobs)
    line.run(seconds)
    return seen.snapshot(seconds)


def model(snapshot: Snapshot) -> Model:
    made = Model.of(snapshot)
    assert made is not None
    return made


def figures(prediction: Prediction) -> list[Figure]:
    return [
        value
        for name in Prediction.__slots__
        if isinstance(value := getattr(prediction, name), Figure)
    ]


def test_it_predicts_what_mmc_says() -> None:
    for workers in (4, 5, 8):
        known = theory.mmc(3.0, 1.0, workers)
        predicted = model(watched(seconds=4000, seed=2)).predict(workers)
        assert predicted.stable
        assert predicted.in_system.holds(known.mean_in_system)
        assert predicted.response.holds(known.mean_response)
        assert predicted.response_p95.holds(
            theory.tails(3.0, 1.0, workers).response_percentile(0.95)
        )
        assert predicted.throughput.holds(3.0)


@settings(deadline=None, max_examples=25)
@given(
    rate=st.floats(0.2, 6.0),
    workers=st.integers(1, 40),
    seconds=st.floats(1.0, 1e6),
    seed=st.integers(0, 5),
)
def test_every_figure_lies_in_its_range_and_more_seconds_make_it_no_wider(
    rate: float, workers: int, seconds: float, seed: int
) -> None:
    made = model(watched(rate, 8, 100.0, seed))
    short, long = made.predict(workers, seconds), made.predict(workers)
    for a, b in zip(figures(short), figures(long), strict=True):
        for figure in (a, b):
            if figure.expected is not None:
                assert (figure.low or 0.0) <= figure.expected + 1e-12
                assert figure.high is None or figure.expected <= figure.high + 1e-12
        if a.high is not None and b.high is not None and a.low and b.low:
            assert a.high / a.low >= b.high / b.low * (1 - 1e-9)


@settings(deadline=None, max_examples=15)
@given(st.floats(0.5, 3.5))
def test_more_workers_never_make_it_worse(rate: float) -> None:
    made = model(watched(rate, 4, 200.0))
    waits = [made.predict(n).wait.expected for n in range(1, 12)]
    known = [math.inf if wait is None else wait for wait in waits]
    assert known == sorted(known, reverse=True)


def test_an_overloaded_line_has_no_means_but_a_throughput() -> None:
    predicted = model(watched(rate=6.0)).predict(4)
    assert not predicted.stable
    assert predicted.response.expected is None
    assert predicted.in_system.high is None
    assert predicted.throughput.holds(4.0)
    assert predicted.drain.expected is None


def test_a_drop_is_a_batch_with_a_drain_time() -> None:
    made = model(dropped(10_000))
    assert made.check().verdict == "batch"
    predicted = made.predict(8)
    assert predicted.response.expected is None
    assert predicted.drain.holds((made.in_system - 8) / 8)
    assert predicted.finish.expected == pytest.approx(made.in_system / 8, rel=0.25)
    assert predicted.beyond


def test_without_a_fit_more_workers_do_something_between_nothing_and_all() -> None:
    made = model(dropped(10_000))
    capacity = made.predict(16).capacity
    assert capacity.low is not None
    assert capacity.low <= 4.4
    assert capacity.expected == pytest.approx(16, rel=0.3)


def test_a_fit_bends_the_capacity() -> None:
    law = usl.fit([Point(n, n / (1 + 0.1 * (n - 1)), 5000) for n in (1, 2, 3, 4, 6, 8, 12)])
    made = Model.of(watched(), law)
    assert made is not None
    ratio = made.pace.expected(12) / made.pace.expected(1)
    assert ratio == pytest.approx(12 / 2.1, rel=0.01)


def test_too_little_is_no_model() -> None:
    assert Model.of(Observed(0.0).snapshot(10.0)) is None


def test_services_of_a_target_that_has_slowed_down_are_outdated() -> None:
    chance, seen = random.Random(3), Observed(0.0)
    line = VirtualLine(poisson(chance, 2.0), lambda: chance.expovariate(1.0), observers=[seen])
    line.resize(8)
    line.run(300)
    assert outdated(seen.snapshot(300)) == 0
    line.speed = lambda _busy: 0.4
    line.run(400)
    past = outdated(seen.snapshot(400))
    assert 400 < past < 750
    seen.forget(past)
    assert len(seen.snapshot(400).services) == len(seen.snapshot(400).busy_then)
    assert seen.snapshot(400).completions_by_busy == {}


def test_a_target_that_is_slower_with_more_workers_is_not_outdated() -> None:
    chance, seen = random.Random(3), Observed(0.0)
    line = VirtualLine(
        poisson(chance, 9.0),
        lambda: chance.expovariate(1.0),
        speed=lambda n: 1 / n,
        observers=[seen],
    )
    for workers in (1, 2, 4):
        line.resize(workers)
        line.run(line.now + 200)
    assert outdated(seen.snapshot(line.now)) == 0


# --- recommendations ----------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [10, 60, 110])
def test_ten_ten_minute_tasks_a_minute_need_more_than_a_hundred_workers(workers: int) -> None:
    chance, seen = random.Random(4), Observed(0.0)
    line = VirtualLine(poisson(chance, 10 / 60), lambda: 600.0, observers=[seen])
    line.resize(workers)
    line.run(40_000.0)
    made = model(seen.snapshot(40_000.0))
    advised = recommend(made, Goal(), 40_000.0, 256)
    assert advised.workers is not None
    assert advised.workers >= 96  # λ is known to some 1 in 80 here
    known = recommend(replace(made, arrival_rate=10 / 60, _settled={}), Goal(), 40_000.0, 256)
    assert known.workers is not None
    assert known.workers >= 101


def test_the_fewest_that_meet_a_goal() -> None:
    made = model(watched())
    advised = recommend(made, Goal(GoalKind.WAIT, 0.1), 0.0, 64)
    assert advised.workers is not None
    assert (advised.why, advised.met) == (Why.MEETS_GOAL, True)
    value = made.predict(advised.workers).wait.expected
    fewer = made.predict(advised.workers - 1).wait.expected
    assert value is not None
    assert value <= 0.1
    assert fewer is None or fewer > 0.1


def test_a_response_shorter_than_the_work_is_out_of_reach() -> None:
    advised = recommend(model(watched()), Goal(GoalKind.RESPONSE, 1.0), 0.0, 64)
    assert (advised.why, advised.met) == (Why.SERVICE_TOO_LONG, False)


def test_a_batch_in_time() -> None:
    made = model(dropped(1000, seconds=50.0))
    advised = recommend(made, Goal(GoalKind.DONE_BY, 50.0 + 150.0), 50.0, 64)
    assert advised.workers is not None
    assert (advised.why, advised.met) == (Why.IN_TIME, True)
    assert 6 <= advised.workers <= 8
    late = recommend(made, Goal(GoalKind.DONE_BY, 51.0), 50.0, 64)
    assert late.met is False


def test_no_more_workers_than_files_are_left() -> None:
    made = model(dropped(200, workers=4, seconds=52.0))
    assert made.in_system < 8
    advised = recommend(made, Goal(), 52.0, 64)
    assert advised.workers is not None
    assert advised.workers <= made.in_system


def test_beyond_the_knee_nothing_is_recommended() -> None:
    law = usl.fit(
        [
            Point(n, n / (1 + 0.05 * (n - 1) + 0.02 * n * (n - 1)), 5000)
            for n in (1, 2, 3, 4, 6, 8, 12)
        ]
    )
    made = Model.of(watched(rate=6.0), law)
    assert made is not None
    advised = recommend(made, Goal(GoalKind.WAIT, 0.01), 0.0, 64)
    assert law is not None
    assert (advised.workers, advised.why, advised.met) == (law.recommended, Why.KNEE, False)


def test_nothing_seen_and_nothing_there() -> None:
    assert recommend(None, Goal(), 0.0, 64).why == Why.NOTHING_SEEN
    assert recommend(model(dropped(100, seconds=300.0)), Goal(), 300.0, 64).why == Why.IDLE


def test_it_does_not_flicker() -> None:
    """One more than the fewest stays recommended; what misses the goal does not."""
    keeper = Recommender()
    first = keeper.recommend(model(watched(rate=3.3)), Goal(GoalKind.WAIT, 0.1), 0.0, 64)
    second = keeper.recommend(model(watched(rate=2.8)), Goal(GoalKind.WAIT, 0.1), 0.0, 64)
    third = keeper.recommend(model(watched(rate=6.5)), Goal(GoalKind.WAIT, 0.1), 0.0, 64)
    assert first.workers is not None
    assert third.workers is not None
    assert first.workers == second.workers < third.workers


@pytest.mark.parametrize(
    ("kind", "limit"), [("soon", 1.0), (GoalKind.WAIT, 0.0), (GoalKind.RESPONSE, math.inf)]
)
def test_goals_that_mean_nothing_are_refused(kind: str, limit: float) -> None:
    with pytest.raises(ValueError, match="a goal"):
        Goal(kind, limit)
