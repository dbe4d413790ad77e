"""The dialog that asks for a simulated load."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from dropline.load import (
    Arrivals,
    Batch,
    Even,
    Exponential,
    Fixed,
    Law,
    LogNormal,
    Poisson,
    Service,
)
from dropline.station import MAX_WORKERS
from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.theme import Space, Theme

#: Of its sentences, in pixels.
WIDTH = 400


class SimulationDialog(QDialog):
    """Asks for a plan, says what theory expects of it, and starts and stops it."""

    #: A `Plan`.
    startAsked = Signal(object)
    stopAsked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("simulationDialog")
        self.arrivals, self.service = QComboBox(), QComboBox()
        self.rate, self.mean, self.scv = QDoubleSpinBox(), QDoubleSpinBox(), QDoubleSpinBox()
        self.jobs, self.workers = QSpinBox(), QSpinBox()
        self.expected = QLabel()
        self.start = QPushButton(icon("play", theme), "")
        self.stop = QPushButton(icon("stop", theme), "")
        self._words = QLabel()
        self._form = QFormLayout()
        self._set_up()
        self._lay_out()
        self.show_running(False)
        worded(self, self._word)

    def plan(self) -> Plan:
        """What is chosen."""
        return Plan(self._arrivals(), Service(self._service()), self.workers.value())

    def ask(self) -> None:
        """Show the dialog, in front."""
        self.show()
        self.raise_()
        self.activateWindow()

    def show_running(self, running: bool) -> None:
        """Whether a simulation runs."""
        self.stop.setEnabled(running)
        self.start.setText(self.tr("&Start again") if running else self.tr("&Start"))

    # --- inside -----------------------------------------------------------------------------

    def _arrivals(self) -> Arrivals:
        match self.arrivals.currentData():
            case "even":
                return Even(self.rate.value())
            case "batch":
                return Batch(self.jobs.value())
            case _:
                return Poisson(self.rate.value())

    def _service(self) -> Law:
        mean = self.mean.value()
        match self.service.currentData():
            case "fixed":
                return Fixed(mean)
            case "lognormal":
                return LogNormal(mean, self.scv.value())
            case _:
                return Exponential(mean)

    def _changed(self) -> None:
        is_batch = self.arrivals.currentData() == "batch"
        self._form.setRowVisible(self.jobs, is_batch)
        self._form.setRowVisible(self.rate, not is_batch)
        self._form.setRowVisible(self.scv, self.service.currentData() == "lognormal")
        self.expected.setText(self.plan().expectation(self.workers.value()))

    def _set_up(self) -> None:
        for key in ("poisson", "even", "batch"):
            self.arrivals.addItem("", key)
        for key in ("exp", "fixed", "lognormal"):
            self.service.addItem("", key)
        _set_range(self.rate, 0.1, 2000.0, 30.0, decimals=1, step=5.0)
        _set_range(self.mean, 0.001, 600.0, 0.1, decimals=3, step=0.05)
        _set_range(self.scv, 0.0, 25.0, 2.0, decimals=2, step=0.5)
        self.jobs.setRange(1, 10_000)
        self.jobs.setValue(200)
        self.workers.setRange(1, MAX_WORKERS)
        self.workers.setValue(4)
        for name, part in (
            ("simulatedArrivals", self.arrivals),
            ("simulatedRate", self.rate),
            ("simulatedJobs", self.jobs),
            ("simulatedService", self.service),
            ("simulatedMean", self.mean),
            ("simulatedScv", self.scv),
            ("simulatedWorkers", self.workers),
            ("simulationStart", self.start),
            ("simulationStop", self.stop),
        ):
            part.setObjectName(name)
        for box in (self.arrivals, self.service):
            box.currentIndexChanged.connect(self._changed)
        for spin in (self.rate, self.mean, self.scv, self.jobs, self.workers):
            spin.valueChanged.connect(self._changed)
        self.start.clicked.connect(lambda: self.startAsked.emit(self.plan()))
        self.stop.clicked.connect(self.stopAsked)

    def _word(self) -> None:
        self.setWindowTitle(self.tr("Simulate load"))
        self._words.setText(
            self.tr(
                "Jobs come by themselves and keep workers busy for a while: no file is sent. "
                "Watch the charts, move the workers' slider, and see what theory says."
            )
        )
        for part, text in (
            (self.arrivals, self.tr("&Jobs come")),
            (self.rate, self.tr("&Rate")),
            (self.jobs, self.tr("&How many")),
            (self.service, self.tr("Ser&vice time")),
            (self.mean, self.tr("&Mean")),
            (self.scv, self.tr("V&ariability cs²")),
            (self.workers, self.tr("&Workers at first")),
        ):
            label = self._form.labelForField(part)
            assert isinstance(label, QLabel)
            label.setText(text)
        for number, text in enumerate(
            (
                self.tr("By chance (Poisson)"),
                self.tr("Evenly"),
                self.tr("All at once (a batch)"),
            )
        ):
            self.arrivals.setItemText(number, text)
        for number, text in enumerate(
            (
                self.tr("Exponential"),
                self.tr("Always the same"),
                self.tr("Log-normal: a few take long"),
            )
        ):
            self.service.setItemText(number, text)
        self.rate.setSuffix(self.tr(" a second"))
        self.mean.setSuffix(self.tr(" s"))
        self.scv.setToolTip(self.tr("cs² = variance/mean²: 0 for equal times, 1 for exponential"))
        self.stop.setText(self.tr("S&top"))
        self.show_running(self.stop.isEnabled())
        self._changed()

    def _lay_out(self) -> None:
        for label in (self._words, self.expected):
            label.setWordWrap(True)
        for part in (
            *(self.arrivals, self.rate, self.jobs, self.service),
            *(self.mean, self.scv, self.workers),
        ):
            self._form.addRow("&", part)  # a label, with the part for its buddy
        self.expected.setMinimumHeight(3 * self.expected.fontMetrics().lineSpacing())
        for label in (self._words, self.expected):
            label.setMinimumWidth(WIDTH)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.start, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.stop, QDialogButtonBox.ButtonRole.ActionRole)
        self.start.setDefault(True)
        self.stop.setAutoDefault(False)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setSpacing(Space.L)
        layout.setSizeConstraint(QLayout.SizeConstraint.SetFixedSize)  # as the rows come and go
        layout.addWidget(self._words)
        layout.addLayout(self._form)
        layout.addWidget(self.expected)
        layout.addWidget(buttons)


def _set_range(
    spin: QDoubleSpinBox,
    least: float,
    most: float,
    value: float,
    *,
    decimals: int,
    step: float,
) -> None:
    spin.setDecimals(decimals)
    spin.setRange(least, most)
    spin.setValue(value)
    spin.setSingleStep(step)
