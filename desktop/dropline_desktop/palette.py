"""The command palette: everything that can be done now, found by typing a part of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QIcon, QKeyEvent, QKeySequence, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QDialog,
    QGraphicsScene,
    QHeaderView,
    QLineEdit,
    QMainWindow,
    QMenu,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from dropline_desktop.actions import plain
from dropline_desktop.language import worded
from dropline_desktop.parts import Airy
from dropline_desktop.theme import Space

_SIZE = (620, 420)
_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


def _no_icon() -> QPixmap:
    """Keeps names in one column."""
    pixmap = QPixmap(16, 16)
    pixmap.fill(Qt.GlobalColor.transparent)
    return pixmap


@dataclass(frozen=True)
class Entry:
    """Something that can be done now."""

    name: str
    keys: str
    tip: str
    icon: QIcon
    #: What it is called in the code, so that the English name finds it in any language.
    code_name: str
    run: Callable[[], object]


class Palette(QDialog):
    """Lists what the menus, the list of transfers and the buttons of a window offer."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._lines: list[tuple[Entry, QTreeWidgetItem]] = []
        self.setObjectName("palette")
        self.search = QLineEdit()
        self.search.setObjectName("paletteSearch")
        self.search.setClearButtonEnabled(True)
        self.search.installEventFilter(self)
        self.search.textChanged.connect(self._look_for)
        self.search.returnPressed.connect(self._run)
        self.list = QTreeWidget()
        self.list.setObjectName("paletteList")
        self.list.setColumnCount(2)
        self.list.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.list.header().setStretchLastSection(False)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setItemDelegate(Airy(self.list, Space.XS))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the search field moves in it
        self.list.itemActivated.connect(self._run)
        self.list.itemClicked.connect(self._run)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(Space.M, Space.M, Space.M, Space.M)
        layout.setSpacing(Space.M)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        self.resize(*_SIZE)
        worded(self, self._word)

    def showEvent(self, event: QShowEvent) -> None:
        """List what can be done now."""
        super().showEvent(event)
        self.list.clear()
        self._lines = [(entry, _line(entry)) for entry in entries(self._window)]
        self.list.addTopLevelItems([item for _, item in self._lines])
        self.search.clear()
        self._look_for("")
        self.search.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the arrows of the search field move in the list."""
        pressed = event.type() is QEvent.Type.KeyPress
        if pressed and isinstance(event, QKeyEvent) and event.key() in _MOVES:
            self.list.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)

    def _word(self) -> None:
        self.setWindowTitle(self.tr("Find a command"))
        self.search.setPlaceholderText(self.tr("What do you want to do?"))
        self.search.setAccessibleName(self.windowTitle())
        self.list.setAccessibleName(self.tr("Commands"))

    def _look_for(self, text: str) -> None:
        wanted = text.casefold().split()
        first: QTreeWidgetItem | None = None
        for entry, item in self._lines:
            named = f"{entry.name} {entry.code_name}".casefold()
            item.setHidden(not all(word in named for word in wanted))
            if first is None and not item.isHidden():
                first = item
        self.list.setCurrentItem(first)  # type: ignore[arg-type]  # None for none

    def _run(self) -> None:
        current = self.list.currentItem()
        for entry, item in self._lines:
            if item is current and not item.isHidden():
                self.accept()
                entry.run()
                return


def _line(entry: Entry) -> QTreeWidgetItem:
    item = QTreeWidgetItem([entry.name, entry.keys])
    item.setIcon(0, QIcon(_no_icon()) if entry.icon.isNull() else entry.icon)
    item.setToolTip(0, entry.tip)
    return item


def entries(window: QMainWindow) -> Iterator[Entry]:
    """What can be done in a window now: by its menus first, then by its other actions, buttons."""
    told: set[str] = set()
    actions = [*_of_menus(window.menuBar().actions()), *window.findChildren(QAction)]
    for entry in (*map(_of_action, filter(_is_open, actions)), *_of_buttons(window)):
        if entry.name and entry.name not in told:
            told.add(entry.name)
            yield entry


def _of_menus(actions: list[QAction]) -> Iterator[QAction]:
    for action in actions:
        menu = action.menu()
        if isinstance(menu, QMenu):
            yield from _of_menus(menu.actions())
        else:
            yield action


def _is_open(action: QAction) -> bool:
    """Whether an action can be called, and is none that a library made for itself."""
    of_charts = isinstance(action.parent(), QGraphicsScene)
    return action.isEnabled() and action.isVisible() and not (action.menu() or of_charts)


def _of_action(action: QAction) -> Entry:
    keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    name = plain(action.text())
    if action.actionGroup() is not None:
        name = f"{_group(action)} {name}".strip()
    return Entry(name, keys, action.toolTip(), action.icon(), action.objectName(), action.trigger)


def _group(action: QAction) -> str:
    """The title of the menu in which an action is one of several choices: "Theme:"."""
    menus = (each for each in action.associatedObjects() if isinstance(each, QMenu))
    return next((f"{plain(menu.title())}:" for menu in menus), "")


def _of_buttons(window: QWidget) -> Iterator[Entry]:
    for button in window.findChildren(QAbstractButton):
        if button.isVisible() and button.isEnabled() and button.window() is window:
            name = button.accessibleName() or plain(button.text())
            keys = button.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            yield Entry(
                name, keys, button.toolTip(), button.icon(), button.objectName(), button.click
            )
