"""The first screen: the line in plain words, and three ways to see it move."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QLabel, QPushButton, QVBoxLayout, QWidget

from dropline_desktop.language import worded
from dropline_desktop.theme import Size, Space, Theme


class Welcome(QDialog):
    """Shown at the first start, and from the Help menu."""

    samplesAsked = Signal()
    simulateAsked = Signal()
    filesAsked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.steps = [QLabel() for _ in range(4)]
        self.samples, self.simulate, self.files = QPushButton(), QPushButton(), QPushButton()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.XL)
        layout.setSpacing(Space.L)
        self.title = QLabel()
        self.title.setFont(theme.font(Size.FIGURE))
        for part in (self.title, *self.steps):
            part.setWordWrap(True)
            layout.addWidget(part)
        for button, asked in (
            (self.samples, self.samplesAsked),
            (self.simulate, self.simulateAsked),
            (self.files, self.filesAsked),
        ):
            layout.addWidget(button)
            button.clicked.connect(self.accept)
            button.clicked.connect(asked)
        self.setMinimumWidth(480)
        worded(self, self._word)

    def _word(self) -> None:
        self.setWindowTitle(self.tr("Welcome to Dropline"))
        self.title.setText(self.tr("How the line works"))
        texts = (
            self.tr("<b>Files</b> arrive: λ is how many a second."),
            self.tr("They <b>wait</b> in line: L is how many are here, waiting or being sent."),
            self.tr("<b>Workers</b> send them: μ is how many a second one worker can send."),
            self.tr("The <b>receiver</b> has them: τ is the time from arrival until then."),
        )
        for step, text in zip(self.steps, texts, strict=True):
            step.setText(text)
        self.samples.setText(self.tr("Try with sample files"))
        self.simulate.setText(self.tr("Simulate load…"))
        self.files.setText(self.tr("Choose files of your own…"))
