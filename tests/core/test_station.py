"""The station: c is exact, nothing is lost or stuck, and each job's story is told in order."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropline.meter import Entry, Kind, Meter, figures
from dropline.station import (
    MAX_WORKERS,
    SMALL,
    Aborted,
    Attempt,
    Backoff,
    Breaker,
    Job,
    Order,
    PermanentError,
    Room,
    Sampler,
    Station,
    TransientError,
    Unreached,
    ration,
)


class Stories:
    """Hooks that write down what happens to each job."""

    def __init__(self) -> None:
        self.of: defaultdict[int, list[str]] = defaultdict(list)
        self.reasons: dict[int, str] = {}
        self.ends: list[tuple[int, int, int]] = []
        self.workers: list[tuple[int, int]] = []
        self.pauses: list[bool] = []
        self.orders: list[Order] = []
        self.target: list[str] = []

    def arrived(self, jobs: Sequence[Job[str]]) -> None:
        for job in jobs:
            self.of[job.id].append("arrived")

    def rejoined(self, jobs: Sequence[Job[str]]) -> None:
        pass

    def started(self, jobs: Sequence[Job[str]], worker: int) -> None:
        for job in jobs:
            self.of[job.id].append("started")

    def progressed(self, job: Job[str], done: int) -> None:
        pass

    def checkpointed(self, job: Job[str]) -> None:
        self.of[job.id].append("checkpointed")

    def finished(self, served: Sequence[tuple[Job[str], str]], seconds: float) -> None:
        assert seconds >= 0
        for job, result in served:
            self.of[job.id].append(f"finished {result}")

    def retried(self, job: Job[str], reason: str, delay: float) -> None:
        self.of[job.id].append("retried")

    def failed(self, jobs: Sequence[tuple[Job[str], str]]) -> None:
        for job, reason in jobs:
            self.of[job.id].append("failed")
            self.reasons[job.id] = reason

    def cancelled(self, jobs: Sequence[Job[str]]) -> None:
        for job in jobs:
            self.of[job.id].append("cancelled")

    def held(self, jobs: Sequence[Job[str]], held: bool) -> None:
        for job in jobs:
            self.of[job.id].append("held" if held else "released")

    def prioritised(self, jobs: Sequence[Job[str]]) -> None:
        for job in jobs:
            self.of[job.id].append(f"priority {job.priority}")

    def ordered(self, order: Order) -> None:
        self.orders.append(order)

    def target_went(self, down: bool, reason: str) -> None:
        self.target.append(reason if down else "up")

    def resized(self, before: int, wanted: int) -> None:
        self.workers.append((before, wanted))

    def paused(self, paused: bool) -> None:
        self.pauses.append(paused)

    def drained(self, finished: int, failed: int, cancelled: int) -> None:
        self.ends.append((finished, failed, cancelled))


class Floor:
    """The workplace of the workers: counts who is busy, and lets the test hold them up."""

    def __init__(self, behave: Callable[[str, Attempt], str] | None = None) -> None:
        self.lock = threading.Lock()
        self.busy = 0
        self.open = 0
        self.gate = threading.Event()
        self.gate.set()
        self.tries: defaultdict[str, int] = defaultdict(int)
        self._behave = behave or (lambda item, _attempt: item)

    def make_worker(self) -> Floor:
        with self.lock:
            self.open += 1
        return self

    def close(self) -> None:
        with self.lock:
            self.open -= 1

    def serve(self, item: str, attempt: Attempt) -> str:
        with self.lock:
            self.busy += 1
            self.tries[item] += 1
        try:
            stopped = threading.Event()
            attempt.on_abort(stopped.set)
            while not self.gate.wait(0.005):
                if stopped.is_set():
                    raise Aborted
            attempt.progressed(1)
            return self._behave(item, attempt)
        finally:
            with self.lock:
                self.busy -= 1


class Bundler(Floor):
    """A floor whose workers take bundles; it notes what was served in one go."""

    def __init__(
        self, behave: Callable[[str, Attempt], str] | None = None, room: Room | None = None
    ) -> None:
        super().__init__(behave)
        self.bundles: list[list[str]] = []
        self._room = room or Room(8, 1 << 40)

    def room(self) -> Room:
        return self._room

    def serve(self, item: str, attempt: Attempt) -> str:
        self.bundles.append([item])
        return super().serve(item, attempt)

    def serve_bundle(
        self, items: Sequence[str], attempts: Sequence[Attempt]
    ) -> Sequence[str | Exception]:
        self.bundles.append(list(items))
        with self.lock:
            self.busy += 1
            for item in items:
                self.tries[item] += 1
        try:
            while not self.gate.wait(0.005) and not all(each.aborted for each in attempts):
                pass
            return [self._outcome(*each) for each in zip(items, attempts, strict=True)]
        finally:
            with self.lock:
                self.busy -= 1

    def _outcome(self, item: str, attempt: Attempt) -> str | Exception:
        try:
            attempt.check()
            attempt.progressed(1)
            return self._behave(item, attempt)
        except Exception as error:  # noqa: BLE001 - as a worker does, for each job of a bundle
            return error


@contextmanager
def station(
    floor: Floor,
    stories: Stories,
    workers: int = 2,
    backoff: Backoff | None = None,
    breaker: Breaker | None = None,
    patience: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Station[str, str]]:
    made: Station[str, str] = Station(
        "test",
        floor.make_worker,
        stories,
        backoff=backoff,
        breaker=breaker,
        patience=patience,
        clock=clock,
    )
    made.resize(workers)
    try:
        yield made
    finally:
        assert made.close()
        assert floor.open == 0


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.001)


def items(count: int, start: int = 0) -> list[tuple[str, int]]:
    return [(f"item {number}", 10) for number in range(start, start + count)]


def test_a_worker_may_have_kept_how_to_go_on_with_a_job() -> None:
    def behave(item: str, attempt: Attempt) -> str:
        attempt.checkpoint()
        return item

    stories = Stories()
    with station(Floor(behave), stories) as made:
        (job,) = made.submit(items(1))
        assert made.wait_drained(60)
    assert stories.of[job] == ["arrived", "started", "checkpointed", "finished item 0"]


def test_every_job_is_served_once_and_told_in_order() -> None:
    floor, stories = Floor(), Stories()
    with station(floor, stories, workers=4) as line:
        ids = line.submit(items(500))
        assert line.wait_drained(60)
        until(lambda: stories.ends == [(500, 0, 0)])
    assert set(stories.of) == set(ids)
    for number, job in enumerate(ids):
        assert stories.of[job] == ["arrived", "started", f"finished item {number}"]
    assert set(floor.tries.values()) == {1}


def test_one_worker_serves_first_come_first_served() -> None:
    order: list[str] = []
    floor = Floor(lambda item, _attempt: order.append(item) or item)  # type: ignore[func-returns-value]
    with station(floor, Stories(), workers=1) as line:
        line.submit(items(50))
        assert line.wait_drained(60)
    assert order == [item for item, _ in items(50)]


def test_growing_starts_workers_and_shrinking_drains_them() -> None:
    floor, stories = Floor(), Stories()
    floor.gate.clear()
    with station(floor, stories, workers=2) as line:
        line.submit(items(20))
        until(lambda: floor.busy == 2)
        line.resize(8)
        until(lambda: floor.busy == 8)
        line.resize(3)
        assert line.counts().running == 8  # nobody is torn from a job
        floor.gate.set()
        assert line.wait_drained(60)
        until(lambda: line.counts().running == 3)
    assert stories.workers == [(0, 2), (2, 8), (8, 3)]
    assert all(story[-1].startswith("finished") for story in stories.of.values())


def test_zero_workers_and_pause_hold_the_queue() -> None:
    floor, stories = Floor(), Stories()
    with station(floor, stories, workers=0) as line:
        line.submit(items(5))
        assert line.counts().waiting == 5
        line.pause()
        line.resize(2)
        assert line.counts().running == 0
        assert line.counts().waiting == 5
        line.resume()
        assert line.wait_drained(60)
    assert stories.pauses == [True, False]


@pytest.mark.parametrize("workers", [-1, MAX_WORKERS + 1])
def test_an_impossible_number_of_workers_is_refused(workers: int) -> None:
    with station(Floor(), Stories()) as line, pytest.raises(ValueError, match="choose 0 to"):
        line.resize(workers)


def test_cancel_takes_waiting_and_running_jobs_out_and_counts_them() -> None:
    floor, stories = Floor(), Stories()
    floor.gate.clear()
    with station(floor, stories, workers=2) as line:
        ids = line.submit(items(10))
        until(lambda: floor.busy == 2)
        line.cancel([ids[0], ids[9]])
        until(lambda: stories.of[ids[0]][-1] == "cancelled")
        assert stories.of[ids[9]] == ["arrived", "cancelled"]
        line.cancel()
        assert line.wait_drained(60)
        until(lambda: stories.ends == [(0, 0, 10)])
    assert all(story[-1] == "cancelled" for story in stories.of.values())


def test_a_transient_failure_is_tried_again_and_a_permanent_one_is_not() -> None:
    floor = Floor()

    def behave(item: str, _attempt: Attempt) -> str:
        if item == "item 0" and floor.tries[item] < 3:
            raise TransientError("Busy.")
        if item == "item 1":
            raise PermanentError("It is a brick: unwrap it.")
        if item == "item 2":
            raise RuntimeError("a bug")
        if item == "item 3":
            raise TransientError("Always busy.")
        return item

    floor._behave = behave
    stories = Stories()
    with station(floor, stories, backoff=Backoff(attempts=4, base=0.001)) as line:
        ids = line.submit(items(5))
        assert line.wait_drained(60)
        until(lambda: stories.ends == [(2, 3, 0)])
        assert stories.of[ids[0]] == [
            "arrived", "started", "retried", "started", "retried", "started", "finished item 0",
        ]  # fmt: skip
        assert stories.of[ids[1]] == ["arrived", "started", "failed"]
        assert stories.reasons[ids[1]] == "It is a brick: unwrap it."
        assert "a bug" in stories.reasons[ids[2]]
        assert stories.reasons[ids[3]] == "Always busy. Gave up after 4 attempts."
        assert line.counts().failed == 3

        floor._behave = lambda item, _attempt: item
        line.retry([ids[1]])
        assert line.wait_drained(60)
        line.retry()
        assert line.wait_drained(60)
        assert line.counts().failed == 0
    assert all(story[-1].startswith("finished") for story in stories.of.values())


def test_close_stops_running_attempts_within_a_second() -> None:
    floor, stories = Floor(), Stories()
    floor.gate.clear()
    made: Station[str, str] = Station("test", floor.make_worker, stories)
    made.resize(8)
    made.submit(items(20))
    until(lambda: floor.busy == 8)
    assert made.close(timeout=1.0)
    assert floor.open == 0
    assert not any("finished" in story[-1] for story in stories.of.values())


def test_the_log_can_be_watched_from_the_middle() -> None:
    floor, stories = Floor(), Stories()
    floor.gate.clear()
    seen: list[Entry] = []
    with station(floor, stories, workers=2) as line:
        line.submit(items(5))
        until(lambda: floor.busy == 2)
        line.watch(seen.extend)
        present = list(seen)
        floor.gate.set()
        assert line.wait_drained(60)
        line.unwatch(seen.extend)
    kinds = [entry.kind for entry in present]
    assert kinds.count(Kind.ARRIVE) == 5
    assert kinds.count(Kind.START) == 2
    assert present[-1].workers == 2
    assert [entry.t for entry in seen] == sorted(entry.t for entry in seen)
    meter = Meter(seen[0].t)
    meter.observe_all(seen)
    assert meter.ignored == 0
    assert meter.state(seen[-1].t).in_system == 0


def test_the_time_left_has_a_range_once_enough_is_known() -> None:
    floor, stories = Floor(), Stories()
    meter = Meter(time.monotonic())
    with station(floor, stories, workers=2) as line:
        line.watch(meter.observe_all)
        sampler = Sampler(line, meter, lambda _: None)
        line.submit(items(9))
        assert line.wait_drained(60)
        floor.gate.clear()
        line.submit([("large", 1000), ("larger", 2000), ("waits", 3000)])
        until(lambda: line.counts().busy == 2)
        reading = sampler.read(60)
        assert (reading.eta_low, reading.eta_high) == (None, None)
        counts = line.counts()
        assert counts.service is None
        assert (counts.bytes_left, counts.largest_left) == (6000, 2000)
        assert counts.squares_left == 14_000_000
        floor.gate.set()
        assert line.wait_drained(60)
        floor.gate.clear()
        line.submit(items(8))
        until(lambda: line.counts().busy == 2)
        reading = sampler.read(60)
        assert None not in (reading.eta_low, reading.eta, reading.eta_high)
        assert 0 < reading.eta_low < reading.eta < reading.eta_high  # type: ignore[operator]
        line.limit.rate = 10_000
        assert sampler.read(60).eta_low >= 80 / 10_000  # type: ignore[operator]
        line.pause()
        reading = sampler.read(60)
        assert (reading.eta_low, reading.eta, reading.eta_high) == (None, None, None)
        line.resume()
        floor.gate.set()
        assert line.wait_drained(60)
        assert line.counts().squares_left == line.counts().largest_left == 0
        last = sampler.read(60)
        assert (last.eta_low, last.eta, last.eta_high) == (0, 0, 0)


def test_the_sampler_reads_the_instruments() -> None:
    floor, stories = Floor(), Stories()
    meter = Meter(time.monotonic())
    readings = []
    floor.gate.clear()
    with station(floor, stories, workers=2) as line:
        line.watch(meter.observe_all)
        sampler = Sampler(line, meter, readings.append)
        sampler.start()
        line.submit(items(6))
        until(lambda: bool(readings) and readings[-1].busy == 2)
        assert (readings[-1].waiting, readings[-1].in_system) == (4, 6)
        floor.gate.set()
        until(lambda: readings[-1].finished == 6 and readings[-1].in_system == 0)
        last = sampler.read(60)
        sampler.close()
    assert last.figures.finished == 6
    assert last.p95 is not None
    assert last.little.error == 0
    assert last.eta == 0


# --- bundles --------------------------------------------------------------------------------------


def test_a_worker_takes_its_share_of_what_waits_and_no_more() -> None:
    floor, stories = Bundler(), Stories()
    floor.gate.clear()
    with station(floor, stories, workers=0) as line:
        line.submit(items(12))
        line.resize(4)
        until(lambda: floor.busy == 4)
        assert sorted(map(len, floor.bundles)) == [1, 2, 3, 3]
        floor.gate.set()
        assert line.wait_drained(60)
    assert set(floor.tries.values()) == {1}


def test_a_bundle_holds_what_there_is_room_for() -> None:
    floor = Bundler(room=Room(3, 25))
    with station(floor, Stories(), workers=0) as line:
        line.submit([("a", 10), ("b", 10), ("c", 10), ("d", 0), ("e", 0), ("f", 99), ("g", 1)])
        line.resize(1)
        assert line.wait_drained(60)
    assert floor.bundles == [["a", "b"], ["c", "d", "e"], ["f"], ["g"]]


def test_a_lone_job_never_waits_for_others() -> None:
    floor = Bundler()
    with station(floor, Stories(), workers=1) as line:
        for item in items(3):
            line.submit([item])
            assert line.wait_drained(60)
    assert floor.bundles == [["item 0"], ["item 1"], ["item 2"]]


@pytest.mark.parametrize("order", Order)
def test_a_large_job_goes_alone(order: Order) -> None:
    floor = Bundler()
    large = SMALL + 1
    with station(floor, Stories(), workers=0) as line:
        line.set_order(order)
        line.submit([("a", 1), ("b", 1), ("A", large), ("B", large), ("c", 1), ("d", 1)])
        line.resize(1)
        assert line.wait_drained(60)
    assert ["A"] in floor.bundles
    assert ["B"] in floor.bundles


def test_each_job_of_a_bundle_has_its_own_outcome() -> None:
    def behave(item: str, _attempt: Attempt) -> str:
        match item:
            case "item 1":
                raise PermanentError("It is a brick: unwrap it.")
            case "item 2" if floor.tries[item] == 1:
                raise TransientError("Busy.")
            case "item 3":
                raise RuntimeError("a bug")
        return item

    floor, stories = Bundler(behave), Stories()
    with station(floor, stories, workers=0, backoff=Backoff(base=0.001)) as line:
        ids = line.submit(items(6))
        line.resize(1)
        assert line.wait_drained(60)
        until(lambda: stories.ends == [(4, 2, 0)])
    assert floor.bundles == [[item for item, _ in items(6)], ["item 2"]]
    for number in (0, 4, 5):
        assert stories.of[ids[number]] == ["arrived", "started", f"finished item {number}"]
    assert stories.of[ids[1]] == ["arrived", "started", "failed"]
    assert stories.of[ids[2]] == ["arrived", "started", "retried", "started", "finished item 2"]
    assert "a bug" in stories.reasons[ids[3]]


def test_a_bundle_that_breaks_down_fails_each_of_its_jobs() -> None:
    class Broken(Bundler):
        def serve_bundle(
            self, items: Sequence[str], attempts: Sequence[Attempt]
        ) -> Sequence[str | Exception]:
            raise RuntimeError("a bug")

    stories = Stories()
    with station(Broken(), stories, workers=0) as line:
        line.submit(items(3))
        line.resize(1)
        assert line.wait_drained(60)
        until(lambda: stories.ends == [(0, 3, 0)])


def test_a_job_that_failed_goes_alone_and_is_passed_by_others_meanwhile() -> None:
    def behave(item: str, _attempt: Attempt) -> str:
        if floor.tries[item] == 1:
            raise TransientError("Once more.")
        return item

    floor, stories = Bundler(behave), Stories()
    with station(floor, stories, workers=0, backoff=Backoff(base=0.001)) as line:
        line.submit(items(5))
        line.resize(1)
        assert line.wait_drained(60)
    assert [len(bundle) for bundle in floor.bundles] == [5, 1, 1, 1, 1, 1]


def test_what_a_bundle_did_not_come_to_keeps_its_place_and_its_attempts() -> None:
    order: list[str] = []
    told: list[int] = []

    class Noting(Stories):
        def started(self, jobs: Sequence[Job[str]], worker: int) -> None:
            super().started(jobs, worker)
            told.extend(job.attempts for job in jobs)

    def behave(item: str, _attempt: Attempt) -> str:
        if floor.bundles[-1].index(item) > 1:
            raise Unreached
        order.append(item)
        return item

    floor, stories = Bundler(behave, Room(4, 1000)), Noting()
    with station(floor, stories, workers=0, backoff=Backoff(attempts=1)) as line:
        line.submit(items(9))
        line.resize(1)
        assert line.wait_drained(60)
    assert order == [item for item, _ in items(9)]
    assert [len(bundle) for bundle in floor.bundles] == [4, 4, 4, 3, 1]
    assert set(told) == {1}
    assert not any("retried" in story for story in stories.of.values())


def test_cancelling_one_job_of_a_bundle_lets_the_others_go_on() -> None:
    floor, stories = Bundler(), Stories()
    floor.gate.clear()
    with station(floor, stories, workers=0) as line:
        ids = line.submit(items(4))
        line.resize(1)
        until(lambda: floor.busy == 1)
        line.cancel([ids[1]])
        floor.gate.set()
        assert line.wait_drained(60)
        until(lambda: stories.ends == [(3, 0, 1)])
    assert stories.of[ids[1]] == ["arrived", "started", "cancelled"]
    assert floor.bundles == [[item for item, _ in items(4)]]


def test_cancelling_all_of_a_bundle_ends_it() -> None:
    floor, stories = Bundler(), Stories()
    floor.gate.clear()
    with station(floor, stories, workers=0) as line:
        line.submit(items(4))
        line.resize(1)
        until(lambda: floor.busy == 1)
        line.cancel()
        assert line.wait_drained(60)
        until(lambda: stories.ends == [(0, 0, 4)])


def test_closing_ends_a_bundle_and_tells_no_outcome() -> None:
    floor, stories = Bundler(), Stories()
    floor.gate.clear()
    with station(floor, stories, workers=0) as line:
        line.submit(items(4))
        line.resize(1)
        until(lambda: floor.busy == 1)
        assert line.close(timeout=1.0)
        assert (line.counts().waiting, line.counts().serving) == (4, 0)
    assert {tuple(story) for story in stories.of.values()} == {("arrived", "started")}


def test_a_worker_with_a_bundle_is_one_busy_worker() -> None:
    floor, stories = Bundler(), Stories()
    meter = Meter(time.monotonic())
    entries: list[Entry] = []
    floor.gate.clear()
    with station(floor, stories, workers=0) as line:
        line.watch(meter.observe_all)
        line.watch(entries.extend)
        line.submit(items(8))
        line.resize(2)
        until(lambda: floor.busy == 2)
        counts = line.counts()
        assert (counts.busy, counts.serving, counts.waiting) == (2, 6, 2)
        state = meter.state(time.monotonic())
        assert (state.busy, state.waiting, state.in_system) == (2, 2, 8)
        reading = Sampler(line, meter, lambda _: None).read(60)
        assert (reading.busy, reading.waiting, reading.in_system) == (2, 2, 8)
        later: list[Entry] = []
        line.watch(later.extend)
        assert [e for e in later if e.kind is Kind.START] == [
            e for e in entries if e.kind is Kind.START
        ]
        floor.gate.set()
        assert line.wait_drained(60)
    starts = [entry for entry in entries if entry.kind is Kind.START]
    assert {entry.worker for entry in starts} == {1, 2}
    assert len({(entry.t, entry.worker) for entry in starts[:4]}) == 1


def test_the_meter_knows_the_pace_of_a_worker_with_bundles() -> None:
    """16 files in two bundles of 8, a second each, after a second without workers."""
    now = 100.0

    class Slow(Bundler):
        def serve_bundle(
            self, items: Sequence[str], attempts: Sequence[Attempt]
        ) -> Sequence[str | Exception]:
            nonlocal now
            now += 1.0
            return super().serve_bundle(items, attempts)

    meter = Meter(now)
    start = meter.totals(now)
    with station(Slow(), Stories(), workers=0, clock=lambda: now) as line:
        line.watch(meter.observe_all)
        line.submit(items(16))
        now += 1.0
        line.resize(1)
        assert line.wait_drained(60)
    got = figures(start, meter.totals(104.0))
    assert (got.finished, got.service_rate) == (16, 8.0)
    assert (got.mean_busy, got.mean_workers, got.utilisation) == (0.5, 0.75, 2 / 3)
    assert (got.mean_wait, got.mean_response) == (1.5, 2.5)


# --- orders and priorities ------------------------------------------------------------------------


def order_of_starts(entries: list[Entry]) -> list[object]:
    return [entry.job for entry in entries if entry.kind is Kind.START]


def test_the_shortest_first() -> None:
    stories = Stories()
    entries: list[Entry] = []
    sizes = [30, 10, 20, 10, 0]
    with station(Floor(), stories, workers=0) as line:
        line.watch(entries.extend)
        line.set_order(Order.SHORTEST)
        line.set_order(Order.SHORTEST)
        ids = line.submit([(f"item {n}", size) for n, size in enumerate(sizes)])
        line.resize(1)
        assert line.wait_drained(60)
    assert order_of_starts(entries) == [ids[n] for n in (4, 1, 3, 2, 0)]
    assert stories.orders == [Order.SHORTEST]


def test_jobs_of_higher_priority_go_first() -> None:
    entries: list[Entry] = []
    stories = Stories()
    with station(Floor(), stories, workers=0) as line:
        line.watch(entries.extend)
        a, b, c, d = line.submit(items(4))
        line.prioritise([c, d, 99], 1)
        line.prioritise([b], -1)
        line.resize(1)
        assert line.wait_drained(60)
        line.prioritise([a], 1)  # it has left
    assert order_of_starts(entries) == [c, d, a, b]
    assert stories.of[c][:2] == ["arrived", "priority 1"]
    assert stories.of[a] == ["arrived", "started", "finished item 0"]


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize("floor", [Floor, Bundler])
def test_large_jobs_never_hold_all_workers_while_small_ones_wait(
    workers: int, floor: type[Floor]
) -> None:
    stories = Stories()
    entries: list[Entry] = []
    with station(floor(), stories, workers=0) as line:
        line.watch(entries.extend)
        line.set_order(Order.SMALL_LANE)
        large = set(line.submit([(f"large {n}", 9 * SMALL) for n in range(12)]))
        small = set(line.submit([(f"small {n}", 1) for n in range(40)]))
        line.resize(workers)
        assert line.wait_drained(60)
    running: set[object] = set()
    waiting = set(small)
    for entry in entries:
        if entry.kind is Kind.START:
            waiting.discard(entry.job)
            if entry.job in large:
                running.add(entry.job)
                assert not waiting or len(running) <= max(1, workers - 1)
        elif entry.kind is Kind.FINISH:
            running.discard(entry.job)
    assert all(story[-1].startswith("finished") for story in stories.of.values())
    if workers == 1:  # there is no lane to keep free: first come, first served
        assert order_of_starts(entries)[:12] == sorted(large)


def test_a_small_job_is_served_while_large_ones_take_long() -> None:
    floor, stories = Floor(), Stories()
    go = threading.Event()
    floor._behave = lambda item, _attempt: ((item == "small" or go.wait(60)) and item) or ""
    with station(floor, stories, workers=0) as line:
        line.set_order(Order.SMALL_LANE)
        line.submit([(f"large {n}", 9 * SMALL) for n in range(5)])
        (small,) = line.submit([("small", 1)])
        line.resize(2)
        until(lambda: stories.of[small][-1] == "finished small")
        go.set()
        assert line.wait_drained(60)


# --- the ration of the processor ------------------------------------------------------------------


def test_what_was_served_is_told_before_the_worker_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ration, "LONGEST", 60.0)
    stories = Stories()
    with station(Floor(), stories, workers=1) as line:
        line.ration.begin(1e-12)  # hours, for a few microseconds
        first, second = line.submit(items(2))
        until(lambda: stories.of[first][-1].startswith("finished"))
        assert stories.of[second] == ["arrived"]
        line.ration.end()
        assert line.wait_drained(60)


def test_a_worker_that_rests_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ration, "LONGEST", 60.0)
    stories = Stories()
    with station(Floor(), stories, workers=1) as line:
        line.ration.begin(1e-12)
        first, _ = line.submit(items(2))
        until(lambda: stories.of[first][-1].startswith("finished"))
        assert line.close(30)


# --- holding --------------------------------------------------------------------------------------


def test_a_held_job_waits_until_it_is_released() -> None:
    entries: list[Entry] = []
    stories = Stories()
    with station(Floor(), stories, workers=0) as line:
        line.watch(entries.extend)
        a, b, c = line.submit(items(3))
        line.hold([a, 99])
        line.hold([a])
        line.resize(1)
        until(lambda: line.counts().finished == 2)
        assert line.counts().waiting == 1
        assert not line.wait_drained(0)
        line.release([a, b, 99])
        assert line.wait_drained(60)
    assert order_of_starts(entries) == [b, c, a]
    assert stories.of[a] == ["arrived", "held", "released", "started", "finished item 0"]


def test_all_jobs_are_held_and_released() -> None:
    floor, stories = Floor(), Stories()
    floor.gate.clear()
    entries: list[Entry] = []
    with station(floor, stories, workers=1) as line:
        line.watch(entries.extend)
        ids = line.submit(items(4))
        until(lambda: floor.busy == 1)
        line.hold()
        until(lambda: line.counts().serving == 0)
        until(lambda: all(stories.of[job][-1] == "held" for job in ids))
        floor.gate.set()
        line.release()
        assert line.wait_drained(60)
    assert order_of_starts(entries) == [ids[0], *ids]
    assert stories.of[ids[0]] == [
        "arrived", "started", "held", "released", "started", "finished item 0",
    ]  # fmt: skip


def test_a_held_job_can_be_cancelled() -> None:
    stories = Stories()
    with station(Floor(), stories, workers=0) as line:
        (job,) = line.submit(items(1))
        line.hold([job])
        line.cancel([job])
        assert line.wait_drained(0)
    assert stories.of[job] == ["arrived", "held", "cancelled"]


def test_a_job_in_back_off_can_be_held_prioritised_and_cancelled() -> None:
    def behave(item: str, _attempt: Attempt) -> str:
        if floor.tries[item] == 1:
            raise TransientError("Later.", retry_after=3600.0)
        return item

    floor, stories = Floor(behave), Stories()
    with station(floor, stories, workers=1) as line:
        a, b, c = line.submit(items(3))
        until(lambda: all(stories.of[job][-1] == "retried" for job in (a, b, c)))
        until(lambda: line.counts().serving == 0)
        assert line.counts().waiting == 3
        line.prioritise([b], 2)
        line.hold([a, b])
        line.cancel([c])
        line.release([a, b])
        assert line.wait_drained(60)  # who released it did not want it to wait for an hour
    assert stories.of[a][-4:] == ["held", "released", "started", "finished item 0"]
    assert stories.of[b][2:5] == ["retried", "priority 2", "held"]
    assert stories.of[c] == ["arrived", "started", "retried", "cancelled"]


def test_a_job_released_before_its_attempt_has_stopped_goes_on() -> None:
    stop = threading.Event()

    def behave(item: str, attempt: Attempt) -> str:
        if floor.tries[item] == 1:
            assert stop.wait(60)
            attempt.check()
        return item

    floor, stories = Floor(behave), Stories()
    with station(floor, stories, workers=1) as line:
        (job,) = line.submit(items(1))
        until(lambda: floor.busy == 1)
        line.hold([job])
        line.release([job])
        stop.set()
        assert line.wait_drained(60)
    assert stories.of[job] == ["arrived", "started", "started", "finished item 0"]


@pytest.fixture
def short_turns() -> Iterator[None]:
    """Let threads take turns so often that one gets in between any two steps of another."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("short_turns")
