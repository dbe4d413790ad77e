"""The station: c is exact, nothing is lost or stuck, and each job's story is told in order."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropline.meter import Entry, Kind, Meter
from dropline.station import (
    MAX_WORKERS,
    Aborted,
    Attempt,
    Backoff,
    Job,
    Order,
    PermanentError,
    Sampler,
    Station,
    TransientError,
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


@contextmanager
def station(
    floor: Floor, stories: Stories, workers: int = 2, backoff: Backoff | None = None
) -> Iterator[Station[str, str]]:
    made: Station[str, str] = Station("test", floor.make_worker, stories, backoff=backoff)
    made.resize(workers)
    try:
        yield made
    finally:
        assert made.close()
        assert floor.open == 0


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
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
        assert made.wait_drained(10)
    assert stories.of[job] == ["arrived", "started", "checkpointed", "finished item 0"]


def test_every_job_is_served_once_and_told_in_order() -> None:
    floor, stories = Floor(), Stories()
    with station(floor, stories, workers=4) as line:
        ids = line.submit(items(500))
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
        line.retry()
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
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
        assert line.wait_drained(10)
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


steps = st.lists(
    st.one_of(
        st.tuples(st.just("resize"), st.integers(0, 12)),
        st.tuples(st.just("submit"), st.integers(1, 20)),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("pause"), st.booleans()),
        st.tuples(st.just("retry"), st.just(0)),
    ),
    max_size=40,
)


@given(steps=steps, seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_c_is_exact_and_nothing_is_stuck_whatever_the_user_does(
    steps: list[tuple[str, int]], seed: int
) -> None:
    """Running ≤ wanted after the drains, busy ≤ running, and every job ends exactly once."""
    meter = Meter(time.monotonic())
    entries: list[Entry] = []

    def behave(item: str, _attempt: Attempt) -> str:
        number = int(item.split()[1]) + seed
        if number % 7 == 0 and floor.tries[item] == 1:
            raise TransientError("Once more.")
        if number % 11 == 0 and floor.tries[item] == 1:
            raise PermanentError("No.")
        return item

    floor, stories = Floor(behave), Stories()
    submitted: list[int] = []
    with station(floor, stories, backoff=Backoff(base=0.0005)) as line:
        line.watch(meter.observe_all)
        line.watch(entries.extend)
        for what, value in steps:
            match what:
                case "resize":
                    line.resize(int(value))
                case "submit":
                    submitted += line.submit(items(int(value), len(submitted)))
                case "cancel":
                    line.cancel([value])
                case "pause":
                    line.pause() if value else line.resume()
                case "retry":
                    line.retry()
        wanted = max(1, line.counts().wanted)
        line.resize(wanted)
        line.resume()
        assert line.wait_drained(20), "an item is stuck"
        until(lambda: line.counts().running == wanted)
        counts = line.counts()
    assert counts.busy == counts.waiting == counts.bytes_left == 0
    ends = [story[-1].split()[0] for story in stories.of.values()]
    assert len(ends) == len(submitted) == counts.finished + counts.failed + counts.cancelled
    assert set(ends) <= {"finished", "failed", "cancelled"}
    for story in stories.of.values():
        assert sum(step.startswith("finished") for step in story) <= 1
        assert story.count("started") == story.count("retried") + sum(
            step.startswith(("finished", "failed")) for step in story
        ) + (story[-1] == "cancelled" and story[-2] == "started")
    assert meter.ignored == meter.late == 0
    assert meter.state(time.monotonic()).in_system == 0
    _check_starts(entries)


def _check_starts(entries: list[Entry]) -> None:
    """In the log no job starts while as many are busy as workers were wanted."""
    busy = wanted = 0
    for entry in entries:
        if entry.kind is Kind.WORKERS:
            wanted = entry.workers or 0
        elif entry.kind is Kind.START:
            assert busy < wanted
            busy += 1
        elif entry.kind in {Kind.FINISH, Kind.FAIL, Kind.RETRY}:
            busy -= 1
        elif entry.kind is Kind.CANCEL:
            break  # of a waiting job or a running one: the meter tells them apart, this does not
