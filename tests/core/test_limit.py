"""The limit: no window of time gets more than the rate and a burst, and nobody waits for ever.

Where time matters it is simulated: it passes only while the first in the line sleeps.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropline.station import MIN_RATE, Aborted, Attempt, Limit, parse_rate
from dropline.station.limit import BURST, SHARE

Until = Callable[..., None]
BLOCK = 256 * 1024


class Time:
    """A clock that goes on when somebody sleeps, and by `now += …`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        if seconds is None:
            condition.wait()
        else:
            condition.wait(0)  # lets others join the line
            self.now += seconds


def limited(rate: float | None) -> tuple[Limit, Time]:
    time = Time()
    return Limit(rate, clock=time, wait=time.wait), time


@contextmanager
def threads(*targets: Callable[[], object]) -> Iterator[list[threading.Thread]]:
    running = [threading.Thread(target=target) for target in targets]
    for thread in running:
        thread.start()
    yield running
    for thread in running:
        thread.join(60)
        assert not thread.is_alive()


rates = st.floats(MIN_RATE, 1e9)


@given(
    rate=rates,
    steps=st.lists(
        st.tuples(st.integers(1, 4 * BLOCK), st.floats(0, 2), st.none() | rates), max_size=60
    ),
)
def test_no_window_gets_more_than_the_rate_and_a_burst(
    rate: float, steps: list[tuple[int, float, float | None]]
) -> None:
    limit, time = limited(rate)
    due = 0.0  # what the rates would have let through since the start
    grants = [(due, 0)]
    fastest = rate
    for most, pause, change in steps:
        since = time.now
        time.now += pause
        granted = limit.take(most)
        assert 1 <= granted <= most
        due += (time.now - since) * (limit.rate or 0)
        grants.append((due, granted))
        if change is not None:
            limit.rate = change
            fastest = max(fastest, change)
    sent = list(accumulate(granted for _, granted in grants))
    # The greatest excess over all windows, by the lowest start before each end.
    lowest = 0.0
    for (due, granted), total in zip(grants, sent, strict=True):
        lowest = min(lowest, (total - granted) - due)
        assert total - due - lowest <= fastest * BURST * (1 + 1e-9)


@given(rate=rates, most=st.integers(1, BLOCK), count=st.integers(1, 300))
def test_who_always_wants_more_gets_the_rate(rate: float, most: int, count: int) -> None:
    limit, time = limited(rate)
    began = time.now
    sent = sum(limit.take(most) for _ in range(count))
    naps = count * 0.001 * rate  # a sleep is no shorter
    assert rate * (time.now - began) <= sent + BURST * rate + naps


@given(rate=rates, count=st.integers(2, 8))
@settings(max_examples=20)
def test_no_waiter_starves(rate: float, count: int) -> None:
    """Everybody wants more again and again, and everybody gets it."""
    limit, _ = limited(rate)
    turns: list[int] = []
    rounds = 20
    ready = threading.Barrier(count)

    def work(number: int) -> None:
        ready.wait(60)
        for _ in range(rounds):
            limit.take(BLOCK)
            turns.append(number)

    with threads(*(lambda n=n: work(n) for n in range(count))):
        pass
    assert sorted(turns) == sorted(list(range(count)) * rounds)


def test_turns_are_first_come_first_served(until: Until) -> None:
    limit, time = limited(MIN_RATE)
    gate = threading.Event()
    limit._wait = lambda turn, wait: (
        turn.wait(0.001) if not gate.is_set() else time.wait(turn, wait)
    )
    order: list[int] = []

    def work(number: int) -> None:
        limit.take(BLOCK)
        order.append(number)

    workers = []
    for number in range(6):
        workers.append(threading.Thread(target=work, args=(number,)))
        workers[-1].start()
        until(lambda line=number + 1: len(limit._turns) == line)
    gate.set()
    limit.wake()
    for worker in workers:
        worker.join(60)
    assert order == list(range(6))


def test_without_a_limit_nobody_waits_not_even_for_the_lock() -> None:
    limit, time = limited(None)
    with limit._lock:
        assert limit.take(10**12) == 10**12
    assert time.now == 1000


def test_a_new_rate_takes_effect_at_once() -> None:
    limit, time = limited(MIN_RATE)
    assert limit.take(BLOCK) == pytest.approx(MIN_RATE * SHARE, abs=MIN_RATE * 0.001)
    time.now += 60
    assert limit.take(BLOCK) == MIN_RATE * BURST  # and no more, however long it was quiet
    limit.rate = 1e9
    began = time.now
    assert limit.take(BLOCK) == BLOCK
    assert time.now - began == pytest.approx(0.001)
    time.now += 60
    limit.rate = MIN_RATE
    assert limit.take(BLOCK) == MIN_RATE * BURST  # what was saved up at the old rate is gone
    limit.rate = None
    assert limit.take(BLOCK) == BLOCK
    time.now += 60
    limit.rate = MIN_RATE
    assert limit.take(BLOCK) == pytest.approx(MIN_RATE * SHARE, abs=MIN_RATE * 0.001)


@pytest.mark.parametrize("rate", [None, 1e12])
def test_waiters_are_woken_by_a_new_rate(rate: float | None, until: Until) -> None:
    # at the old rate it sleeps until it is woken
    limit = Limit(MIN_RATE, wait=lambda turn, s: turn.wait(None if limit.rate == MIN_RATE else s))
    granted: list[int] = []
    with threads(*(lambda: granted.append(limit.take(BLOCK)) for _ in range(5))):
        until(lambda: len(limit._turns) == 5)
        limit.rate = rate
    assert sum(granted) == 5 * BLOCK


def test_an_abort_ends_the_wait_wherever_in_the_line(until: Until) -> None:
    limit = Limit(MIN_RATE, wait=lambda turn, _: turn.wait())
    attempts = [Attempt(lambda _: None, limit=limit) for _ in range(4)]
    ended: list[int] = []

    def work(number: int) -> None:
        with pytest.raises(Aborted):
            attempts[number].allow(BLOCK)
        ended.append(number)

    with threads(*(lambda n=n: work(n) for n in range(4))):
        until(lambda: len(limit._turns) == 4)
        for count, number in enumerate((2, 0, 3, 1)):
            attempts[number].abort()
            until(lambda gone=count + 1: len(ended) == gone)
            assert ended[-1] == number
    assert not limit._turns


def test_an_attempt_without_a_limit_may_send_all() -> None:
    attempt = Attempt(lambda _: None)
    assert attempt.allow(BLOCK) == BLOCK
    attempt.abort()
    with pytest.raises(Aborted):
        attempt.allow(BLOCK)


@pytest.mark.parametrize("rate", [0, -1, MIN_RATE - 1, float("inf"), float("nan")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="use 10K or more"):
        Limit(rate)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5M", 5e6),
        ("800k", 8e5),
        ("1.5G", 1.5e9),
        ("1,5 MB/s", 1.5e6),
        (" 20000 ", 2e4),
        ("20000 bytes/s", 2e4),
        ("10 KB", 1e4),
    ],
)
def test_a_rate_is_read(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "-5M", "5T", "M", "5 M M", "1e6", "9", "1K"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"10K or more|such as 800K, 5M"):
        parse_rate(text)