@pytest.mark.parametrize("what", ["hold", "cancel"])
def test_a_job_that_fails_while_it_is_stopped_is_not_begun_again(what: str) -> None:
    """By no other worker either, of which many stand by."""
    stop = threading.Event()

    def behave(item: str, _attempt: Attempt) -> str:
        assert stop.wait(60)
        raise Unreached

    floor, stories = Floor(behave), Stories()
    with station(floor, stories, workers=60) as line:
        ids = line.submit(items(30))
        until(lambda: floor.busy == 30)
        getattr(line, what)(ids)
        stop.set()
        end = "held" if what == "hold" else "cancelled"
        until(lambda: all(stories.of[job][-1] == end for job in ids))
    assert set(floor.tries.values()) == {1}


def test_a_job_that_is_held_when_it_comes_is_not_begun() -> None:
    stories = Stories()
    with station(Floor(), stories, workers=2) as line:
        jobs = [Job(number, f"item {number}", 10) for number in range(20)]
        line.admit(jobs, held={job.id for job in jobs[:10]})
        until(lambda: line.counts().finished == 10)
        assert line.counts().waiting == 10
        line.release()
        assert line.wait_drained(60)
    assert stories.of[0] == ["arrived", "held", "released", "started", "finished item 0"]
    assert stories.of[10] == ["arrived", "started", "finished item 10"]


