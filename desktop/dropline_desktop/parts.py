"""Parts that every window is made of and Qt has not as they should look: cards, the buttons that
show an outline only when it matters, rules, and words of another rank.

The palette says every colour of theirs, and no style sheet: Qt applies one to each widget below
it, all over again for another theme or when a dialog opens, which took most of the time of both.
"""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLabel,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionToolButton,
    QStyleOptionViewItem,
    QToolButton,
    QWidget,
)

from dropline_desktop.theme import Space

_Index = QModelIndex | QPersistentModelIndex
_Role = QPalette.ColorRole
#: The radius of a card's corners, and of a button's.
_CARD, _BUTTON = 6.0, 4.0


class Card(QFrame):
    """A panel on the window; its edge tells whether it has the focus."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameStyle(QFrame.Shape.Box)  # which keeps a pixel free for the edge

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        edge = palette.accent() if self.hasFocus() else palette.mid()
        with QPainter(self) as painter:
            _draw_panel(painter, self, palette.base(), edge, _CARD)


class ToolButton(QToolButton):
    """A button without an outline, until the mouse is over it; or always `outlined`.

    `small`: no taller than the line of words that it stands in.
    """

    def __init__(
        self, parent: QWidget | None = None, *, small: bool = False, outlined: bool = False
    ) -> None:
        super().__init__(parent)
        self._outlined = outlined
        # What is added to the room that the style gives a button.
        self._more = QSize(Space.S, 1 - Space.S) if small else QSize(Space.M, 1)

    def sizeHint(self) -> QSize:
        return super().sizeHint() + self._more

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        palette, words = option.palette, self.foregroundRole()
        fill, edge = QBrush(), palette.mid() if self._outlined else QBrush()
        if self.isChecked() or self.isDown():
            fill, edge, words = palette.window(), palette.accent(), _Role.Accent
        elif self.isEnabled() and self.underMouse():
            fill, edge = palette.alternateBase(), palette.mid()
        if self.hasFocus():
            edge = palette.accent()
        palette.setBrush(_Role.ButtonText, palette.brush(words))
        option.palette = palette
        with QPainter(self) as painter:
            _draw_panel(painter, self, fill, edge, _BUTTON)
            label = QStyle.ControlElement.CE_ToolButtonLabel
            self.style().drawControl(label, option, painter, self)


class Airy(QStyledItemDelegate):
    """Items of a list with this room around each."""

    def __init__(self, view: QAbstractItemView, room: int) -> None:
        super().__init__(view)
        self._view = view
        self._room = room

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return super().sizeHint(option, index) + QSize(2 * self._room, 2 * self._room)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        whole, inner = QStyleOptionViewItem(option), QStyleOptionViewItem(option)
        self.initStyleOption(whole, index)
        ground = QStyle.PrimitiveElement.PE_PanelItemViewItem
        self._view.style().drawPrimitive(ground, whole, painter, self._view)
        inner.rect = option.rect.adjusted(self._room, 0, -self._room, 0)
        super().paint(painter, inner, index)


class Rule(QWidget):
    """A line between what stands above it and below."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(1)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(_Role.Mid)


def mute(*parts: QWidget) -> None:
    """Write the words of these as words of second rank."""
    for part in parts:
        part.setForegroundRole(_Role.PlaceholderText)


def alarm(label: QLabel, on: bool = True) -> None:
    """Write these words in the colour of failure, or as others are."""
    label.setForegroundRole(_Role.BrightText if on else _Role.WindowText)


def tint(label: QLabel, colour: QColor) -> None:
    """Write these words in a colour that means something, until the theme is another one."""
    palette = QPalette()
    palette.setColor(_Role.WindowText, colour)
    label.setPalette(palette)


def _draw_panel(
    painter: QPainter, part: QWidget, fill: QBrush, edge: QBrush, radius: float
) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(edge, 1.0))
    painter.setBrush(fill)
    area = QRectF(part.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
    painter.drawRoundedRect(area, radius, radius)
    painter.restore()
