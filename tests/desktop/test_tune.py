"""The tune panel: what the tuner says in words and on the curve, and what the user asks for."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTime
from PySide6.QtGui import QEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from dropline.events import Event
from dropline.meter import Meter
from dropline.station import Reading, Sampler, Station
from dropline.tuning import (
    Accuracy,
    AutopilotChanged,
    AutopilotMoved,
    Figure,
    Goal,
    GoalKind,
    LedgerWritten,
    ProbeChanged,
)
from dropline_desktop import format
from dropline_desktop.text import unbroken
from dropline_desktop.theme import Theme
from dropline_desktop.tune import curve as curve_module
from dropline_desktop.tune.curve import Curve
from dropline_desktop.tune.goal import GoalChoice
from dropline_desktop.tune.ledger import accuracy_text
from dropline_desktop.tune.panel import TunePanel
from dropline_desktop.tune.views import FINISH, IN_SYSTEM, RESPONSE, range_text

from .tune_facts import ACCURACY, EMPTY, STATES, advise, message, predict, record


@pytest.fixture
def reading() -> Reading:
    """A real reading of an empty station."""
    station = Station("send", lambda: None, None)
    empty = Sampler(station, Meter(0.0), lambda *events: None, clock=lambda: 10.0).read(10.0)
    return replace(empty, wanted=4)


@pytest.fixture
def panel(theme: Theme, qtbot: QtBot) -> TunePanel:
    panel = TunePanel(theme)
    qtbot.addWidget(panel, before_close_func=lambda panel: panel.wait_for_files())
    panel.resize(320, 800)
    with qtbot.waitExposed(panel):
        panel.show()
    return panel


@pytest.fixture
def curve(theme: Theme, qtbot: QtBot) -> Iterator[Curve]:
    curve = Curve(theme)
    qtbot.addWidget(curve)
    curve.resize(320, 200)
    with qtbot.waitExposed(curve):
        curve.show()
    curve.show_advice(advise(4, 6.0, best=5))
    curve.show_workers(4)
    yield curve
    curve._rest.stop()


def told(panel: TunePanel, *events: Event) -> None:
    panel.take([message(event) for event in events])


def at(curve: Curve, workers: float) -> QPoint:
    """A place over so many workers."""
    return QPoint(round(curve._x(workers)), curve.height() // 2)


# --- the curve ----------------------------------------------------------------------------------


def test_dragging_the_line_sets_the_workers_once_when_it_is_let_go(curve):
    chosen: list[int] = []
    pointed: list[int] = []
    curve.workersChosen.connect(chosen.append)
    curve.pointed.connect(pointed.append)
    QTest.mousePress(curve, Qt.MouseButton.LeftButton, pos=at(curve, 4))
    for workers in range(5, 13):
        QTest.mouseMove(curve, at(curve, workers))
    assert chosen == []
    assert curve.workers == 12
    QTest.mouseRelease(curve, Qt.MouseButton.LeftButton, pos=at(curve, 12))
    assert chosen == [12]
    assert set(pointed) >= {5, 12}
    assert curve.workers == 12


def test_a_line_put_back_asks_for_nothing(curve, qtbot):
    with qtbot.assertNotEmitted(curve.workersChosen):
        QTest.mousePress(curve, Qt.MouseButton.LeftButton, pos=at(curve, 4))
        QTest.mouseMove(curve, at(curve, 9))
        QTest.mouseMove(curve, at(curve, 4))
        QTest.mouseRelease(curve, Qt.MouseButton.LeftButton, pos=at(curve, 4))


def test_the_line_stays_on_the_curve(curve):
    chosen: list[int] = []
    curve.workersChosen.connect(chosen.append)
    for x in (-200, 2000):
        QTest.mousePress(curve, Qt.MouseButton.LeftButton, pos=at(curve, 4))
        QTest.mouseMove(curve, QPoint(x, 50))
        QTest.mouseRelease(curve, Qt.MouseButton.LeftButton, pos=QPoint(x, 50))
    assert chosen == [1, 16]


def test_advice_that_comes_while_the_line_is_dragged_moves_nothing(curve):
    QTest.mousePress(curve, Qt.MouseButton.LeftButton, pos=at(curve, 9))
    place = at(curve, 9)
    curve.show_advice(advise(4, 60.0, best=100))
    curve.show_workers(3)
    assert curve.workers == 9
    assert at(curve, 9) == place
    QTest.mouseRelease(curve, Qt.MouseButton.LeftButton, pos=place)
    assert curve.workers == 9


def test_late_readings_dont_undo_the_users_change(curve, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(curve_module.time, "monotonic", lambda: now)
    QTest.mouseClick(curve, Qt.MouseButton.LeftButton, pos=at(curve, 9))
    curve.show_workers(4)
    assert curve.workers == 9
    now += 2 * curve_module.SETTLING
    curve.show_workers(4)
    assert curve.workers == 4


def test_keys_move_the_line_and_set_it_once_they_rest(curve, qtbot):
    chosen: list[int] = []
    curve.workersChosen.connect(chosen.append)
    curve.setFocus()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_PageUp, Qt.Key.Key_Left):
        qtbot.keyClick(curve, key)
    assert (curve.workers, chosen) == (8, [])
    qtbot.waitUntil(lambda: chosen == [8])
    qtbot.keyClick(curve, Qt.Key.Key_Home)
    qtbot.keyClick(curve, Qt.Key.Key_Escape)
    assert curve.workers == 8
    qtbot.keyClick(curve, Qt.Key.Key_End)
    qtbot.keyClick(curve, Qt.Key.Key_Return)
    assert chosen == [8, 16]


def test_keys_count_when_the_focus_goes(curve, qtbot):
    with qtbot.waitSignal(curve.workersChosen) as chosen:
        curve.setFocus()
        qtbot.keyClick(curve, Qt.Key.Key_Right)
        curve.clearFocus()
    assert chosen.args == [5]


@pytest.mark.parametrize("view", [RESPONSE, IN_SYSTEM, FINISH], ids=lambda view: view.key)
@pytest.mark.parametrize("state", STATES)
def test_every_state_is_drawn(curve, state, view):
    for event in STATES[state]:
        if hasattr(event, "curve"):
            curve.show_advice(event)
    curve.show_view(view)
    curve.show_measured([(4, 1.0), (300, 1e9)], 0.4)
    assert not curve.grab().toImage().isNull()


def test_of_an_empty_line_nothing_takes_any_time(curve):
    """A regression: a scale that ended at 0."""
    done = advise(4, 6.0, best=5)
    zero = Figure(0.0, 0.0, 0.0)
    curve.show_advice(replace(done, curve=tuple(replace(p, finish=zero) for p in done.curve)))
    curve.show_view(FINISH)
    assert not curve.grab().toImage().isNull()
    assert curve._ticks[0] == 0.0


def test_the_scale_is_worked_out_once_a_drawing(curve):
    """A regression: once for each point of the curve, which took a fifth of the window's time."""
    told: list[float] = []

    def tick(value: float, largest: float) -> str:
        told.append(value)
        return RESPONSE.tick(value, largest)

    curve.show_view(replace(RESPONSE, tick=tick))
    told.clear()
    curve.grab()
    assert 0 < len(told) <= 2 * len(set(told))  # its width, and the text