# --- a target that is down ------------------------------------------------------------------------


class Switch:
    """A target that is up or down; it notes who tried it at the same time while it was down."""

    def __init__(self, retry_after: float | None = None) -> None:
        self.up = False
        self.retry_after = retry_after
        self.order: list[str] = []

    def behave(self, item: str, _attempt: Attempt) -> str:
        if not self.up:
            raise TransientError("It is down.", self.retry_after, target_down=True)
        self.order.append(item)
        return item


def quick() -> Breaker:
    return Breaker(first=0.002, longest=0.01)


@pytest.mark.parametrize("floor_type", [Floor, Bundler])
def test_a_target_that_is_down_is_probed_by_one_job_at_a_time(floor_type: type[Floor]) -> None:
    switch = Switch()
    floor, stories = floor_type(switch.behave), Stories()
    entries: list[Entry] = []
    with station(floor, stories, workers=0, breaker=quick(), backoff=Backoff(base=0.001)) as line:
        ids = line.submit(items(40))
        line.resize(4)
        until(lambda: stories.target == ["It is down."])
        until(lambda: line.counts().serving == 0)  # those that had begun before have ended
        assert line.counts().target_down
        line.watch(entries.extend)
        until(lambda: len(order_of_starts(entries)) > 5)
        switch.up = True
        assert line.wait_drained(60)
        assert not line.counts().target_down
    assert stories.target == ["It is down.", "up"]
    assert all(stories.of[job][-1].startswith("finished") for job in ids)
    assert stories.ends == [(40, 0, 0)]
    serving: set[object] = set()
    probes = 0
    for entry in entries:
        if entry.kind is Kind.START:
            serving.add(entry.job)
            assert len(serving) == 1
            probes += 1
        elif entry.kind is Kind.RETRY:
            serving.discard(entry.job)
        elif entry.kind is Kind.FINISH:
            break
    assert probes > 5
    if floor_type is Floor:  # who was not in service when it went down tried once
        assert sum(tries == 1 for tries in floor.tries.values()) >= 40 - 4 * 4


