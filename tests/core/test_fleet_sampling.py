"""Where more is told than a monitor takes in, a share of the tasks gives the figures of all."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

import pytest

from dropline.fleet.celery import CeleryFleet
from dropline.fleet.doubts import doubts_between
from dropline.fleet.order import HOLD
from dropline.fleet.quality import KEYS, qualities
from dropline.fleet.sampling import CALM, Scale, Share
from dropline.meter import Entry, Kind, Meter, figures, littles_law

WORKERS = 50


def test_the_share_is_halved_until_it_fits_and_grows_again_when_it_is_calm() -> None:
    share, now = Share(bound=100), 0.0

    def offer(rate: int) -> int:
        nonlocal now
        share.offer(rate, now)
        now += 1
        share.factor = share.offer(0, now)
        return share.factor

    assert offer(90) == 1
    assert offer(700) == 8
    assert offer(790) == 8
    for _ in range(int(CALM)):
        assert offer(100) == 8
    assert offer(100) == 4


def test_a_smaller_share_is_of_the_same_tasks() -> None:
    names = [uuid.UUID(int=random.Random(n).getrandbits(128)).hex for n in range(4000)]
    followed = {}
    for factor in (1, 2, 4, 8):
        share = Share()
        share.factor = factor
        followed[factor] = {name for name in names if share.takes(name)}
    assert followed[8] < followed[4] < followed[2] < followed[1] == set(names)
    assert len(followed[8]) == pytest.approx(500, rel=0.2)


def test_totals_of_a_share_go_on_from_those_of_all() -> None:
    meter, scale = Meter(0), Scale()
    first = scale.totals(meter.totals(0))
    meter.observe(Entry(0, Kind.WORKERS, workers=4))
    for job in range(4):
        meter.observe(Entry(1, Kind.ARRIVE, job))
        meter.observe(Entry(1, Kind.START, job))
    before = meter.totals(3)
    for job in (1, 3):
        meter.observe(Entry(3, Kind.CANCEL, job))
    scale.change(before, 2, meter.totals(3))
    for job in (0, 2):
        meter.observe(Entry(5, Kind.FINISH, job))
    last = scale.totals(meter.totals(5))
    told = figures(first, last)
    assert (told.arrivals, told.finished, told.cancelled) == (4, 4, 0)
    assert told.mean_in_system == pytest.approx(4 * 4 / 5)
    assert told.mean_workers == 4
    assert told.mean_response == 4
    assert littles_law(first, last).error == 0


def events(tasks: int, rate: float, start: float) -> list[dict[str, Any]]:
    """What an M/M/c fleet tells of so many tasks."""
    chance, told, arrival = random.Random(3), [], start
    free = [start] * WORKERS
    for _ in range(tasks):
        arrival += chance.expovariate(rate)
        place = min(range(WORKERS), key=free.__getitem__)
        began = max(arrival, free[place])
        seconds = chance.expovariate(1.25 * rate / WORKERS)
        free[place] = began + seconds
        base = {"uuid": uuid.UUID(int=chance.getrandbits(128)).hex, "hostname": "w@h"}
        for kind, t in (("sent", arrival), ("received", arrival), ("started", began)):
            told.append({**base, "type": f"task-{kind}", "timestamp": t})
        told.append({**base, "type": "task-succeeded", "timestamp": free[place]})
    return sorted(told, key=lambda event: event["timestamp"])


def test_a_fleet_told_of_too_much_follows_a_share_and_says_so() -> None:
    """The events of 10 s at once, so that no clock decides how many they are a second."""
    fleets = [CeleryFleet("amqp://localhost//", bound=bound) for bound in (1e9, 1300.0)]
    start = time.time() - 12
    told = events(10_000, 1000.0, start)
    reports = []
    for fleet in fleets:
        with fleet._lock:
            fleet._tasks.begin(start, 0)
            fleet._tasks.workers(start, WORKERS)
        fleet.meter = Meter(start - fleet.epoch)
        first = fleet._mark(start - fleet.epoch)
        for event in told:
            fleet._take_at(event, event["timestamp"] + 0.001)
            with fleet._lock:
                fleet._release(event["timestamp"] - HOLD)
        with fleet._lock:
            fleet._release(start + 9)
        last = fleet._mark(start + 9 - fleet.epoch)
        reports.append((figures(first.totals, last.totals), first, last))
        fleet.remote.close()
    (true, *_), (about, first, last) = reports
    assert fleets[1].factor == 4
    for key in ("arrivals", "throughput", "mean_busy", "utilisation", "mean_in_system"):
        assert getattr(about, key) == pytest.approx(getattr(true, key), rel=0.1), key
    assert about.mean_workers == true.mean_workers == WORKERS
    assert about.mean_response == pytest.approx(true.mean_response, rel=0.1)
    doubts = doubts_between(first, last, silent=(), nobody=False, off={})
    assert "one task in 4 was followed" in doubts[0].why
    assert set(qualities(doubts)) == set(KEYS)
    assert littles_law(first.totals, last.totals).error == 0


def test_events_that_come_too_late_are_told() -> None:
    fleet = CeleryFleet("amqp://localhost//")
    start = time.time()
    with fleet._lock:
        fleet._tasks.begin(start, 0)
    first = fleet._mark(start - fleet.epoch)
    for number, age in enumerate((0.0,) * 50 + (2.0,)):
        t = start + number / 10
        event = {"uuid": str(number), "hostname": "w@h", "type": "task-sent", "timestamp": t - age}
        fleet._take_at(event, t)
        with fleet._lock:
            fleet._release(t - HOLD)
    last = fleet._mark(start + 5 - fleet.epoch)
    fleet.remote.close()
    (doubt,) = doubts_between(first, last, silent=(), nobody=False, off={})
    assert "events come more than 0.5 s late" in doubt.why
