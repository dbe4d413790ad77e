"""The history: rows add up to what the meter says, and outlive restarts, kills and damage."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropline.bus import MemoryBus
from dropline.events import WorkersChanged
from dropline.history import (
    HistoryError,
    Keeper,
    Mark,
    Row,
    Store,
    Summary,
    join,
    keeper,
    replay,
    store,
    summary,
)
from dropline.history import replay as read_back
from dropline.history.curves import NAMES, curves
from dropline.history.replay import ROWS
from dropline.meter import Entry, Kind, Meter, Percentiles, Recorder, Totals, figures, measure
from dropline.meter.percentiles import Histogram
from dropline.meter.tally import to_ticks

Until = Callable[..., None]
#: When the clock of a made-up line showed 0.
ZERO = 1_700_000_000.0


def a_line(seconds: float, seed: int = 1, rate: float = 5.0, workers: int = 3) -> list[Entry]:
    """What happens on a line of random arrivals and service times, some of which fail."""
    rng = random.Random(seed)
    arrivals = []
    t = 0.0
    while (t := t + rng.expovariate(rate)) < seconds:
        arrivals.append(t)
    entries = [Entry(0.0, Kind.WORKERS, workers=workers)]
    free = [0.0] * workers
    for job, arrival in enumerate(arrivals, 1):
        worker = min(range(workers), key=free.__getitem__)
        start = max(arrival, free[worker])
        end = free[worker] = start + rng.expovariate(2.0)
        entries.append(Entry(arrival, Kind.ARRIVE, job))
        entries.append(Entry(start, Kind.START, job, worker=worker))
        entries.append(Entry(end, Kind.FAIL if rng.random() < 0.1 else Kind.FINISH, job))
    return sorted((e for e in entries if e.t < seconds), key=lambda e: e.t)


def rows_of(entries: Sequence[Entry], until: float) -> list[Row]:
    """What a keeper gathers that looks every now and then."""
    meter, edge, rows = Meter(), 0, []
    pending = list(entries)
    for now in range(7, int(until) + 7, 7):
        while pending and pending[0].t < now:
            meter.observe(pending.pop(0))
        for second in meter.seconds(edge, min(now, until)):
            edge = second.end.time
            rows.append(Row.of(second, ZERO, oldest=0.5))
    return rows


def same(a: Summary | None, b: Summary | None) -> bool:
    assert a is not None
    assert b is not None
    quantiles = [
        [spread.quantile(p) for s in (x,) for spread in (s.response, s.wait) for p in (0, 0.5, 1)]
        for x in (a, b)
    ]
    return a.figures == b.figures and quantiles[0] == quantiles[1]


@pytest.fixture(scope="module")
def three_hours() -> list[Row]:
    return rows_of(a_line(10_800.0, rate=1.0), 10_800.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "history.sqlite"


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def open_store(path: Path, notices: list[str]) -> Iterator[Callable[[], Store]]:
    opened: list[Store] = []

    def make() -> Store:
        opened.append(Store(path, "send"))
        opened[-1].open(notices.append)
        return opened[-1]

    yield make
    for each in opened:
        each.close()


# --- rows ---------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), seconds=st.integers(2, 100))
def test_rows_add_up_to_what_the_meter_says(seed: int, seconds: int) -> None:
    entries = a_line(float(seconds), seed)
    meter = Meter()
    start = meter.totals(0.0)
    meter.observe_all(entries)
    rows = rows_of(entries, float(seconds))
    assert len(rows) == seconds
    told = summary(rows)
    assert told is not None
    got = told.figures.as_dict()
    assert got == figures(start, meter.totals(float(seconds))).as_dict()
    responses = meter.window(1000.0, float(seconds)).response
    assert [told.response.quantile(p) for p in (0.5, 0.95, 0.99)] == [
        responses.quantile(p) for p in (0.5, 0.95, 0.99)
    ]
    assert told.covered == seconds


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 59))
def test_rows_join_in_any_order_of_joining(seed: int, cut: int) -> None:
    rows = rows_of(a_line(60.0, seed), 60.0)
    once = join(rows)
    twice = join([join(rows[:cut]), join(rows[cut:])])
    assert same(summary([once]), summary([twice]))
    assert same(summary([once]), summary(rows))
    assert (once.low, once.high) == (twice.low, twice.high)
    assert once.high.in_system == max(row.high.in_system for row in rows)


def test_a_row_comes_back_from_bytes_exactly() -> None:
    row = join(rows_of(a_line(60.0), 60.0))
    again = Row.from_bytes(row.to_bytes())
    assert (again.change, again.low, again.high) == (row.change, row.low, row.high)
    assert same(summary([again]), summary([row]))
    areas = Totals(*[10**40 + i for i in range(len(Totals._fields))])  # more than SQLite can hold
    empty = Row(
        1.5,
        2.5,
        areas._replace(finished=0),
        Histogram(0, 0, ()),
        Histogram(0, 0, ()),
        row.low,
        row.high,
        0.0,
    )
    assert Row.from_bytes(empty.to_bytes()) == empty


@pytest.mark.parametrize("data", [b"", b"no row", Row.from_bytes.__doc__.encode()])  # type: ignore[union-attr]
def test_what_is_no_row_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match="row"):
        Row.from_bytes(data)


def test_an_entry_that_is_late_is_not_lost() -> None:
    meter = Meter()
    meter.observe(Entry(0.0, Kind.ARRIVE, 1))
    first = meter.seconds(0, 3.0)
    meter.observe_all([Entry(2.5, Kind.START, 1), Entry(2.75, Kind.FINISH, 1)])
    rows = [Row.of(second, 0.0) for second in [*first, *meter.seconds(to_ticks(3.0), 5.0)]]
    told = summary(rows)
    assert told is not None
    assert (told.figures.finished, told.figures.mean_response, told.response.count) == (1, 2.75, 1)
    assert told.figures.mean_in_system == 2.75 / 5


def test_times_of_nought_keep_their_place_in_a_histogram() -> None:
    some = Percentiles()
    some.add([0.0, 0.0, 0.0, 5.0])
    again = Percentiles.of(some.histogram)
    assert [again.quantile(p) for p in (0, 0.6, 1)] == [some.quantile(p) for p in (0, 0.6, 1)]
    assert again.count == 4
    again.add([1e-3, 1e3])  # it goes on as any other
    assert [again.quantile(p) for p in (0, 1)] == [0, pytest.approx(1e3, rel=0.01)]
    assert Percentiles.of(Percentiles().histogram).quantile(0.5) is None


# --- the file -----------------------------------------------------------------------------------


def test_every_width_tells_the_same(
    open_store: Callable[[], Store], three_hours: list[Row]
) -> None:
    history = open_store()
    for i in range(0, 3000, 7):
        history.append(three_hours[i : i + 7])
    end = three_hours[3003 - 1].end
    for width in (0, 1, 10, 60, 3600):
        rows = history.rows(ZERO, end, width)
        assert same(summary(rows), summary(three_hours[:3003]))
    assert len(history.rows(ZERO, end)) == 3003
    assert len(history.rows(ZERO, end, 60)) == 51
    assert history.extent() == (ZERO, end)


def test_what_is_older_comes_in_wider_rows_and_the_file_is_bounded(
    path: Path,
    open_store: Callable[[], Store],
    three_hours: list[Row],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "KEPT", {1: 600, 10: 3600, 60: 7200})
    history = open_store()
    for i in range(0, len(three_hours), 300):
        history.append(three_hours[i : i + 300])
    end = three_hours[-1].end
    rows = history.rows(0.0, end)
    assert same(summary(rows), summary([row for row in three_hours if row.start >= rows[0].start]))
    assert 7200 <= end - rows[0].start <= 7200 + 120
    widths = [row.end - row.start for row in rows]
    assert widths == sorted(widths, reverse=True) or {round(w) for w in widths} == {1, 10, 60}
    with closing(sqlite3.connect(path)) as db:
        counts = dict(db.execute("SELECT width, count(*) FROM rows GROUP BY width"))
    assert counts[1] <= 660 + 1
    assert counts[10] <= 366 + 1
    assert counts[60] <= 121 + 1


def test_stations_are_kept_apart_and_an_unknown_mark_is_left_out(
    path: Path, open_store: Callable[[], Store], three_hours: list[Row]
) -> None:
    history = open_store()
    bus = MemoryBus()
    messages: list = []
    bus.subscribe(WorkersChanged, messages.append)
    bus.publish(WorkersChanged("send", 2, 8))
    bus.close()
    history.append(three_hours[:5], messages)
    now = messages[0].time.timestamp()
    assert history.marks(now - 1, now + 1) == [Mark(now, WorkersChanged("send", 2, 8))]
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE marks SET event = replace(event, 'station.workers', 'of.tomorrow')")
    assert history.marks(now - 1, now + 1) == []
    assert Store(path, "handle").rows(0.0, 2 * ZERO) == ()


def test_reading_where_there_is_nothing_makes_no_file(path: Path) -> None:
    nothing = Store(path, "send")
    assert (nothing.extent(), nothing.rows(0, 1), nothing.marks(0, 1)) == (None, (), [])
    assert not path.exists()


def test_reading_goes_on_while_the_file_is_made_and_closed(tmp_path: Path) -> None:
    stop = threading.Event()
    failed: list[Exception] = []

    def read(path: Path) -> None:
        while not stop.is_set() and not failed:
            try:
                Store(path, "send").rows(0.0, 1e12)
            except HistoryError as error:
                failed.append(error)

    for number in range(30):
        path = tmp_path / str(number) / "history.sqlite"
        stop.clear()
        readers = [threading.Thread(target=read, args=(path,)) for _ in range(2)]
        for reader in readers:
            reader.start()
        writer = Store(path, "send")
        writer.open(pytest.fail)
        writer.append([])
        writer.close()
        stop.set()
        for reader in readers:
            reader.join()
    assert failed == []


WRITER = """
import sys
from pathlib import Path
from dropline.history import Row, Store
store = Store(Path(sys.argv[1]), "send")
store.open(print)
rows = [Row.from_bytes(bytes.fromhex(line)) for line in sys.stdin]
for row in rows:
    store.append([row])
    print("written", flush=True)