def test_another_job_is_the_next_probe_while_the_target_is_down() -> None:
    switch = Switch(retry_after=0.0)
    floor, stories = Floor(switch.behave), Stories()
    with station(floor, stories, workers=1, breaker=quick(), backoff=Backoff(attempts=1)) as line:
        line.submit(items(3))
        until(lambda: all(floor.tries[f"item {n}"] > 2 for n in range(3)))
        switch.up = True
        assert line.wait_drained(60)
    assert sorted(switch.order) == [item for item, _ in items(3)]
    assert all(story[-1].startswith("finished") for story in stories.of.values())


@pytest.mark.parametrize("order", list(Order))
def test_a_job_that_breaks_the_target_each_time_does_not_hold_up_the_others(order: Order) -> None:
    def behave(item: str, _attempt: Attempt) -> str:
        if item == "item 0":
            raise TransientError("It broke off.", target_down=True)
        return item

    floor, stories = Floor(behave), Stories()
    backoff = Backoff(attempts=3, base=0.001)
    with station(floor, stories, workers=1, breaker=quick(), backoff=backoff) as line:
        line.set_order(order)
        bad, *good = line.submit([("item 0", 1), *items(30, 1)])
        until(lambda: all(stories.of[job][-1].startswith("finished") for job in good))
        more = line.submit(items(30, 31))
        until(lambda: all(stories.of[job][-1].startswith("finished") for job in more))
        line.cancel()
        assert line.wait_drained(60)
    assert stories.of[bad][-1] in {"failed", "cancelled"}


