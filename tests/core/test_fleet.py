"""A fleet's events become entries of a log: in order, with what was not told made up for."""

from __future__ import annotations

import random
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.cli import main, parse
from dropline.cli.attach import _watch_looks, wants_window
from dropline.extras import MissingExtraError
from dropline.fleet import CeleryFleet, FleetError
from dropline.fleet.clocks import ENOUGH, IN_STEP, Clocks
from dropline.fleet.order import Order
from dropline.fleet.quality import KEYS, TIMES, Doubt, qualities
from dropline.fleet.samples import Sample, time_to_clear, troubles
from dropline.fleet.samples import figures as looked
from dropline.fleet.tasks import Place, Tasks
from dropline.meter import Entry, Kind, Meter


def event(kind: str, task: str = "a", process: str = "w@h", **more: Any) -> dict[str, Any]:
    return {"type": f"task-{kind}", "uuid": task, "hostname": process, **more}


def play(tasks: Tasks, *steps: tuple[float, dict[str, Any]]) -> list[tuple[float, Kind, Any]]:
    for t, what in steps:
        tasks.event(t, what)
    return [(entry.t, entry.kind, entry.job) for entry in tasks.take()]


def begun() -> Tasks:
    tasks = Tasks()
    tasks.begin(0, 0)
    return tasks


def test_without_the_extra_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(
        MissingExtraError, match=r"needs celery: install it by pip install 'dropline\[celery\]'"
    ):
        CeleryFleet("amqp://localhost//")


def test_what_is_no_brokers_url_is_said_so() -> None:
    with pytest.raises(FleetError, match=r"“what://localhost” is no broker's URL"):
        CeleryFleet("what://localhost")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--amqp", "amqp://h//"], "dropline attach: --amqp needs one --queue Q"),
        (
            ["--kafka", "h:1", "--group", "g"],
            "dropline attach: --kafka needs --group G and --topic T",
        ),
    ],
)
def test_options_that_are_missing_are_named(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["attach", *options, "--json"]) == 2
    assert capsys.readouterr().err.strip() == sentence


def test_a_window_opens_unless_figures_are_asked_for() -> None:
    options = ["attach", "--celery", "redis://h"]
    assert wants_window(parse(options))
    assert not wants_window(parse([*options, "--json"]))
    assert not wants_window(parse([*options, "--seconds", "5"]))
    assert not wants_window(parse(["attach", "--amqp", "amqp://h//", "--queue", "q"]))


def test_looks_become_figures() -> None:
    looks = [
        Sample(0, 10, 12, 2, 4, 100, 50, 0),
        Sample(5, 10, 12, 2, 4, 110, 60, 0),
        Sample(10, 30, 34, 4, 4, 150, 80, 1),
    ]
    told = looked(looks)
    assert told["arrivals"] == 50
    assert told["arrival_rate"] == 5
    assert told["throughput"] == 3
    assert told["mean_waiting"] == 15
    assert told["mean_busy"] == 2.5
    assert told["service_rate"] == pytest.approx(1.2)
    assert told["utilisation"] == pytest.approx(0.625)
    assert told["failed"] is None
    assert time_to_clear(30, 3, 5) == 15
    assert time_to_clear(30, 5, 3) is None
    assert time_to_clear(0, 5, 3) == 0


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        (Sample(10, 30, 34, 4, 4, 200, 100, 0), "consumers are too slow: 10 messages a second"),
        (Sample(10, 30, 34, 4, 4, 200, 50, 0), "consumers have done none of 34 messages"),
        (Sample(10, 10, 12, 4, 4, 150, 100, 3), "were given back and delivered again (3)"),
        (Sample(10, 10, 12, 4, 4, 150, 100, 0), ""),
        (Sample(10, 10, 12, 4, 4, 5, 5, 0), ""),  # the broker began anew
    ],
)
def test_what_is_wrong_with_consumers_is_told(last: Sample, sentence: str) -> None:
    told = troubles([Sample(0, 10, 12, 2, 4, 100, 50, 0), last])
    assert [sentence in each for each in told] == [True] * bool(sentence)


