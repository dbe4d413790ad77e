"""The meter while a line runs: odd entries, bounded memory, and many threads at once."""

import math
import threading
from collections import deque
from itertools import count, pairwise

import pytest

from dropline.meter import Entry, Kind, Meter, Totals, figures, littles_law
from dropline.meter.history import KEPT, WIDTHS


@pytest.mark.parametrize(
    "entry",
    [
        Entry(9.0, Kind.ARRIVE, "waiting"),
        Entry(9.0, Kind.ARRIVE, "running"),
        Entry(9.0, Kind.ARRIVE),
        Entry(9.0, Kind.START, "unknown"),
        Entry(9.0, Kind.START, "running"),
        Entry(9.0, Kind.START, "done"),
        *(Entry(9.0, k, "waiting") for k in (Kind.FINISH, Kind.FAIL, Kind.RETRY)),
        *(Entry(9.0, k, "done") for k in (Kind.FINISH, Kind.FAIL, Kind.RETRY, Kind.CANCEL)),
        Entry(9.0, Kind.WORKERS),
        Entry(9.0, Kind.WORKERS, workers=-1),
        Entry(math.nan, Kind.WORKERS, workers=9),
        Entry(math.inf, Kind.ARRIVE, "new"),
    ],
    ids=lambda e: f"{e.kind}-{e.job}-{e.workers}",
)
def test_what_cannot_follow_is_ignored_and_counted(entry: Entry) -> None:
    meter = Meter()
    meter.observe_all(
        [
            Entry(0.0, Kind.WORKERS, workers=1),
            *(Entry(1.0, Kind.ARRIVE, job) for job in ("done", "running", "waiting")),
            Entry(2.0, Kind.START, "done"),
            Entry(3.0, Kind.FINISH, "done"),
            Entry(4.0, Kind.START, "running"),
        ]
    )
    before = meter.totals(20.0), meter.state(20.0)
    meter.observe(entry)
    assert (meter.totals(20.0), meter.state(20.0)) == before
    assert (meter.ignored, meter.late) == (1, 0)


def test_a_late_entry_counts_at_the_meters_time() -> None:
    meter = Meter()
    start = meter.totals(0.0)
    meter.observe_all(
        [
            Entry(5.0, Kind.ARRIVE, 1),
            Entry(3.0, Kind.START, 1),
            Entry(6.0, Kind.FINISH, 1),
        ]
    )
    got = figures(start, meter.totals(10.0))
    assert (meter.late, meter.ignored) == (1, 0)
    assert (got.mean_busy, got.mean_wait, got.mean_response) == (0.1, 0.0, 1.0)


def test_entries_from_before_the_meters_start_are_late() -> None:
    meter = Meter(100.0)
    meter.observe(Entry(1.0, Kind.ARRIVE, 1))
    assert meter.late == 1
    assert meter.state(101.0).oldest_age == 1.0


def test_reading_ahead_makes_no_entry_late() -> None:
    meter = Meter()
    meter.observe(Entry(1.0, Kind.ARRIVE, 1))
    start = meter.totals(0.0)
    ahead = meter.totals(100.0)
    meter.window(60, 100.0)
    meter.observe_all([Entry(2.0, Kind.START, 1), Entry(4.0, Kind.FINISH, 1)])
    assert meter.late == 0
    assert figures(start, meter.totals(10.0)).mean_in_system is not None
    assert littles_law(ahead, meter.totals(200.0)).error == 0
    assert meter.window(200, 10.0).figures.mean_response == 3.0


def test_reading_behind_gives_the_last_entrys_time() -> None:
    meter = Meter()
    meter.observe_all([Entry(1.0, Kind.ARRIVE, 1), Entry(9.0, Kind.START, 1)])
    assert meter.totals(5.0) == meter.totals(9.0)
    assert meter.state(5.0) == meter.state(9.0)
    assert meter.window(60, 5.0).end == 9.0


def test_a_job_may_come_back_after_it_left() -> None:
    meter = Meter()
    start = meter.totals(0.0)
    meter.observe_all(
        [
            Entry(0.0, Kind.ARRIVE, 1),
            Entry(1.0, Kind.START, 1),
            Entry(2.0, Kind.FAIL, 1),
            Entry(5.0, Kind.ARRIVE, 1),
            Entry(6.0, Kind.START, 1),
            Entry(8.0, Kind.FINISH, 1),
        ]
    )
    got = figures(start, meter.totals(10.0))
    assert (got.arrivals, got.failed, got.finished, meter.ignored) == (2, 1, 1, 0)
    assert (got.mean_response, got.mean_wait) == (3.0, 1.0)


def test_a_cancelled_running_job_frees_its_worker() -> None:
    meter = Meter()
    start = meter.totals(0.0)
    meter.observe_all(
        [
            Entry(0.0, Kind.WORKERS, workers=1),
            Entry(0.0, Kind.ARRIVE, 1),
            Entry(0.0, Kind.START, 1),
            Entry(2.0, Kind.CANCEL, 1),
        ]
    )
    got = figures(start, meter.totals(4.0))
    assert (got.cancelled, got.utilisation, got.mean_in_system) == (1, 0.5, 0.5)
    assert got.service_rate == 0.0
    assert meter.state(4.0).in_system == 0


# --- bounded memory ---------------------------------------------------------------------------