def test_stragglers_lose_nothing_either() -> None:
    """All had begun before the target was known to be down, and fail one after the other."""
    switch = Switch(retry_after=0.0)
    go = threading.Barrier(9)

    def behave(item: str, attempt: Attempt) -> str:
        if floor.tries[item] == 1:
            go.wait(60)
        return switch.behave(item, attempt)

    floor, stories = Floor(behave), Stories()
    breaker = Breaker(first=1e-9, longest=1e-9)
    with station(floor, stories, workers=8, breaker=breaker, backoff=Backoff(attempts=1)) as line:
        ids = line.submit(items(8))
        go.wait(60)
        until(lambda: sum("retried" in stories.of[job] for job in ids) == 8)
        until(lambda: line.counts().serving <= 1)
        switch.up = True
        assert line.wait_drained(60)
        until(lambda: stories.ends == [(8, 0, 0)])
    assert stories.target == ["It is down.", "up"]


def test_a_target_that_comes_back_meanwhile_costs_a_job_no_strike_and_no_wait() -> None:
    """The target is judged first and the job after it; another worker may have served by then."""
    meanwhile = threading.Event()

    def behave(item: str, _attempt: Attempt) -> str:
        if item == "refused":
            raise PermanentError("It is a brick: unwrap it.")
        if item == "unlucky" and floor.tries[item] < 3:
            wait = 0.0 if floor.tries[item] == 1 else 3600.0
            raise TransientError("It is down.", wait, target_down=True)
        return item

    class Held(Stories):
        """Whose worker is kept between the two, the second time that the target goes down."""

        def target_went(self, down: bool, reason: str) -> None:
            super().target_went(down, reason)
            if self.target == ["It is down.", "up", "It is down."]:
                assert meanwhile.wait(60)

    floor, stories = Floor(behave), Held()
    breaker, backoff = Breaker(first=1e-9, longest=1e-9), Backoff(attempts=1)
    with station(floor, stories, workers=1, breaker=breaker, backoff=backoff) as line:
        (unlucky,) = line.submit([("unlucky", 10)])
        line.submit([("refused", 10)])
        until(lambda: len(stories.target) == 3)
        line.resize(2)
        (other,) = line.submit([("other", 10)])
        line.probe_now()
        until(lambda: line.counts().finished == 1)
        meanwhile.set()
        assert line.wait_drained(60)
    assert stories.of[other][-1] == "finished other"
    assert stories.of[unlucky][-1] == "finished unlucky"


