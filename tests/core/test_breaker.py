"""The breaker: its states over simulated time, for one worker and for many."""

from __future__ import annotations

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dropline.station import Breaker
from dropline.station.breaker import FIRST_PAUSE, LONGEST_PAUSE, THRESHOLD


def steady(first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> Breaker:
    """One whose pauses last three quarters of what they may."""
    return Breaker(first, longest, jitter=lambda: 0.5)


def opened(breaker: Breaker, now: float = 0.0) -> Breaker:
    for _ in range(THRESHOLD):
        breaker.failed(1, now, None)
    assert breaker.is_open
    return breaker


def test_it_opens_after_some_failures_in_a_row() -> None:
    breaker = steady()
    for time in range(1, THRESHOLD):
        assert not breaker.failed(1, time, None)
        assert not breaker.is_open
        assert breaker.wait(time) == 0
    assert not breaker.succeeded()
    for time in range(10, 9 + THRESHOLD):
        assert not breaker.failed(1, time, None)
    assert breaker.failed(1, 20, None)
    assert breaker.wait(20) == pytest.approx(0.75 * FIRST_PAUSE)
    assert breaker.wait(20 + FIRST_PAUSE) == 0


def test_it_opens_at_once_where_the_target_names_a_time_to_wait() -> None:
    breaker = steady()
    assert breaker.failed(1, 100.0, 7.0)
    assert breaker.wait(100.0) == pytest.approx(7 + 0.75 * FIRST_PAUSE)


def test_one_probe_at_a_time_and_the_pause_doubles_to_the_cap() -> None:
    breaker, now = opened(steady(1.0, 5.0)), 0.0
    for pause in (1.0, 2.0, 4.0, 5.0, 5.0):
        assert breaker.wait(now) == pytest.approx(0.75 * pause)
        now += 0.75 * pause
        breaker.begin(2)
        assert breaker.wait(now + 1e9) == math.inf
        assert not breaker.failed(2, now, None)
        assert breaker.is_open


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1 - 2**-53])
def test_half_of_a_pause_is_certain(jitter: float) -> None:
    breaker = opened(Breaker(8.0, 30.0, jitter=lambda: jitter))
    assert 4.0 <= breaker.wait(0.0) <= 8.0


def test_an_answer_closes_it_and_the_next_pause_is_the_first_again() -> None:
    breaker = opened(steady())
    breaker.begin(2)
    breaker.failed(2, 1.0, None)
    assert breaker.succeeded()
    assert not breaker.is_open
    assert breaker.wait(1.0) == 0
    assert breaker.failing_since is None
    assert opened(breaker, 2.0).wait(2.0) == pytest.approx(0.75 * FIRST_PAUSE)


def test_a_long_wait_that_was_named_ends_with_an_answer() -> None:
    breaker = steady()
    breaker.failed(1, 0.0, 3600.0)
    assert breaker.succeeded()
    assert opened(breaker, 10.0).wait(10.0) == pytest.approx(0.75 * FIRST_PAUSE)


def test_a_straggler_that_fails_changes_nothing() -> None:
    breaker = opened(steady())
    assert not breaker.failed(5, 0.5, None)
    assert breaker.wait(0.5) == pytest.approx(0.75 * FIRST_PAUSE - 0.5)


def test_stragglers_leave_the_probe_alone() -> None:
    breaker = opened(steady())
    breaker.begin(2)
    breaker.failed(5, 10.0, None)
    breaker.failed(6, 10.0, 1.0)
    breaker.withdraw(7)
    assert breaker.wait(100.0) == math.inf
    breaker.failed(2, 100.0, None)
    assert breaker.wait(100.0) == pytest.approx(0.75 * 2 * FIRST_PAUSE)


def test_many_that_are_told_to_wait_at_once_do_not_double_the_pause() -> None:
    breaker = steady()
    for worker in range(16):
        breaker.failed(worker, 0.0, 1.0)
    assert breaker.wait(0.0) == pytest.approx(1 + 0.75 * FIRST_PAUSE)


def test_a_straggler_that_is_answered_closes_it() -> None:
    breaker = opened(steady())
    breaker.begin(2)
    assert breaker.succeeded()
    assert not breaker.failed(2, 1.0, None)  # the probe has become an attempt like any other
    assert breaker.wait(1.0) == 0


