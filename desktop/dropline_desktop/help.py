"""The "?" beside something that wants an explanation: shown by the mouse, a click or a key."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QToolButton, QToolTip

from dropline_desktop.language import worded
from dropline_desktop.theme import Size, Theme


class HelpButton(QToolButton):
    """Explains one thing."""

    def __init__(self, theme: Theme, name: Callable[[], str], text: Callable[[], str]) -> None:
        """`name` is what is explained, `text` the explanation, which may be rich text; both in the
        language of the moment."""
        super().__init__()
        self._theme = theme
        self._name = name
        self._text = text
        self.setText("?")
        self.setProperty("small", True)
        self.clicked.connect(
            lambda: QToolTip.showText(
                self.mapToGlobal(QPoint(0, self.height())), self.toolTip(), self
            )
        )
        theme.changed.connect(self._dress)
        self._dress()
        worded(self, self.word)

    def word(self) -> None:
        """Write the explanation, which is another one in another language."""
        self.setAccessibleName(self.tr("What is {}?").format(self._name()))
        self.setToolTip(self._text())

    def _dress(self) -> None:
        self.setFont(self._theme.font(Size.CAPTION))
        self.setStyleSheet(f"color: {self._theme.colours.muted}")