def test_a_broker_that_is_away_in_between_is_waited_for() -> None:
    looks = iter([1, None, None, 2])

    def look() -> Sample:
        t = next(looks, 3)
        if t is None:
            raise FleetError("no broker answers")
        return Sample(time.monotonic(), 1, 1, 1, 1, t, t, 0)

    class Hurried:
        def wait(self, timeout: float) -> bool:
            return time.sleep(min(timeout, 0.01)) is not None

    report, wrong = _watch_looks(look, 0.2, Hurried())
    assert [event["what"] for event in report["events"]] == [
        "no broker answers",
        "The broker answers again",
    ]
    assert wrong == []
    assert report["arrivals"] == 2


# --- tasks ----------------------------------------------------------------------------------------


def test_a_task_arrives_when_sent_starts_and_finishes() -> None:
    tasks = begun()
    assert play(tasks, (1, event("sent")), (2, event("received")), (3, event("started"))) == [
        (1, Kind.ARRIVE, "a"),
        (3, Kind.START, "a"),
    ]
    assert tasks.counts == {Place.READY: 0, Place.RESERVED: 0, Place.RUNNING: 1}
    assert play(tasks, (4, event("succeeded"))) == [(4, Kind.FINISH, "a")]
    assert not any(tasks.counts.values())
    assert tasks.doubts == Tasks().doubts


def test_a_retry_is_sent_again_before_the_attempt_is_said_to_be_over() -> None:
    tasks = begun()
    played = play(
        tasks,
        (1, event("sent")),
        (2, event("started")),
        (3, event("sent", retries=1)),
        (3.1, event("retried")),
        (5, event("received", retries=1)),
        (5, event("started")),
        (6, event("failed")),
    )
    assert [kind for _, kind, _ in played] == [
        Kind.ARRIVE,
        Kind.START,
        Kind.RETRY,
        Kind.START,
        Kind.FAIL,
    ]


def test_a_task_told_of_after_it_was_received_or_even_done_arrives_once() -> None:
    tasks = begun()
    played = play(tasks, (1, event("received")), (1.1, event("sent")), (2, event("started")))
    assert [kind for _, kind, _ in played] == [Kind.ARRIVE, Kind.START]
    play(tasks, (3, event("succeeded")))
    assert tasks.doubts.untold == 0
    for name in ("b", "c", "d"):
        play(tasks, (4, event("started", name)), (4.001, event("succeeded", name)))
        assert not play(tasks, (4.002, event("sent", name)))
    assert tasks.doubts.untold == 0
    tasks.ready(5, 3)
    tasks.ready(6, 3)
    assert not tasks.estimating


def test_where_sending_is_not_told_the_queue_says_what_arrived() -> None:
    tasks = begun()
    play(tasks, (1, event("started")), (2, event("succeeded")))
    tasks.ready(2.5, 0)
    tasks.ready(3, 2)
    assert tasks.estimating
    arrived = tasks.take()
    assert [entry.kind for entry in arrived] == [Kind.ARRIVE, Kind.ARRIVE]
    played = play(tasks, (4, event("received", "b")), (4, event("started", "b")))
    assert played == [(4, Kind.START, arrived[0].job)]  # the oldest that waits, as a queue gives
    assert tasks.counts[Place.READY] == 1
    assert tasks.doubts.untold == 1


def test_what_was_there_before_is_taken_in_once() -> None:
    tasks = Tasks()
    play(tasks, (0.5, event("received", "r")))  # told between the first look and the answer
    tasks.adopt(1, {"a": "w@h"}, {"r": "w@h", "s": "v@h"})
    tasks.begin(1, 2)
    assert tasks.counts == {Place.READY: 2, Place.RESERVED: 2, Place.RUNNING: 1}
    assert not tasks.settled
    tasks.take()
    for name in ("a", "r", "s", "x", "y"):
        play(tasks, (2, event("started", name)), (3, event("succeeded", name)))
    assert tasks.doubts.unaged == 5
    assert tasks.doubts.untold == 0
    assert tasks.settled


