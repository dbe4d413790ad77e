"""A part that scrolls up and down where it is too high, and is never cut at its side."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget


class Scrolled(QScrollArea):
    """Holds one part, as wide as it needs to be."""

    def __init__(self, part: QWidget, height: int = 100) -> None:
        """`height`: pixels of it that are seen at least."""
        super().__init__()
        self._part = part
        self._height = height
        self._needed = 0  # pixels of width, as the layout around this knows them
        self.setWidget(part)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it scrolls to what has the focus
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            needed = self.minimumSizeHint().width()
            if needed != self._needed:  # else each new figure would lay out the whole window
                self._needed = needed
                self.updateGeometry()
        return super().viewportEvent(event)

    def minimumSizeHint(self) -> QSize:
        # With room for the bar at all times: what stands beside it does not move when it comes.
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._part.minimumSizeHint().width() + bar, self._height)
