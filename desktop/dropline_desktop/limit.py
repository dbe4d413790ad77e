"""The limit on the bytes a second: chosen from a list, or typed as one would say it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QWidget

from dropline.station import parse_rate
from dropline_desktop import format
from dropline_desktop.language import worded
from dropline_desktop.spoken import spoken

#: Bytes a second to choose from; others can be typed.
OFFERED = (100e3, 250e3, 500e3, 1e6, 2e6, 5e6, 10e6, 20e6, 50e6, 100e6)


class LimitBox(QComboBox):
    """Asks for a limit. It keeps none itself."""

    #: Bytes a second, or None for no limit.
    wanted = Signal(object)
    #: Why what was typed is no limit, as a sentence.
    refused = Signal(str)

    def __init__(self, limit: float | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._limit = limit
        self.setObjectName("limit")
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setCompleter(None)  # type: ignore[arg-type]  # it would turn a typed 1 into 100 kB/s
        for rate in (None, *OFFERED):
            self.addItem("", rate)
        self.activated.connect(lambda index: self.choose(self.itemData(index)))
        line = self.lineEdit()
        assert line is not None  # it is editable
        line.editingFinished.connect(self._read)
        worded(self, self._word)

    @property
    def limit(self) -> float | None:
        """What is asked for."""
        return self._limit

    def show_limit(self, limit: float | None) -> None:
        """Show a limit that was chosen elsewhere."""
        self._limit = limit
        self.setEditText(self._text(limit))

    def choose(self, limit: float | None) -> None:
        """Ask for a limit."""
        changed = limit != self._limit
        self.show_limit(limit)
        if changed:
            self.wanted.emit(limit)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the panel around: who scrolls by means no other limit."""
        event.ignore()

    def _word(self) -> None:
        self.setAccessibleName(self.tr("Limit on bytes a second"))
        self.setToolTip(
            self.tr(
                "How many bytes a second all workers together may send: "
                "choose, or type such as 800K or 5M"
            )
        )
        for number in range(self.count()):
            self.setItemText(number, self._text(self.itemData(number)))
        self.setEditText(self._text(self._limit))

    def _read(self) -> None:
        text = self.currentText().strip()
        if text == self._text(self._limit):
            return
        if text in {"", "0", self._text(None)}:
            self.choose(None)
            return
        try:
            self.choose(parse_rate(text))
        except ValueError as error:
            self.choose(self._limit)
            self.refused.emit(self.tr("The limit stays as it was: {}.").format(spoken(str(error))))

    def _text(self, limit: float | None) -> str:
        return self.tr("off") if limit is None else format.size_rate(limit)
