"""The model of the event log: the newest events that fit the filter.

Only what is looked at is put into words. At a hundred thousand events a second the log keeps the
newest and says how many it no longer keeps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from datetime import UTC
from operator import itemgetter
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from dropline.events import Event, FileProgressed, Message
from dropline.station import Reading
from dropline.tuning import Advice, LedgerWritten
from dropline_desktop import format
from dropline_desktop.sentences import Kind, kind_of, sentence

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

#: Events kept.
KEPT = 10_000
#: Milliseconds between two additions to the list.
REFRESH = 100
#: Events that say too little too often to be listed.
UNLISTED = (Reading, FileProgressed, Advice, LedgerWritten)


class EventModel(QAbstractListModel):
    """The newest events that fit the filter. `name_of` gives a file's name by its job id."""

    #: How many events there were that are no longer kept.
    forgottenChanged = Signal(int)

    def __init__(self, name_of: Callable[[int], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name_of = name_of
        self._total = 0
        self._kept: deque[tuple[int, Message]] = deque(maxlen=KEPT)  # numbered from 0
        self._new: deque[Message] = deque(maxlen=KEPT)
        self._listed: list[tuple[int, Message]] = []
        self._kind: Kind | None = None
        self._text = ""
        self._flush = QTimer(self)
        self._flush.setSingleShot(True)
        self._flush.setInterval(REFRESH)
        self._flush.timeout.connect(self.flush)

    @property
    def forgotten(self) -> int:
        """How many of the events are no longer kept."""
        return max(0, self._total - KEPT)

    def take(self, messages: list[Message]) -> None:
        """Take in a batch of events; they are listed soon."""
        new = [message for message in messages if not isinstance(message.data, UNLISTED)]
        if new:
            self._new.extend(new)
            self._total += len(new)
            if not self._flush.isActive():
                self._flush.start()

    def flush(self) -> None:
        """List what came since the last time."""
        new = list(enumerate(self._new, start=self._total - len(self._new)))
        self._new.clear()
        self._kept.extend(new)
        gone = bisect_left(self._listed, self.forgotten, key=itemgetter(0))
        if gone:
            self.beginRemoveRows(_ROOT, 0, gone - 1)
            del self._listed[:gone]
            self.endRemoveRows()
        chosen = self._kind is not None or self._text
        fitting = [entry for entry in new if self._fits(entry[1])] if chosen else new
        if fitting:
            self.beginInsertRows(_ROOT, len(self._listed), len(self._listed) + len(fitting) - 1)
            self._listed += fitting
            self.endInsertRows()
        self.forgottenChanged.emit(self.forgotten)

    def look_for(self, kind: Kind | None, text: str) -> None:
        """List only events of a kind (all with None) whose sentence holds the text."""
        self._kind, self._text = kind, text.casefold()
        self.flush()
        self.beginResetModel()
        self._listed = [entry for entry in self._kept if self._fits(entry[1])]
        self.endResetModel()

    def clear(self) -> None:
        """Forget every event."""
        self.beginResetModel()
        self._kept.clear()
        self._new.clear()
        self._listed.clear()
        self._total = 0
        self.endResetModel()
        self.forgottenChanged.emit(0)

    def event_at(self, row: int) -> Event:
        """The event that stands at a place in the list."""
        return self._listed[row][1].data

    def time_at(self, row: int) -> str:
        """When it happened, by the clock on the wall here."""
        return format.clock(self._listed[row][1].time.astimezone())

    def sentence_at(self, row: int) -> str:
        """What happened, in words."""
        return self._sentence(self._listed[row][1])

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._listed)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{self.time_at(index.row())}  {self.sentence_at(index.row())}"
        if role == Qt.ItemDataRole.ToolTipRole:
            _, message = self._listed[index.row()]
            moment = message.time.astimezone(UTC).isoformat(timespec="milliseconds")
            return f"{self._sentence(message)}\n{moment} · {message.type}"
        return None

    def _fits(self, message: Message) -> bool:
        if self._kind is not None and kind_of(message.data) is not self._kind:
            return False
        return not self._text or self._text in self._sentence(message).casefold()

    def _sentence(self, message: Message) -> str:
        job = getattr(message.data, "job", None)
        return sentence(message.data, self._name_of(job) if isinstance(job, int) else "")