def test_what_was_sent_and_taken_before_workers_told_is_let_go() -> None:
    tasks = Tasks()
    play(tasks, (0.1, event("sent", "a")), (0.2, event("sent", "b")))
    tasks.adopt(1, {}, {})
    tasks.begin(1, 1)
    assert tasks.counts[Place.READY] == 1
    assert tasks.doubts.lost == 0
    assert [entry.job for entry in tasks.take()] == ["a"]


def test_a_worker_that_vanishes_gives_its_tasks_back() -> None:
    tasks = begun()
    play(tasks, (1, event("sent")), (2, event("started")), (2, event("sent", "b")))
    play(tasks, (3, event("received", "b")))
    tasks.gone(5, "w@h")
    assert [(e.kind, e.job) for e in tasks.take()] == [(Kind.RETRY, "a")]
    assert tasks.counts == {Place.READY: 2, Place.RESERVED: 0, Place.RUNNING: 0}
    played = play(tasks, (6, event("started", "a", "v@h")), (7, event("succeeded", "a", "v@h")))
    assert [kind for _, kind, _ in played] == [Kind.START, Kind.FINISH]
    assert tasks.doubts.cut == 1


def test_a_task_that_is_run_again_though_it_was_done_counts_once() -> None:
    tasks = begun()
    play(tasks, (1, event("sent")), (2, event("started")), (3, event("succeeded")))
    again = (4, event("started", process="v@h")), (5, event("succeeded", process="v@h"))
    assert not play(tasks, *again)
    assert tasks.doubts.doubled == 1


def test_a_task_delivered_anew_while_its_worker_hangs_runs_once() -> None:
    tasks = begun()
    play(tasks, (1, event("sent")), (2, event("started")))
    played = play(tasks, (4, event("started", process="v@h")))
    assert [kind for _, kind, _ in played] == [Kind.RETRY, Kind.START]
    assert tasks.counts[Place.RUNNING] == 1


def test_what_no_queue_and_no_worker_has_is_lost() -> None:
    tasks = begun()
    play(tasks, (1, event("sent")), (1, event("sent", "b")), (2, event("started", "b")))
    tasks.ready(10, 0)
    tasks.ready(11, 0)
    assert [(e.kind, e.job) for e in tasks.take()] == [(Kind.CANCEL, "a")]
    tasks.held(12, "w@h", [])
    assert not tasks.take()  # once may be a matter of timing
    tasks.held(17, "w@h", [])
    assert [(e.kind, e.job) for e in tasks.take()] == [(Kind.CANCEL, "b")]
    assert tasks.doubts.lost == 2


def test_a_revoked_task_leaves_and_a_rejected_one_may_come_back() -> None:
    tasks = begun()
    played = play(
        tasks,
        (1, event("sent")),
        (2, event("started")),
        (3, event("rejected", requeue=True)),
        (4, event("started")),
        (5, event("revoked", terminated=True)),
    )
    kinds = [Kind.ARRIVE, Kind.START, Kind.RETRY, Kind.START, Kind.CANCEL]
    assert [kind for _, kind, _ in played] == kinds


def test_lanes_are_as_many_as_tasks_that_ran_at_once() -> None:
    tasks = begun()
    for name in "abc":
        play(tasks, (1, event("started", name, "w@h" if name < "c" else "v@h")))
    play(tasks, (2, event("succeeded", "a")))
    tasks.event(3, event("started", "d"))
    assert [entry.worker for entry in tasks.take() if entry.kind is Kind.START] == [0]
    assert tasks.lanes.names == ["w@h · 1", "w@h · 2", "v@h · 1"]