"""


def test_what_was_written_outlives_a_kill(
    path: Path, open_store: Callable[[], Store], notices: list[str], three_hours: list[Row]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write("".join(f"{row.to_bytes().hex()}\n" for row in three_hours[:2000]))
        writer.stdin.close()
        for _ in range(200):
            assert writer.stdout.readline() == "written\n"
        writer.send_signal(signal.SIGKILL)
        written = 200 + writer.stdout.read().count("written\n")
    assert written < 2000
    history = open_store()
    kept = history.rows(0.0, 2 * ZERO)
    assert written <= len(kept) <= written + 1
    for width in (1, 60):
        assert same(summary(history.rows(0, 2 * ZERO, width)), summary(three_hours[: len(kept)]))
    history.append(three_hours[len(kept) : len(kept) + 9])
    assert len(history.rows(0.0, 2 * ZERO)) == len(kept) + 9
    assert notices == []


@pytest.mark.parametrize("damage", ["middle", "header", "cut short", "another database"])
def test_a_damaged_file_is_set_aside_and_told(
    path: Path,
    open_store: Callable[[], Store],
    notices: list[str],
    three_hours: list[Row],
    damage: str,
) -> None:
    first = open_store()
    first.append(three_hours[:500])
    first.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        match damage:
            case "middle":
                file.seek(size // 2)
                file.write(os.urandom(8192))
            case "header":
                file.write(os.urandom(200))
            case "cut short":
                file.truncate(100)
    if damage == "another database":
        path.unlink()
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE songs (id INTEGER PRIMARY KEY)")
            db.execute("PRAGMA user_version=1")
    history = open_store()
    (notice,) = notices
    (aside,) = path.parent.glob("history.damaged-*.sqlite")
    assert notice.startswith("The history was damaged (")
    assert str(aside) in notice
    assert history.rows(0.0, 2 * ZERO) == ()
    history.append(three_hours[:5])
    assert len(history.rows(0.0, 2 * ZERO)) == 5


def test_a_newer_file_is_left_alone(path: Path, open_store: Callable[[], Store]) -> None:
    open_store().close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="newer Dropline: update this one"):
        open_store()
    assert path.read_bytes() == before


# --- the keeper ---------------------------------------------------------------------------------


class Clock:
    """Time that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(keeper, "PERIOD", 0.005)
    return Clock()


