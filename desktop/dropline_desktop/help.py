"""The "?" beside something that wants an explanation: shown by the mouse, a click or a key."""

from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QToolTip

from dropline_desktop.parts import ToolButton, mute
from dropline_desktop.theme import Size, Theme


class HelpButton(ToolButton):
    """Explains one thing."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(small=True)
        self.setText("?")
        self.clicked.connect(
            lambda: QToolTip.showText(
                self.mapToGlobal(QPoint(0, self.height())), self.toolTip(), self
            )
        )
        mute(self)
        self.setFont(theme.font(Size.CAPTION))

    def explain(self, name: str, text: str) -> None:
        """`name` is what is explained, `text` the explanation, which may be rich text."""
        self.setAccessibleName(self.tr("What is {}?").format(name))
        self.setToolTip(text)