def test_the_curve_is_seen_where_it_should_be(curve, theme):
    """At 10 workers the predicted value is drawn, at 2 the shade of too few."""
    image = curve.grab().toImage()
    value = RESPONSE.predicted(predict(10, 6.0, 2.0)).expected
    x, y = round(curve._x(7)), round(curve._y(value))
    column = {image.pixelColor(x, y + dy).name() for dy in range(-3, 4)}
    assert theme.colours.in_service.lower() in column
    few = image.pixelColor(round(curve._x(1)), round(curve._area.top()) + 5)
    assert few != theme.colour("surface")


# --- in words -----------------------------------------------------------------------------------


def test_without_advice_nothing_is_known(panel, reading):
    panel.show_reading(reading)
    assert panel._pointed.text() == "What is predicted: –"
    assert not panel.advice.apply.isVisible()
    told(panel, EMPTY)
    assert panel._pointed.text() == "What is predicted: –"
    assert not panel.advice.check.isVisible()
    assert panel.advice.reason.text()


def test_the_advice_is_applied_by_its_button(panel, qtbot):
    told(panel, advise(4, 6.0, best=5))
    assert panel.advice.apply.text() == "&Apply: 5 workers"
    with qtbot.waitSignal(panel.adviceApplied) as applied:
        panel.advice.apply.click()
    assert applied.args == [5]
    told(panel, advise(5, 6.0, best=5))
    assert panel.advice.apply.text() == "In use: 5 workers"
    assert not panel.advice.apply.isEnabled()


def test_the_button_does_what_it_said_when_it_was_aimed_at(panel, qtbot):
    apply = panel.advice.apply
    told(panel, advise(4, 6.0, best=5))
    QApplication.sendEvent(apply, QEnterEvent(QPointF(1, 1), QPointF(1, 1), QPointF(1, 1)))
    told(panel, advise(4, 6.0, best=9))
    with qtbot.waitSignal(panel.adviceApplied) as applied:
        apply.click()
    assert applied.args == [5]
    told(panel, advise(5, 6.0, best=9))
    assert apply.text() == "&Apply: 9 workers"


