"""A share of one processor for all workers together."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.station.ration import LONGEST, Ration


class Clock:
    """Waits without waiting, and adds up how long."""

    def __init__(self) -> None:
        self.waited = 0.0

    def wait(self, event: threading.Event, seconds: float) -> None:
        assert not event.is_set()
        self.waited += seconds


@given(
    share=st.floats(0.01, 1.0),
    workers=st.integers(1, 64),
    used=st.lists(st.floats(0.0, 1e-4), min_size=1, max_size=20),
)
def test_all_workers_together_use_their_share(
    share: float, workers: int, used: list[float]
) -> None:
    clock = Clock()
    ration = Ration(clock.wait)
    ration.begin(share)
    for seconds in used:
        ration.rest(seconds, workers)
    took = sum(used) + clock.waited  # of each of them
    assert workers * sum(used) == pytest.approx(share * took)


def test_nobody_rests_for_long() -> None:
    clock = Clock()
    ration = Ration(clock.wait)
    ration.begin(0.1)
    ration.rest(3600.0, 4)
    assert clock.waited == LONGEST


def test_nobody_rests_before_it_begins_and_after_it_ends() -> None:
    clock = Clock()
    ration = Ration(clock.wait)
    ration.rest(1.0, 4)
    ration.begin(0.1)
    ration.end()
    ration.rest(1.0, 4)
    assert clock.waited == 0.0


def test_who_rests_goes_on_at_its_end() -> None:
    ration = Ration()
    ration.begin(0.001)
    worker = threading.Thread(target=ration.rest, args=(3600.0, 1))
    worker.start()
    ration.end()
    worker.join(60)
    assert not worker.is_alive()
