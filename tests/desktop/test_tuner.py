"""The worker control: slider and spin box are one, and follow what is set elsewhere."""

from __future__ import annotations

import dataclasses

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from dropline.meter import Meter
from dropline.station import Reading, Sampler, Station
from dropline_desktop import tuner as tuner_module
from dropline_desktop.theme import Theme
from dropline_desktop.tuner import Tuner


class NoHooks:
    """A station that nobody listens to."""

    def __getattr__(self, name: str) -> object:
        return lambda *arguments: None


@pytest.fixture
def reading() -> Reading:
    """A real reading of an empty station."""
    station = Station("send", lambda: None, NoHooks())
    meter = Meter(0.0)
    return Sampler(station, meter, lambda *events: None, clock=lambda: 10.0).read(10.0)


@pytest.fixture
def tuner(qtbot, qapp):
    tuner = Tuner(Theme(qapp), 4)
    qtbot.addWidget(tuner)
    tuner.show()
    return tuner


def shown(tuner: Tuner) -> tuple[int, int]:
    return tuner.spin.value(), tuner.slider.value()


def test_spin_box_and_slider_are_in_step(tuner, qtbot):
    with qtbot.waitSignal(tuner.workersWanted) as wanted:
        tuner.spin.setValue(9)
    assert wanted.args == [9]
    assert shown(tuner) == (9, 9)
    with qtbot.waitSignal(tuner.workersWanted) as wanted:
        tuner.slider.setValue(3)
    assert wanted.args == [3]
    assert shown(tuner) == (3, 3)


def test_the_spin_box_goes_beyond_the_slider(tuner, qtbot):
    with qtbot.waitSignal(tuner.workersWanted) as wanted:
        tuner.spin.setValue(256)
    assert wanted.args == [256]
    assert shown(tuner) == (256, 64)


def test_a_dragged_slider_asks_at_once_and_then_now_and_again(tuner, qtbot):
    asked: list[int] = []
    tuner.workersWanted.connect(asked.append)
    for value in range(5, 65):
        tuner.slider.setValue(value)
    assert asked == [5]
    qtbot.waitUntil(lambda: asked[-1] == 64)
    assert len(asked) == 2


def test_typing_asks_for_the_whole_number_only(tuner, qtbot):
    asked: list[int] = []
    tuner.workersWanted.connect(asked.append)
    tuner.spin.setFocus()
    tuner.spin.selectAll()
    qtbot.keyClicks(tuner.spin, "16")
    assert asked == []
    qtbot.keyClick(tuner.spin, Qt.Key.Key_Return)
    assert asked == [16]


def test_a_change_made_elsewhere_is_shown_and_not_asked_for_again(tuner, qtbot, reading):
    with qtbot.assertNotEmitted(tuner.workersWanted, wait=2 * tuner_module.EVERY):
        tuner.show_reading(dataclasses.replace(reading, wanted=12))
    assert shown(tuner) == (12, 12)


def test_readings_dont_undo_what_is_being_typed(tuner, qtbot, reading):
    tuner.spin.selectAll()
    qtbot.keyClicks(tuner.spin, "1")
    tuner.show_reading(dataclasses.replace(reading, wanted=4))
    qtbot.keyClicks(tuner.spin, "6")
    with qtbot.waitSignal(tuner.workersWanted) as wanted:
        qtbot.keyClick(tuner.spin, Qt.Key.Key_Return)
    assert wanted.args == [16]


