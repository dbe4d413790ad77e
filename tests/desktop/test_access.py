"""By keyboard alone, and by ear: shortcuts, the palette, the focus, names for screen readers."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QAccessible, QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QGraphicsScene, QLabel, QMenu, QWidget

from dropline.bus import Router
from dropline.events import ReceiverStarted
from dropline_desktop.explorer import Explorer
from dropline_desktop.focus import FocusRing
from dropline_desktop.language import Language
from dropline_desktop.palette import entries
from dropline_desktop.settings import Settings
from dropline_desktop.share import ShareDialog
from dropline_desktop.simulation.dialog import SimulationDialog
from dropline_desktop.theme import Mode
from dropline_desktop.tune.ledger import LedgerModel, LedgerWindow
from dropline_desktop.watched import WatchedFolders
from dropline_desktop.window import MainWindow

ROUTER = Router("test", lambda _event: None)
LANGUAGES = pytest.mark.parametrize("language", [Language.ENGLISH, Language.CHINESE])


@pytest.fixture
def window(qtbot, theme, tmp_path) -> MainWindow:
    window = MainWindow(Settings(tmp_path), theme)
    qtbot.addWidget(window)
    window.status.take([ROUTER.envelope(ReceiverStarted("http://127.0.0.1:8765"))])
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    return window


def in_tab_order(window: QWidget) -> list[QWidget]:
    """What Tab stops at, once round."""
    found: list[QWidget] = []
    while (now := window.focusWidget()) not in found:
        if now is not None:
            found.append(now)
        QTest.keyClick(now or window, Qt.Key.Key_Tab)
    return found


@LANGUAGES
def test_every_action_has_a_key_of_its_own(window, translation, language):
    translation.speak(language)
    QCoreApplication.sendPostedEvents()
    for action in window.findChildren(QAction):
        if action.text() and not isinstance(action.parent(), QGraphicsScene):
            assert "&" in action.text() or not action.shortcut().isEmpty(), action.text()
    for menu in [window.menuBar(), *window.findChildren(QMenu)]:
        texts = [action.text() for action in menu.actions() if "&" in action.text()]
        letters = [text[text.index("&") + 1].upper() for text in texts]
        assert len(letters) == len(set(letters)), texts
    titles = [action.text() for action in window.menuBar().actions()]
    others = [part.text() for part in window.findChildren(QAbstractButton) if part.isVisible()]
    labels = [part.text() for part in window.findChildren(QLabel) if part.buddy() is not None]
    texts = [text for text in (*titles, *others, *labels) if "&" in text]
    letters = [text[text.index("&") + 1].upper() for text in texts]
    assert len(letters) == len(set(letters)), texts
    keys = [
        action.shortcut().toString()
        for action in window.findChildren(QAction)
        if not action.shortcut().isEmpty()
        and action.shortcutContext() is not Qt.ShortcutContext.WidgetShortcut
    ]
    assert len(keys) == len(set(keys)), keys


def test_the_palette_finds_and_does(window, qtbot, monkeypatch):
    QTest.keyClick(
        window,
        Qt.Key.Key_P,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    palette = window.commands
    qtbot.waitUntil(palette.isVisible)
    QTest.keyClicks(palette.search, "dark the")
    assert [entry.name for entry, item in palette._lines if not item.isHidden()] == ["Theme: Dark"]
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert window._theme.mode is Mode.DARK
    assert not palette.isVisible()


def test_the_palette_is_moved_in_by_arrows_and_left_by_escape(window, qtbot):
    palette = window.commands
    palette.open()
    first = palette.list.currentItem()
    QTest.keyClick(palette.search, Qt.Key.Key_Down)
    assert palette.list.currentItem() is not first
    QTest.keyClicks(palette.search, "no such thing")
    assert palette.list.currentItem() is None
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert palette.isVisible()
    QTest.keyClick(palette.search, Qt.Key.Key_Escape)
    assert not palette.isVisible()


def test_the_palette_lists_all_that_can_be_done(window, translation):
    names = [entry.name for entry in entries(window)]
    for name in (
        "Add files…",
        "Event log",
        "Language: English",
        "Pause the line",
        "Freeze",
        "Send first",
    ):
        assert name in names
    assert "Retry failed" not in names  # nothing failed
    window.transfers.possible.emit(True, False, False)
    names = [entry.name for entry in entries(window)]
    assert "Retry failed" in names
    assert len(names) == len(set(names))
    translation.speak(Language.CHINESE)
    QCoreApplication.sendPostedEvents()
    found = {entry.name: entry.code_name for entry in entries(window)}
    assert found["添加文件…"] == "addFiles"


def test_the_focus_is_seen_wherever_it_is(window, qapp):
    ring = FocusRing(qapp)
    stops = in_tab_order(window)
    assert len(stops) > 30
    stops[0].clearFocus()
    pictures = {stop: stop.grab().toImage() for stop in stops}
    for stop in stops:
        QTest.keyClick(window.focusWidget() or window, Qt.Key.Key_Tab)
        assert window.focusWidget() is stop
        assert stop.grab().toImage() != pictures[stop], stop
    ring.deleteLater()


@LANGUAGES
def test_what_takes_the_focus_has_a_name(window, translation, language):
    translation.speak(language)
    QCoreApplication.sendPostedEvents()
    for stop in in_tab_order(window):
        assert_named(stop)


@pytest.mark.parametrize(
    "make",
    [
        lambda theme, folder: Explorer(theme, folder),
        lambda theme, folder: ShareDialog(theme),
        lambda theme, folder: SimulationDialog(theme),
        lambda theme, folder: WatchedFolders(theme),
        lambda theme, folder: LedgerWindow(theme, LedgerModel()),
    ],
    ids=["explorer", "share", "simulation", "watched", "ledger"],
)
def test_names_in_what_else_opens(qtbot, theme, tmp_path, make):
    part = make(theme, tmp_path)
    qtbot.addWidget(part)
    part.show()
    part.activateWindow()
    qtbot.waitUntil(part.isActiveWindow)
    for stop in in_tab_order(part):
        assert_named(stop)


def assert_named(part: QWidget) -> None:
    """A part has a name for screen readers; a box that is called by its value, a label or a word
    besides."""
    told = QAccessible.queryAccessibleInterface(part)
    assert told.text(QAccessible.Text.Name), part
    if isinstance(part, QComboBox):
        described = told.text(QAccessible.Text.Description)
        labelled = [kind for _, kind in told.relations() if kind & QAccessible.RelationFlag.Label]
        assert described or labelled, part


def test_charts_and_tiles_say_what_they_show(window):
    for part in [*window.tiles.tiles, *window.charts._stack.strips]:
        part = getattr(part, "plot", part)
        told = QAccessible.queryAccessibleInterface(part)
        assert told.text(QAccessible.Text.Name)
        assert told.text(QAccessible.Text.Description)
    for strip in window.charts._stack.strips:
        for readout in strip.readouts:
            readout.show_value(1.0)
            told = QAccessible.queryAccessibleInterface(readout)
            assert told.role() is QAccessible.Role.CheckBox
            assert told.text(QAccessible.Text.Name).startswith(strip.chart.title())
            assert "1" in told.text(QAccessible.Text.Description)
