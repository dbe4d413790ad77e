"""Every figure of the line in one list, each with its definition."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from dropline.station import Reading
from dropline_desktop import format
from dropline_desktop import quantities as q
from dropline_desktop.help import HelpButton
from dropline_desktop.language import worded
from dropline_desktop.parts import mute
from dropline_desktop.quantities import Quantity
from dropline_desktop.theme import Size, Space, Theme

SHOWN = (
    q.ARRIVAL_RATE,
    q.THROUGHPUT,
    q.SERVICE_RATE,
    q.CAPACITY,
    q.UTILISATION,
    q.MEAN_IN_SYSTEM,
    q.WAITING,
    q.MEAN_RESPONSE,
    q.P50,
    q.P95,
    q.P99,
    q.OLDEST,
    q.BYTES_RATE,
    q.ETA,
)


class Figures(QWidget):
    """The list; "?" beside a figure explains it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._values = {quantity.key: QLabel(format.UNDEFINED) for quantity in SHOWN}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(Space.M)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(1, 1)
        self._rows = [self._add(row, quantity) for row, quantity in enumerate(SHOWN)]
        self._grid.setRowStretch(len(SHOWN), 1)
        worded(self, self._word)

    def show_reading(self, reading: Reading) -> None:
        """Show the figures of a reading."""
        for quantity in SHOWN:
            label, text = self._values[quantity.key], quantity.text(quantity.value(reading))
            if label.text() != text:
                label.setText(text)

    def _add(self, row: int, quantity: Quantity) -> tuple[QLabel, QLabel, QLabel, HelpButton]:
        symbol, name, help = QLabel(quantity.symbol), QLabel(), HelpButton(self._theme)
        value = self._values[quantity.key]
        value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        # Nothing around a value moves when it gets longer.
        value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        name.setFont(self._theme.font(Size.CAPTION))
        mute(name)
        for column, part in enumerate((symbol, name, value, help)):
            self._grid.addWidget(part, row, column)
        return symbol, name, value, help

    def _word(self) -> None:
        for quantity, parts in zip(SHOWN, self._rows, strict=True):
            symbol, name, value, help = parts
            for part in (symbol, name, value):
                part.setToolTip(quantity.help())
            name.setText(quantity.name())
            value.setAccessibleName(quantity.name())
            help.explain(quantity.name(), quantity.help())
        self._fit()

    def _fit(self) -> None:
        font = self._theme.font(Size.TITLE)
        # Values as long as they get.
        longest = (format.duration(59 * 60 + 58), format.size_rate(888.8e3))
        width = max(QFontMetrics(font).horizontalAdvance(text) for text in longest)
        self._grid.setColumnMinimumWidth(2, width)
        for label in self._values.values():
            label.setFont(font)