def test_late_readings_dont_undo_the_users_change(tuner, reading, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(tuner_module.time, "monotonic", lambda: now)
    tuner.spin.setValue(9)
    tuner.show_reading(dataclasses.replace(reading, wanted=4))
    assert shown(tuner) == (9, 9)
    now += 2 * tuner_module.SETTLING
    tuner._coalesce.stop()
    tuner.show_reading(dataclasses.replace(reading, wanted=4))
    assert shown(tuner) == (4, 4)


def test_pause_goes_both_ways(tuner, qtbot, reading):
    with qtbot.waitSignal(tuner.pauseWanted) as wanted:
        tuner.pause.click()
    assert wanted.args == [True]
    assert tuner.pause.text() == "Resume"
    assert tuner.pause.shortcut().toString() == "Ctrl+P"
    tuner._asked = 0.0
    with qtbot.assertNotEmitted(tuner.pauseWanted):
        tuner.show_reading(dataclasses.replace(reading, paused=False, wanted=4))
    assert tuner.pause.text() == "Pause"


def test_words_say_what_happens(tuner, reading):
    for change, start in (
        ({"wanted": 8, "running": 8}, "More start at once"),
        ({"wanted": 2, "running": 8}, "Fewer: 6 running uploads end first"),
        ({"wanted": 0, "running": 0}, "0 workers"),
        ({"wanted": 2, "running": 0, "paused": True}, "Paused"),
    ):
        tuner.show_reading(dataclasses.replace(reading, **change))
        assert tuner._note.text().startswith(start)
    tuner.show_reading(dataclasses.replace(reading, wanted=3, running=2, busy=1))
    assert tuner._state.text() == "3 wanted · 2 running · 1 busy"


def test_object_names_of_the_contract(tuner):
    names = [widget.objectName() for widget in (tuner.spin, tuner.slider, tuner.pause)]
    assert names == ["workers", "workersSlider", "pauseButton"]


# --- the limit ----------------------------------------------------------------------------------


def test_a_limit_is_chosen_from_the_list(tuner, qtbot):
    assert (tuner.limit.limit, tuner.limit.currentText()) == (None, "off")
    for index in (tuner.limit.findText("5.0 MB/s"), 0):
        with qtbot.waitSignal(tuner.limit.wanted) as wanted:
            tuner.limit.activated.emit(index)
        assert wanted.args == [tuner.limit.itemData(index)]
    assert tuner.limit.currentText() == "off"


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Tab])
def test_a_limit_can_be_typed(tuner, qtbot, key):
    asked: list[float | None] = []
    tuner.limit.wanted.connect(asked.append)
    for text, limit in (("1500k", 1.5e6), ("off", None), ("800 kB/s", 8e5), ("0", None)):
        tuner.limit.setFocus()
        tuner.limit.lineEdit().selectAll()
        qtbot.keyClicks(tuner.limit, text)
        qtbot.keyClick(tuner.limit, key)
        assert tuner.limit.limit == limit
    assert asked == [1.5e6, None, 8e5, None]


def test_what_is_no_limit_is_refused_in_a_sentence(tuner, qtbot):
    tuner.limit.lineEdit().selectAll()
    qtbot.keyClicks(tuner.limit, "fast")
    with (
        qtbot.assertNotEmitted(tuner.limit.wanted),
        qtbot.waitSignal(tuner.limit.refused) as refused,
    ):
        qtbot.keyClick(tuner.limit, Qt.Key.Key_Return)
    assert "“fast” is no rate: write bytes a second, such as 800K" in refused.args[0]
    assert tuner.limit.currentText() == "off"


def test_a_limit_is_not_changed_by_scrolling_past(tuner, qtbot):
    here = QPointF(5, 5)
    event = QWheelEvent(
        *(here, tuner.limit.mapToGlobal(here), QPoint(), QPoint(0, -120)),
        *(Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier),
        *(Qt.ScrollPhase.NoScrollPhase, False),
    )
    with qtbot.assertNotEmitted(tuner.limit.wanted):
        QApplication.sendEvent(tuner.limit, event)
    assert tuner.limit.currentText() == "off"


def test_the_remembered_limit_is_shown(qtbot, qapp):
    tuner = Tuner(Theme(qapp), 4, 1.5e6)
    qtbot.addWidget(tuner)
    assert tuner.limit.currentText() == "1.5 MB/s"
