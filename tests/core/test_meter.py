"""The meter against the reference logs, and against sums worked out in the plainest way."""

import json
import math
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropline.meter import (
    RELATIVE_ERROR,
    Entry,
    Kind,
    LogError,
    Meter,
    Percentiles,
    State,
    Totals,
    figures,
    littles_law,
    measure,
)
from dropline.meter.history import KEPT, WIDTHS
from dropline.meter.tally import TICKS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "data" / "logs.json"
SHARED = ROOT.parent / "shared" / "reference" / "logs.json"

Value = float | int | None


# --- the plain way: every job's intervals, summed as fractions --------------------------------


def overlap(spans: Iterable[tuple[float, float]], a: float, b: float) -> Fraction:
    lengths = (min(Fraction(y), Fraction(b)) - max(Fraction(x), Fraction(a)) for x, y in spans)
    return sum((length for length in lengths if length > 0), Fraction(0))


def spans_of_workers(served: list[tuple[Entry, float]]) -> list[tuple[float, float]]:
    """When each worker was busy, given starts and their ends; who has no number serves one job."""
    spans: list[tuple[float, float]] = []
    by_worker: dict[int, list[tuple[float, float]]] = {}
    for start, end in served:
        mine = spans if start.worker is None else by_worker.setdefault(start.worker, [])
        mine.append((start.t, end))
    for mine in by_worker.values():
        mine.sort()
        begin, until = mine[0]
        for x, y in mine[1:]:
            if x > until:
                spans.append((begin, until))
                begin = x
            until = max(until, y)
        spans.append((begin, until))
    return spans


def brute_force(log: list[Entry], a: float, b: float) -> dict[str, Value]:
    """The contract's figures of a legal log over [a, b), straight from their definitions."""
    last = max([b, *(e.t for e in log)])
    inside = [e for e in log if a <= e.t < b]
    count = {kind: sum(e.kind is kind for e in inside) for kind in Kind}
    present, served, responses, waits = [], [], [], []
    arrive: dict[Any, float] = {}
    first: dict[Any, float] = {}
    running: dict[Any, Entry] = {}
    for e in log:
        if e.kind is Kind.ARRIVE:
            arrive[e.job] = e.t
        elif e.kind is Kind.START:
            first.setdefault(e.job, e.t)
            running[e.job] = e
        elif e.kind is not Kind.WORKERS:
            if e.job in running:
                served.append((running.pop(e.job), e.t))
            if e.kind is not Kind.RETRY:
                arrived = arrive.pop(e.job)
                started = first.pop(e.job, None)
                present.append((arrived, e.t))
                if e.kind is Kind.FINISH and started is not None and a <= e.t < b:
                    responses.append(Fraction(e.t) - Fraction(arrived))
                    waits.append(Fraction(started) - Fraction(arrived))
    present += [(t, last) for t in arrive.values()]
    served += [(start, last) for start in running.values()]
    serving = overlap([(start.t, end) for start, end in served], a, b)
    busy = spans_of_workers(served)

    # max(c, busy) changes only where either does.
    cuts = sorted({a, b, *(t for t in [*(e.t for e in log)] if a < t < b)})
    capacity = Fraction(0)
    for x, y in pairwise(cuts):
        c = next((e.workers or 0 for e in reversed(log) if e.workers is not None and e.t <= x), 0)
        capacity += max(c, sum(s <= x < f for s, f in busy)) * (Fraction(y) - Fraction(x))

    length = Fraction(b) - Fraction(a)
    in_system, worked = overlap(present, a, b), overlap(busy, a, b)
    attempts = count[Kind.FINISH] + count[Kind.FAIL] + count[Kind.RETRY]

    def ratio(x: Fraction | int, y: Fraction | int) -> float | None:
        return float(Fraction(x) / y) if y else None

    return {
        "arrivals": count[Kind.ARRIVE],
        "finished": count[Kind.FINISH],
        "failed": count[Kind.FAIL],
        "retried": count[Kind.RETRY],
        "cancelled": count[Kind.CANCEL],
        "arrival_rate": ratio(count[Kind.ARRIVE], length),
        "throughput": ratio(count[Kind.FINISH], length),
        "service_rate": ratio(attempts, worked),
        "mean_in_system": ratio(in_system, length),
        "mean_waiting": ratio(in_system - serving, length),
        "mean_busy": ratio(worked, length),
        "mean_workers": ratio(capacity, length),
        "utilisation": ratio(worked, capacity),
        "mean_response": ratio(sum(responses), len(responses)),
        "mean_wait": ratio(sum(waits), len(waits)),
    }


