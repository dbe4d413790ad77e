"""The ledger of predictions: what was predicted at each change of c, what came, and the errors."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from dropline.tuning import Accuracy, By, Expected, Record
from dropline_desktop import format
from dropline_desktop.language import worded
from dropline_desktop.sentences import counted
from dropline_desktop.theme import Size, Space, Theme
from dropline_desktop.tune.views import range_text

translate = QCoreApplication.translate

#: Records that are shown.
KEPT = 500

_COLUMNS = 8

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class _Row:
    record: Record
    figure: str
    expected: Expected
    text: Callable[[float | None], str]


class LedgerModel(QAbstractTableModel):
    """A row a predicted figure, the newest change first."""

    def __init__(self) -> None:
        super().__init__()
        self._records: dict[int, Record] = {}
        self._rows: list[_Row] = []

    @property
    def records(self) -> list[Record]:
        """The records, in order."""
        return [self._records[number] for number in sorted(self._records)]

    def show_records(self, records: Sequence[Record]) -> None:
        """Add these, or put them in the place of those with the same numbers."""
        self._records.update((record.number, record) for record in records)
        for number in sorted(self._records)[:-KEPT]:
            del self._records[number]
        self.beginResetModel()
        self._rows = [row for record in reversed(self.records) for row in self._rows_of(record)]
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else _COLUMNS

    def headerData(
        self, section: int, side: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if side is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._headings()[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if index.column() < 4 else Qt.AlignmentFlag.AlignRight
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole and index.column() == 6:
            return self._progress(self._rows[index.row()].record)
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return self.cells(index.row())[index.column()]

    def cells(self, number: int) -> tuple[str, ...]:
        """The texts of a row."""
        row = self._rows[number]
        record, expected = row.record, row.expected
        predicted = expected.predicted
        at = datetime.fromisoformat(record.time).astimezone()
        return (
            f"{at:%Y-%m-%d} {format.clock(at)}",
            f"{record.before} → {record.workers}",
            self._by(record.by),
            row.figure,
            row.text(predicted.expected),
            range_text(predicted, row.text),
            row.text(expected.measured),
            _signed_percent(expected.error),
        )

    def word(self) -> None:
        """Speak another language."""
        self.show_records([])
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, _COLUMNS - 1)

    def _headings(self) -> tuple[str, ...]:
        return (
            self.tr("When"),
            self.tr("Workers"),
            self.tr("By"),
            self.tr("Figure"),
            self.tr("Predicted"),
            self.tr("90 % range"),
            self.tr("Measured"),
            self.tr("Error"),
        )

    def _rows_of(self, record: Record) -> list[_Row]:
        figures = (
            (self.tr("X throughput"), record.throughput, format.rate),
            (self.tr("L in the line"), record.in_system, format.number),
            (self.tr("τ mean"), record.response, format.duration),
            (self.tr("until no queue"), record.drain, format.duration),
        )
        return [
            _Row(record, name, expected, text)
            for name, expected, text in figures
            if expected.predicted.expected is not None or expected.measured is not None
        ]

    def _by(self, by: str) -> str:
        return {
            By.HAND: self.tr("you"),
            By.CURVE: self.tr("you, on the curve"),
            By.AUTOPILOT: self.tr("autopilot"),
            By.PROBE: self.tr("probe"),
            By.START: self.tr("start"),
        }.get(By(by), by)

    def _progress(self, record: Record) -> str:
        return {
            "waiting": self.tr("The line has not settled yet since this change."),
            "measured": self.tr("Measured over {} once the line had settled.").format(
                format.duration(record.seconds)
            ),
            "cut": self.tr("Another change came before the line had settled."),
        }.get(record.state, "")


class LedgerWindow(QDialog):
    """The table with its accuracy; asks where to export it to."""

    exportAsked = Signal()

    def __init__(self, theme: Theme, model: LedgerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setObjectName("ledger")
        self.resize(820, 420)
        self.accuracy = QLabel()
        self.accuracy.setWordWrap(True)
        self.table = QTableView()
        self.table.setObjectName("ledgerTable")
        self.table.setModel(model)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setWordWrap(False)
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        self.export = QPushButton()
        self.export.clicked.connect(self.exportAsked)
        self._close = QPushButton()
        self._close.clicked.connect(self.close)
        foot = QHBoxLayout()
        foot.addWidget(self.accuracy, 1)
        foot.addWidget(self.export)
        foot.addWidget(self._close)
        column = QVBoxLayout(self)
        column.setSpacing(Space.M)
        column.addWidget(self.table, 1)
        column.addLayout(foot)
        self._dress()
        worded(self, self._word)

    def _word(self) -> None:
        self.setWindowTitle(self.tr("Predictions and what came"))
        self.table.setAccessibleName(self.windowTitle())
        self.export.setText(self.tr("Export as CSV…"))
        self._close.setText(self.tr("Close"))

    def _dress(self) -> None:
        self.accuracy.setFont(self._theme.font(Size.BODY))


def accuracy_text(accuracy: Accuracy | None) -> str:
    """How right the predictions were, in a sentence."""
    if accuracy is None or not accuracy.figures or accuracy.median_error is None:
        return translate(
            "Tune", "No prediction has been checked yet: change the workers and wait a little."
        )
    return counted.tr(
        "%Ln prediction(s) checked: half of the figures within {0}, {1} inside the stated range.",
        "",
        accuracy.checked,
    ).format(format.percent(accuracy.median_error), format.percent(accuracy.inside))


def write_ledger(path: Path, records: Sequence[Record]) -> None:
    """Write a CSV: a row a predicted figure of a change. What is not known is an empty cell."""
    names = ("throughput", "in_system", "response", "drain")
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(
            ["number", "time", "by", "before", "workers", "verdict", "state", "starts", "seconds",
             "figure", "predicted", "low", "high", "measured", "error"]
        )  # fmt: skip
        for record in records:
            for name in names:
                expected: Expected = getattr(record, name)
                predicted = expected.predicted
                values = (
                    predicted.expected, predicted.low, predicted.high, expected.measured,
                    expected.error,
                )  # fmt: skip
                rows.writerow(
                    [record.number, record.time, record.by, record.before, record.workers,
                     record.verdict, record.state, record.starts, record.seconds, name,
                     *("" if value is None else f"{value:.9g}" for value in values)]
                )  # fmt: skip


def _signed_percent(share: float | None) -> str:
    if share is None:
        return format.UNDEFINED
    return f"+{format.percent(share)}" if share >= 0 else f"−{format.percent(-share)}"