def test_when_patience_ends_all_that_waits_fails_with_the_sentence() -> None:
    switch = Switch(retry_after=0.0)
    floor, stories = Floor(switch.behave), Stories()
    with station(floor, stories, workers=0, breaker=quick(), patience=0.0) as line:
        meter = Meter(time.monotonic())
        line.watch(meter.observe_all)
        ids = line.submit(items(30))
        line.hold([ids[7]])
        line.resize(3)
        assert line.wait_drained(60)
        assert all(stories.reasons[job] == "It is down. Gave up after 0 s." for job in ids)
        assert line.counts().failed == 30
        assert line.counts().bytes_left == 0
        until(lambda: sum(failed for _, failed, _ in stories.ends) == 30)
        switch.up = True
        line.retry()
        assert line.wait_drained(60)
        assert (line.counts().finished, line.counts().failed) == (30, 0)
        assert meter.ignored == 0
        assert meter.state(time.monotonic()).in_system == 0
    assert stories.target == ["It is down.", "up"]


def test_what_is_tried_again_while_the_target_is_still_down_fails_again() -> None:
    switch = Switch(retry_after=0.0)
    floor, stories = Floor(switch.behave), Stories()
    with station(floor, stories, workers=2, breaker=quick(), patience=0.0) as line:
        ids = line.submit(items(5))
        assert line.wait_drained(60)
        line.retry(ids[:3])
        assert line.wait_drained(60)
        assert line.counts().failed == 5
    assert stories.target == ["It is down."]