def test_the_button_says_the_latest_once_it_is_left(panel, qtbot):
    apply = panel.advice.apply
    told(panel, advise(4, 6.0, best=5))
    QApplication.sendEvent(apply, QEnterEvent(QPointF(1, 1), QPointF(1, 1), QPointF(1, 1)))
    told(panel, advise(4, 6.0, best=9))
    assert apply.text() == "&Apply: 5 workers"
    QApplication.sendEvent(apply, QEvent(QEvent.Type.Leave))
    qtbot.waitUntil(lambda: apply.text() == "&Apply: 9 workers")


def test_the_prediction_under_the_line_is_told_in_words(panel, reading, qtbot):
    told(panel, advise(4, 6.0, best=5))
    panel.show_reading(reading)
    assert panel._pointed.text() == unbroken(
        "With 4 workers: a file takes 755 ms from drop to done, on average (645–864 ms)."
    )
    assert "755\N{NO-BREAK SPACE}ms from" in panel._pointed.text()
    panel.curve.setFocus()
    for _ in range(2):
        qtbot.keyClick(panel.curve, Qt.Key.Key_Left)
    assert "the queue grows" in panel._pointed.text()
    assert panel.curve.accessibleDescription() == panel._pointed.text()
    qtbot.keyClick(panel.curve, Qt.Key.Key_Escape)
    panel.view_box.activated.emit(1)
    assert panel._pointed.text().startswith("With 4 workers: 4.5 files are in the line")


def test_of_a_batch_the_time_until_all_is_sent_counts(panel, reading):
    told(panel, advise(4, 6.0, best=5))
    panel.show_reading(reading)
    assert panel.view_box.currentText() == "Time a file takes (τ)"
    told(panel, *STATES["batch"])
    assert panel.view_box.currentText() == "Time until all is sent"
    assert panel.advice.done.text().startswith(unbroken("With 4 workers: all sent in 18 min 45 s"))
    assert unbroken("With 8 workers: 9 min ") in panel.advice.done.text()
    panel.view_box.setCurrentIndex(0)
    panel.view_box.activated.emit(0)  # the user's choice stays
    told(panel, *STATES["batch"])
    assert panel.view_box.currentText() == "Time a file takes (τ)"


def test_when_all_is_sent_no_time_is_told_until_then(panel, reading):
    """A regression: "all sent in 0 s (0 ms)"."""
    zero = Figure(0.0, 0.0, 0.0)

    def done(prediction):
        return None if prediction is None else replace(prediction, finish=zero)

    (batch,) = (each for each in STATES["batch"] if hasattr(each, "curve"))
    told(panel, replace(batch, now=done(batch.now), curve=tuple(map(done, batch.curve))))
    panel.show_reading(reading)
    assert panel.view_box.currentText() == "Time until all is sent"
    assert panel.advice.done.text() == ""
    panel.curve.setFocus()
    assert panel._pointed.text() == "Nothing is in the line now."


def test_ranges_say_what_is_not_known():
    assert range_text(Figure(), format.duration) == "–"
    assert range_text(Figure(1.0, 2.0, None), format.duration) == "at least 1.0 s"
    assert range_text(Figure(1.0, 1.0, 1.0), format.number) == "1.0"
    assert range_text(Figure(1.0, 2.0, 3.0), format.number) == "1.0–3.0"


# --- goal, autopilot, probe ---------------------------------------------------------------------


@pytest.fixture
def goals(theme: Theme, qtbot: QtBot) -> GoalChoice:
    goals = GoalChoice(theme, clock=lambda: 500.0)
    qtbot.addWidget(goals)
    goals.show()
    return goals


def test_a_goal_is_chosen_with_its_limit(goals, qtbot):
    asked: list[Goal] = []
    goals.goalWanted.connect(asked.append)
    goals.box.setCurrentIndex(1)
    goals.seconds.setValue(0.5)
    goals.box.setCurrentIndex(0)
    assert asked == [
        Goal(GoalKind.RESPONSE, 5.0), Goal(GoalKind.RESPONSE, 0.5), Goal()
    ]  # fmt: skip
    assert not goals._limit.isVisible()


def test_a_time_of_day_is_the_next_one(goals):
    goals.box.setCurrentIndex(3)
    assert 0 < goals.goal.limit - 500.0 <= 3600 + 1
    for hour in (0, 12, 23):
        goals.moment.setTime(QTime(hour, 59))
        assert 0 < goals.goal.limit - 500.0 <= 86_400


def test_a_goal_chosen_elsewhere_is_shown_and_not_asked_for_again(goals, qtbot):
    with qtbot.assertNotEmitted(goals.goalWanted):
        goals.show_goal(Goal(GoalKind.WAIT, 1.25))
    assert goals.goal == Goal(GoalKind.WAIT, 1.25)


