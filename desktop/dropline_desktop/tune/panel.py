"""The tune panel: what to do in words, the curve with its line, the goal, and who steers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from dropline.events import Message
from dropline.station import Reading
from dropline.tuning import (
    Accuracy,
    Advice,
    AutopilotChanged,
    AutopilotMoved,
    LedgerWritten,
    ProbeChanged,
    Record,
)
from dropline_desktop.charts.export import Writer, ask_for_file
from dropline_desktop.help import HelpButton
from dropline_desktop.language import worded
from dropline_desktop.parts import mute
from dropline_desktop.text import unbroken
from dropline_desktop.theme import Size, Space, Theme
from dropline_desktop.tune.advice import AdviceCard
from dropline_desktop.tune.autopilot import AutopilotBox
from dropline_desktop.tune.curve import Curve
from dropline_desktop.tune.goal import GoalChoice
from dropline_desktop.tune.ledger import LedgerModel, LedgerWindow, accuracy_text, write_ledger
from dropline_desktop.tune.probe import ProbeBox
from dropline_desktop.tune.views import FINISH, RESPONSE, VIEWS, View

#: Of the ledger's latest records, so many are points of the curve.
POINTS = 40


class TunePanel(QWidget):
    """Shows what the tuner says, and hands on what the user asks for as signals."""

    #: A number of workers, chosen on the curve or taken from the advice.
    workersChosen = Signal(int)
    adviceApplied = Signal(int)
    exported = Signal(str)  # the path of the file written
    exportFailed = Signal(str)  # a sentence

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._advice: Advice | None = None
        self._reading: Reading | None = None
        self._chosen_view: View | None = None  # by the user; else the answer that counts now
        self._accuracy: Accuracy | None = None
        self.advice = AdviceCard(theme)
        self.curve = Curve(theme)
        self.goal = GoalChoice(theme)
        self.autopilot = AutopilotBox(theme)
        self.probe = ProbeBox(theme)
        self.model = LedgerModel()
        self.ledger = LedgerWindow(theme, self.model, self)
        self.view_box = QComboBox()
        self._pointed = QLabel()
        self._key = QLabel()
        self._help = HelpButton(theme)
        self._accuracy_words = QLabel()
        self._ledger_button = QPushButton()
        self._writer = Writer(self)
        self._set_up()
        self._lay_out()
        theme.changed.connect(self._dress)
        worded(self, self._word)

    def take(self, messages: list[Message]) -> None:
        """Take in a batch of the tuner's events."""
        records = []
        for message in messages:
            match message.data:
                case Advice() as advice:
                    self._advice = advice
                case LedgerWritten(record=record, accuracy=accuracy):
                    records.append(record)
                    self._accuracy = accuracy
                case AutopilotChanged() as changed:
                    self.autopilot.show_state(changed)
                case AutopilotMoved() as moved:
                    self.autopilot.show_move(moved, message.time.astimezone())
                case ProbeChanged() as probe:
                    self.probe.show_state(probe)
        if records:
            self.show_ledger(records, self._accuracy)
        if self._advice is not None:
            self.curve.show_advice(self._advice)
            self.advice.show_advice(self._advice)
        self._tell()

    def show_reading(self, reading: Reading) -> None:
        """Show what is measured now beside what is predicted."""
        self._reading = reading
        self.curve.show_workers(reading.wanted)
        self._show_points()

    def show_ledger(self, records: Sequence[Record], accuracy: Accuracy | None) -> None:
        """Add these records."""
        self._accuracy = accuracy
        self.model.show_records(records)
        self._tell_accuracy()
        self._show_points()

    def export(self, path: Path) -> None:
        """Save the ledger as CSV; `exported` or `exportFailed` follows."""
        records = self.model.records
        self._writer.write(path, lambda part: write_ledger(part, records))

    def wait_for_files(self) -> None:
        """Return when all that was asked for is written."""
        self._writer.wait()

    # --- inside -----------------------------------------------------------------------------

    @property
    def _view(self) -> View:
        if self._chosen_view is not None:
            return self._chosen_view
        check = self._advice.check if self._advice is not None else None
        return FINISH if check is not None and check.verdict == "batch" else RESPONSE

    def _choose_view(self, index: int) -> None:
        self._chosen_view = VIEWS[index]
        self._tell()

    def _tell(self) -> None:
        """Show the figure that counts, and say what is predicted under the line."""
        if VIEWS[self.view_box.currentIndex()] is not self._view or not self._key.text():
            self.view_box.setCurrentIndex(VIEWS.index(self._view))
            self.curve.show_view(self._view)
            self._help.explain(self.tr("the curve"), self._explained(self._view))
        self._tell_key()
        self._show_points()
        self._tell_pointed()

    def _tell_pointed(self, _workers: int | None = None) -> None:
        workers = self.curve.workers
        prediction = self.curve.prediction(workers) if workers else None
        if not workers or prediction is None:
            text = self.tr("What is predicted: –")
        elif self._view is FINISH and prediction.finish.expected == 0.0:
            text = self.tr("Nothing is in the line now.")
        elif prediction.stable or self._view.predicted(prediction).expected is not None:
            text = self._view.sentence(prediction, workers)
        else:
            text = self.tr(
                "With %Ln worker(s): more files come than are sent, and the queue grows without "
                "end.",
                "",
                workers,
            )
        text = unbroken(text)
        if text != self._pointed.text():
            self._pointed.setText(text)
            self.curve.setAccessibleDescription(text)

    def _tell_accuracy(self) -> None:
        text = accuracy_text(self._accuracy)
        self._accuracy_words.setText(text)
        self.ledger.accuracy.setText(text)

    def _show_points(self) -> None:
        view, points = self._view, []
        if view.measured is not None:
            measured = view.measured
            for record in self.model.records[-POINTS:]:
                value = measured(record).measured
                if value is not None and record.state == "measured":
                    points.append((record.workers, value))
        now = view.now(self._reading) if self._reading is not None else None
        self.curve.show_measured(points, now)

    def _tell_key(self) -> None:
        colour = self._theme.colour
        signs = [
            ("━", "in_service", self.tr("predicted")),
            ("●", "text", self.tr("now")),
            ("▲", "done", self.tr("advised")),
        ]
        if self._advice is not None and self._advice.capacity.enough is not None:
            signs.append(("┊", "capacity", self.tr("from here on more hardly help")))
        if self._view.measured is not None:
            signs.insert(2, ("○", "arrival", self.tr("measured earlier")))
        text = " ".join(
            f'<span style="white-space: nowrap"><span style="color: {colour(name).name()}">'
            f"{sign}</span>&nbsp;{text.replace(' ', '&nbsp;')}</span> &nbsp;"
            for sign, name, text in signs
        )
        if text != self._key.text():
            self._key.setText(text)

    def _explained(self, view: View) -> str:
        return view.quantity.help() + self.tr(
            "<p>The line shows what is predicted for each number of workers, from how files come "
            "and how long they take now. Dotted: so many were never tried. Left of it, more files "
            "come than are sent.</p>"
        )

    def _set_up(self) -> None:
        for view in VIEWS:
            self.view_box.addItem("", view.key)
        self.view_box.setObjectName("tuneView")
        self.view_box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.view_box.activated.connect(self._choose_view)
        for label in (self._pointed, self._key, self._accuracy_words):
            label.setWordWrap(True)
        self._pointed.setObjectName("tunePointed")
        self._accuracy_words.setObjectName("accuracy")
        self.curve.workersChosen.connect(self.workersChosen)
        self.curve.pointed.connect(self._tell_pointed)
        self.advice.applied.connect(self.adviceApplied)
        self._ledger_button.clicked.connect(self._open_ledger)
        self.ledger.exportAsked.connect(lambda: ask_for_file(self.ledger, "csv", self.export))
        self._writer.written.connect(self.exported)
        self._writer.failed.connect(self.exportFailed)
        self.show_ledger([], None)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.view_box, 1)
        row.addWidget(self._help)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.S)
        column.addWidget(self.goal)
        column.addSpacing(Space.M)
        column.addWidget(self.advice)
        column.addSpacing(Space.M)
        column.addLayout(row)
        column.addWidget(self.curve)
        column.addWidget(self._key)
        column.addWidget(self._pointed)
        for part in (self.probe, self.autopilot):
            column.addSpacing(Space.M)
            column.addWidget(part)
        column.addSpacing(Space.M)
        column.addWidget(self._ledger_button)
        column.addWidget(self._accuracy_words)

    def _open_ledger(self) -> None:
        self.ledger.show()
        self.ledger.raise_()
        self.ledger.activateWindow()

    def _word(self) -> None:
        for view in VIEWS:
            self.view_box.setItemText(VIEWS.index(view), view.name())
        self.view_box.setAccessibleName(self.tr("What the curve shows"))
        self.view_box.setToolTip(
            self.view_box.accessibleName()
        )  # without a label, read out by this
        self._ledger_button.setText(self.tr("Predictions and what came…"))
        self._help.explain(self.tr("the curve"), self._explained(self._view))
        self.model.word()
        self._tell_accuracy()
        self._dress()
        self._tell()

    def _dress(self) -> None:
        for label in (self._key, self._accuracy_words):
            label.setFont(self._theme.font(Size.CAPTION))
            mute(label)
        self._pointed.setFont(self._theme.font(Size.BODY))
        self._tell_key()
