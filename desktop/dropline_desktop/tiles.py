"""The row of tiles: the figures of the line at a glance, and in words when it is in trouble."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from dropline.station.reading import Reading
from dropline_desktop import format
from dropline_desktop import quantities as q
from dropline_desktop.help import HelpButton
from dropline_desktop.language import worded
from dropline_desktop.parts import Card, alarm, mute
from dropline_desktop.quantities import Quantity
from dropline_desktop.theme import Size, Space, Theme


class Figure(QLabel):
    """A value, written as large as the scale says or as fits."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(format.UNDEFINED)
        self._theme = theme
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.fit()

    def fit(self) -> None:
        """Choose the size; the height stays, so that nothing else moves."""
        font = self._theme.font(Size.FIGURE)
        self.setFixedHeight(QFontMetrics(font).height())
        least = font.pointSizeF() / 2
        while (
            0 < self.width() < QFontMetrics(font).horizontalAdvance(self.text())
            and font.pointSizeF() > least
        ):
            font.setPointSizeF(font.pointSizeF() - 0.5)
        self.setFont(font)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose the size anew."""
        super().resizeEvent(event)
        self.fit()


class Tile(Card):
    """One figure: its symbol, its value with the unit, its name, and "?" for the definition."""

    def __init__(
        self, theme: Theme, quantity: Quantity, symbol: str, name: Callable[[], str]
    ) -> None:
        super().__init__()
        self._plain_name = name()
        self._name_of = name
        self.quantity = quantity
        self._theme = theme
        self._symbol = QLabel(symbol)
        self._help = HelpButton(theme)
        self._value = Figure(theme)
        self._name = QLabel(self._plain_name)
        self._colour_name(alarmed=False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._help.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._lay_out()
        worded(self, self._word)

    @property
    def value(self) -> str:
        """The value as shown."""
        return self._value.text()

    @property
    def caption(self) -> str:
        """What stands under the value: the name, or the value's range, or a warning."""
        return self._name.text()

    def show_value(self, value: float | None) -> None:
        """Show this value."""
        text = self.quantity.text(value)
        if text != self._value.text():
            self._value.setText(text)
            self.setAccessibleDescription(text)
            self._value.fit()

    def show_note(self, text: str, *, alarm: bool = False) -> None:
        """Show this in place of the name, with `alarm` in the colour of failure; "" ends it."""
        text = text or self._plain_name
        if (text, alarm) != (self._name.text(), self._alarm):
            self._name.setText(text)
            self._colour_name(alarmed=alarm)

    def _colour_name(self, *, alarmed: bool) -> None:
        self._alarm = alarmed
        (alarm if alarmed else mute)(self._name)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(Space.S)
        head.addWidget(self._symbol)
        head.addStretch(1)
        head.addWidget(self._help)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.M - Space.XS, Space.S, Space.S, Space.S)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self._value)
        column.addWidget(self._name)
        self._name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def _word(self) -> None:
        quantity, plain = self.quantity, self._name_of()
        if self._name.text() == self._plain_name:
            self._name.setText(plain)
        self._plain_name = plain
        self.setToolTip(quantity.help())
        self.setAccessibleName(quantity.name())
        self._help.explain(quantity.name(), quantity.help())
        self._help.setAccessibleDescription(quantity.definition())
        self._fit()

    def _fit(self) -> None:
        caption = self._theme.font(Size.CAPTION)
        self._symbol.setFont(self._theme.font(Size.TITLE))
        self._name.setFont(caption)
        # An ordinary rate and range, so that these are neither written small nor cut.
        words, figure = QFontMetrics(caption), QFontMetrics(self._theme.font(Size.FIGURE))
        head = self._symbol.sizeHint().width() + Space.S + self._help.sizeHint().width()
        name = words.horizontalAdvance(self._plain_name)
        span = words.horizontalAdvance(format.duration_range(11.8 * 60, 12.2 * 60))
        value = figure.horizontalAdvance(format.rate(88))
        self.setMinimumWidth(max(head, name, span, value) + Space.L + Space.XS)


class Tiles(QWidget):
    """The tiles λ, X, μ, ρ, L, τ p95 and ETA, with the window they are taken over said once."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.tiles = [
            Tile(theme, quantity, symbol or quantity.symbol, name or quantity.name)
            for quantity, symbol, name in (
                (q.ARRIVAL_RATE, "", None),
                (q.THROUGHPUT, "", None),
                (q.SERVICE_RATE, "", None),
                (q.UTILISATION, "", None),
                (q.MEAN_IN_SYSTEM, "", None),
                (q.P95, "τ p95", lambda: self.tr("response")),
                (q.ETA, "ETA", None),
            )
        ]
        self._by_key = {tile.quantity.key: tile for tile in self.tiles}
        self._window = QLabel()
        self._state = QLabel()
        self._columns = 0
        self._seconds: float | None = None
        self._lay_out()
        worded(self, self._word)

    def show_reading(self, reading: Reading) -> None:
        """Show the figures of a reading; a few times a second is as often as one can read."""
        for tile in self.tiles:
            tile.show_value(tile.quantity.value(reading))
            tile.show_note(tile.quantity.range(reading))
        self._show_window(reading.window)
        stopped = reading.paused or reading.wanted == 0
        grows = q.unstable(reading)
        word = self.tr("paused") if stopped else self.tr("unstable") if grows else ""
        self._by_key["utilisation"].show_note(word, alarm=grows)
        self._state.setText(self._state_of(reading, grows=grows))

    def _word(self) -> None:
        self.setAccessibleName(self.tr("Figures of the line"))
        self._show_window(self._seconds)
        self._arrange()
        self.updateGeometry()  # what it needs at least is no layout's, which would tell

    def minimumSizeHint(self) -> QSize:
        """As narrow as two rows are: what shows one may be made narrower in one go."""
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), self._two_rows * self._least), hint.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """One row where there is room, else two."""
        super().resizeEvent(event)
        self._arrange()

    def _state_of(self, reading: Reading, *, grows: bool) -> str:
        """What the figures mean, where words are needed; else how many bytes go out."""
        if grows:
            return self.tr("λ ≥ cμ: {} arrive, {} can be sent. The queue grows.").format(
                format.rate(reading.figures.arrival_rate), format.rate(q.capacity(reading))
            )
        if reading.bytes_rate:
            return self.tr("{} sent").format(format.size_rate(reading.bytes_rate))
        return ""

    def _show_window(self, seconds: float | None) -> None:
        self._seconds = seconds
        text = self.tr("over the last {}").format(format.duration(seconds and round(seconds, 1)))
        self._window.setText(text if seconds else self.tr("nothing measured yet"))

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(Space.S, 0, Space.S, 0)
        line.addWidget(self._window)
        line.addWidget(self._state, 1)
        for label in (self._window, self._state):
            label.setFont(self._theme.font(Size.CAPTION))
            mute(label)
        self._state.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._grid = QGridLayout()
        self._grid.setSpacing(Space.S)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.XS)
        column.addLayout(line)
        column.addLayout(self._grid)
        self._arrange()

    @property
    def _least(self) -> int:
        """What a tile and the gap beside it take."""
        return max(tile.minimumWidth() for tile in self.tiles) + Space.S

    @property
    def _two_rows(self) -> int:
        """The columns of two rows."""
        return (len(self.tiles) + 1) // 2

    def _arrange(self) -> None:
        count = len(self.tiles)
        columns = count if self.width() >= count * self._least else self._two_rows
        if columns != self._columns:
            self._columns = columns
            for i, tile in enumerate(self.tiles):
                self._grid.addWidget(tile, i // columns, i % columns)