def test_the_autopilot_is_asked_for_within_its_bounds(panel, qtbot):
    pilot = panel.autopilot
    pilot.least.setValue(2)
    with qtbot.waitSignal(pilot.wanted) as wanted:
        pilot.on.click()
    assert wanted.args == [True, 2, 16]
    with qtbot.waitSignal(pilot.wanted) as wanted:
        pilot.least.setValue(20)  # the other bound gives way
    assert wanted.args == [True, 20, 20]


def test_the_autopilots_moves_are_listed_and_that_it_gave_up(panel):
    told(panel, *STATES["autopilot"])
    pilot = panel.autopilot
    assert pilot.on.isChecked()
    assert (pilot.least.value(), pilot.most.value()) == (2, 24)
    assert len(pilot.log.text().splitlines()) == 2
    for number in range(10):
        told(panel, AutopilotMoved("send", number, number + 1, "keeps_up", None, None))
    assert len(pilot.log.text().splitlines()) == 3
    told(panel, AutopilotChanged("send", False, 2, 24, "touched"))
    assert not pilot.on.isChecked()
    assert len(pilot.log.text().splitlines()) == 4


def test_the_probe_is_started_watched_and_stopped(panel, qtbot):
    probe = panel.probe
    with qtbot.waitSignal(probe.wanted) as wanted:
        probe.button.click()
    assert wanted.args == [True]
    told(panel, ProbeChanged("send", True, 3, 5, 4, 5.0, "running"))
    assert (probe.progress.value(), probe.progress.maximum()) == (2, 5)
    assert probe.progress.isVisible()
    with qtbot.waitSignal(probe.wanted) as wanted:
        probe.button.click()
    assert wanted.args == [False]
    told(panel, ProbeChanged("send", False, 3, 5, 4, 5.0, "stopped"))
    assert not probe.progress.isVisible()
    assert probe.words.isVisible()


# --- the ledger ---------------------------------------------------------------------------------


def test_the_ledger_is_a_table_the_newest_first(panel):
    told(panel, LedgerWritten("send", record(1, 5), ACCURACY))
    told(panel, LedgerWritten("send", record(2, 6, response=0.6), ACCURACY))
    model = panel.model
    figures = [model.cells(row)[3] for row in range(model.rowCount())]
    assert figures == 2 * ["X throughput", "L in the line", "τ mean"]
    assert model.cells(2)[1:] == (
        "4 → 6", "you", "τ mean", "517 ms", "481–552 ms", "600 ms", "+16 %"
    )  # fmt: skip
    assert model.cells(5)[-2:] == ("–", "–")
    told(panel, LedgerWritten("send", record(1, 5, response=0.5), ACCURACY))
    assert model.cells(5)[-2:] == ("500 ms", "−11 %")
    assert model.rowCount() == 6


def test_measured_records_are_points_of_the_curve(panel):
    panel.show_ledger([record(1, 5, response=0.6), record(2, 6)], ACCURACY)
    assert panel.curve._measured == [(5, 0.6)]


def test_the_accuracy_is_told(panel):
    assert accuracy_text(Accuracy(0, 0, None, None)).startswith("No prediction")
    assert accuracy_text(ACCURACY) == (
        "2 predictions checked: half of the figures within 6.0 %, 92 % inside the stated range."
    )
    told(panel, LedgerWritten("send", record(1, 5, response=0.6), ACCURACY))
    assert panel.ledger.accuracy.text() == accuracy_text(ACCURACY)


def test_the_ledger_is_exported(panel, tmp_path: Path, qtbot):
    panel.show_ledger([record(1, 5, response=0.6), record(2, 6)], ACCURACY)
    with qtbot.waitSignal(panel.exported):
        panel.export(tmp_path / "ledger.csv")
    with (tmp_path / "ledger.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    [response] = [row for row in rows if row["number"] == "1" and row["figure"] == "response"]
    assert float(response["measured"]) == 0.6
    assert float(response["error"]) == pytest.approx(0.6 / float(response["predicted"]) - 1)
    assert rows[-1]["predicted"] == rows[-1]["measured"] == ""


def test_a_ledger_that_cant_be_written_is_told(panel, tmp_path: Path, qtbot):
    with qtbot.waitSignal(panel.exportFailed) as failed:
        panel.export(tmp_path / "nowhere" / "ledger.csv")
    assert "was not written" in failed.args[0]


def test_the_ledger_opens_beside_the_window(panel, qtbot):
    panel._ledger_button.click()
    assert panel.ledger.isVisible()
    panel.ledger.close()
