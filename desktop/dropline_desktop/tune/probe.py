"""The guided probe: tries 1, 2, 4, 8, … workers for some seconds each, and then the old number."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from dropline.tuning import ProbeChanged
from dropline_desktop.help import HelpButton
from dropline_desktop.language import worded
from dropline_desktop.parts import mute
from dropline_desktop.sentences import tuning
from dropline_desktop.theme import Size, Space, Theme


class ProbeBox(QWidget):
    """Starts and stops the probe, and shows how far it is."""

    wanted = Signal(bool)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._probe: ProbeChanged | None = None
        self._help = HelpButton(theme)
        self.button = QPushButton()
        self.button.setObjectName("probe")
        self.button.clicked.connect(lambda: self.wanted.emit(not self._is_running))
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(Space.S)
        self.words = QLabel()
        self.words.setObjectName("probeWords")
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self._lay_out()
        self.progress.hide()
        self.words.hide()
        self._dress()
        worded(self, self._word)

    def show_state(self, probe: ProbeChanged) -> None:
        """It began a step, or ended."""
        self._probe = probe
        self.progress.setRange(0, max(probe.steps, 1))
        self.progress.setValue(max(0, probe.step - 1))
        self.progress.setVisible(probe.running)
        self.words.show()
        self._tell()

    @property
    def _is_running(self) -> bool:
        return self._probe is not None and self._probe.running

    def _tell(self) -> None:
        self.button.setText(
            self.tr("Stop the probe")
            if self._is_running
            else self.tr("Try out 1, 2, 4, 8, … workers")
        )
        self.words.setText("" if self._probe is None else tuning(self._probe))

    def _word(self) -> None:
        self.progress.setAccessibleName(self.tr("Progress of the probe"))
        self._help.explain(
            self.tr("the probe"),
            self.tr(
                "<p>Workers share the disk, the network and the target, so twice as many rarely "
                "do twice as much. The probe sends your files with 1, 2, 4, 8, … workers for some "
                "seconds each, to see from where on more hardly help, and then goes back to what "
                "you had. It needs files in the line.</p><p>The curve through what it finds is "
                "the Universal Scalability Law. The article's μ is that of one worker.</p>"
            ),
        )
        self._tell()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.button, 1)
        head.addWidget(self._help)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.S)
        column.addLayout(head)
        column.addWidget(self.progress)
        column.addWidget(self.words)

    def _dress(self) -> None:
        self.words.setFont(self._theme.font(Size.CAPTION))
        mute(self.words)