def same(got: dict[str, Value], expected: dict[str, Value]) -> None:
    assert set(expected) <= set(got)
    for name, value in expected.items():
        assert got[name] == (
            value if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)
        ), name


@st.composite
def legal_logs(draw: st.DrawFn) -> list[Entry]:
    """Any log a line can make: retries, cancels, resizes, ids that come back, equal times.

    Workers with a number may serve several jobs at a time.
    Times lie on a grid, so that a bin's edge can fall on an entry but never within its rounding.
    """
    t = draw(st.integers(-2000, 2000))
    state: dict[int, str] = {}
    log = []
    for _ in range(draw(st.integers(0, 40))):
        t += draw(st.sampled_from([0, 0, 0, 1, 7, 125, 400, 3000, 45_000]))
        moves = [(Kind.WORKERS, 0), (Kind.ARRIVE, max(state, default=-1) + 1)]
        moves += [(Kind.ARRIVE, gone) for gone in range(3) if gone not in state]
        for job, now in state.items():
            moves.append((Kind.CANCEL, job))
            if now == "waiting":
                moves.append((Kind.START, job))
            else:
                moves += [(kind, job) for kind in (Kind.FINISH, Kind.FAIL, Kind.RETRY)]
        kind, job = draw(st.sampled_from(moves))
        if kind is Kind.WORKERS:
            log.append(Entry(t / 1000, kind, workers=draw(st.integers(0, 4))))
            continue
        worker = draw(st.none() | st.integers(1, 3)) if kind is Kind.START else None
        log.append(Entry(t / 1000, kind, job, worker=worker))
        if kind is Kind.START:
            state[job] = "running"
        elif kind in (Kind.ARRIVE, Kind.RETRY):
            state[job] = "waiting"
        else:
            del state[job]
    return log


def totals_at(log: list[Entry], marks: Iterable[float]) -> dict[float, Totals]:
    """Stream `log` through a meter, taking its totals at each mark as the line reaches it."""
    waiting = sorted(set(marks))
    meter = Meter(min([*waiting, *(e.t for e in log)]))
    totals = {}
    for entry in log:
        while waiting and waiting[0] <= entry.t:
            mark = waiting.pop(0)
            totals[mark] = meter.totals(mark)
        meter.observe(entry)
    totals.update((mark, meter.totals(mark)) for mark in waiting)
    assert meter.ignored == meter.late == 0
    return totals


# --- the contract's logs ----------------------------------------------------------------------


def reference() -> list[Any]:
    return [
        pytest.param(
            [Entry.from_json(json.dumps(entry)) for entry in case["log"]],
            case["windows"],
            id=case["name"],
        )
        for case in json.loads(REFERENCE.read_text())
    ]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared reference isn't here")
def test_the_reference_is_the_shared_one() -> None:
    assert REFERENCE.read_bytes() == SHARED.read_bytes()


@pytest.mark.parametrize(("log", "windows"), reference())
def test_reference_figures(tmp_path: Path, log: list[Entry], windows: list[Any]) -> None:
    totals = totals_at(log, (w[edge] for w in windows for edge in ("start", "end")))
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{entry.to_json()}\n" for entry in log))
    for w in windows:
        streamed = figures(totals[w["start"]], totals[w["end"]])
        assert set(streamed.as_dict()) == set(w["expect"])
        same(streamed.as_dict(), w["expect"])
        same(measure(path, w["start"], w["end"]), w["expect"])
        same(brute_force(log, w["start"], w["end"]), w["expect"])


# --- any log, any window ----------------------------------------------------------------------

edges = st.integers(-5000, 400_000).map(lambda ms: ms / 1000)


@given(legal_logs(), edges, edges)
def test_any_window_of_any_log(log: list[Entry], a: float, b: float) -> None:
    a, b = sorted((a, b))
    totals = totals_at(log, (a, b))
    if a < b:
        same(figures(totals[a], totals[b]).as_dict(), brute_force(log, a, b))
    law = littles_law(totals[a], totals[b])
    assert law.error == 0
    assert law.mean_in_system == pytest.approx(law.throughput_times_response + law.edge)


