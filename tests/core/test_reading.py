"""What a reading says of the target, and how two of them make a mean."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dropline.meter import Meter
from dropline.station import Attempt, Breaker, Sampler, Station, TransientError


class NoHooks:
    """A station that nobody listens to."""

    def __getattr__(self, name: str) -> object:
        return lambda *arguments: None


class Worker:
    """Serves as long as the target is up."""

    def __init__(self) -> None:
        self.up = True

    def serve(self, item: str, attempt: Attempt) -> str:
        if not self.up:
            raise TransientError("No answer.", target_down=True)
        return item

    def close(self) -> None:
        pass


@contextmanager
def line(worker: Worker, breaker: Breaker | None = None) -> Iterator[tuple[Station, Sampler]]:
    """A station with one worker, and what reads it."""
    station = Station("test", lambda: worker, NoHooks(), breaker=breaker)
    meter = Meter(time.monotonic())
    station.watch(meter.observe_all)
    station.resize(1)
    try:
        yield station, Sampler(station, meter, lambda _reading: None)
    finally:
        assert station.close()


def test_two_readings_give_the_mean_of_the_files_in_between() -> None:
    with line(Worker()) as (station, sampler):
        before = sampler.read(60)
        assert (before.finished, before.responses) == (0, 0.0)
        station.submit([(f"item {number}", 10) for number in range(30)])
        assert station.wait_drained(60)
        after = sampler.read(60)
    assert after.finished == 30
    assert after.responses / 30 == pytest.approx(after.figures.mean_response)


def test_a_reading_tells_when_a_target_that_is_down_is_tried() -> None:
    worker = Worker()
    with line(worker, Breaker(first=600.0, longest=600.0)) as (station, sampler):
        assert sampler.read(1).next_try is None
        worker.up = False
        station.submit([("item", 10)] * 3)
        deadline = time.monotonic() + 10
        while (left := sampler.read(1).next_try) is None:
            assert time.monotonic() < deadline
        assert 0 < left <= 600
        worker.up = True
        station.probe_now()
        assert station.wait_drained(60)
        assert sampler.read(1).next_try is None
