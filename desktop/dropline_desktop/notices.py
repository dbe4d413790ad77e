"""Notices at the top of the window: a sentence that stays until it is read, and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.parts import Card, ToolButton
from dropline_desktop.spoken import spoken
from dropline_desktop.theme import Space, Theme

#: Notices shown at most; an older one makes room.
MOST = 3


class Offer(NamedTuple):
    """What a notice's button does, and its name in the language of the window."""

    name: Callable[[], str]
    do: Callable[[], None]


class Notice(Card):
    """One sentence; `details`, when there are any, can be copied; an `offer` is a button."""

    dismissed = Signal()

    def __init__(self, theme: Theme, text: str, details: str, offer: Offer | None = None) -> None:
        super().__init__()
        #: As it was said, in core's words where it comes from there.
        self.text = text
        self._count = 1
        self._theme = theme
        self._picture = QLabel()
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(Space.M, Space.S, Space.S, Space.S)
        layout.addWidget(self._picture)
        layout.addWidget(self._label, 1)
        self._copy: QPushButton | None = None
        if details:
            self._copy = QPushButton(icon("copy", theme), "")
            self._copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(details))
            layout.addWidget(self._copy)
        self._offer: tuple[QPushButton, Offer] | None = None
        if offer is not None:
            self._offer = QPushButton(), offer
            self._offer[0].clicked.connect(offer.do)
            layout.addWidget(self._offer[0])
        self._dismiss = ToolButton()
        self._dismiss.setIcon(icon("cancel", theme))
        self._dismiss.clicked.connect(self.dismissed)
        layout.addWidget(self._dismiss)
        theme.changed.connect(self._dress)
        self._dress()
        worded(self, self._word)

    def _dress(self) -> None:
        self._picture.setPixmap(icon("warning", self._theme).pixmap(18, 18))

    def _word(self) -> None:
        if self._copy is not None:
            self._copy.setText(self.tr("Copy details"))
        if self._offer is not None:
            button, offer = self._offer
            button.setText(offer.name())
        self._dismiss.setToolTip(self.tr("Dismiss"))
        self._dismiss.setAccessibleName(self._dismiss.toolTip())
        self._tell()

    def again(self) -> None:
        """The same happened once more."""
        self._count += 1
        self._tell()

    def _tell(self) -> None:
        text = spoken(self.text)
        if self._count > 1:
            text = self.tr("{0} ({1} times)").format(text, self._count)
        self._label.setText(text)
        self.setAccessibleName(text)


class Notices(QWidget):
    """The notices there are, newest last; takes no room while there is none."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(Space.S)
        self.hide()

    def show_notice(self, text: str, details: str = "", offer: Offer | None = None) -> None:
        """Show a sentence; one that is there already is counted."""
        notices = self.notices
        for notice in notices:
            if notice.text == text:
                notice.again()
                return
        for notice in notices[: max(0, len(notices) + 1 - MOST)]:
            self._remove(notice)
        notice = Notice(self._theme, text, details, offer)
        notice.dismissed.connect(lambda: self._remove(notice))
        self._layout.addWidget(notice)
        self.show()

    def withdraw(self, text: str) -> None:
        """Take a sentence away that no longer holds."""
        for notice in self.notices:
            if notice.text == text:
                self._remove(notice)

    def _remove(self, notice: Notice) -> None:
        notice.setParent(None)
        notice.deleteLater()
        self.setVisible(bool(self.notices))

    @property
    def notices(self) -> list[Notice]:
        """Those on show."""
        return self.findChildren(Notice)