def test_a_probe_of_an_older_outage_is_not_the_new_ones() -> None:
    breaker = opened(steady())
    breaker.begin(2)
    breaker.succeeded()
    opened(breaker, 5.0)
    breaker.begin(3)
    breaker.failed(2, 6.0, None)
    assert breaker.wait(100.0) == math.inf


def test_a_probe_that_says_nothing_lets_another_go() -> None:
    breaker = opened(steady())
    breaker.begin(2)
    breaker.withdraw(2)
    assert breaker.is_open
    assert breaker.wait(FIRST_PAUSE) == 0


def test_probe_now_ends_the_pause_and_allows_no_second_probe() -> None:
    breaker = opened(steady())
    breaker.probe_now()
    assert breaker.is_open
    assert breaker.wait(0.0) == 0
    breaker.begin(2)
    breaker.probe_now()
    assert breaker.wait(0.0) == math.inf
    breaker.failed(2, 0.0, None)
    assert breaker.wait(0.0) == pytest.approx(0.75 * 2 * FIRST_PAUSE)


def test_it_knows_since_when_the_target_fails() -> None:
    breaker = steady()
    assert breaker.failing_since is None
    breaker.failed(1, 3.0, None)
    breaker.withdraw(1)
    opened(breaker, 5.0)
    assert breaker.failing_since == 3.0
    breaker.succeeded()
    breaker.failed(1, 9.0, None)
    assert breaker.failing_since == 9.0


class Workers(RuleBasedStateMachine):
    """Workers that attempt whenever the breaker lets them, and end in every way."""

    workers = st.integers(0, 5)

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(1.0, 8.0, jitter=lambda: 0.0)
        self.now = 0.0
        self.busy: set[int] = set()
        self.prober: int | None = None
        self.in_a_row = 0
        self.since: float | None = None
        self.pause = 0.0
        self.not_before = 0.0

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 4.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(worker=workers)
    def begin(self, worker: int) -> None:
        if worker in self.busy or self.breaker.wait(self.now) > 0:
            return
        self.breaker.begin(worker)
        self.busy.add(worker)
        if self.pause:
            assert self.prober is None, "two probes at a time"
            assert self.now >= self.not_before
            self.prober = worker

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), retry_after=st.none() | st.sampled_from([0.0, 3.0]))
    def fail(self, data: st.DataObject, retry_after: float | None) -> None:
        worker = data.draw(st.sampled_from(sorted(self.busy)))
        self.busy.remove(worker)
        was_probe, was_open = worker == self.prober, self.pause > 0
        self.in_a_row += 1
        if self.since is None:
            self.since = self.now
        if was_probe:
            self.prober = None
            self.pause = min(8.0, 2 * self.pause)
        elif not was_open and (self.in_a_row >= THRESHOLD or retry_after is not None):
            self.pause = 1.0
        opened = self.pause > 0 and not was_open
        if was_probe or opened or (was_open and retry_after is not None):
            until = self.now + (retry_after or 0.0) + self.pause / 2
            self.not_before = max(self.not_before, until)
        assert self.breaker.failed(worker, self.now, retry_after) == opened

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        self.busy.remove(data.draw(st.sampled_from(sorted(self.busy))))
        assert self.breaker.succeeded() == (self.pause > 0)
        self.in_a_row = 0
        self.prober, self.since = None, None
        self.pause = self.not_before = 0.0

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def end_without_a_word(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(sorted(self.busy)))
        self.busy.remove(worker)
        self.breaker.withdraw(worker)
        if worker == self.prober:
            self.prober = None

    @rule()
    def probe_now(self) -> None:
        self.breaker.probe_now()
        self.not_before = 0.0

    @invariant()
    def agrees(self) -> None:
        assert self.breaker.is_open == (self.pause > 0)
        assert self.breaker.failing_since == self.since
        expected = 0.0 if not self.pause else max(0.0, self.not_before - self.now)
        if self.prober is not None:
            expected = math.inf
        assert self.breaker.wait(self.now) == pytest.approx(expected)


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=100, stateful_step_count=30)
