"""The icons: line drawings in the colour of the text beside them, sharp at every scale.

But for our own they are Lucide's (`resources/…/icons/lucide.txt`), under our names.
"""

from __future__ import annotations

from importlib.resources import files

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from dropline_desktop.theme import Theme


def application_icon() -> QIcon:
    """Dropline's own icon."""
    return QIcon(_Engine("dropline", None))


def icon(name: str, theme: Theme) -> QIcon:
    """A drawing from the resources; it follows the theme when that changes."""
    return QIcon(_Engine(name, theme))


class _Engine(QIconEngine):
    """Paints one drawing, for `theme` in its colours, at whatever size is asked for."""

    def __init__(self, name: str, theme: Theme | None) -> None:
        super().__init__()
        self._name = name
        self._theme = theme
        self._source = files("dropline_resources").joinpath(f"icons/{name}.svg").read_text("utf-8")

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._theme)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return pixmap

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        source, area = self._source, QRectF(rect)
        if self._theme is not None:
            source = source.replace("currentColor", self._colour(self._theme, mode).name())
            edge = area.width() / 12  # the drawings reach to theirs, and words stand beside them
            area.adjust(edge, edge, -edge, -edge)
        QSvgRenderer(QByteArray(source.encode())).render(painter, area)

    @staticmethod
    def _colour(theme: Theme, mode: QIcon.Mode) -> QColor:
        return theme.colour("disabled" if mode is QIcon.Mode.Disabled else "text")
