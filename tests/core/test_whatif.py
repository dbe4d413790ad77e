"""What-if: a log through other workers, against answers by hand, by formula and by brute force."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dropline import theory
from dropline.cli import main
from dropline.meter import Entry, Kind, LogError, Meter, measure
from dropline.station import SMALL, Job, Order
from dropline.station.queue import Queue
from dropline.whatif import Outcome, Trace, read_trace, simulate

ARRIVE, START, FINISH, FAIL, RETRY, CANCEL = list(Kind)[:-1]
LARGE = SMALL + 1


def trace_of(
    arrivals: Sequence[float], services: Sequence[float], sizes: Sequence[int] | None = None
) -> Trace:
    return Trace(
        np.array(arrivals, dtype=float),
        np.array(services, dtype=float),
        None if sizes is None else np.array(sizes, dtype=np.int64),
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write(entry, …)`: a log that holds these."""

    def log(*entries: Entry) -> Path:
        path = tmp_path / "log.jsonl"
        path.write_text("".join(f"{entry.to_json()}\n" for entry in entries))
        return path

    return log


# --- from a log to a trace ---------------------------------------------------------------------


def test_services_are_the_sums_of_attempts_and_who_never_finished_is_left_out(
    write: Callable[..., Path],
) -> None:
    log = write(
        Entry(0, Kind.WORKERS, workers=2),
        Entry(0, ARRIVE, "a"),
        Entry(0, ARRIVE, "fails"),
        Entry(1, ARRIVE, "b"),
        Entry(1, START, "a"),
        Entry(2, RETRY, "a"),
        Entry(3, START, "fails"),
        Entry(3.5, ARRIVE, "cancelled"),
        Entry(3.5, START, "cancelled"),
        Entry(4, FAIL, "fails"),
        Entry(5, START, "a"),
        Entry(5, START, "b"),
        Entry(6, CANCEL, "cancelled"),
        Entry(8, FINISH, "a"),
        Entry(8, FINISH, "never began"),
        Entry(9, ARRIVE, "stays"),
        Entry(9, FINISH, "b"),
        Entry(9, START, "stays"),
    )
    trace = read_trace(log)
    assert trace.arrivals.tolist() == [0, 1]
    assert trace.services.tolist() == [1 + 3, 4]
    assert trace.sizes is None


def test_a_job_that_comes_back_is_another_one(write: Callable[..., Path]) -> None:
    visit = [(0, ARRIVE), (0, START), (2, FAIL), (5, ARRIVE), (6, START), (9, FINISH)]
    trace = read_trace(write(*(Entry(t, kind, 1) for t, kind in visit)))
    assert (trace.arrivals.tolist(), trace.services.tolist()) == ([5], [3])


def test_jobs_that_a_worker_serves_at_a_time_share_it(write: Callable[..., Path]) -> None:
    log = write(
        *(Entry(0, ARRIVE, job) for job in range(4)),
        *(Entry(0, START, job, worker=7) for job in range(2)),
        Entry(0, START, 2, worker=8),
        Entry(2, START, 3, worker=7),
        Entry(5, FINISH, 0),
        Entry(5, FINISH, 1),
        Entry(6, FINISH, 2),
        Entry(6, FINISH, 3),
    )
    assert read_trace(log).services.tolist() == pytest.approx([2, 2, 6, 2])  # 6 of either worker
    busy = measure(log, 0, 6)["mean_busy"]
    assert busy == pytest.approx(read_trace(log).services.sum() / 6)


def test_a_log_tells_sizes_where_each_start_does(write: Callable[..., Path]) -> None:
    first = [Entry(0, ARRIVE, 1), Entry(0, START, 1, size=5), Entry(1, FINISH, 1)]
    sizes = read_trace(write(*first)).sizes
    assert sizes is not None
    assert sizes.tolist() == [5]
    other = [Entry(2, ARRIVE, 2), Entry(2, START, 2), Entry(3, FINISH, 2)]
    assert read_trace(write(*first, *other)).sizes is None


def test_a_log_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"t":0,"kind":"start","job":1,"size":"big"}\n')
    with pytest.raises(LogError, match="line 1: size must be a whole number of bytes"):
        read_trace(path)


# --- by hand -----------------------------------------------------------------------------------


def test_two_workers_by_hand() -> None:
    outcome = simulate(trace_of([0, 0, 0, 1, 10], [4, 2, 1, 3, 1]), 2)
    assert outcome.starts.tolist() == [0, 0, 2, 3, 10]
    assert outcome.as_dict() == {
        "jobs": 5,
        "mean_wait": (2 + 2) / 5,
        "mean_response": (4 + 2 + 3 + 5 + 1) / 5,
        "p50_response": 3,
        "p95_response": pytest.approx(4.8),
        "p99_response": pytest.approx(4.96),
        "max_waiting": 2,
        "makespan": 11,
    }
    times, waiting = outcome.queue_path()
    assert (times.tolist(), waiting.tolist()) == ([0, 1, 2, 3], [1, 2, 1, 0])


