"""The worker lanes: bars from log entries, their picture, and what the pointed bar tells."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from dropline.meter import Entry, Kind
from dropline_desktop.charts import Charts
from dropline_desktop.charts.lanes.bars import Bars, Outcome
from dropline_desktop.charts.lanes.raster import Ground, Look, draw, lane_edges
from dropline_desktop.theme import Theme

COLOURS = tuple(0x10 * (look + 1) for look in Look)


def arrive(t: float, *jobs: int) -> list[Entry]:
    return [Entry(t, Kind.ARRIVE, job) for job in jobs]


def start(t: float, worker: int, *jobs: int) -> list[Entry]:
    return [Entry(t, Kind.START, job, None, worker, 10) for job in jobs]


def end(t: float, kind: Kind, *jobs: int) -> list[Entry]:
    return [Entry(t, kind, job) for job in jobs]


def bars_of(*entries: list[Entry]) -> Bars:
    bars = Bars()
    bars.take(list(itertools.chain(*entries)))
    return bars


def all_of(bars: Bars, now: float = 100.0) -> np.ndarray:
    return bars.between(-math.inf, math.inf, now)


# --- bars ---------------------------------------------------------------------------------------


def test_a_bar_tells_who_waited_how_long_and_was_served_from_when_to_when():
    [bar] = all_of(bars_of(arrive(1.0, 7), start(3.5, 1, 7), end(4.0, Kind.FINISH, 7)))
    assert (bar["waited_from"], bar["start"], bar["end"]) == (1.0, 3.5, 4.0)
    assert (bar["job"], bar["files"], bar["attempt"]) == (7, 1, 1)
    assert bar["outcome"] == Outcome.FINISHED


def test_a_bundle_is_one_bar_that_begins_to_wait_with_its_first_file():
    bars = bars_of(
        arrive(1.0, 1), arrive(2.0, 2, 3), start(3.0, 1, 1, 2, 3), end(4.0, Kind.FINISH, 1, 2)
    )
    [bar] = all_of(bars, now=5.0)
    assert (bar["outcome"], bar["end"]) == (Outcome.RUNNING, 5.0)
    bars.take(end(6.0, Kind.RETRY, 3))
    [bar] = all_of(bars)
    assert (bar["waited_from"], bar["start"], bar["end"], bar["files"]) == (1.0, 3.0, 6.0, 3)
    assert (bar["outcome"], bar["unfinished"]) == (Outcome.RETRIED, 1)


def test_a_later_attempt_waits_from_the_end_of_the_one_before():
    bars = bars_of(
        *(arrive(0.0, 1), start(1.0, 1, 1), end(2.0, Kind.RETRY, 1)),
        *(start(5.0, 1, 1), end(6.0, Kind.FAIL, 1)),
        # as a new arrival it begins anew
        *(arrive(7.0, 1), start(8.0, 1, 1)),
    )
    assert [tuple(bar) for bar in all_of(bars)[["waited_from", "attempt", "outcome"]]] == [
        (0.0, 1, Outcome.RETRIED),
        (2.0, 2, Outcome.FAILED),
        (7.0, 1, Outcome.RUNNING),
    ]


def test_who_is_cancelled_while_waiting_leaves_no_bar():
    bars = bars_of(arrive(0.0, 1, 2), end(1.0, Kind.CANCEL, 1), start(2.0, 1, 2))
    assert all_of(bars)["job"].tolist() == [2]


def test_an_unknown_arrival_is_an_unknown_wait():
    [bar] = all_of(bars_of(start(3.0, 1, 9)))
    assert math.isnan(bar["waited_from"])


def test_the_view_takes_what_reaches_into_it_waits_too():
    bars = bars_of(
        *(arrive(0.0, 1, 2), start(0.0, 1, 1), end(10.0, Kind.FINISH, 1)),
        *(start(10.0, 1, 2), end(20.0, Kind.FINISH, 2)),
    )
    assert bars.between(2.0, 5.0, 100.0)["job"].tolist() == [1, 2]
    assert bars.between(12.0, 15.0, 100.0)["job"].tolist() == [2]
    assert bars.between(21.0, 30.0, 100.0)["job"].tolist() == []


def test_only_so_many_bars_are_kept():
    bars = Bars(capacity=10)
    for job in range(100):
        bars.take([*start(job, 1, job), *end(job + 0.5, Kind.FINISH, job)])
    kept = all_of(bars)["job"].tolist()
    assert kept == list(range(100 - len(kept), 100))
    assert 5 <= len(kept) <= 10


def test_a_worker_keeps_its_lane_and_a_new_one_takes_that_of_one_gone():
    bars = bars_of([Entry(0.0, Kind.WORKERS, workers=2)])
    bars.take([*start(1.0, 11, 1), *start(1.0, 12, 2), *end(2.0, Kind.FINISH, 1, 2)])
    bars.take([*start(3.0, 12, 3), *end(4.0, Kind.FINISH, 3)])  # 11 has gone
    bars.take([*start(5.0, 13, 4), *start(5.0, 12, 5)])
    assert dict(all_of(bars)[["job", "lane"]].tolist()) == {1: 0, 2: 1, 3: 1, 4: 0, 5: 1}


def test_after_a_shrink_the_workers_that_stay_move_to_the_first_lanes():
    bars = bars_of([Entry(0.0, Kind.WORKERS, workers=4)], start(1.0, 1, 1), start(1.0, 2, 2))
    bars.take([*start(1.0, 3, 3), *start(1.0, 4, 4), Entry(2.0, Kind.WORKERS, workers=1)])
    bars.take([*end(3.0, Kind.FINISH, 1, 2, 3, 4), *start(4.0, 4, 5)])
    assert all_of(bars)["lane"].tolist()[-1] == 0


ENDS = st.sampled_from([Kind.FINISH, Kind.RETRY, Kind.FAIL, Kind.CANCEL])


@given(st.lists(st.tuples(st.integers(1, 6), ENDS), max_size=60), st.integers(0, 6))
def test_bars_of_a_lane_never_overlap(events: list[tuple[int, Kind]], workers: int):
    """Workers begin and end in any order: one bar at a time in a lane, no lane without need."""
    bars = Bars()
    bars.take([Entry(0.0, Kind.WORKERS, workers=workers)])
    busy: dict[int, int] = {}
    most = t = 0
    for t, (worker, kind) in enumerate(events):
        if worker in busy:
            bars.take(end(float(t), kind, busy.pop(worker)))
        else:
            busy[worker] = t
            bars.take([*arrive(float(t), t), *start(float(t), worker, t)])
        most = max(most, len(busy))
    rows = all_of(bars, now=float(t))
    for lane in set(rows["lane"].tolist()):
        mine = np.sort(rows[rows["lane"] == lane], order=["start", "end"])
        assert (mine["end"][:-1] <= mine["start"][1:]).all()
    assert len(set(rows["lane"].tolist())) <= max(most, workers, len({w for w, _ in events}))


# --- the picture --------------------------------------------------------------------------------


def ground(width: int, height: int) -> Ground:
    return Ground(width, height, 1.0, 0x000000, COLOURS)


def test_a_pixel_shows_for_how_much_of_its_time_somebody_was_served():
    bars = bars_of(start(0.0, 1, 1), end(2.5, Kind.FINISH, 1), start(6.0, 1, 2))
    picture = draw(all_of(bars, now=8.0), 1, 0.0, 10.0, ground(10, 2)) & 0xFF
    full = COLOURS[Look.SERVICE]
    assert picture[0].tolist() == [full, full, full // 2, 0, 0, 0, full, full, 0, 0]


def test_the_wait_is_a_line_below_and_failures_are_seen_however_short():
    bars = bars_of(
        *(arrive(0.0, 1, 2), start(50.0, 1, 1), end(80.0, Kind.FINISH, 1)),
        *(start(90.0, 1, 2), end(90.1, Kind.FAIL, 2)),
    )
    picture = draw(all_of(bars), 1, 0.0, 100.0, ground(100, 12)) & 0xFF
    waited, served = COLOURS[Look.WAIT], COLOURS[Look.SERVICE]
    assert picture[0, 60] == served
    assert picture[0, 30] == 0
    assert picture[10, 30] == picture[10, 60] == waited
    assert picture[0, 89] == picture[10, 89] == COLOURS[Look.FAILED]
    assert not picture[11].any()  # the gap


def test_a_retried_bar_is_half_as_high():
    bars = bars_of(start(0.0, 1, 1), end(9.0, Kind.RETRY, 1))
    column = (draw(all_of(bars), 1, 0.0, 10.0, ground(10, 12)) & 0xFF)[:, 5]
    assert column[0] == COLOURS[Look.RETRIED]
    assert column[7] == 0


@given(
    st.lists(st.tuples(st.floats(-5, 15), st.floats(0, 10), st.integers(0, 3)), max_size=20),
    st.integers(1, 40),
)
def test_the_picture_is_right_for_any_bars(spans: list[tuple[float, float, int]], width: int):
    """Whatever begins and ends where: what one sums up pixel by pixel."""
    bars = Bars()
    entries = []
    for job, (begin, length, worker) in enumerate(spans):
        entries += [*start(begin, 10 * job + worker, job), *end(begin + length, Kind.FINISH, job)]
    bars.take(sorted(entries, key=lambda entry: entry.t))
    rows = bars.between(0.0, 10.0, 100.0)
    lanes = int(rows["lane"].max(initial=0)) + 1
    picture = draw(rows, lanes, 0.0, 10.0, ground(width, lanes)) & 0xFF
    scale = width / 10.0
    for lane, x in itertools.product(range(lanes), range(width)):
        share = 0.0
        for row in rows[rows["lane"] == lane]:
            left, right = row["start"] * scale, row["end"] * scale
            right -= right - left >= 4.0
            share += max(0.0, min(x + 1, right) - max(x, left))
        assert picture[lane, x] == pytest.approx(COLOURS[Look.SERVICE] * min(share, 1.0), abs=0.51)


@given(st.integers(0, 300), st.integers(1, 400))
def test_lanes_fill_the_height_in_order(lanes: int, height: int):
    edges = lane_edges(lanes, height, 1.0)
    assert edges[0] == 0
    assert edges[-1] <= height
    assert (np.diff(edges) >= 0).all()


def test_no_lane_is_no_trouble():
    assert draw(all_of(Bars()), 0, 0.0, 1.0, ground(5, 5)).shape == (5, 5)


# --- the chart ----------------------------------------------------------------------------------


@pytest.fixture
def charts(theme: Theme, qtbot: QtBot) -> Charts:
    widget = Charts(theme, clock=lambda: 1000.0)
    qtbot.addWidget(widget, before_close_func=lambda charts: charts.wait_for_files())
    widget.resize(800, 600)
    with qtbot.waitExposed(widget):
        widget.show()
    return widget


def shown(charts: Charts, qtbot: QtBot) -> None:
    """Draw, and wait until the lanes show everything that was told so far."""
    lanes = charts.lanes
    qtbot.waitUntil(lambda: not lanes.painter._busy)
    with qtbot.waitSignal(lanes.painter.drawn):
        charts.draw()


def point(charts: Charts, t: float, y: float) -> str:
    view = charts.lanes.plot.getViewBox()
    charts.lanes.plot.scene().sigMouseMoved.emit(view.mapViewToScene(QPointF(t, y)))
    return charts.lanes._words.text()


def test_the_pointed_bar_tells_its_story(charts, qtbot):
    lanes = charts.lanes
    lanes.name_of = {1: "a.jpg", 2: "b.jpg", 3: "c.jpg"}.__getitem__
    lanes.painter.observe(
        [
            Entry(940.0, Kind.WORKERS, workers=2),
            *(*arrive(950.0, 1, 2, 3), *start(960.0, 1, 1), *end(965.0, Kind.FINISH, 1)),
            *(*start(970.0, 1, 2, 3), *end(980.0, Kind.RETRY, 2, 3), *start(985.0, 2, 2)),
        ]
    )
    shown(charts, qtbot)
    assert point(charts, -38.0, 5).split("\n") == ["a.jpg", "waited 10 s", "sent in 5.0 s",
                                                   "attempt 1"]  # fmt: skip
    assert point(charts, -25.0, 5).split("\n") == [
        "b.jpg",
        "and 1 more in one request",
        "waited up to 20 s",
        "ended after 10 s",
        "attempt 1",
        "2 of 2: failed, will be tried again",
    ]
    assert point(charts, -10.0, 23).split("\n")[1:] == [
        "waited 5.0 s",
        "sending for 15 s",
        "attempt 2",
    ]
    assert "sends one file" in point(charts, -59.0, 5)
    lanes.plot.pointed.emit(None)
    assert "sends one file" in lanes._words.text()


def test_colours_of_the_theme_are_on_the_screen(charts, qtbot):
    charts.lanes.painter.observe([*start(970.0, 1, 1), *end(999.0, Kind.FINISH, 1)])
    shown(charts, qtbot)
    plot = charts.lanes.plot
    at = plot.mapFromScene(plot.getViewBox().mapViewToScene(QPointF(-15.0, 5)))
    assert plot.grab().toImage().pixelColor(at) == QColor("#0072B2")


def test_the_lanes_give_way_where_there_is_no_room(charts, qtbot):
    assert charts.lanes.isVisible()
    charts.resize(800, 300)
    assert not charts.lanes.isVisible()
    charts.resize(800, 600)
    assert charts.lanes.isVisible()


def test_entries_are_taken_in_while_nothing_is_shown(charts, qtbot):
    charts.hide()
    painter = charts.lanes.painter
    qtbot.waitUntil(lambda: not painter._busy)
    painter.observe(start(970.0, 1, 1))
    painter.digest()
    qtbot.waitUntil(lambda: not painter._untaken and not painter._busy)
    assert len(all_of(painter._bars)) == 1


def test_the_wish_that_came_last_is_drawn_in_the_end(charts, qtbot):
    charts.hide()  # or they would wish, too
    frames = []
    painter = charts.lanes.painter
    qtbot.waitUntil(lambda: not painter._busy)
    painter.drawn.connect(frames.append)
    for width in range(50, 60):
        painter.ask(0.0, 1.0, ground(width, 10))
    qtbot.waitUntil(lambda: bool(frames) and frames[-1].ground.width == 59)
    assert len(frames) <= 3