def test_a_fault_of_the_source_says_nothing_about_the_target() -> None:
    """Neither does it break a row of failures off, nor does it end one."""
    down = TransientError("It is down.", target_down=True)
    changed = TransientError("It changed.", at_source=True)
    gone = PermanentError("It is gone.", at_source=True)
    faults: dict[str, list[Exception]] = {
        "a": [down], "b": [changed], "c": [down], "d": [gone], "e": [down], "f": [],
    }  # fmt: skip
    seen: list[tuple[str, bool]] = []

    def behave(item: str, _attempt: Attempt) -> str:
        seen.append((item, line.counts().target_down))
        if faults[item]:
            raise faults[item].pop(0)
        return item

    floor, stories = Floor(behave), Stories()
    later = Backoff(base=1e6, cap=1e6)
    with station(floor, stories, workers=0, breaker=quick(), backoff=later) as line:
        line.submit([(item, 1) for item in faults])
        line.resize(1)
        until(lambda: line.counts().finished >= 1)
    assert seen[:6] == [*((item, False) for item in "abcde"), ("f", True)]
    assert stories.target == ["It is down.", "up"]


def test_a_down_target_can_be_probed_at_once() -> None:
    switch = Switch(retry_after=3600.0)
    floor, stories = Floor(switch.behave), Stories()
    with station(floor, stories, workers=3) as line:
        line.submit(items(5))
        until(lambda: stories.target == ["It is down."])
        until(lambda: line.counts().serving == 0)
        switch.up = True
        line.probe_now()
        assert line.wait_drained(60)
    assert stories.target == ["It is down.", "up"]