def test_orders_by_hand() -> None:
    sizes = [LARGE, LARGE, LARGE, 10, 5]
    trace = trace_of([0, 0, 0, 1, 1], [4, 4, 4, 1, 1], sizes)
    assert simulate(trace, 2).starts.tolist() == [0, 0, 4, 4, 5]
    # At 0 only large ones are here, so that they may have both workers; the lane is free from 4 on.
    assert simulate(trace, 2, Order.SMALL_LANE).starts.tolist() == [0, 0, 4, 4, 5]
    assert simulate(trace, 2, Order.SHORTEST).starts.tolist() == [0, 0, 5, 4, 4]
    late = trace_of([0, 0, 0, 0], [4, 4, 1, 1], [LARGE, LARGE, 1, 1])
    assert simulate(late, 2, Order.SMALL_LANE).starts.tolist() == [0, 2, 0, 1]


def test_shortest_first_goes_by_service_where_sizes_tell_nothing() -> None:
    for sizes in (None, [0, 0, 0]):
        trace = trace_of([0, 0, 0], [3, 1, 2], sizes)
        assert simulate(trace, 1, Order.SHORTEST).starts.tolist() == [3, 0, 1]


@pytest.mark.parametrize("order", Order)
def test_no_jobs_have_no_figures(order: Order) -> None:
    outcome = simulate(trace_of([], [], []), 3, order)
    figures = outcome.as_dict()
    assert (figures.pop("jobs"), figures.pop("max_waiting")) == (0, 0)
    assert set(figures.values()) == {None}
    assert [len(part) for part in outcome.queue_path()] == [0, 0]


def test_what_cannot_be_answered_is_refused() -> None:
    with pytest.raises(ValueError, match="0 workers: a job needs at least one"):
        simulate(trace_of([0], [1]), 0)
    with pytest.raises(ValueError, match="needs the size of every job"):
        simulate(trace_of([0], [1]), 1, Order.SMALL_LANE)
    with pytest.raises(ValueError, match="doesn't tell the size"):
        trace_of([0], [1]).mixed(0.5)
    with pytest.raises(ValueError, match="no large file"):
        trace_of([0], [1], [1]).mixed(1)
    with pytest.raises(ValueError, match="from 0 to 1, not at 2"):
        trace_of([0], [1], [1]).mixed(2)


def test_another_mix_draws_recorded_jobs() -> None:
    trace = trace_of(range(1000), [5, 1] * 500, [LARGE, 1] * 500)
    mixed = trace.mixed(0.2)
    assert mixed.arrivals is trace.arrivals
    assert mixed.sizes is not None
    assert 150 < (mixed.sizes == LARGE).sum() < 250
    assert ((mixed.services == 5) == (mixed.sizes == LARGE)).all()
    assert set(trace.mixed(0).services) == {1}


# --- against other ways to the same answer -----------------------------------------------------

# Whole numbers, so that jobs arrive and end at the same time often and sums are exact.
jobs = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 6), st.sampled_from([1, 5, LARGE, LARGE + 1])),
    max_size=14,
)


def sorted_trace(drawn: list[tuple[int, int, int]]) -> Trace:
    drawn = sorted(drawn, key=lambda job: job[0])
    arrivals, services, sizes = zip(*drawn, strict=True) if drawn else ((), (), ())
    return trace_of(arrivals, services, sizes)


@given(jobs)
def test_one_worker_follows_lindley(drawn: list[tuple[int, int, int]]) -> None:
    trace = sorted_trace(drawn)
    waits, wait = [], 0.0
    for n in range(len(trace)):
        if n:
            gap = trace.arrivals[n] - trace.arrivals[n - 1]
            wait = max(0.0, wait + trace.services[n - 1] - gap)
        waits.append(wait)
    assert simulate(trace, 1).waits.tolist() == waits


def brute_force(trace: Trace, workers: int, order: Order) -> list[float]:
    """Starts, by stepping from one whole time to the next with the station's own queue."""
    assert trace.sizes is not None
    alike = order is Order.SHORTEST and len(set(trace.sizes.tolist())) == 1
    lengths = trace.services if alike else trace.sizes  # sizes that are all one say nothing
    queue: Queue[int] = Queue()
    queue.order = order
    ends: dict[int, float] = {}
    starts = [0.0] * len(trace)
    left = set(range(len(trace)))
    for now in itertools.count():
        if not left and not len(queue):
            return starts
        ends = {job: end for job, end in ends.items() if end > now}
        for job in sorted(job for job in left if trace.arrivals[job] == now):
            queue.add(Job(job, job, int(lengths[job])))
            left.discard(job)
        while len(ends) < workers:
            large = sum(trace.sizes[job] > SMALL for job in ends)
            lane = order is Order.SMALL_LANE and large >= max(1, workers - 1)
            taken = queue.pop(large=not (lane and queue.has_small()))
            if taken is None:
                break
            starts[taken.id] = now
            if trace.services[taken.id]:
                ends[taken.id] = now + trace.services[taken.id]
    raise AssertionError