@given(st.randoms(use_true_random=False), st.integers(1, 30), st.booleans())
def test_any_run_of_a_fleet_gives_the_figures_of_its_own_log(
    chance: random.Random, count: int, late: bool
) -> None:
    """Messages of two hosts, each in its own order, come mixed and up to 0.4 s late."""
    truth, messages = [], []
    for number in range(count):
        job, host = f"j{number}", chance.choice(("w@one", "w@two"))
        arrive = chance.uniform(0, 10)
        start = arrive + chance.uniform(0.01, 3)
        end = start + chance.uniform(0.01, 2)
        how = chance.choice((Kind.FINISH, Kind.FAIL))
        truth += [Entry(arrive, Kind.ARRIVE, job), Entry(start, Kind.START, job)]
        truth.append(Entry(end, how, job))
        ended = event("succeeded" if how is Kind.FINISH else "failed", job, host, timestamp=end)
        messages += [
            event("sent", job, "gen@pub", timestamp=arrive),
            event("received", job, host, timestamp=(arrive + start) / 2),
            event("started", job, host, timestamp=start),
            ended,
        ]
    delays = {host: chance.uniform(0, 0.04) for host in ("w@one", "w@two", "gen@pub")}
    arrivals = sorted((m["timestamp"] + delays[m["hostname"]], i) for i, m in enumerate(messages))
    order, tasks, ours, true = Order(Clocks()), begun(), Meter(), Meter()

    def pump(until: float) -> None:
        for t, what in order.release(until):
            assert isinstance(what, dict)
            tasks.event(t, what)
        ours.observe_all(tasks.take())

    for received, index in arrivals:
        order.push(messages[index], received)
        if late:
            pump(received - 0.5)
    pump(100)
    true.observe_all(sorted(truth, key=lambda entry: entry.t))
    assert ours.totals(20)._replace(busy_area=0) == true.totals(20)._replace(busy_area=0)
    assert ours.late == ours.ignored == 0


# --- order and clocks -----------------------------------------------------------------------------


def test_a_success_ends_when_the_task_did_not_when_the_worker_was_done_with_it() -> None:
    order = Order(Clocks())
    order.push(event("started", timestamp=10.0), 10.0)
    order.push(event("succeeded", timestamp=10.9, runtime=0.7), 10.9)
    assert [t for t, _ in order.release(20)] == [10.0, 10.7]


def test_a_task_to_be_run_later_arrives_when_it_is_due() -> None:
    order = Order(Clocks())
    order.push(event("sent", timestamp=10.0, eta="1970-01-01T00:01:00+00:00"), 10.0)
    order.push(event("received", timestamp=10.1, eta="1970-01-01T00:01:00+00:00"), 10.1)
    order.push(event("started", timestamp=60.2), 60.2)
    assert not list(order.release(50))
    assert [t for t, _ in order.release(70)] == [60.0, 60.0, 60.2]


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=50))
def test_order_never_goes_back(pushed: list[tuple[float, float]]) -> None:
    order, latest = Order(Clocks()), float("-inf")
    count = 0
    for stamp, until in pushed:
        order.step(stamp, lambda t: None)
        for t, _ in order.release(until):
            assert t >= latest
            latest = t
            count += 1
    assert count + len(list(order.release(1000))) == len(pushed)


@pytest.mark.parametrize("behind", [-30.0, -0.001, 0.5, 3600.0])
def test_a_clock_out_of_step_is_found_by_its_youngest_message(behind: float) -> None:
    clocks, chance = Clocks(), random.Random(1)
    for second in range(ENOUGH + 5):
        way = chance.uniform(0, IN_STEP / 2) if second else 0.0
        clocks.note("far", second - behind, second + way)
    assert clocks.behind("far") == pytest.approx(behind)
    assert list(clocks.out_of_step()) == ["far"]


def test_a_clock_in_step_stays_as_it_is_and_an_old_fault_is_forgotten() -> None:
    clocks = Clocks()
    for second in range(30):
        clocks.note("h", second - 0.002, second)
    assert clocks.behind("h") == 0
    for second in range(30, 40):
        clocks.note("h", second + 5, second)
    assert clocks.behind("h") == -5
    for second in range(40, 140):
        clocks.note("h", second - 0.002, second)
    assert clocks.behind("h") == 0
    assert clocks.behind("unknown") == 0


def test_each_figure_is_exact_unless_doubted() -> None:
    told = qualities([Doubt(TIMES, "why")])
    assert set(told) == set(KEYS)
    assert [key for key, quality in told.items() if quality == "approximate"] == [
        "mean_response",
        "mean_wait",
    ]
