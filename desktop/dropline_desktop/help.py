"""The "?" beside something that wants an explanation: shown by the mouse, a click or a key."""

from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QToolButton, QToolTip

from dropline_desktop.theme import Size, Theme


class HelpButton(QToolButton):
    """Explains one thing."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setText("?")
        self.setProperty("small", True)
        self.clicked.connect(
            lambda: QToolTip.showText(
                self.mapToGlobal(QPoint(0, self.height())), self.toolTip(), self
            )
        )
        theme.changed.connect(self._dress)
        self._dress()

    def explain(self, name: str, text: str) -> None:
        """`name` is what is explained, `text` the explanation, which may be rich text."""
        self.setAccessibleName(self.tr("What is {}?").format(name))
        self.setToolTip(text)

    def _dress(self) -> None:
        self.setFont(self._theme.font(Size.CAPTION))
        self.setStyleSheet(f"color: {self._theme.colours.muted}")
