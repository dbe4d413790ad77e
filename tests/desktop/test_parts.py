"""The parts of every window: their edges tell what they are in, and no colour is left behind."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QListWidget, QWidget
from pytestqt.qtbot import QtBot

from dropline_desktop.parts import Airy, Card, Rule, ToolButton, alarm, mute, tint
from dropline_desktop.scrolled import Scrolled
from dropline_desktop.theme import DARK, LIGHT, Colours, Mode, Theme


def colour(part: QWidget, x: int, y: int) -> str:
    return part.grab().toImage().pixelColor(QPoint(x, y)).name().upper()


def edge(part: QWidget) -> str:
    return colour(part, part.width() // 2, 0)


def words(label: QLabel) -> str:
    return label.palette().color(label.foregroundRole()).name().upper()


@pytest.fixture
def window(theme: Theme, qtbot: QtBot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(200, 120)
    with qtbot.waitExposed(window):
        window.show()
    return window


@pytest.mark.parametrize(("mode", "colours"), [(Mode.LIGHT, LIGHT), (Mode.DARK, DARK)])
def test_a_card_has_an_edge_that_tells_of_the_focus(
    window: QWidget, theme: Theme, mode: Mode, colours: Colours
) -> None:
    card = Card(window)
    card.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    card.resize(80, 40)
    card.show()
    theme.set_mode(mode)
    QApplication.processEvents()
    assert (edge(card), colour(card, 40, 20)) == (colours.border, colours.surface)
    window.activateWindow()
    card.setFocus()
    QApplication.processEvents()
    assert edge(card) == colours.accent


def test_a_tool_button_shows_its_edge_when_it_matters(window: QWidget) -> None:
    plain, outlined = ToolButton(window), ToolButton(window, outlined=True)
    for button in (plain, outlined):
        button.setText("Follow")
        button.setCheckable(True)
        button.resize(button.sizeHint())
        button.show()
    assert (edge(plain), edge(outlined)) == (LIGHT.window, LIGHT.border)
    plain.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)
    assert (edge(plain), colour(plain, 3, 3)) == (LIGHT.border, LIGHT.alternate)
    plain.setEnabled(False)
    assert edge(plain) == LIGHT.window
    outlined.setChecked(True)
    assert edge(outlined) == LIGHT.accent


def test_a_small_button_is_as_tall_as_its_words(window: QWidget) -> None:
    button, label = ToolButton(window, small=True), QLabel("?", window)
    button.setText("?")
    assert button.sizeHint().height() <= label.sizeHint().height() + 4
    assert button.sizeHint().height() < ToolButton(window).sizeHint().height()


def test_a_list_can_be_roomy(window: QWidget) -> None:
    plain, roomy = QListWidget(window), QListWidget(window)
    roomy.setItemDelegate(Airy(roomy, 4))
    for each in (plain, roomy):
        each.addItem("one")
    assert roomy.sizeHintForRow(0) == plain.sizeHintForRow(0) + 8


def test_words_and_rules_follow_the_theme(window: QWidget, theme: Theme) -> None:
    quiet, wrong, well, rule = QLabel("a", window), QLabel("b", window), QLabel("c", window), Rule()
    rule.setParent(window)
    mute(quiet)
    alarm(wrong)
    alarm(well)
    alarm(well, on=False)
    for mode, colours in ((Mode.DARK, DARK), (Mode.LIGHT, LIGHT)):
        theme.set_mode(mode)
        QApplication.processEvents()
        shown = [words(label) for label in (quiet, wrong, well)]
        assert shown == [colours.muted, colours.failed, colours.text]
        assert rule.palette().color(rule.backgroundRole()).name().upper() == colours.border


def test_a_tint_is_of_one_label_alone(window: QWidget) -> None:
    label, other = QLabel("a", window), QLabel("b", window)
    tint(label, QColor(LIGHT.done))
    colours = [
        each.palette().color(each.foregroundRole()).name().upper() for each in (label, other)
    ]
    assert colours == [LIGHT.done, LIGHT.text]


def test_what_scrolls_gets_the_width_that_its_part_comes_to_need(
    window: QWidget, qtbot: QtBot
) -> None:
    label = QLabel("short")
    scrolled = Scrolled(label)
    row = QHBoxLayout(window)
    row.addWidget(QWidget(), 1)
    row.addWidget(scrolled)
    row.activate()
    QApplication.processEvents()
    label.setText("much longer than it was before")
    qtbot.waitUntil(lambda: scrolled.viewport().width() >= label.minimumSizeHint().width())
