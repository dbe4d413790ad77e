"""The event log: what happened, newest last, with a filter by kind and by text."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from dropline.events import Message
from dropline_desktop import format
from dropline_desktop.events.model import EventModel
from dropline_desktop.events.view import EventView
from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.parts import ToolButton, mute
from dropline_desktop.sentences import Kind
from dropline_desktop.theme import Size, Space, Theme

#: Milliseconds after the last key before the list is filtered.
TYPING = 150


class EventLog(QWidget):
    """The log; `tools` are its filters, for the head above it."""

    def __init__(
        self, theme: Theme, name_of: Callable[[int], str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("eventLog")
        self._theme = theme
        self.model = EventModel(name_of, self)
        self.list = EventView(self.model, theme, self)
        self.tools = QWidget()
        self.kind = QComboBox()
        self.search = QLineEdit()
        self._forgotten = QLabel()
        mute(self._forgotten)
        self._forgotten.setFont(theme.font(Size.CAPTION))
        self._clear = ToolButton()
        self._typing = QTimer(self)
        self._set_up_filters()
        self._lay_out()
        worded(self, self._word)

    def take(self, messages: list[Message]) -> None:
        """Take in a batch of events."""
        self.model.take(messages)

    def _set_up_filters(self) -> None:
        self.kind.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.kind.addItem("", None)
        for kind in Kind:
            if kind is not Kind.OTHER:
                self.kind.addItem("", kind)
        self.kind.currentIndexChanged.connect(self._look_for)
        self.search.setClearButtonEnabled(True)
        self.search.addAction(icon("search", self._theme), QLineEdit.ActionPosition.LeadingPosition)
        self.search.textChanged.connect(lambda: self._typing.start())
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING)
        self._typing.timeout.connect(self._look_for)
        self._clear.setIcon(icon("clear", self._theme))
        self._clear.clicked.connect(self.model.clear)
        self.model.forgottenChanged.connect(self._show_forgotten)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self.tools)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.S)
        row.addWidget(self.kind)
        row.addWidget(self.search, 1)
        row.addWidget(self._forgotten)
        row.addWidget(self._clear)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list)

    def _word(self) -> None:
        for number in range(self.kind.count()):
            kind = self.kind.itemData(number)
            self.kind.setItemText(number, self.tr("All events") if kind is None else kind.text)
        self.kind.setAccessibleName(self.tr("Kind of event"))
        self.kind.setToolTip(self.kind.accessibleName())  # without a label, read out by this
        self.search.setPlaceholderText(self.tr("Search events"))
        self.search.setAccessibleName(self.search.placeholderText())
        self._clear.setToolTip(self.tr("Clear the log"))
        self._clear.setAccessibleName(self._clear.toolTip())
        self._show_forgotten(self.model.forgotten)
        self.list.setAccessibleName(self.tr("Events"))
        self._look_for()

    def _look_for(self) -> None:
        self.model.look_for(self.kind.currentData(), self.search.text().strip())

    def _show_forgotten(self, count: int) -> None:
        self._forgotten.setVisible(count > 0)
        text = self.tr("{} older not kept").format(format.count(count))
        self._forgotten.setText(text)
