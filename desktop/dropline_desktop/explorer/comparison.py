"""The figures of a span, and beside them those of one that was kept, with the change."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QT_TRANSLATE_NOOP, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from dropline.report.page import change
from dropline_desktop import format
from dropline_desktop import quantities as q
from dropline_desktop.language import worded
from dropline_desktop.theme import Theme

#: Figures with a definition of their own; after them, those whose name says it all.
_QUANTITIES = (
    q.ARRIVAL_RATE, q.THROUGHPUT, q.SERVICE_RATE, q.UTILISATION, q.MEAN_IN_SYSTEM,
    q.MEAN_WAITING, q.MEAN_WORKERS, q.MEAN_RESPONSE, q.P50, q.P95, q.P99, q.MEAN_WAIT,
)  # fmt: skip
_COUNTS = {
    "arrivals": QT_TRANSLATE_NOOP("Comparison", "arrivals"),
    "finished": QT_TRANSLATE_NOOP("Comparison", "finished"),
    "failed": QT_TRANSLATE_NOOP("Comparison", "failed"),
    "retried": QT_TRANSLATE_NOOP("Comparison", "retried"),
    "cancelled": QT_TRANSLATE_NOOP("Comparison", "cancelled"),
}

Figures = Mapping[str, float | None]


class Comparison(QTableWidget):
    """A row a figure. Columns: its name, the kept span, this one, the change."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(len(_QUANTITIES) + len(_COUNTS), 4)
        self._theme = theme
        self._cells: list[list[QTableWidgetItem]] = []
        self._texts: list[tuple[str, Callable[[float | None], str]]] = []
        self.setObjectName("comparison")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for quantity in _QUANTITIES:
            self._add(quantity.key, quantity.text)
        for key in _COUNTS:
            self._add(key, format.count)
        self.resizeRowsToContents()
        self._shown: tuple[Figures | None, Figures | None] = (None, None)
        worded(self, self._word)

    def show_figures(self, kept: Figures | None, this: Figures | None) -> None:
        """Show these; None where there are none."""
        self._shown = kept, this
        self.setColumnHidden(1, kept is None)
        self.setColumnHidden(3, kept is None)
        for row, (key, text) in enumerate(self._texts):
            before, after = ((each or {}).get(key) for each in (kept, this))
            by = change(before, after)
            told = format.UNDEFINED if by is None else f"{'+' if by > 0 else ''}{_percent(by)}"
            for column, words in ((1, text(before)), (2, text(after)), (3, told)):
                self._cells[row][column].setText(words)

    def _word(self) -> None:
        self.setAccessibleName(self.tr("Figures of this span and of the one kept"))
        self.setHorizontalHeaderLabels(
            [self.tr("Figure"), self.tr("Kept"), self.tr("This"), self.tr("Change")]
        )
        for quantity, cells in zip(_QUANTITIES, self._cells, strict=False):
            cells[0].setText(f"{quantity.symbol} {quantity.name()}".strip())
            for cell in cells:
                cell.setToolTip(quantity.help())
        for name, cells in zip(_COUNTS.values(), self._cells[len(_QUANTITIES) :], strict=True):
            cells[0].setText(self.tr(str(name)))
        self.show_figures(*self._shown)

    def _add(self, key: str, text: Callable[[float | None], str]) -> None:
        row = len(self._cells)
        self._cells.append([QTableWidgetItem() for _ in range(4)])
        self._texts.append((key, text))
        for column, item in enumerate(self._cells[-1]):
            if column:
                side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                item.setTextAlignment(side)
            self.setItem(row, column, item)


def _percent(share: float) -> str:
    return format.percent(share) if share >= 0 else f"−{format.percent(-share)}"
