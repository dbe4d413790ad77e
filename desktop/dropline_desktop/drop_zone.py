"""The drop zone, and the drops themselves: anywhere on the window counts.

While something is dragged over the window only its kind is asked for, and a drop is answered at
once: whoever drags (the file manager) stands still until then.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QDropEvent,
    QGuiApplication,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from dropline_desktop.actions import plain
from dropline_desktop.destination import DestinationButton
from dropline_desktop.dropped import Dropped, from_clipboard, from_urls
from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.parts import mute
from dropline_desktop.text import printable
from dropline_desktop.theme import Size, Space, Theme

#: A drop zone that is narrower than these pixels says less.
_ROOMY = 340


class Drops(QObject):
    """Takes what is dropped on a window or pasted into it.

    `received` is emitted before the drop returns, and so must be handled at once: what was dragged
    out of an archive lies in a folder that vanishes afterwards.
    """

    #: The paths, a list of str. As `object`, because Qt's own list would take the bytes that are
    #: no UTF-8 out of the names.
    received = Signal(object)
    #: A sentence about something that was dropped and cannot be taken.
    rejected = Signal(str)
    hovering = Signal(bool)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def claim(self, window: QWidget) -> None:
        """Let no part of the window, such as a text field, keep a drop for itself; a part that can
        be a window takes drops as the window does.
        """
        for part in window.findChildren(QWidget):
            part.setAcceptDrops(isinstance(part, QDockWidget))
        for dock in window.findChildren(QDockWidget):
            dock.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind in (QEvent.Type.DragEnter, QEvent.Type.DragMove) and isinstance(event, QDropEvent):
            self._drag(event)
            return True
        if kind == QEvent.Type.DragLeave:
            self.hovering.emit(False)
            return True
        if kind == QEvent.Type.Drop and isinstance(event, QDropEvent):
            self._drop(event)
            return True
        return False

    def paste(self) -> None:
        """Take the files, or the paths as text, that the clipboard holds."""
        mime = QGuiApplication.clipboard().mimeData()
        dropped = from_clipboard(mime) if mime is not None else Dropped()
        if not dropped.paths and not dropped.foreign:
            self.rejected.emit(
                self.tr("The clipboard is empty: copy files, or their paths as text, first.")
            )
        self._take(dropped)

    def _drag(self, event: QDropEvent) -> None:
        if not event.mimeData().hasUrls():
            event.ignore()
            return
        # Copy, whatever the source proposes: after a move it would delete its files.
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.hovering.emit(True)

    def _drop(self, event: QDropEvent) -> None:
        self.hovering.emit(False)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self._take(from_urls(event.mimeData().urls()))

    def _take(self, dropped: Dropped) -> None:
        if dropped.paths:
            self.received.emit(dropped.paths)
        if not dropped.foreign:
            return
        first = printable(dropped.foreign[0])
        if len(dropped.foreign) == 1:
            text = self.tr("“{}” is no file on this computer: save it here first, then drop it.")
            self.rejected.emit(text.format(first))
        else:
            text = self.tr(
                "“{0}” and {1} more are no files on this computer: save them here first, "
                "then drop them."
            )
            self.rejected.emit(text.format(first, len(dropped.foreign) - 1))


class DropZone(QWidget):
    """Says where to drop and where that goes, lights up while something is dragged over the
    window, and has the two buttons for those who would rather choose."""

    def __init__(
        self,
        theme: Theme,
        destination: DestinationButton,
        add_files: QAction,
        add_folder: QAction,
    ) -> None:
        super().__init__()
        self.destination = destination
        self.setObjectName("dropZone")
        self._theme = theme
        self._hovered = False
        self._picture = QLabel()
        self._title = QLabel()
        self._hint = QLabel()
        for label in (self._title, self._hint):
            label.setWordWrap(True)  # so that the window may be narrow
        words = QVBoxLayout()
        words.setSpacing(Space.XS)
        words.addStretch()
        words.addWidget(self._title)
        words.addWidget(self._hint)
        words.addStretch()
        buttons = QVBoxLayout()
        buttons.setSpacing(Space.S)
        buttons.addStretch()
        self._buttons = {
            QPushButton(action.icon(), ""): action for action in (add_files, add_folder)
        }
        for button, action in self._buttons.items():
            button.clicked.connect(action.trigger)
            action.changed.connect(self._show_actions)
            buttons.addWidget(button)
        buttons.addStretch()
        row = QHBoxLayout()
        row.setSpacing(Space.L)
        row.addWidget(self._picture)
        row.addLayout(words, 1)
        row.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(Space.L, Space.M, Space.L, Space.S)
        layout.setSpacing(Space.S)
        layout.addLayout(row, 1)
        layout.addWidget(destination)
        theme.changed.connect(self._dress)
        self._dress()
        worded(self, self._word)
        self._show_actions()

    def set_hovered(self, hovered: bool) -> None:
        """Light up, or go out."""
        if hovered != self._hovered:
            self._hovered = hovered
            self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little room the first line says enough."""
        super().resizeEvent(event)
        self._hint.setVisible(self.width() >= _ROOMY)

    def _word(self) -> None:
        self._title.setText(self.tr("Drop files or folders here"))
        self._hint.setText(self.tr("anywhere on the window, or paste them"))
        self.setAccessibleName(self._title.text())

    def _show_actions(self) -> None:
        for button, action in self._buttons.items():
            button.setText(plain(action.text()))  # the letter is the menu's
            button.setToolTip(action.toolTip())

    def _dress(self) -> None:
        self._picture.setPixmap(icon("drop", self._theme).pixmap(32, 32))
        self._title.setFont(self._theme.font(Size.TITLE))
        self._hint.setFont(self._theme.font(Size.CAPTION))
        mute(self._hint)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            accent = self._theme.colour("accent")
            if self._hovered:
                pen, fill = QPen(accent, 2.0), self._theme.colour("accent", 0.16)
            else:
                pen, fill = QPen(self._theme.colour("disabled"), 1.4), self._theme.colour("surface")
            pen.setDashPattern([4, 3])
            painter.setPen(pen)
            painter.setBrush(fill)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)


class Chooser(QObject):
    """The dialogs in which files or a folder are chosen; they don't stop the window."""

    chosen = Signal(object)
    #: A folder to watch.
    watchChosen = Signal(object)

    def __init__(self, window: QWidget, folder: str) -> None:
        super().__init__(window)
        self._window = window
        #: Where the next dialog opens; follows what was chosen.
        self.folder = folder

    def files(self) -> None:
        """Let the user choose files."""
        self._open(self.tr("Add files"), QFileDialog.FileMode.ExistingFiles, self.chosen.emit)

    def directory(self) -> None:
        """Let the user choose a folder."""
        self._open(self.tr("Add a folder"), QFileDialog.FileMode.Directory, self.chosen.emit)

    def watched(self) -> None:
        """Let the user choose a folder to watch."""
        self._open(
            self.tr("Watch a folder"),
            QFileDialog.FileMode.Directory,
            lambda paths: self.watchChosen.emit(paths[0]),
        )

    def _open(
        self, title: str, mode: QFileDialog.FileMode, tell: Callable[[list[str]], object]
    ) -> None:
        dialog = QFileDialog(self._window, title, self.folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(mode)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly, mode is QFileDialog.FileMode.Directory)

        def take(paths: list[str]) -> None:
            self.folder = dialog.directory().absolutePath()
            tell(paths)

        dialog.filesSelected.connect(take)
        dialog.open()
