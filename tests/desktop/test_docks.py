"""Parts that can be arranged: by the menu, hidden and shown, and with what is simulated."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, QMimeData, QPoint, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QToolButton

from dropline.load import Exponential, Poisson, Service
from dropline_desktop.docks import Dock, Head, Side
from dropline_desktop.dropped import to_url
from dropline_desktop.language import Language
from dropline_desktop.settings import Settings
from dropline_desktop.simulation.page import SimulationPage
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.window import MainWindow


@pytest.fixture
def shown(qtbot, theme, tmp_path) -> MainWindow:
    """The window, with room for all."""
    made = MainWindow(Settings(tmp_path), theme)
    qtbot.addWidget(made)
    made.resize(1300, 800)
    made.show()
    qtbot.waitUntil(lambda: made._files.side is Side.LEFT and made._files.width() == 430)
    return made


def place(dock: Dock, side: Side) -> None:
    """Choose a side in the menu of a part."""
    dock._sides[side].trigger()
    QCoreApplication.processEvents()


def test_at_first_each_part_has_a_side_of_its_own(shown):
    assert [dock.side for dock in shown._docks] == [Side.LEFT, Side.RIGHT, Side.BOTTOM]
    assert all(dock._sides[dock.side].isChecked() for dock in shown._docks)


@pytest.mark.parametrize("side", Side)
def test_a_part_goes_where_the_menu_says(shown, side):
    place(shown._events, side)
    assert shown._events.side is side
    assert shown._events.isVisible()
    assert [each for each in Side if shown._events._sides[each].isChecked()] == [side]


def test_two_parts_on_one_side_are_one_before_the_other(shown):
    place(shown._tuning, Side.LEFT)
    assert shown.tabifiedDockWidgets(shown._files) == [shown._tuning]
    assert not shown._tuning.visibleRegion().isEmpty()
    assert shown._files.visibleRegion().isEmpty()


def test_what_is_hidden_is_shown_again_where_the_menu_puts_it(shown):
    buttons = shown._tuning.titleBarWidget().findChildren(QToolButton)
    buttons[-1].click()
    assert not shown._tuning.isVisible()
    place(shown._tuning, Side.BOTTOM)
    assert shown._tuning.isVisible()
    assert shown._tuning.side is Side.BOTTOM


def test_all_goes_back(shown):
    place(shown._files, Side.NONE)
    place(shown._tuning, Side.LEFT)
    shown._events.hide()
    shown._at_first.trigger()
    QCoreApplication.processEvents()
    test_at_first_each_part_has_a_side_of_its_own(shown)
    assert all(dock.isVisible() for dock in shown._docks)
    assert shown.tabifiedDockWidgets(shown._files) == []


def test_files_are_taken_by_a_part_in_a_window_of_its_own(shown, tmp_path):
    place(shown._files, Side.NONE)
    assert shown._files.window() is shown._files
    received: list[str] = []
    shown.dropped.connect(received.extend)
    data = QMimeData()
    data.setUrls([to_url(str(tmp_path))])
    copy, left, none = (
        Qt.DropAction.CopyAction,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter = QDragEnterEvent(QPoint(50, 50), copy, data, left, none)
    QApplication.sendEvent(shown._files, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(shown._files, QDropEvent(QPoint(50, 50), copy, data, left, none))
    assert received == [str(tmp_path)]


def test_what_is_tuned_is_what_is_shown(shown, theme):
    page = SimulationPage(theme, Plan(Poisson(1.0), Service(Exponential(1.0)), 2))
    shown.show_simulation(page)
    assert page.instruments.panel.isVisible()
    assert not shown.instruments.panel.isVisible()
    assert shown._tuning.windowTitle() == "Tuning, simulated"
    shown.hide_simulation(page)
    assert shown.instruments.panel.isVisible()
    assert shown._tuning.windowTitle() == "Tuning"
    page.deleteLater()


def test_heads_speak_the_language_and_say_what_their_buttons_do(shown, translation):
    translation.speak(Language.CHINESE)
    QCoreApplication.sendPostedEvents()
    for dock in shown._docks:
        head = dock.titleBarWidget()
        assert isinstance(head, Head)
        assert head._title.text() == dock.windowTitle()
        assert dock.windowTitle() in head._hide.accessibleName()
        assert dock.windowTitle() in head._places.accessibleName()
    assert [dock.windowTitle() for dock in shown._docks] == ["文件列表", "调优", "事件日志"]