@given(log=legal_logs(), a=edges, b=edges)
@settings(max_examples=40)
def test_measure_streams_the_same_figures(
    tmp_path_factory: pytest.TempPathFactory, log: list[Entry], a: float, b: float
) -> None:
    path = tmp_path_factory.mktemp("measure") / "log.jsonl"
    path.write_text("".join(f"{entry.to_json()}\n" for entry in log))
    a, b = min(a, b), max(a, b) + 0.001
    measured = measure(path, a, b)
    same(measured, brute_force(log, a, b))
    assert measured["ignored"] == 0
    assert measured["percentile_error"] == RELATIVE_ERROR
    near(measured["response_p95"], responses_in(log, a, b), 0.95)


@given(legal_logs())
def test_a_worker_of_several_jobs_is_one_busy_worker(log: list[Entry]) -> None:
    log = [e._replace(worker=e.worker or 9) if e.kind is Kind.START else e for e in log]
    began = log[0].t if log else 0.0
    meter = Meter(began)
    start = meter.totals(began)
    serving: set[Any] = set()
    workers: set[Any] = set()
    for e in log:
        meter.observe(e)
        if e.kind is Kind.START:
            serving.add(e.job)
            workers.add(e.worker)
        elif e.kind not in {Kind.ARRIVE, Kind.WORKERS}:
            serving.discard(e.job)
        state = meter.state(e.t)
        assert state.waiting + len(serving) == state.in_system
        assert bool(serving) <= state.busy <= min(len(workers), len(serving))
    end = meter.totals(1e4)
    assert end.busy_area <= end.serving_area
    assert end.busy_area <= len(workers) * (end.time - start.time)


def test_bundles_one_after_another(tmp_path: Path) -> None:
    """Two bundles of one worker, by hand: 3 files in 2 s, of which one twice, then 1 in 1 s."""
    log = [
        Entry(0.0, Kind.WORKERS, workers=1),
        *(Entry(0.0, Kind.ARRIVE, job) for job in "abcd"),
        *(Entry(1.0, Kind.START, job, worker=7) for job in "abc"),
        Entry(3.0, Kind.FINISH, "a"),
        Entry(3.0, Kind.FINISH, "b"),
        Entry(3.0, Kind.RETRY, "c"),
        Entry(4.0, Kind.START, "c", worker=7),
        Entry(5.0, Kind.FAIL, "c"),
        Entry(6.0, Kind.START, "d", worker=8),
        Entry(7.0, Kind.CANCEL, "d"),
    ]
    expected: dict[str, Value] = {
        "arrivals": 4, "finished": 2, "failed": 1, "retried": 1, "cancelled": 1,
        "arrival_rate": 0.5, "throughput": 0.25, "service_rate": 1.0,
        "mean_in_system": 18 / 8, "mean_waiting": 10 / 8, "mean_busy": 0.5, "mean_workers": 1.0,
        "utilisation": 0.5, "mean_response": 3.0, "mean_wait": 1.0,
    }  # fmt: skip
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{entry.to_json()}\n" for entry in log))
    totals = totals_at(log, (0.0, 8.0))
    same(figures(totals[0.0], totals[8.0]).as_dict(), expected)
    same(measure(path, 0.0, 8.0), expected)
    same(brute_force(log, 0.0, 8.0), expected)


def responses_in(log: list[Entry], a: float, b: float) -> list[float]:
    arrive: dict[Any, float] = {}
    responses = []
    for e in log:
        if e.kind is Kind.ARRIVE:
            arrive[e.job] = e.t
        if e.kind is Kind.FINISH and a <= e.t < b:
            responses.append(e.t - arrive[e.job])
    return responses


def near(got: Value, values: list[float], p: float) -> None:
    """Whether `got` is the p-quantile of `values` to the stated relative error."""
    if values:
        true = sorted(values)[math.floor(p * (len(values) - 1) + 1e-9)]
        assert got == pytest.approx(true, rel=RELATIVE_ERROR * (1 + 1e-6), abs=2 / TICKS)
    else:
        assert got is None


@given(legal_logs(), st.sampled_from([0.05, 1, 10, 16, 60, 300, 3600]), st.integers(1, 90_000))
@settings(max_examples=150)
def test_a_live_window_is_right_at_the_edges_it_states(
    log: list[Entry], seconds: float, later: int
) -> None:
    begin = log[0].t if log else 0.0
    meter = Meter(begin)
    meter.observe_all(log)
    now = (log[-1].t if log else begin) + later / 1000
    window = meter.window(seconds, now)
    assert window.end == pytest.approx(now, abs=1 / TICKS)
    assert window.start >= begin - 1 / TICKS
    if window.start > begin + 1 / TICKS:
        width = next(w / TICKS for w in WIDTHS if seconds <= (KEPT - 1) * w / TICKS)
        assert seconds - 2 / TICKS <= now - window.start <= seconds + width + 2 / TICKS
    else:
        assert now - begin <= seconds + 60
    if window.end > window.start:
        expected = brute_force(log, start_before(log, window.start), now)
        same(window.figures.as_dict(), expected)
    finished = responses_in(log, start_before(log, window.start), now)
    assert window.response.count == window.wait.count == len(finished)
    for p in (0, 0.5, 0.95, 0.99, 1):
        near(window.response.quantile(p), finished, p)
    assert window.littles_law.error == 0
    assert window.state == pytest.approx(plain_state(log, now))