@pytest.fixture
def keep(path: Path, notices: list[str], clock: Clock) -> Iterator[Callable[[Meter], Keeper]]:
    kept: list[Keeper] = []

    def make(meter: Meter) -> Keeper:
        kept.append(
            Keeper(
                Store(path, "send"), meter, notices.append, clock=clock, wall=lambda: ZERO + clock()
            )
        )
        kept[-1].start()
        return kept[-1]

    yield make
    for each in kept:
        each.close()


def test_a_keeper_writes_what_happens_within_a_second_and_the_rest_at_its_end(
    path: Path, keep: Callable[[Meter], Keeper], clock: Clock, until: Until
) -> None:
    meter = Meter(clock.now)
    kept = keep(meter)
    meter.observe_all([Entry(100.5, Kind.ARRIVE, 1), Entry(100.6, Kind.START, 1)])
    clock.now = 101.5
    history = Store(path, "send")
    until(lambda: len(history.rows(0, 2 * ZERO)) == 1)
    meter.observe(Entry(101.7, Kind.FINISH, 1))
    clock.now = 101.75
    kept.close()
    told = summary(history.rows(0, 2 * ZERO))
    assert told is not None
    assert (told.figures.arrivals, told.figures.finished, told.covered) == (1, 1, 1.75)
    assert (told.figures.start, told.figures.end) == (ZERO + 100, ZERO + 101.75)


