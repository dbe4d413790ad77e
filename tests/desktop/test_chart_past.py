"""The charts show what was before this run: from disk, read off the GUI thread, peaks and all."""

from __future__ import annotations

import csv
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from dropline.bus import MemoryBus
from dropline.events import Message, WorkersChanged
from dropline.history import HistoryError, Mark, Row, Store
from dropline.meter import Entry, Kind, Meter
from dropline_desktop.charts import Charts
from dropline_desktop.charts.past import Loader
from dropline_desktop.theme import Theme

#: Seconds of the past, of which a file is in the line every other second.
PAST = 7200


@pytest.fixture(scope="module")
def now() -> float:
    return time.time()


@pytest.fixture(scope="module")
def rows(now: float) -> list[Row]:
    """A file a second and half a second for each; 100 at once in the middle."""
    meter, edge, rows = Meter(), 0, []
    meter.observe(Entry(0.0, Kind.WORKERS, workers=2))
    for t in range(PAST):
        jobs = range(1000 * t, 1000 * t + (100 if t == PAST // 2 else 1))
        for kind, at in ((Kind.ARRIVE, t), (Kind.START, t + 0.25), (Kind.FINISH, t + 0.5)):
            meter.observe_all([Entry(at, kind, job, worker=job) for job in jobs])
        if t % 100 == 99:
            for second in meter.seconds(edge, t + 1):
                edge = second.end.time
                rows.append(Row.of(second, now - PAST - 60.0))
    return rows


@pytest.fixture(scope="module")
def past(rows: list[Row], now: float, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The line's past, which ended a minute ago, on disk."""
    store = Store(tmp_path_factory.mktemp("past") / "history.sqlite", "send")
    store.open(pytest.fail)
    bus = MemoryBus()
    heard: list[Message] = []
    bus.subscribe(WorkersChanged, heard.append)
    bus.publish(WorkersChanged("send", 1, 2))
    bus.close()
    for i in range(0, len(rows), 600):
        store.append(rows[i : i + 600])
    store.append(
        [], [heard[0]._replace(time=heard[0].time.fromtimestamp(now - 600, heard[0].time.tzinfo))]
    )
    store.close()
    return store


@pytest.fixture
def charts(theme: Theme, qtbot: QtBot) -> Charts:
    widget = Charts(theme)
    qtbot.addWidget(widget, before_close_func=lambda charts: charts.wait_for_files())
    widget.resize(560, 480)
    return widget


def shown(charts: Charts, name: str, curve: int) -> np.ndarray:
    """The values of a curve as they are drawn."""
    strip = charts._stack.named(name)
    return strip._curves[curve]._stroke.getData()[1]


def wait_for_the_past(charts: Charts, qtbot: QtBot) -> None:
    def there() -> bool:
        charts.draw()
        values = shown(charts, "chartQueue", 1)
        return values is not None and bool(np.isfinite(values).any())

    qtbot.waitUntil(there)


def test_what_was_before_is_drawn_with_its_peak(charts: Charts, past: Store, qtbot: QtBot) -> None:
    charts.follow(86_400.0)
    charts.draw()
    assert not np.isfinite(shown(charts, "chartQueue", 1)).any()
    charts.set_past(past)
    wait_for_the_past(charts, qtbot)
    assert np.nanmax(shown(charts, "chartQueue", 1)) == pytest.approx(50.0)
    assert len(shown(charts, "chartQueue", 1)) < 3000
    rates = shown(charts, "chartRates", 0)
    assert np.nanmin(rates) == pytest.approx(1.0, rel=0.2)


def test_the_past_is_read_in_another_thread_and_once(
    charts: Charts, past: Store, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    rows = Store.rows

    def noted(store: Store, *arguments: float) -> Sequence[Row]:
        threads.append(threading.current_thread())
        return rows(store, *arguments)

    monkeypatch.setattr(Store, "rows", noted)
    charts.follow(3600.0)
    charts.set_past(past)
    wait_for_the_past(charts, qtbot)
    for _ in range(20):
        charts.draw()
    charts.wait_for_files()
    assert len(threads) == 1
    assert threading.main_thread() not in threads
    start, end = charts.view
    charts.look_at(start - 600, end - 600)  # within what was read beyond the view
    charts.draw()
    charts.wait_for_files()
    assert len(threads) == 1


def test_the_legends_tell_the_figures_of_then(
    charts: Charts, past: Store, qtbot: QtBot, now: float
) -> None:
    charts.follow(3600.0)
    charts.set_past(past)
    wait_for_the_past(charts, qtbot)
    charts._point(-1800.0)
    told = {
        readout.quantity.key: readout.accessibleDescription()
        for readout in charts.findChildren(QWidget)
        if hasattr(readout, "quantity")
    }
    assert told["arrival_rate"] == "1.0/s"
    assert told["p95"] == "502 ms"  # within a hundredth
    assert told["busy"] == "0"
    assert told["wanted"] == "2"


def test_marks_of_then_are_drawn(charts: Charts, past: Store, qtbot: QtBot, now: float) -> None:
    charts.follow(3600.0)
    charts.set_past(past)
    wait_for_the_past(charts, qtbot)
    (mark,) = charts._timeline.marks(*charts.view)
    assert mark.text == "c 1→2"
    assert mark.t == pytest.approx(time.monotonic() - (time.time() - now) - 600, abs=0.01)


def test_the_table_reaches_into_the_past(
    charts: Charts, past: Store, qtbot: QtBot, tmp_path: Path
) -> None:
    charts.follow(3600.0)
    charts.set_past(past)
    wait_for_the_past(charts, qtbot)
    path = tmp_path / "table.csv"
    with qtbot.waitSignal(charts.exported):
        charts.export_table(path)
    with path.open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) > 100
    assert float(lines[50]["arrival_rate"]) == pytest.approx(1.0, rel=0.2)


def test_a_drawing_and_a_report_reach_into_the_past(
    charts: Charts, past: Store, qtbot: QtBot, tmp_path: Path
) -> None:
    assert not charts._toolbar.report.isEnabled()
    charts.follow(3600.0)
    charts.set_past(past)
    assert charts._toolbar.report.isEnabled()
    wait_for_the_past(charts, qtbot)
    for name, save in (("a.svg", charts.export_drawing), ("a.html", charts.export_report)):
        with qtbot.waitSignal(charts.exported):
            save(tmp_path / name)
    drawn = ET.fromstring((tmp_path / "a.svg").read_text("utf-8"))
    titles = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert titles.count("c 1→2") == 5
    report = (tmp_path / "a.html").read_text("utf-8")
    assert "<h1>Dropline report: history</h1>" in report
    assert "workers 1 → 2" in report


def test_a_past_that_cannot_be_read_is_told_and_the_charts_go_on(
    charts: Charts, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with qtbot.waitSignal(charts.pastFailed) as failed:
        charts.set_past(Store(path, "send"))
        charts.draw()
    assert failed.args[0].startswith(f"The history {path} cannot be used (")
    charts.draw()


def test_only_the_latest_that_was_asked_for_is_read_next(qtbot: QtBot) -> None:
    asked: list[float] = []
    goes_on = threading.Event()

    class Slow:
        def extent(self) -> None:
            return None

        def rows(self, start: float, _end: float, _width: float = 0.0) -> Sequence[Row]:
            asked.append(start)
            goes_on.wait(5.0)
            return ()

        def marks(self, _start: float, _end: float) -> Sequence[Mark]:
            return ()

    parent = QWidget()
    qtbot.addWidget(parent)
    loader = Loader(Slow(), parent)
    for start in range(5):
        loader.ask(1000.0 * start, 1000.0 * start + 100, 100, 10.0, latest=1e9)
    with qtbot.waitSignal(loader.changed):
        goes_on.set()
    assert asked == [-50.0]
    loader.wait()


def test_an_error_that_stays_is_told_once(qtbot: QtBot) -> None:
    class Broken:
        def extent(self) -> None:
            return None

        def rows(self, *_: float) -> Sequence[Row]:
            raise HistoryError("It cannot be read.")

        def marks(self, *_: float) -> Sequence[Mark]:
            return ()

    parent = QWidget()
    qtbot.addWidget(parent)
    loader = Loader(Broken(), parent)
    told: list[str] = []
    loader.failed.connect(told.append)
    for _ in range(3):
        loader.ask(0.0, 100.0, 100, 10.0, latest=1e9)
        loader.wait()
        qtbot.wait(1)
    assert told == ["It cannot be read."]
