"""A readout: one row of a legend, with the curve's look, its name and a value."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from dropline_desktop.format import UNDEFINED
from dropline_desktop.quantities import Quantity
from dropline_desktop.theme import Line, Size, Space, Theme

_SAMPLE = 20  # pixels of curve shown


class Readout(QAbstractButton):
    """A checkable row: unchecked, its curve is hidden."""

    def __init__(
        self, theme: Theme, quantity: Quantity, line: Line, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.quantity = quantity
        self.line = line
        self._theme = theme
        self._value = UNDEFINED
        self.setCheckable(True)
        self.setChecked(True)
        self.word()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def word(self) -> None:
        """Write the name."""
        self.setText(f"{self.quantity.symbol} {self.quantity.name()}".strip())
        self.setToolTip(self.quantity.help())

    def show_value(self, value: float | None) -> None:
        """Show this value, with its unit."""
        text = self.quantity.text(value)
        if text != self._value:
            self._value = text
            self.setAccessibleDescription(text)
            self.update()

    def sizeHint(self) -> QSize:
        """As high as the caption font asks."""
        metrics = QFontMetrics(self._theme.font(Size.CAPTION))
        name, value = metrics.horizontalAdvance(self.text()), metrics.horizontalAdvance("88,888/s")
        # Glyphs of another font than the first, such as Chinese ones, may be higher.
        height = max(metrics.height(), metrics.boundingRect(self.text()).height())
        return QSize(_SAMPLE + name + value + 3 * Space.S, height)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Sample, name, value."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.isChecked():
            self._paint_sample(painter)
        if self.hasFocus() or self.underMouse():
            ring = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
            painter.setPen(QPen(self._theme.colour("accent" if self.hasFocus() else "border")))
            painter.drawRoundedRect(ring, 2, 2)
        painter.setFont(self._theme.font(Size.CAPTION))
        metrics = painter.fontMetrics()
        row = self.rect().adjusted(_SAMPLE + 2 * Space.S, 0, -Space.S, 0)
        painter.setPen(self._theme.colour("text" if self.isChecked() else "disabled"))
        value = metrics.horizontalAdvance(self._value)
        painter.drawText(row, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                         self._value)  # fmt: skip
        painter.setPen(self._theme.colour("muted" if self.isChecked() else "disabled"))
        row.setRight(row.right() - value - Space.S)
        name = metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, row.width())
        painter.drawText(row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)

    def _paint_sample(self, painter: QPainter) -> None:
        middle = self.height() / 2
        left, right = Space.S, Space.S + _SAMPLE
        if self.line.filled:
            box = QRectF(left, middle - 3, _SAMPLE, 8)
            painter.fillRect(box, self._theme.fill(self.line))
            middle -= 3
        painter.setPen(self._theme.pen(self.line))
        painter.drawLine(QPointF(left, middle), QPointF(right, middle))