FULL = KEPT * len(WIDTHS)


def line_of_one(meter: Meter, start: float, step: float, jobs: int) -> float:
    """Put `jobs` through one after the other, each served in half of `step`; the last time."""
    for job in range(jobs):
        t = start + job * step
        meter.observe_all(
            [
                Entry(t, Kind.ARRIVE, job),
                Entry(t, Kind.START, job),
                Entry(t + step / 2, Kind.FINISH, job),
            ]
        )
    return start + jobs * step


def test_a_week_takes_no_more_memory_than_a_day() -> None:
    meter = Meter()
    now = line_of_one(meter, 0.0, 600.0, 7 * 24 * 6)
    assert now == 7 * 24 * 3600
    assert bins(meter) == FULL
    for seconds in (1, 10, 60, 600, 3600):
        window = meter.window(seconds, now)
        assert window.littles_law.error == 0
        assert window.figures.finished == window.response.count
        assert seconds <= window.end - window.start <= seconds + 60
    hour = meter.window(3600, now).figures
    assert (hour.arrivals, hour.mean_response, hour.mean_in_system) == (6, 300.0, 0.5)
    # A longer window than is kept gives the longest there is.
    last_edge = now - 300  # of the last finish
    assert meter.window(1e9, now).start == last_edge - (KEPT - 1) * 60


def test_a_long_sleep_is_one_bounded_step() -> None:
    meter = Meter()
    line_of_one(meter, 0.0, 0.01, 1000)
    meter.observe(Entry(20.0, Kind.ARRIVE, "asleep"))
    meter.observe(Entry(1e9, Kind.START, "asleep"))
    assert bins(meter) == FULL
    window = meter.window(3600, 1e9)
    assert (window.figures.mean_in_system, window.figures.arrivals) == (1.0, 0)
    assert window.littles_law.error == 0
    assert window.response.count == 0
    assert window.state.oldest_age == 1e9 - 20


def test_a_window_of_a_quiet_time_needs_no_entry() -> None:
    meter = Meter()
    meter.observe(Entry(1.0, Kind.ARRIVE, 1))
    window = meter.window(10, 1000.0)
    assert 10 <= window.end - window.start <= 10.125
    assert (window.figures.arrivals, window.figures.mean_waiting) == (0, 1.0)
    assert bins(meter) < FULL
    for eighths in range(1, 400):  # one and many edges after the last one stored
        window = meter.window(1, 2 + eighths / 8)
        assert (window.start, window.end) == (1 + eighths / 8, 2 + eighths / 8)
        assert window.figures.mean_in_system == 1.0


def test_an_entry_on_an_edge_belongs_to_the_window_that_starts_there() -> None:
    meter = Meter()
    meter.observe_all(
        [Entry(0.125, Kind.ARRIVE, 1), Entry(0.125, Kind.START, 1), Entry(0.25, Kind.FINISH, 1)]
    )
    meter.observe(Entry(0.375, Kind.WORKERS, workers=1))
    arrived, finished, after = (meter.window(back, 1.0) for back in (0.875, 0.75, 0.625))
    assert (arrived.start, arrived.figures.arrivals, arrived.response.count) == (0.125, 1, 1)
    assert (finished.start, finished.figures.arrivals, finished.response.count) == (0.25, 0, 1)
    assert (after.start, after.figures.finished, after.response.count) == (0.375, 0, 0)


def bins(meter: Meter) -> int:
    return len(meter._history)


# --- threads ----------------------------------------------------------------------------------


def test_threads_observe_while_another_reads() -> None:
    meter, clock, jobs, threads = Meter(), count(), 600, 4
    seen: deque[Totals] = deque([meter.totals(0.0)])
    done = threading.Event()

    def observe(thread: int) -> None:
        for n in range(jobs):
            job = f"{thread}-{n}"
            meter.observe(Entry(next(clock) / 1000, Kind.ARRIVE, job))
            meter.observe_all(
                Entry(next(clock) / 1000, kind, job) for kind in (Kind.START, Kind.FINISH)
            )

    def read() -> None:
        while not done.is_set():
            window = meter.window(1, 0.0)
            assert window.littles_law.error == 0
            assert window.figures.finished == window.response.count
            seen.append(meter.totals(0.0))

    reader = threading.Thread(target=read)
    observers = [threading.Thread(target=observe, args=(n,)) for n in range(threads)]
    for thread in (reader, *observers):
        thread.start()
    for thread in observers:
        thread.join()
    done.set()
    reader.join()
    last = meter.totals(0.0)
    assert last.arrivals == last.finished == jobs * threads
    assert meter.ignored == 0
    assert meter.state(0.0).in_system == 0
    for a, b in pairwise([*seen, last]):
        assert littles_law(a, b).error == 0
        assert a.arrivals <= b.arrivals
        assert a.time <= b.time


def test_all_times_since_the_start_are_kept_however_long_ago() -> None:
    meter = Meter()
    for job in range(100):
        t = 1000.0 * job
        meter.observe_all(
            [
                Entry(t, Kind.ARRIVE, job),
                Entry(t, Kind.START, job),
                Entry(t + 1 + job, Kind.FINISH, job),
            ]
        )
        totals, spread = meter.whole(t + 500)
        assert totals.finished == spread.response.count == job + 1
    assert spread.response.quantile(0.5) == pytest.approx(50, rel=0.02)
