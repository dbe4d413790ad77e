"""The explorer: a recorded log or the history, any span of it, compared with another."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget
from pytestqt.qtbot import QtBot

from dropline.history import Row, Store
from dropline.meter import Entry, Kind, Meter, Recorder, measure
from dropline_desktop.explorer import Explorer, Explorers
from dropline_desktop.explorer.reader import Reader
from dropline_desktop.language import Language, Translation
from dropline_desktop.theme import Theme


def a_run(workers: int = 2, seconds: int = 100) -> list[Entry]:
    """A file each second, and half a second for each; another worker half way."""
    entries = [
        Entry(0.0, Kind.WORKERS, workers=workers),
        Entry(seconds / 2, Kind.WORKERS, workers=workers + 1),
    ]
    for job in range(1, seconds + 1):
        entries += [
            Entry(job - 1.0, Kind.ARRIVE, job),
            Entry(job - 0.75, Kind.START, job),
            Entry(job - 0.25, Kind.FINISH, job),
        ]
    return sorted(entries, key=lambda entry: entry.t)


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    def write(entries: Sequence[Entry], name: str = "run.jsonl") -> Path:
        with Recorder(tmp_path / name) as recorder:
            recorder.record(entries)
        return tmp_path / name

    return write


@pytest.fixture
def explorer(theme: Theme, tmp_path: Path, qtbot: QtBot) -> Iterator[Explorer]:
    window = Explorer(theme, tmp_path)
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    yield window
    window.close()


def told(explorer: Explorer) -> dict[str, list[str]]:
    """The table: the name of a figure, then what was kept, this, and the change."""
    table = explorer.table
    cells = [[table.item(row, c).text() for c in range(4)] for row in range(table.rowCount())]
    return {name: rest for name, *rest in cells}


def shows(explorer: Explorer, qtbot: QtBot, name: str, value: str) -> None:
    qtbot.waitUntil(lambda: told(explorer)[name][1] == value)


def notice(explorer: Explorer) -> str:
    return explorer._notice.text() if explorer._notice.isVisible() else ""


def curve(explorer: Explorer, name: str, number: int) -> np.ndarray:
    strip = explorer.view._stack.named(name)
    values = strip._curves[number]._stroke.getData()[1]
    return np.empty(0) if values is None else values


def test_a_log_is_shown_with_its_figures(
    explorer: Explorer, record: Callable[..., Path], qtbot: QtBot
) -> None:
    path = record(a_run())
    explorer.open_log(path)
    shows(explorer, qtbot, "arrivals", "100")
    assert told(explorer)["λ arrival rate"][1] == "1.0/s"
    assert told(explorer)["ρ utilisation"][1] == "20 %"
    assert told(explorer)["τ mean"][1] == "750 ms"
    assert explorer.windowTitle() == "Dropline: run.jsonl"
    qtbot.waitUntil(lambda: len(curve(explorer, "chartQueue", 1)) > 0)
    assert [mark.text for mark in explorer.view.marks()] == ["c 2→3"]
    assert notice(explorer) == ""
    assert explorer.table.isColumnHidden(1)


def test_the_figures_are_those_of_the_span_in_view(
    explorer: Explorer, record: Callable[..., Path], qtbot: QtBot
) -> None:
    path = record(a_run())
    explorer.open_log(path)
    shows(explorer, qtbot, "arrivals", "100")
    explorer.view.look_at(10.0, 30.0)
    shows(explorer, qtbot, "arrivals", "20")
    exact = measure(path, 10.0, 30.0)
    assert explorer._figures is not None
    for key in ("arrival_rate", "mean_in_system", "utilisation", "mean_response"):
        assert explorer._figures[key] == pytest.approx(exact[key])
    assert explorer._figures["p95"] == exact["response_p95"]
    qtbot.keyClick(explorer.view, Qt.Key.Key_Home)
    shows(explorer, qtbot, "arrivals", "100")
    start, end = explorer.view.span
    qtbot.keyClick(explorer.view, Qt.Key.Key_Plus)
    assert explorer.view.span == pytest.approx((start + (end - start) / 8, end - (end - start) / 8))


def test_curves_are_painted_wherever_the_view_goes(
    explorer: Explorer, record: Callable[..., Path], qtbot: QtBot
) -> None:
    explorer.open_log(record(a_run()))
    shows(explorer, qtbot, "arrivals", "100")
    for start, end in ((40.0, 60.0), (0.0, 100.0), (80.0, 95.0)):
        explorer.view.look_at(start, end)
        explorer.view.wait()
        qtbot.waitUntil(lambda: not explorer.view._soon.isActive())
        strip = explorer.view._stack.named("chartQueue")
        for item in strip._curves:
            assert item._stroke.boundingRect() == strip.plot.getViewBox().viewRect()


def test_two_logs_are_compared(
    explorer: Explorer, record: Callable[..., Path], qtbot: QtBot
) -> None:
    explorer.open_log(record(a_run(), "before.jsonl"))
    shows(explorer, qtbot, "arrivals", "100")
    explorer._keep.click()
    assert not explorer.table.isColumnHidden(1)
    explorer.open_log(record(a_run(4, 50), "after.jsonl"))
    shows(explorer, qtbot, "arrivals", "50")
    rows = told(explorer)
    assert rows["arrivals"] == ["100", "50", "−50 %"]
    assert rows["c workers"] == ["2.5", "4.5", "+80 %"]
    assert rows["failed"] == ["0", "0", "–"]
    assert explorer._kept_span.text() == "Kept: before.jsonl, 0 s – 1 min 40 s"
    explorer._forget.click()
    assert explorer.table.isColumnHidden(1)
    assert not explorer._forget.isVisible()


def test_all_is_saved_in_every_form(
    explorer: Explorer, record: Callable[..., Path], qtbot: QtBot, tmp_path: Path
) -> None:
    explorer.open_log(record(a_run(), "before.jsonl"))
    shows(explorer, qtbot, "arrivals", "100")
    explorer.keep()
    explorer.view.look_at(10.0, 30.0)
    shows(explorer, qtbot, "arrivals", "20")
    qtbot.waitUntil(lambda: len(explorer.view.points()[0]) > 0)
    for name, save in (
        ("a.png", explorer.export_picture),
        ("a.svg", explorer.export_drawing),
        ("a.csv", explorer.export_table),
        ("a.html", explorer.export_report),
    ):
        with qtbot.waitSignal(explorer._writer.written):
            save(tmp_path / name)
    assert notice(explorer) == f"Saved as {tmp_path / 'a.html'}"
    assert QImage(str(tmp_path / "a.png")).width() > 100
    ET.fromstring((tmp_path / "a.svg").read_text("utf-8"))
    lines = list(csv.DictReader((tmp_path / "a.csv").read_text("utf-8").splitlines()))
    assert 10.0 <= float(lines[0]["seconds"]) <= 11.0
    assert float(lines[-1]["arrival_rate"]) == pytest.approx(1.0, abs=0.5)
    report = (tmp_path / "a.html").read_text("utf-8")
    assert "before.jsonl and before.jsonl" in report
    assert "-80.0 %" in report


def test_what_is_saved_speaks_the_language_of_the_window(
    explorer: Explorer,
    translation: Translation,
    record: Callable[..., Path],
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    translation.speak(Language.CHINESE)
    explorer.open_log(record(a_run(), "before.jsonl"))
    qtbot.waitUntil(lambda: len(explorer.view.points()[0]) > 0)
    for name, save in (("a.svg", explorer.export_drawing), ("a.html", explorer.export_report)):
        with qtbot.waitSignal(explorer._writer.written):
            save(tmp_path / name)
        text = (tmp_path / name).read_text("utf-8")
        words = re.sub(r"<style>.*?</style>|<[^>]*>", " ", text, flags=re.DOTALL)
        assert "到达率" in words
        assert not set(re.findall(r"[A-Za-z]{4,}", words)) - {"Dropline", "before", "jsonl"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty: record a log first."),
        (b"not a log\n", "line 1: not JSON"),
        (None, "can't be read: No such file"),
    ],
)
def test_what_is_no_log_is_told(
    explorer: Explorer, tmp_path: Path, qtbot: QtBot, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "run.jsonl"
    if content is not None:
        path.write_bytes(content)
    explorer.open_log(path)
    qtbot.waitUntil(lambda: reason in notice(explorer))
    assert not explorer._export.isEnabled()
    assert not explorer._keep.isEnabled()


def test_a_log_that_was_cut_short_is_shown_and_told(
    explorer: Explorer, record: Callable[..., Path], qtbot: QtBot
) -> None:
    path = record(a_run())
    with path.open("ab") as file:
        file.write(b'{"t": 100, "ki')
    told_of: list[str] = []
    explorer._reader.noticed.connect(told_of.append)
    explorer.open_log(path)
    shows(explorer, qtbot, "arrivals", "100")
    assert "cut short" in told_of[0]


def test_the_history_is_shown_by_the_time_of_day(
    explorer: Explorer, tmp_path: Path, qtbot: QtBot
) -> None:
    store = Store(tmp_path / "history.sqlite", "send")
    explorer.open_history(store)
    qtbot.waitUntil(lambda: notice(explorer) == "There is no history yet: send something first.")
    meter = Meter()
    meter.observe_all(a_run())
    store.open(pytest.fail)
    store.append([Row.of(second, 1_700_000_000.0) for second in meter.seconds(0, 100.0)])
    store.close()
    explorer.open_history(store)
    shows(explorer, qtbot, "arrivals", "100")
    assert explorer._span.text().startswith("This: history, 14 Nov 22:13:20 – ")


def test_closing_while_a_log_is_read_ends_the_reading(
    record: Callable[..., Path], qtbot: QtBot
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    reader = Reader(parent)
    opened: list[object] = []
    reader.opened.connect(opened.append)
    reader.open(record(a_run(seconds=5000)))
    reader.close()
    assert opened == []


def test_the_user_is_asked_for_a_log_and_all_windows_close_with_the_program(
    theme: Theme, record: Callable[..., Path], qapp: QApplication, qtbot: QtBot
) -> None:
    path = record(a_run())
    explorers = Explorers(theme, path.parent)
    parent = QWidget()
    qtbot.addWidget(parent)
    explorers.ask(parent)
    (dialog,) = parent.findChildren(QFileDialog)
    assert dialog.directory().absolutePath() == str(path.parent)
    dialog.fileSelected.emit(str(path))
    dialog.close()
    (window,) = [w for w in qapp.topLevelWidgets() if isinstance(w, Explorer) and w.isVisible()]
    shows(window, qtbot, "arrivals", "100")
    explorers.close()
    assert not [w for w in qapp.topLevelWidgets() if isinstance(w, Explorer) and w.isVisible()]
    explorers.close()  # once more does nothing