def start_before(log: list[Entry], start: float) -> float:
    """`start` as the log says it, where an entry lies within half a tick of it."""
    return next((e.t for e in log if abs(e.t - start) <= 1 / TICKS), start)


def plain_state(log: list[Entry], now: float) -> State:
    arrive: dict[Any, float] = {}
    running: dict[Any, int | None] = {}
    workers = 0
    for e in log:
        if e.kind is Kind.ARRIVE:
            arrive[e.job] = e.t
        elif e.kind is Kind.START:
            running[e.job] = e.worker
        elif e.kind is Kind.WORKERS:
            workers = e.workers or 0
        else:
            running.pop(e.job, None)
            if e.kind is not Kind.RETRY:
                del arrive[e.job]
    ages = [now - t for t in arrive.values()]
    numbers = {worker for worker in running.values() if worker is not None}
    return State(
        in_system=len(ages),
        waiting=len(ages) - len(running),
        busy=len(numbers) + sum(worker is None for worker in running.values()),
        workers=workers,
        mean_age=sum(ages) / len(ages) if ages else None,
        oldest_age=max(ages) if ages else None,
    )


# --- what undefined and odd windows say -------------------------------------------------------


def test_a_window_of_no_length_has_counts_and_no_rates() -> None:
    meter = Meter(5.0)
    start = meter.totals(5.0)
    meter.observe(Entry(5.0, Kind.ARRIVE, 1))
    got = figures(start, meter.totals(5.0))
    assert got.arrivals == 1
    assert (got.start, got.end, got.arrival_rate, got.mean_in_system) == (5.0, 5.0, None, None)
    law = littles_law(start, meter.totals(5.0))
    assert (law.mean_in_system, law.edge, law.error, law.stationary) == (0, 0, 0, True)
    window = meter.window(60, 5.0)
    assert (window.start, window.end, window.response.quantile(0.5)) == (5.0, 5.0, None)


def test_totals_the_wrong_way_round_are_refused() -> None:
    meter = Meter()
    with pytest.raises(ValueError, match="ends before it starts"):
        figures(meter.totals(2), meter.totals(1))


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_a_window_needs_a_length(seconds: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Meter().window(seconds, 1.0)


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (math.nan, 1), (0, math.inf)])
def test_measure_refuses_a_window_that_is_none(tmp_path: Path, start: float, end: float) -> None:
    with pytest.raises(ValueError, match="must end after its start"):
        measure(tmp_path / "never.opened", start, end)


def test_measure_names_a_wrong_line_and_counts_what_it_ignored(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"t": 1, "kind": "finish", "job": 1}\n{"t": 2, "ki')
    notices: list[str] = []
    measured = measure(path, 0, 4, notices.append)
    assert (measured["ignored"], measured["finished"], len(notices)) == (1, 0, 1)
    path.write_text("{}\n")
    with pytest.raises(LogError, match="line 1"):
        measure(path, 0, 4)


def test_overload_shows_in_the_edge_term() -> None:
    meter = Meter()
    meter.observe_all(Entry(float(i), Kind.ARRIVE, i) for i in range(10))
    law = littles_law(meter.totals(0), meter.totals(10))
    assert (law.throughput_times_response, law.edge, law.error) == (0, law.mean_in_system, 0)
    assert not law.stationary


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_quantile_lies_from_0_to_1(p: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Percentiles().quantile(p)


@given(st.lists(st.lists(st.floats(0, 1e6).filter(lambda x: x == 0 or x > 1e-12))))
def test_merged_percentiles_are_those_of_all_values(parts: list[list[float]]) -> None:
    merged = Percentiles()
    for part in parts:
        sketch = Percentiles()
        sketch.add(part)
        merged.merge(sketch)
    values = [value for part in parts for value in part]
    assert merged.count == len(values)
    for p in (0, 0.1, 0.5, 0.9, 0.95, 0.99, 1):
        near(merged.quantile(p), values, p)