def test_a_keeper_tells_when_the_file_is_ready(path: Path, until: Until) -> None:
    ready: list[bool] = []
    kept = Keeper(
        Store(path, "send"), Meter(), pytest.fail, opened=lambda: ready.append(path.exists())
    )
    kept.start()
    until(lambda: ready == [True])
    kept.close()


def test_a_keeper_marks_what_changes_the_curves(
    path: Path, keep: Callable[[Meter], Keeper], clock: Clock, bus: MemoryBus, until: Until
) -> None:
    keep(Meter(clock.now)).listen(bus)
    bus.publish(WorkersChanged("send", 2, 8))
    now = datetime.now(UTC).timestamp()
    until(lambda: Store(path, "send").marks(now - 60, now + 60))
    (mark,) = Store(path, "send").marks(now - 60, now + 60)
    assert mark.event == WorkersChanged("send", 2, 8)


def test_a_disk_that_cannot_be_written_is_told_once_and_made_up_for(
    path: Path,
    notices: list[str],
    keep: Callable[[Meter], Keeper],
    clock: Clock,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper, "RETRY", 1.0)
    path.mkdir(parents=True)  # a folder is where the file should be
    meter = Meter(clock.now)
    keep(meter)
    meter.observe(Entry(100.5, Kind.ARRIVE, 1))
    for _ in range(5):
        clock.now += 1.5
    until(lambda: notices)
    path.rmdir()
    clock.now = 110.5
    until(lambda: len(Store(path, "send").rows(0, 2 * ZERO)) == 10)
    (notice,) = notices
    assert notice.startswith(f"The history {path} cannot be used (")
    assert "make room or make it writable" in notice


def test_after_a_sleep_times_are_told_anew(
    path: Path, notices: list[str], clock: Clock, until: Until
) -> None:
    slept = 0.0
    meter = Meter(clock.now)
    history = Store(path, "send")
    kept = Keeper(history, meter, notices.append, clock=clock, wall=lambda: ZERO + slept + clock())
    kept.start()
    meter.observe(Entry(100.5, Kind.ARRIVE, 1))
    clock.now = 101.5
    until(lambda: len(history.rows(0, 2 * ZERO)) == 1)
    slept = 500.0  # as a laptop's clock stands still meanwhile
    clock.now = 102.5
    until(lambda: len(history.rows(0, 2 * ZERO)) == 2)
    kept.close()
    assert [row.start - ZERO for row in history.rows(0, 2 * ZERO)] == [100.0, 601.0, 602.0]


# --- curves -------------------------------------------------------------------------------------


def test_curves_tell_each_window_as_one_histogram_would(three_hours: list[Row]) -> None:
    rows = three_hours[:600]
    made = curves(rows, 100, window=30.0)
    assert len(made.starts) == 100
    assert len(made.times) == 200
    for i in (0, 17, 99):
        window = [r for r in rows if made.ends[i] - 30.0 <= r.start < made.ends[i]]
        told = summary(window)
        assert told is not None
        means = {name: values[i] for name, values in made.means.items()}
        assert means["p95"] == pytest.approx(told.response.quantile(0.95), nan_ok=True)
        assert means["p50"] == pytest.approx(told.response.quantile(0.50), nan_ok=True)
        for name in ("arrival_rate", "throughput", "utilisation", "mean_response"):
            assert means[name] == pytest.approx(getattr(told.figures, name))