# --- whatever the user does -----------------------------------------------------------------------

jobs = st.integers(0, 30)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("resize"), st.integers(0, 12)),
        st.tuples(st.just("submit"), st.integers(1, 20)),
        st.tuples(st.just("cancel"), jobs),
        st.tuples(st.just("pause"), st.booleans()),
        st.tuples(st.just("retry"), st.just(0)),
        st.tuples(st.just("hold"), st.none() | jobs),
        st.tuples(st.just("release"), st.none() | jobs),
        st.tuples(st.just("prioritise"), jobs),
        st.tuples(st.just("order"), st.sampled_from(Order)),
        st.tuples(st.just("target"), st.booleans()),
        st.tuples(st.just("probe"), st.just(0)),
    ),
    max_size=40,
)


@given(
    steps=steps,
    seed=st.integers(0, 5),
    start=st.integers(0, 30),
    floor_type=st.sampled_from([Floor, Bundler]),
)
@settings(max_examples=150)
def test_c_is_exact_and_nothing_is_stuck_whatever_the_user_does(
    steps: list[tuple[str, object]], seed: int, start: int, floor_type: type[Floor]
) -> None:
    """Running ≤ wanted after the drains, busy ≤ running, and every job ends exactly once."""
    meter = Meter(time.monotonic())
    entries: list[Entry] = []
    up = True

    def behave(item: str, _attempt: Attempt) -> str:
        number = int(item.split()[1]) + seed
        if not up:
            raise TransientError("It is down.", target_down=True)
        if number % 7 == 0 and floor.tries[item] == 1:
            raise TransientError("Once more.")
        if number % 11 == 0 and floor.tries[item] == 1:
            raise PermanentError("No.")
        if number % 13 == 0 and floor.tries[item] == 1:
            raise Unreached
        return item

    floor, stories = floor_type(behave), Stories()
    submitted: list[int] = []
    breaker, backoff = Breaker(first=0.0005, longest=0.002), Backoff(base=0.0005, attempts=99)
    with station(floor, stories, backoff=backoff, breaker=breaker) as line:
        line.watch(meter.observe_all)
        line.watch(entries.extend)
        submitted += line.submit([(f"item {n}", n % 3 * SMALL) for n in range(start)])
        for what, value in steps:
            match what, value:
                case "resize", int():
                    line.resize(value)
                case "submit", int():
                    more = items(value, len(submitted))
                    submitted += line.submit(
                        [(name, n % 3 * SMALL) for n, (name, _) in enumerate(more)]
                    )
                case "cancel", int():
                    line.cancel([value])
                case "pause", _:
                    line.pause() if value else line.resume()
                case "retry", _:
                    line.retry()
                case "hold", _:
                    line.hold([value] if isinstance(value, int) else None)
                case "release", _:
                    line.release([value] if isinstance(value, int) else None)
                case "prioritise", int():
                    line.prioritise([value, value + 1], value % 3 - 1)
                case "order", Order():
                    line.set_order(value)
                case "target", _:
                    up = bool(value)
                case "probe", _:
                    line.probe_now()
        up = True
        wanted = max(1, line.counts().wanted)
        line.resize(wanted)
        line.resume()
        line.release()
        assert line.wait_drained(20), "an item is stuck"
        until(lambda: line.counts().running == wanted)
        counts = line.counts()
    assert counts.busy == counts.waiting == counts.bytes_left == counts.serving == 0
    ends = [story[-1].split()[0] for story in stories.of.values()]
    assert len(ends) == len(submitted) == counts.finished + counts.failed + counts.cancelled
    assert set(ends) <= {"finished", "failed", "cancelled"}
    for story in stories.of.values():
        ended = sum(step.startswith(("finished", "failed")) for step in story)
        assert sum(step.startswith("finished") for step in story) <= 1
        assert story.count("started") >= story.count("retried") + ended
    assert stories.target == ["It is down.", "up"] * (len(stories.target) // 2)
    assert meter.ignored == meter.late == 0
    state = meter.state(time.monotonic())
    assert (state.in_system, state.busy) == (0, 0)
    _check_starts(entries)


def _check_starts(entries: list[Entry]) -> None:
    """In the log no worker starts while as many are busy as workers were wanted."""
    wanted = 0
    began: dict[object, Entry] = {}
    for entry in entries:
        if entry.kind is Kind.WORKERS:
            wanted = entry.workers or 0
        elif entry.kind is Kind.START:
            busy = {start.worker for start in began.values()}
            if entry.worker in busy:  # with others of its bundle, which began in the same moment
                assert {s.t for s in began.values() if s.worker == entry.worker} == {entry.t}
            else:
                assert len(busy) < wanted
            began[entry.job] = entry
        elif entry.kind is not Kind.ARRIVE:
            began.pop(entry.job, None)