@given(jobs, st.integers(1, 4), st.sampled_from(list(Order)))
@example([(0, 0, LARGE), (0, 3, LARGE), (0, 1, 1)], 1, Order.SMALL_LANE)
def test_every_order_does_what_the_stations_queue_does(
    drawn: list[tuple[int, int, int]], workers: int, order: Order
) -> None:
    # A job that takes no time ends at once, and its worker takes the next at the same time. The
    # brute force never counts it as in service, where the lane would: so there it takes some.
    if order is Order.SMALL_LANE:
        drawn = [(t, service + 1, size) for t, service, size in drawn]
    trace = sorted_trace(drawn)
    outcome = simulate(trace, workers, order)
    assert outcome.starts.tolist() == brute_force(trace, workers, order)
    check_queue(outcome)


def check_queue(outcome: Outcome) -> None:
    """The path of the queue against counting, and no peak lost when it is thinned."""
    times, waiting = outcome.queue_path()
    for t, number in zip(times, waiting, strict=True):
        assert number == ((outcome.arrivals <= t) & (outcome.starts > t)).sum()
    assert outcome.max_waiting == waiting.max(initial=0)
    thinned_times, thinned = outcome.queue_path(3)
    assert len(thinned_times) <= 3
    assert thinned.max(initial=0) == outcome.max_waiting
    area = (np.diff(times) * waiting[:-1]).sum()
    assert area == pytest.approx(outcome.waits.sum())


@pytest.mark.parametrize(("workers", "load"), [(1, 0.7), (4, 0.8)])
def test_a_long_trace_agrees_with_the_formula(workers: int, load: float) -> None:
    dice = np.random.default_rng(workers)
    count, rate = 400_000, load * workers
    arrivals = np.cumsum(dice.exponential(1 / rate, count))
    outcome = simulate(Trace(arrivals, dice.exponential(1.0, count)), workers)
    expected = theory.mmc(rate, 1.0, workers)
    # Waits are correlated, so the margin is several times that of as many independent ones.
    assert outcome.mean_response == pytest.approx(expected.mean_response, rel=0.05)
    assert outcome.mean_wait == pytest.approx(expected.mean_wait, rel=0.1)
    p95 = theory.tails(rate, 1.0, workers).response_percentile(0.95)
    assert outcome.response_quantiles(0.95) == [pytest.approx(p95, rel=0.06)]


def test_a_replay_with_the_workers_there_were_is_what_was_measured(
    write: Callable[..., Path],
) -> None:
    dice = random.Random(3)
    arrivals = list(itertools.accumulate(dice.expovariate(3.0) for _ in range(500)))
    trace = trace_of(arrivals, [dice.expovariate(1.0) for _ in arrivals])
    outcome = simulate(trace, 4)
    entries = [Entry(t, ARRIVE, job) for job, t in enumerate(arrivals)]
    entries += [Entry(t, START, job) for job, t in enumerate(outcome.starts.tolist())]
    entries += [Entry(t, FINISH, job) for job, t in enumerate(outcome.ends.tolist())]
    entries.sort(key=lambda entry: (entry.t, list(Kind).index(entry.kind)))
    log = write(*entries)
    again = simulate(read_trace(log), 4)
    assert again.starts == pytest.approx(outcome.starts)
    meter = Meter()
    meter.observe_all(entries)
    figures = measure(log, 0, entries[-1].t + 1)
    assert again.mean_response == pytest.approx(figures["mean_response"])
    assert again.mean_wait == pytest.approx(figures["mean_wait"])


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def log(write: Callable[..., Path]) -> Path:
    return write(
        *(Entry(0, ARRIVE, job) for job in range(3)),
        Entry(0, START, 0),
        Entry(2, FINISH, 0),
        Entry(2, START, 1),
        Entry(3, FINISH, 1),
        Entry(3, START, 2),
        Entry(6, FINISH, 2),
    )


def test_the_command_prints_the_keys_of_the_contract(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["whatif", str(log), "--workers", "2", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["jobs"] == 3
    assert figures["mean_wait"] == pytest.approx(1 / 3)
    assert figures["mean_response"] == pytest.approx(7 / 3)
    assert (figures["max_waiting"], figures["makespan"]) == (1, 4)
    assert 2 < figures["p95_response"] <= 4


def test_several_worker_counts_give_a_table(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["whatif", "--workers", "1,2", "--workers", "3", str(log), "--order", "shortest"]
    assert main(command) == 0
    assert "3 jobs, shortest" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert [row["workers"] for row in json.loads(capsys.readouterr().out)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--workers", "0"], "0: use whole numbers from 1 on"),
        (["--workers", "1,x"], "1,x: use whole numbers from 1 on"),
        (["--workers", "1", "--order", "small-lane"], "needs the size of every job"),
        (["--workers", "1", "--order", "longest"], "longest"),
        (["--workers", "1", "--large", "0.5"], "record one anew"),
        ([], "--workers"),
    ],
)
def test_the_command_says_what_is_wrong_in_a_line(
    log: Path, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    try:
        status = main(["whatif", str(log), *options])
    except SystemExit as end:
        status = int(end.code or 0)
    assert status == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