def test_curves_keep_every_peak_of_a_level(three_hours: list[Row]) -> None:
    made = curves(three_hours, 50)
    for name in ("in_system", "waiting", "busy", "workers"):
        assert made.points[name].max() == max(getattr(row.high, name) for row in three_hours)
        assert made.points[name].min() == min(getattr(row.low, name) for row in three_hours)
    assert made.points.keys() == made.means.keys() == set(NAMES)


def test_curves_have_a_gap_where_there_are_no_rows(three_hours: list[Row]) -> None:
    made = curves([*three_hours[:100], *three_hours[200:300]], 20, window=60.0)
    (gap,) = np.flatnonzero(np.isnan(made.points["in_system"]))
    assert (made.times[gap - 1], made.times[gap + 1]) == (ZERO + 100, ZERO + 200)
    assert made.at(ZERO + 150) is None
    there = made.at(ZERO + 201)
    assert there is not None
    told = summary(three_hours[200:210])  # the window does not reach over the gap
    assert told is not None
    assert there["arrival_rate"] == told.figures.arrival_rate


def test_no_rows_make_empty_curves() -> None:
    made = curves([], 100)
    assert len(made.times) == 0
    assert made.at(0.0) is None


# --- logs ---------------------------------------------------------------------------------------


@pytest.fixture
def record(tmp_path: Path) -> Callable[[Sequence[Entry]], Path]:
    def write(entries: Sequence[Entry]) -> Path:
        path = tmp_path / "run.jsonl"
        with Recorder(path) as recorder:
            recorder.record(entries)
        return path

    return write


@pytest.mark.parametrize("most", [ROWS, 16])
def test_a_log_is_replayed_to_the_figures_that_measuring_it_gives(
    record: Callable[[Sequence[Entry]], Path], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(sys.modules["dropline.history.replay"], "ROWS", most)
    entries = a_line(100.0)
    path = record(entries)
    past = replay(path)
    start, end = past.extent() or (0, 0)
    rows = past.rows(start, end)
    assert len(rows) <= most + 2
    told = summary(rows)
    assert told is not None
    exact = measure(path, start, entries[-1].t + 1e-12)
    for name in ("arrivals", "finished", "failed"):
        assert getattr(told.figures, name) == exact[name]
    for name in ("mean_in_system", "mean_waiting", "utilisation", "mean_response", "mean_wait"):
        assert getattr(told.figures, name) == pytest.approx(exact[name], rel=1e-9)
    assert told.response.quantile(0.95) == exact["response_p95"]


def test_a_log_with_a_long_silence_is_bounded(
    record: Callable[[Sequence[Entry]], Path],
) -> None:
    past = read_back(record([Entry(0.0, Kind.ARRIVE, 1), Entry(1e9, Kind.CANCEL, 1)]))
    rows = past.rows(0.0, 2e9)
    assert len(rows) <= ROWS + 1
    told = summary(rows)
    assert told is not None
    assert (told.figures.arrivals, told.figures.cancelled) == (1, 1)


def test_a_log_begins_where_its_recording_did_and_marks_changes_of_the_workers(
    record: Callable[[Sequence[Entry]], Path],
) -> None:
    past = replay(
        record(
            [
                Entry(-5.0, Kind.ARRIVE, 1),  # it was there before
                Entry(0.0, Kind.WORKERS, workers=2),
                Entry(1.0, Kind.START, 1),
                Entry(2.0, Kind.WORKERS, workers=8),
                Entry(4.0, Kind.FINISH, 1),
            ]
        )
    )
    start, end = past.extent() or (0, 0)
    assert (start, end) == (0.0, pytest.approx(4.0))
    assert past.marks(start, end) == [Mark(2.0, WorkersChanged("", 2, 8))]
    told = summary(past.rows(start, end))
    assert told is not None
    assert told.figures.mean_in_system == pytest.approx(1.0)
    assert told.figures.mean_response == 9.0


def test_an_empty_log_has_no_past(record: Callable[[Sequence[Entry]], Path]) -> None:
    past = replay(record([]))
    assert (past.extent(), past.rows(0, 1), past.marks(0, 1)) == (None, (), ())


def test_reading_a_log_can_be_given_up(record: Callable[[Sequence[Entry]], Path]) -> None:
    with pytest.raises(InterruptedError, match="not read to its end"):
        replay(record(a_line(10.0)), is_cancelled=lambda: True)
