"""The whole program with its real receiver and line: from the drop to the proof, and to the end."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
from PySide6.QtCore import QCoreApplication, QMimeData, QPoint, Qt, QTimer
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from dropline.events import (
    Event,
    FilePrioritised,
    FileStarted,
    JournalTroubled,
    Message,
    NetworkDown,
    NetworkUp,
    OrderChanged,
    RecordingEnded,
    RecordingStarted,
    StationDrained,
    StationPaused,
    WorkersChanged,
)
from dropline.history import Store, summary
from dropline.home import Home
from dropline.meter import measure
from dropline.receiver import Receiver
from dropline.station import Order, Reading
from dropline.tuning import By, Goal, GoalKind, LedgerWritten
from dropline_desktop import demo
from dropline_desktop.app import Application
from dropline_desktop.charts import MarkKind
from dropline_desktop.charts.contents import COLUMNS
from dropline_desktop.docks import Side
from dropline_desktop.dropped import to_url
from dropline_desktop.network import Reachability
from dropline_desktop.quantities import THROUGHPUT
from dropline_desktop.settings import Settings
from dropline_desktop.settings.profile import Profile
from dropline_desktop.transfers.rows import State

PATIENCE = 30_000  # milliseconds
ODD_NAMES = ["文件 名.txt", "a#b%41?.txt", "new\nline.txt", os.fsdecode(b"caf\xe9.txt"), "😀.txt"]


@pytest.fixture
def app(application, wait) -> Application:
    """An application that has started."""
    app = application()
    heard: list[Message] = []
    app.bus.subscribe(Reading, heard.append)
    app.start()
    wait(lambda: bool(heard))
    return app


def drop(window: QWidget, *paths: Path) -> None:
    """Drop paths on a window, as the window system does."""
    mime = QMimeData()
    mime.setUrls([to_url(os.fspath(path)) for path in paths])
    place, action = window.rect().center(), Qt.DropAction.CopyAction
    held = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(place, action, mime, *held))
    QApplication.sendEvent(window, QDropEvent(place.toPointF(), action, mime, *held))


def make_files(folder: Path, count: int) -> Path:
    (folder / "nested" / "empty").mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.bin").write_bytes(os.urandom(200 + number))
    for name in ODD_NAMES:
        (folder / "nested" / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    return folder


def sent(app: Application) -> int:
    counts = app.window.transfers.model.rows.counts
    return counts[State.SENT] + counts[State.DUPLICATE]


def test_a_dropped_folder_is_sent_and_verified(app, wait, tmp_path):
    folder = make_files(tmp_path / "photos", 40)
    total = 40 + len(ODD_NAMES) + 1  # and the empty folder
    drop(app.window, folder)
    wait(lambda: sent(app) == total)

    model = app.window.transfers.model
    wait(lambda: model.rowCount() == total)
    url = app.engine._receiver.url
    stored = requests.get(f"{url}/files", params={"limit": 1000}, timeout=30).json()["files"]
    names = {item["name"] for item in stored}
    assert len(stored) == total
    assert {"photos/0.bin", "photos/nested/文件 名.txt", "photos/nested/empty/"} <= names
    wait(lambda: app.window.log.model.rowCount() > 2 * total)
    assert app.window.status.receiver.text() == url


def test_the_worker_count_changes_while_it_runs(app, wait, tmp_path):
    folder = make_files(tmp_path / "files", 200)
    changes: list[WorkersChanged] = []
    readings: list[Reading] = []
    app.bus.subscribe(WorkersChanged, lambda message: changes.append(message.data))
    app.bus.subscribe(Reading, lambda message: readings.append(message.data))
    drop(app.window, folder)
    app.window.tuner.spin.setValue(7)
    wait(lambda: readings and readings[-1].running == 7)
    app.window.tuner.slider.setValue(2)
    wait(lambda: readings[-1].running == readings[-1].wanted == 2)
    assert [change.wanted for change in changes] == [7, 2]
    wait(lambda: sent(app) == 200 + len(ODD_NAMES) + 1)
    assert app.settings.workers == 2


def test_the_limit_is_kept_to_at_once_and_remembered(app, wait, tmp_path):
    big = tmp_path / "big.bin"
    big.write_bytes(bytes(3_000_000))
    limit = app.window.tuner.limit
    limit.activated.emit(limit.findData(100e3))
    assert app.settings.limit == 100e3
    wait(lambda: app.engine._line is not None and app.engine._line.station.limit.rate == 100e3)
    drop(app.window, big)
    readings: list[Reading] = []
    app.bus.subscribe(Reading, lambda message: readings.append(message.data))
    wait(lambda: readings and readings[-1].bytes_rate)
    assert sent(app) == 0
    limit.activated.emit(0)
    wait(lambda: sent(app) == 1)
    assert app.settings.limit is None


def test_pause_cancel_and_the_rest(app, wait, tmp_path):
    app.window.tuner.pause.click()
    readings: list[Reading] = []
    app.bus.subscribe(Reading, lambda message: readings.append(message.data))
    wait(lambda: readings and readings[-1].paused)
    drop(app.window, make_files(tmp_path / "files", 20))
    counts = app.window.transfers.model.rows.counts
    wait(lambda: counts[State.WAITING] == 26)
    app.window.cancelAsked.emit([1, 2])
    wait(lambda: counts[State.CANCELLED] == 2)
    app.window.tuner.pause.click()
    wait(lambda: sent(app) == 24)


def test_a_vanished_file_fails_in_a_sentence_and_can_be_retried(app, qtbot, wait, tmp_path):
    lost = tmp_path / "lost.txt"
    lost.write_text("x")
    retry = app.window.findChild(QAction, "retryFailed")
    assert not retry.isEnabled()
    app.window.tuner.spin.setValue(0)
    drop(app.window, lost)
    model = app.window.transfers.model
    wait(lambda: model.rows.counts[State.WAITING] == 1)
    held = Path(Home(app.home.root).spool)
    for path in held.rglob("lost.txt"):
        path.unlink()
    app.window.tuner.spin.setValue(1)
    wait(lambda: model.rows.counts[State.FAILED] == 1)
    assert "not there any more" in model.rows.reasons[0]
    wait(retry.isEnabled)
    with qtbot.waitSignal(app.window.retryAsked, timeout=PATIENCE):
        retry.trigger()
    wait(lambda: model.rows.attempts(0) == 1)


def test_closing_while_busy_ends_every_thread(app, qtbot, wait, tmp_path):
    """The guard of every test looks for threads; here they are in the middle of their work."""
    drop(app.window, make_files(tmp_path / "files", 500))
    wait(lambda: sent(app) > 0)
    with qtbot.waitSignal(app.finished, timeout=PATIENCE):
        app.window.close()
    assert not app.window.isVisible()


def test_closing_before_the_engine_has_started(application, qtbot):
    app = application()
    app.start()
    with qtbot.waitSignal(app.finished, timeout=PATIENCE):
        app.window.close()


def test_what_is_dropped_before_the_engine_has_started_is_sent(application, wait, tmp_path):
    app = application()
    (tmp_path / "early.txt").write_text("early")
    drop(app.window, tmp_path / "early.txt")
    app.start()
    wait(lambda: sent(app) == 1)


def test_an_error_in_a_slot_is_shown_and_harms_nothing(app, qtbot, wait, tmp_path):
    def fail() -> None:
        raise ZeroDivisionError("as if")

    with qtbot.captureExceptions():
        app.errors.install()  # pytest-qt has hooks of its own
        QTimer.singleShot(0, fail)
        wait(lambda: bool(app.window.notices.notices))
        app.errors.uninstall()
    assert "ZeroDivisionError: as if" in app.window.notices.notices[0].text
    (tmp_path / "x").write_text("x")
    drop(app.window, tmp_path / "x")
    wait(lambda: sent(app) == 1)


def test_a_receiver_that_cannot_start_says_why(application, wait, dropline_home):
    home = Home(dropline_home)
    other = Receiver(home.receiver_data, port=0)
    other.start()
    try:
        app = application()
        app.start()
        wait(lambda: bool(app.window.notices.notices))
        assert "Another receiver uses" in app.window.notices.notices[0].text
        drop(app.window, dropline_home)
        assert app.window.notices.notices[0].accessibleName().endswith("(2 times)")
        app.window.tuner.spin.setValue(3)
    finally:
        other.stop()


def test_the_arrangement_is_remembered(application, qtbot):
    first = application()
    first.start()
    first.window.resize(1100, 700)
    first.window._tuning.move(Side.LEFT)
    first.window._events.hide()
    QCoreApplication.processEvents()
    width = first.window._tuning.width()
    first.window.tuner.spin.setValue(9)
    with qtbot.waitSignal(first.finished, timeout=PATIENCE):
        first.window.close()
    second = application()
    second.window.resize(first.window.size())  # the off-screen screen is a small one
    second.window.show()
    QCoreApplication.processEvents()
    assert (second.window._tuning.width(), second.window._events.isVisible()) == (width, False)
    assert second.window.tabifiedDockWidgets(second.window._files) == [second.window._tuning]
    assert second.window.tuner.workers == 9


def test_the_window_keeps_the_names_of_the_contract(app):
    window = app.window
    assert window.objectName() == "MainWindow"
    assert window.windowTitle().startswith("Dropline")
    for name in (
        *("dropZone", "transfers", "workers", "workersSlider", "pauseButton", "eventLog"),
        *("chartRates", "chartQueue", "chartResponse", "chartUtilisation", "chartWorkers"),
    ):
        assert window.findChild(QWidget, name) is not None, name


def test_the_demo_verifies_every_file(application, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "BACKLOG", 40)
    monkeypatch.setattr(demo, "WINDOW", 1.0)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    with demo._samples() as samples:
        script = demo.Demo(application(), samples, tmp_path / "files")
        try:
            assert script.run(said.append) == 0
        finally:
            script.end()
    text = "\n".join(said)
    assert (tmp_path / "dropline-demo.png").stat().st_size > 10_000
    for symbol in ("λ", "μ", "ρ", "L", "τ"):
        assert f"   {symbol}  " in text


# --- turns, orders, targets that are down, and watched folders --------------------------------


def events(app: Application, *kinds: type[Event]) -> list[Event]:
    """What will have happened of these kinds, in order."""
    heard: list[Event] = []
    for kind in kinds:
        app.bus.subscribe(kind, lambda message: heard.append(message.data))
    return heard


def pause(app: Application, wait) -> None:
    paused = events(app, StationPaused)
    app.window.tuner.pause.click()
    wait(lambda: paused)


def test_held_files_wait_for_their_release(app, wait, tmp_path):
    pause(app, wait)
    drop(app.window, make_files(tmp_path / "files", 20))
    counts = app.window.transfers.model.rows.counts
    wait(lambda: counts[State.WAITING] == 26)
    app.window.holdAsked.emit([1, 2, 3])
    wait(lambda: counts[State.HELD] == 3)
    app.window.tuner.pause.click()
    wait(lambda: sent(app) == 23)
    app.window.releaseAsked.emit([1, 3])
    wait(lambda: sent(app) == 25)
    app.window.cancelAsked.emit([2])
    wait(lambda: counts[State.CANCELLED] == 1)


def test_what_is_to_go_first_is_sent_first(app, wait, tmp_path):
    pause(app, wait)
    started = events(app, FileStarted)
    drop(app.window, make_files(tmp_path / "files", 20))
    model = app.window.transfers.model
    wait(lambda: model.rows.counts[State.WAITING] == 26)
    app.window.priorityAsked.emit([25], 1)
    wait(lambda: model.rows.first)
    app.window.tuner.spin.setValue(1)  # of several, another may tell first that it began
    wait(lambda: app.engine._line.station.counts().wanted == 1)
    app.window.tuner.pause.click()
    wait(lambda: sent(app) == 26)
    assert started[0].job == 25


def test_an_unchanged_file_is_skipped_and_can_be_sent_again(app, wait, tmp_path):
    folder = make_files(tmp_path / "files", 3)
    drop(app.window, folder)
    wait(lambda: sent(app) == 9)
    drop(app.window, folder)
    counts = app.window.transfers.model.rows.counts
    wait(lambda: counts[State.SKIPPED] == 9)
    app.window.transfers.view.selectAll()
    app.window.sendAgainAsked.emit([1, 2])
    wait(lambda: sent(app) == 2)
    assert counts[State.SKIPPED] == 7
    assert len(app.window.transfers.model.rows) == 9


def test_the_order_is_set_marked_and_remembered(application, app, qtbot, wait):
    changed = events(app, OrderChanged)
    app.window.order.box.setCurrentIndex(1)
    wait(lambda: changed)
    assert [event.order for event in changed] == [Order.SHORTEST]
    assert app.window.charts._timeline.marks(0.0, math.inf)[-1].kind is MarkKind.ORDER
    with qtbot.waitSignal(app.finished, timeout=PATIENCE):
        app.window.close()
    again = application()
    changed = events(again, OrderChanged)
    again.start()
    assert again.window.order.order is Order.SHORTEST
    wait(lambda: changed)


def test_a_target_that_is_down_is_told_and_tried_when_asked(app, wait, tmp_path):
    window, port = app.window, int(app.engine._receiver.url.rpartition(":")[2])
    app.engine._receiver.stop()
    (tmp_path / "x").write_text("x")
    drop(window, tmp_path / "x")
    wait(lambda: window.status.try_now.isVisible())
    assert window.status.target.text().startswith("Target: down since ")
    wait(lambda: window.charts._timeline.marks(0.0, math.inf)[-1].kind is MarkKind.TARGET_DOWN)
    back = Receiver(tmp_path / "other", port=port)
    back.start()
    try:
        window.status.try_now.click()
        wait(lambda: sent(app) == 1)
        wait(lambda: not window.status.try_now.isVisible())
        marks = window.charts._timeline.marks
        wait(lambda: marks(0.0, math.inf)[-1].kind is MarkKind.TARGET_UP)
    finally:
        back.stop()


def test_the_network_is_told_and_its_return_lets_the_target_be_tried(app, wait):
    told = events(app, NetworkDown, NetworkUp)
    app.network.tell(Reachability.Disconnected)
    app.network.tell(Reachability.Online)
    wait(lambda: len(told) == 2)
    kinds = [mark.kind for mark in app.window.charts._timeline.marks(0.0, math.inf)]
    assert kinds[-2:] == [MarkKind.NETWORK_DOWN, MarkKind.NETWORK_UP]


def test_a_damaged_journal_is_a_notice(application, wait, dropline_home):
    home = Home(dropline_home)
    home.journal.parent.mkdir(parents=True, exist_ok=True)
    home.journal.write_bytes(b"no database at all" * 100)
    app = application()
    troubled = events(app, JournalTroubled)
    app.start()
    wait(lambda: app.window.notices.notices)
    assert app.window.notices.notices[0].text == troubled[0].reason


def test_what_the_line_did_is_in_the_history(app, wait, dropline_home, tmp_path):
    folder = make_files(tmp_path / "files", 20)
    total = 20 + len(ODD_NAMES) + 1
    app.window.tuner.spin.setValue(7)
    drop(app.window, folder)
    wait(lambda: sent(app) == total)
    app.shutdown()
    wait(lambda: app.ended)
    past = Store(dropline_home / "history.sqlite", "send")
    told = summary(past.rows(0.0, math.inf))
    assert told is not None
    assert (told.figures.arrivals, told.figures.finished) == (total, total)
    assert told.response.count == total
    assert WorkersChanged("send", 4, 7) in [mark.event for mark in past.marks(0.0, math.inf)]


def test_a_damaged_history_is_a_notice(application, wait, dropline_home):
    dropline_home.mkdir()
    (dropline_home / "history.sqlite").write_bytes(os.urandom(10_000))
    app = application()
    app.start()
    wait(lambda: app.window.notices.notices)
    assert app.window.notices.notices[0].text.startswith("The history was damaged (")


def test_watched_folders_are_remembered_and_watched_again(application, app, qtbot, wait, tmp_path):
    outbox, missing = tmp_path / "outbox", tmp_path / "missing"
    outbox.mkdir()
    (outbox / "before.txt").write_text("before")
    for folder in (outbox, missing):
        app.window.watchAsked.emit(os.fspath(folder))
    wait(lambda: sent(app) == 1)
    wait(lambda: app.window.notices.notices)
    assert app.window.notices.notices[0].text.startswith(f"“{missing}” is not there")
    app.window.watchAsked.emit(os.fspath(outbox / "inside"))
    wait(lambda: len(app.window.notices.notices) == 2)
    assert "is watched already" in app.window.notices.notices[1].text
    missing.mkdir()
    wait(lambda: app.window.notices.notices[-1].text == f"Watching again: {missing}")
    assert len(app.window.notices.notices) == 2, "the folder is not lost any more"
    with qtbot.waitSignal(app.finished, timeout=PATIENCE):
        app.window.close()

    again = application()
    again.start()
    (outbox / "after.txt").write_text("after")
    wait(lambda: sent(again) == 1)
    again.window.findChild(QAction, "watchedFolders").trigger()
    dialog = again.window.watched
    wait(lambda: dialog.state_of(os.fspath(missing)) == "Watching.")
    assert dialog.list.topLevelItemCount() == 2
    dialog.list.topLevelItem(0).setSelected(True)
    dialog.stop.click()
    wait(lambda: dialog.list.topLevelItemCount() == 1)
    assert again.settings.watched == (os.fspath(missing),)


def test_after_a_restart_the_list_shows_what_goes_on(application, app, qtbot, wait, tmp_path):
    pause(app, wait)
    drop(app.window, make_files(tmp_path / "files", 20))
    counts = app.window.transfers.model.rows.counts
    wait(lambda: counts[State.WAITING] == 26)
    app.window.holdAsked.emit([1, 2])
    app.window.priorityAsked.emit([5], 1)
    wait(lambda: counts[State.HELD] == 2)
    wait(lambda: app.window.transfers.model.rows.first)
    with qtbot.waitSignal(app.finished, timeout=PATIENCE):
        app.window.close()
    again = application()
    drained, turns = events(again, StationDrained), events(again, FilePrioritised)
    again.start()
    wait(lambda: sent(again) == 24)
    counts = again.window.transfers.model.rows.counts
    assert counts[State.HELD] == 2
    assert turns == [FilePrioritised(5, 1)]
    wait(lambda: again.window.windowTitle() == "Dropline: 2 to send")
    again.window.releaseAsked.emit([1, 2])
    wait(lambda: sent(again) == 26)
    wait(lambda: drained)
    wait(lambda: again.window.windowTitle() == "Dropline")


# --- as a process -----------------------------------------------------------------------------


def wait_for_run_file(home: Path, process: subprocess.Popen[bytes], wait) -> dict[str, object]:
    run = home / "run.json"
    wait(lambda: run.exists() or process.poll() is not None)
    return json.loads(run.read_text())


def read_run_file(home: Path) -> dict[str, object]:
    """What the running window says of itself; nothing between two of them."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads((home / "run.json").read_text())
    return {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_program_cleanly(dropline_home, wait, tmp_path, number):
    folder = make_files(tmp_path / "files", 500)
    process = subprocess.Popen([sys.executable, "-m", "dropline_desktop", os.fspath(folder)])
    run = wait_for_run_file(dropline_home, process, wait)
    assert run["pid"] == process.pid
    process.send_signal(number)
    assert process.wait(60) == 0
    assert not (dropline_home / "run.json").exists()


def test_a_second_start_hands_its_paths_over(dropline_home, wait, tmp_path):
    path = tmp_path / "handed over.txt"
    path.write_text("x")
    command = [sys.executable, "-m", "dropline_desktop"]
    process = subprocess.Popen(command)
    try:
        run = wait_for_run_file(dropline_home, process, wait)
        assert subprocess.run([*command, path.name], cwd=tmp_path, timeout=20).returncode == 0
        files = f"{run['receiver']}/files"
        wait(lambda: bool(requests.get(files, timeout=30).json()["files"]))
        assert requests.get(files, timeout=30).json()["files"][0]["name"] == "handed over.txt"
    finally:
        process.terminate()
        assert process.wait(60) == 0


#: The window, in which another target is chosen as soon as it is there, and its offer is taken.
#: Chooses once there is a file `go` in the data folder: until then the first start can be seen.
CHOOSE_ANOTHER = """
import os, sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QPushButton
from dropline_desktop.app import Application, run

def start(self, paths, start=Application.start):
    go = Path(os.environ["DROPLINE_HOME"], "go")
    timer = QTimer(self, interval=20)

    def choose():
        if not go.exists():
            return
        go.unlink()
        timer.stop()
        self.choose_profile("other")
        self.window.notices.notices[0].findChild(QPushButton).click()
    timer.timeout.connect(choose)
    start(self, paths)
    timer.start()

Application.start = start
sys.exit(run(sys.argv[1:]))
"""


def test_a_restart_sends_to_the_target_that_was_chosen(dropline_home, wait, tmp_path):
    other = Receiver(tmp_path / "other", port=0)
    other.start()
    settings = Settings(dropline_home)
    settings.profiles = [Profile("other", other.url)]
    settings.save()
    folder = make_files(tmp_path / "files", 1)
    process = subprocess.Popen([sys.executable, "-c", CHOOSE_ANOTHER])
    try:
        first = wait_for_run_file(dropline_home, process, wait)
        assert first["target"] == first["receiver"]
        (dropline_home / "go").touch()
        wait(lambda: read_run_file(dropline_home).get("target") == other.url)
        assert read_run_file(dropline_home)["pid"] == process.pid, "it took the old one's place"
        command = [sys.executable, "-m", "dropline_desktop", os.fspath(folder)]
        assert subprocess.run(command, timeout=60).returncode == 0
        wait(lambda: requests.get(f"{other.url}/files", timeout=30).json()["files"])
    finally:
        process.terminate()
        assert process.wait(60) == 0
        other.stop()


def test_the_history_outlives_a_kill(application, dropline_home, qtbot, wait, tmp_path):
    folder = make_files(tmp_path / "files", 20)
    total = 20 + len(ODD_NAMES) + 1
    past = Store(dropline_home / "history.sqlite", "send")

    def finished() -> int:
        told = summary(past.rows(0.0, math.inf))
        return 0 if told is None else told.figures.finished

    process = subprocess.Popen([sys.executable, "-m", "dropline_desktop", os.fspath(folder)])
    try:
        wait(lambda: finished() == total)
    finally:
        process.kill()
        process.wait(60)
    assert finished() == total
    app = application()
    app.start()
    charts = app.window.charts
    charts.follow(600.0)
    wait(lambda: charts.past is not None)

    def greatest() -> float:
        charts.draw()
        values = charts._timeline.points(*charts.view, 100, 10.0)[1]
        return float(np.nanmax(values[COLUMNS.index(THROUGHPUT)], initial=0.0))

    wait(lambda: greatest() > 0)


def test_the_log_is_recorded_and_measures_what_was_sent(app, wait, tmp_path):
    ended: list[Message] = []
    app.bus.subscribe(RecordingEnded, ended.append)
    drained: list[Message] = []
    app.bus.subscribe(StationDrained, drained.append)
    record = app.window.findChild(QAction, "record")
    begun: list[Message] = []
    app.bus.subscribe(RecordingStarted, begun.append)
    record.trigger()
    wait(lambda: bool(begun))  # in another thread than the walk
    drop(app.window, make_files(tmp_path / "files", 20))
    wait(lambda: drained and sent(app) == 20 + len(ODD_NAMES) + 1)
    record.trigger()
    wait(lambda: bool(ended))
    (log,) = app.home.logs.glob("line-*.jsonl")
    figures = measure(log, 0, 1e6)
    assert figures["arrivals"] == figures["finished"] == sent(app)


# --- the tune panel and the lanes -------------------------------------------------------------


def test_the_lanes_show_every_file_by_its_worker(app, wait, tmp_path):
    drop(app.window, make_files(tmp_path / "files", 60))
    total = 60 + len(ODD_NAMES) + 1
    wait(lambda: sent(app) == total)
    lanes = app.window.charts.lanes
    wait(lambda: lanes._frame is not None and lanes._frame.rows["files"].sum() == total)
    rows = lanes._frame.rows
    assert set(rows["lane"].tolist()) <= set(range(4))
    assert (rows["waited_from"] <= rows["start"]).all()
    assert lanes.name_of(int(rows["job"][0]))


def test_the_advice_comes_and_the_curve_sets_the_workers(app, wait, tmp_path):
    events: list[Event] = []
    app.bus.subscribe("dropline.tuning.", lambda message: events.append(message.data))
    app.window.limitWanted.emit(20e3)  # so that there is something to do for a while
    drop(app.window, make_files(tmp_path / "files", 600))
    panel = app.window.tune
    wait(lambda: panel._advice is not None and panel._advice.curve)
    assert panel.advice.reason.text()
    curve = panel.curve
    wait(lambda: curve.workers == 4)
    app.window.instruments.panel.ensureWidgetVisible(curve)
    line, there = (QPoint(round(curve._x(c)), curve.height() // 2) for c in (4, 7))
    QTest.mousePress(curve, Qt.MouseButton.LeftButton, pos=line)
    QTest.mouseMove(curve, there)
    QTest.mouseRelease(curve, Qt.MouseButton.LeftButton, pos=there)
    wait(lambda: app.window.tuner.workers == 7)
    wait(lambda: any(isinstance(event, LedgerWritten) for event in events))
    records = [event.record for event in events if isinstance(event, LedgerWritten)]
    assert (4, 7, By.CURVE) in [(record.before, record.workers, record.by) for record in records]
    wait(lambda: panel.model.rowCount())
    assert app.settings.workers == 7


def test_the_goal_is_one_with_that_of_the_chart_and_remembered(application, app, wait, qtbot):
    window = app.window
    wanted = Goal(GoalKind.RESPONSE, 2.5)
    window.tune.goal.box.setCurrentIndex(1)
    window.tune.goal.seconds.setValue(2.5)
    wait(lambda: app.engine._line.tuner.goal == wanted)
    assert window.charts._goal.seconds == 2.5
    window.charts.goalChanged.emit(4.0)
    assert window.tune.goal.goal == Goal(GoalKind.RESPONSE, 4.0)
    wait(lambda: app.engine._line.tuner.goal == Goal(GoalKind.RESPONSE, 4.0))
    app.shutdown()
    qtbot.waitUntil(lambda: app.ended, timeout=PATIENCE)
    again = application()
    again.start()
    assert again.window.tune.goal.goal == Goal(GoalKind.RESPONSE, 4.0)
    assert again.window.charts._goal.seconds == 4.0
    wait(lambda: again.engine._line is not None and again.engine._line.tuner.goal.limit == 4.0)


def test_the_autopilot_is_on_until_the_user_moves(app, wait):
    panel = app.window.tune
    panel.autopilot.on.click()
    wait(lambda: app.engine._line.tuner._autopilot.on)
    app.window.tuner.spin.setValue(6)
    wait(lambda: not panel.autopilot.on.isChecked())
    assert "you have set" in panel.autopilot.log.text()


def test_the_probe_tells_how_it_ended(app, wait):
    panel = app.window.tune
    panel.probe.button.click()
    wait(lambda: panel.probe.words.text())
    assert "probe" in panel.probe.words.text().lower()
    wait(lambda: not panel.probe.progress.isVisible())


def test_another_target_is_offered_by_a_restart(application, wait):
    app = application()
    app.settings.profiles = [Profile("other", "http://127.0.0.1:1/")]
    app.start()
    destination, notices = app.window.drop_zone.destination, app.window.notices
    destination.refresh()
    own, other = destination._group.actions()
    other.trigger()
    assert "go to other" in notices.notices[0].text
    own.trigger()
    assert notices.notices == [], "it is where files go already"
    other.trigger()
    notices.notices[0].findChild(QPushButton).click()
    assert app.restarting
    wait(lambda: app.ended)


def test_files_go_to_the_target_that_was_chosen(application, wait, dropline_home, tmp_path):
    other = Receiver(tmp_path / "other", port=0)
    other.start()
    try:
        settings = Settings(dropline_home)
        settings.profiles = [Profile("other", other.url)]
        settings.profile = "other"
        settings.save()
        app = application()
        app.start()
        folder = make_files(tmp_path / "files", 5)
        drop(app.window, folder)
        wait(lambda: sent(app) == 5 + len(ODD_NAMES) + 1)
        listed = requests.get(f"{other.url}/files", timeout=30).json()["files"]
        assert len(listed) == 5 + len(ODD_NAMES) + 1
        own = requests.get(f"{app.engine._receiver.url}/files", timeout=30).json()["files"]
        assert own == []
    finally:
        app.shutdown()
        wait(lambda: app.ended)
        other.stop()
