"""The worker control: one number c, by slider or by spin box, and what has become of it.

Below it stands the limit on the bytes a second that the workers share.
"""

from __future__ import annotations

import time

from PySide6.QtCore import QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from dropline.station import MAX_WORKERS, Reading
from dropline_desktop import format
from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.limit import LimitBox
from dropline_desktop.parts import mute
from dropline_desktop.theme import Size, Space, Theme

#: The right end of the slider; more is for the spin box.
SLIDER_WORKERS = 64
#: Milliseconds between two changes while the slider is dragged.
EVERY = 50
#: Seconds after the user's own change during which readings, which lag behind, don't undo it.
SETTLING = 0.5


class Tuner(QWidget):
    """Asks for a number of workers and shows what runs. It decides nothing itself."""

    workersWanted = Signal(int)
    pauseWanted = Signal(bool)

    def __init__(
        self,
        theme: Theme,
        workers: int,
        limit: float | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """`limit`: bytes a second; None for none."""
        super().__init__(parent)
        self._theme = theme
        self._asked = 0.0
        self._sent = workers
        self.spin = QSpinBox()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.pause = QPushButton()
        self.limit = LimitBox(limit)
        self._lamps = Lamps(theme)
        self._state = QLabel()
        self._note = QLabel()
        self._coalesce = QTimer(self)
        self._coalesce.setSingleShot(True)
        self._coalesce.setInterval(EVERY)
        self._coalesce.timeout.connect(self._send)
        self._set_up_inputs(workers)
        self._lay_out()
        self._dress()
        worded(self, self._word)

    @property
    def workers(self) -> int:
        """The number that the controls show."""
        return self.spin.value()

    def hide_limit(self) -> None:
        """Leave the limit out: the line sends no bytes."""
        self._limit_title.hide()
        self.limit.hide()

    def show_reading(self, reading: Reading) -> None:
        """Show what runs; and what is wanted, where that was changed elsewhere."""
        settled = time.monotonic() - self._asked > SETTLING
        touched = self.slider.isSliderDown() or self._coalesce.isActive()
        # Only what changed elsewhere is set: setting a spin box undoes what is being typed in it.
        if settled and not touched and reading.wanted != self._sent:
            self._sent = reading.wanted
            self._show(reading.wanted)
        if settled and self.pause.isChecked() is not reading.paused:
            with QSignalBlocker(self.pause):
                self.pause.setChecked(reading.paused)
            self._dress_pause()
        self._lamps.show_counts(
            wanted=0 if reading.paused else reading.wanted,
            running=reading.running,
            busy=reading.busy,
        )
        state = self.tr("{0} wanted · {1} running · {2} busy").format(
            format.count(reading.wanted), format.count(reading.running), format.count(reading.busy)
        )
        self._state.setText(state)
        ending = reading.running - (0 if reading.paused else reading.wanted)
        self._tell(wanted=reading.wanted, paused=reading.paused, ending=ending)

    # --- parts ------------------------------------------------------------------------------

    def _set_up_inputs(self, workers: int) -> None:
        self.spin.setObjectName("workers")
        self.spin.setRange(0, MAX_WORKERS)
        self.spin.setValue(workers)
        self.spin.setAccelerated(True)
        self.spin.setKeyboardTracking(False)  # typing 16 must not ask for 1 first
        self.slider.setObjectName("workersSlider")
        self.slider.setRange(0, SLIDER_WORKERS)
        self.slider.setValue(workers)
        self.slider.setPageStep(4)
        self.slider.setTickInterval(8)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.pause.setObjectName("pauseButton")
        self.pause.setCheckable(True)
        self.spin.valueChanged.connect(self._chosen)
        self.slider.valueChanged.connect(self._chosen)
        self.pause.toggled.connect(self._pause_chosen)

    def _lay_out(self) -> None:
        self._title = QLabel()
        self._title.setBuddy(self.spin)
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addWidget(self.spin)
        head.addStretch()
        head.addWidget(self.pause)
        # However long it gets, the panel stays as wide as it is.
        self._state.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._note.setWordWrap(True)
        self._limit_title = QLabel()
        self._limit_title.setBuddy(self.limit)
        foot = QHBoxLayout()
        foot.addWidget(self._limit_title)
        foot.addWidget(self.limit, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(Space.M)
        layout.addLayout(head)
        layout.addWidget(self.slider)
        layout.addWidget(self._lamps)
        layout.addWidget(self._state)
        layout.addWidget(self._note)
        layout.addLayout(foot)

    # --- what the user does -----------------------------------------------------------------

    def _chosen(self, workers: int) -> None:
        self._show(workers)
        self._asked = time.monotonic()
        if not self._coalesce.isActive():  # the first change goes out at once, then one in EVERY
            self._send()

    def _send(self) -> None:
        if self._sent != self.workers:
            self._sent = self.workers
            self._asked = time.monotonic()
            self.workersWanted.emit(self._sent)
            self._coalesce.start()

    def _pause_chosen(self, paused: bool) -> None:
        self._asked = time.monotonic()
        self._dress_pause()
        self.pauseWanted.emit(paused)

    # --- words and looks ----------------------------------------------------------------------

    def _word(self) -> None:
        tip = self.tr("How many files are sent at the same time, 0 to {}").format(MAX_WORKERS)
        for control in (self.spin, self.slider):
            control.setAccessibleName(self.tr("Number of workers"))
            control.setToolTip(tip)
        self.pause.setToolTip(self.tr("Start no more uploads; running ones end (Ctrl+P)"))
        self._title.setText(self.tr("&Workers"))
        self._limit_title.setText(self.tr("&Limit"))
        self._lamps.setToolTip(
            self.tr("One lamp a worker. Full: sends a file. Ring: is free. Orange: ends its file.")
        )
        self._tell(wanted=self.workers, paused=self.pause.isChecked())
        self._dress_pause()

    def _show(self, workers: int) -> None:
        for control in (self.spin, self.slider):
            with QSignalBlocker(control):
                control.setValue(workers)

    def _tell(self, *, wanted: int, paused: bool, ending: int = 0) -> None:
        if ending > 0:
            text = self.tr(
                "Fewer: %Ln running upload(s) end first, none is broken off.", "", ending
            )
        elif paused:
            text = self.tr("Paused: nothing new is started until you resume.")
        elif wanted == 0:
            text = self.tr("0 workers: nothing is sent until you ask for some.")
        else:
            text = self.tr("More start at once; fewer let running uploads end first; 0 pauses.")
        if text != self._note.text():
            self._note.setText(text)

    def _dress(self) -> None:
        for title in (self._title, self._limit_title):
            title.setFont(self._theme.font(Size.TITLE))
        self.spin.setFont(self._theme.font(Size.FIGURE))
        self._state.setFont(self._theme.font(Size.BODY))
        self._note.setFont(self._theme.font(Size.CAPTION))
        mute(self._note)
        # Two lines are kept free, so that other words don't move what stands below.
        self._note.setMinimumHeight(2 * self._note.fontMetrics().lineSpacing())
        self._note.setAlignment(Qt.AlignmentFlag.AlignTop)

    def _dress_pause(self) -> None:
        paused = self.pause.isChecked()
        self.pause.setText(self.tr("Resume") if paused else self.tr("Pause"))
        name = self.tr("Resume the line") if paused else self.tr("Pause the line")
        self.pause.setAccessibleName(name)  # which the pause of a file has not
        self.pause.setIcon(icon("play" if paused else "pause", self._theme))
        self.pause.setShortcut("Ctrl+P")  # a new text takes the shortcut away


class Lamps(QWidget):
    """A lamp a worker: full while it sends, a ring while it is free, orange while it is one too
    many and only ends its file; a dot stands for one that is wanted and not there yet."""

    _SIDE, _GAP = 8, 3

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._counts = (0, 0, 0)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(policy)

    def show_counts(self, *, wanted: int, running: int, busy: int) -> None:
        """Light the lamps."""
        if (wanted, running, busy) != self._counts:
            self._counts = wanted, running, busy
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, 2 * (self._SIDE + self._GAP))

    def paintEvent(self, event: QPaintEvent) -> None:
        wanted, running, busy = self._counts
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            lamps = max(wanted, running)
            step = self._SIDE + self._GAP
            a_row = max(1, (self.width() + self._GAP) // step)
            rows = max(1, (self.height() + self._GAP) // step)
            while lamps > a_row * rows and step > 4:  # many workers, small lamps
                step -= 1
                a_row = max(1, self.width() // step)
                rows = max(1, self.height() // step)
            side = step - min(self._GAP, step // 3)
            for number in range(lamps):
                x, y = number % a_row * step, number // a_row * step
                surplus = number >= wanted
                name = "waiting" if surplus else "in_service"
                painter.setPen(QPen(self._theme.colour(name), 1.2))
                if number >= running:
                    painter.setPen(QPen(self._theme.colour("disabled"), 1.2))
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.drawPoint(x + side // 2 + 1, y + side // 2 + 1)
                    continue
                painter.setBrush(
                    self._theme.colour(name) if number < busy else Qt.BrushStyle.NoBrush
                )
                painter.drawRoundedRect(x + 1, y + 1, side - 1, side - 1, 2, 2)
