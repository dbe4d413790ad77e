"""The watched folders: which there are, how each does, and the end of it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from dropline.events import FolderLost, FolderReturned, FolderUnwatched, FolderWatched, Message
from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.parts import Airy
from dropline_desktop.spoken import spoken
from dropline_desktop.text import printable
from dropline_desktop.theme import Space, Theme

#: Milliseconds between two looks at how many files wait to be at rest, while the dialog shows.
EVERY = 1000


class WatchedFolders(QDialog):
    """Lists the folders that `show_folders` gave, with what the events say about each."""

    watchAsked = Signal()
    #: The folder to watch no more.
    stopAsked = Signal(object)
    #: Tell the dialog by `show_restless` which files wait to be at rest.
    restlessAsked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.resize(720, 300)
        self._folders: tuple[str, ...] = ()
        self._lost: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._restless: dict[str, int] = {}
        self._items: dict[str, QTreeWidgetItem] = {}
        self.list = QTreeWidget()
        self._words = QLabel()
        self._watch = QPushButton(icon("watch", theme), "")
        self.stop = QPushButton(icon("stop", theme), "")
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY)
        self._timer.timeout.connect(self.restlessAsked)
        self._lay_out()
        worded(self, self._word)

    def take(self, messages: list[Message]) -> None:
        """Take in a batch of events about watched folders."""
        for message in messages:
            match message.data:
                case FolderWatched(folder=folder, note=note):
                    self._notes[folder] = note
                case FolderLost(folder=folder, reason=reason):
                    self._lost[folder] = reason
                case FolderReturned(folder=folder):
                    self._lost.pop(folder, None)
                case FolderUnwatched(folder=folder):
                    self._lost.pop(folder, None)
                    self._notes.pop(folder, None)
        self._show()

    def show_folders(self, folders: Sequence[str]) -> None:
        """List these."""
        self._folders = tuple(folders)
        self._show()

    def show_restless(self, paths: Sequence[str]) -> None:
        """These files wait to be at rest before they are sent."""
        self._restless = {
            folder: sum(path.startswith(os.path.join(folder, "")) for path in paths)
            for folder in self._folders
        }
        self._show()

    def state_of(self, folder: str) -> str:
        """How a folder does, in words."""
        if folder in self._lost:
            # The row names the folder already.
            reason = spoken(self._lost[folder]).removeprefix(f"“{folder}”").lstrip()
            return printable(reason[:1].upper() + reason[1:])
        if folder not in self._notes:
            return self.tr("Looking at it…")
        waiting = self._restless.get(folder, 0)
        if waiting:
            return self.tr("Watching; %Ln file(s) wait to be at rest", "", waiting)
        return " ".join(
            filter(None, (self.tr("Watching."), printable(spoken(self._notes[folder]))))
        )

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.restlessAsked.emit()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _word(self) -> None:
        self.setWindowTitle(self.tr("Watched folders"))
        self.list.setAccessibleName(self.windowTitle())
        self.list.setHeaderLabels([self.tr("Folder"), self.tr("State")])
        self._watch.setText(self.tr("Watch a folder…"))
        self.stop.setText(self.tr("Stop watching"))
        self._words.setText(
            self.tr(
                "What is in a watched folder, and what comes, is sent once it is at rest: each "
                "content once. Dropline watches these folders again when it starts."
            )
        )
        self._show()

    def _lay_out(self) -> None:
        self.list.setRootIsDecorated(False)
        self.list.setAllColumnsShowFocus(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setItemDelegate(Airy(self.list, Space.S))
        self.list.header().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.list.itemSelectionChanged.connect(self._show_stop)
        self._words.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        for button in (self._watch, self.stop):
            button.setAutoDefault(False)
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        self._watch.clicked.connect(self.watchAsked)
        self.stop.clicked.connect(self._ask_to_stop)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setSpacing(Space.M)
        layout.addWidget(self._words)
        layout.addWidget(self.list, 1)
        layout.addWidget(buttons)

    def _ask_to_stop(self) -> None:
        for folder in [name for name, item in self._items.items() if item.isSelected()]:
            self.stopAsked.emit(folder)

    def _show(self) -> None:
        for folder in self._items.keys() - set(self._folders):
            item = self._items.pop(folder)
            self.list.takeTopLevelItem(self.list.indexOfTopLevelItem(item))
        for folder in self._folders:
            state = self.state_of(folder)
            item = self._items.get(folder) or self._add(folder)
            item.setText(1, state)
            item.setToolTip(1, state)
        self._show_stop()

    def _add(self, folder: str) -> QTreeWidgetItem:
        item = self._items[folder] = QTreeWidgetItem([printable(folder)])
        item.setToolTip(0, printable(folder))
        self.list.addTopLevelItem(item)
        return item

    def _show_stop(self) -> None:
        self.stop.setEnabled(bool(self.list.selectedItems()))
