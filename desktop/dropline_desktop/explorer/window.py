"""The window: charts of the past on the left, the figures of what they show on the right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from dropline.history import Past, Summary
from dropline.report import Run
from dropline_desktop.charts.contents import COLUMNS
from dropline_desktop.charts.export import (
    Writer,
    ask_for_file,
    write_drawing,
    write_picture,
    write_report,
    write_table,
)
from dropline_desktop.charts.toolbar import button
from dropline_desktop.explorer.comparison import Comparison, Figures
from dropline_desktop.explorer.reader import Reader
from dropline_desktop.explorer.view import View, moment_text
from dropline_desktop.language import worded
from dropline_desktop.text import printable
from dropline_desktop.theme import Space, Theme

#: Milliseconds that the view has to be at rest before it is summed up.
_REST_MS = 150
_DAY = 86_400.0


class Explorer(QWidget):
    """Shows one run at a time. A span of it, or of another, can be kept to compare with."""

    def __init__(self, theme: Theme, folder: Path, parent: QWidget | None = None) -> None:
        """`folder`: where recorded logs are looked for."""
        super().__init__(parent, Qt.WindowType.Window)
        self._folder = folder
        self._run: Run | None = None
        self._figures: Figures | None = None
        self._kept: tuple[Run, Figures] | None = None
        self._keep_next = False
        self.setObjectName("explorer")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._reader = Reader(self)
        self._writer = Writer(self)
        self.view = View(theme)
        self.table = Comparison(theme)
        self._span = _label()
        self._kept_span = _label()
        self._notice = _label()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._lay_out()
        self._connect()
        self.resize(1180, 720)

    def open_log(self, path: Path) -> None:
        """Read a log, and show it when it is read."""
        self.setWindowTitle(f"Dropline: {printable(path.name)}")
        self._say(self.tr("Reading {}…").format(printable(str(path))))
        self._reader.open(path)

    def open_history(self, past: Past) -> None:
        """Show what a station has done lately."""
        self._say(self.tr("Reading the history…"))
        self._reader.look(past)

    def show_run(self, run: Run) -> None:
        """Show a run; of a history, its last day first."""
        self._run = run
        self.setWindowTitle(f"Dropline: {printable(run.name)}")
        self._notice.hide()
        self._figures = None
        self.view.show_run(run)
        if run.wall:
            self.view.look_at(max(run.start, run.end - _DAY), run.end)
        self._show_figures()

    def keep(self) -> None:
        """Keep the span that is shown, to compare others with."""
        if self._run is not None and self._figures is not None:
            self._kept = self._shown, self._figures
            self._show_figures()

    def forget(self) -> None:
        """Compare no more."""
        self._kept = None
        self._show_figures()

    # --- files ----------------------------------------------------------------------------------

    def export_picture(self, path: Path) -> None:
        """Save the charts as PNG."""
        image = self.view.grab().toImage()
        self._writer.write(path, lambda part: write_picture(part, image))

    def export_drawing(self, path: Path) -> None:
        """Save the charts as SVG."""
        run, (times, values) = self._shown, self.view.points()
        marks = [(mark.t, mark.text) for mark in self.view.marks()]
        self._writer.write(
            path,
            lambda part: write_drawing(
                part, times, values, marks, (run.start, run.end), wall=run.wall
            ),
        )

    def export_table(self, path: Path) -> None:
        """Save the figures that the curves are made of as CSV."""
        times, values = self.view.table()
        names = [quantity.key for quantity in COLUMNS]
        zero = datetime.fromtimestamp(0.0).astimezone() if self._shown.wall else None
        self._writer.write(path, lambda part: write_table(part, names, zero, times, values))

    def export_report(self, path: Path) -> None:
        """Save a report of the span shown, compared with the one kept, as HTML."""
        runs = [*([self._kept[0]] if self._kept is not None else []), self._shown]
        self._writer.write(path, lambda part: write_report(part, runs))

    def wait(self) -> None:
        """Return when nothing is being written or drawn from disk."""
        self._writer.wait()
        self.view.wait()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._rest.stop()
        self._reader.close()
        self.wait()
        super().closeEvent(event)

    # --- inside ---------------------------------------------------------------------------------

    @property
    def _shown(self) -> Run:
        """The run, from the left end of the charts to the right."""
        assert self._run is not None
        start, end = self.view.span
        return Run(self._run.name, self._run.past, start, end, wall=self._run.wall)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setSpacing(Space.S)
        self._open, self._whole = button(), button()
        self._keep, self._forget, self._export = button(), button(), button()
        self._export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self._export)
        self._picture, self._drawing, self._figure_table, self._report = (
            menu.addAction("", partial(ask_for_file, self, kind, save))
            for kind, save in (
                ("png", self.export_picture),
                ("svg", self.export_drawing),
                ("csv", self.export_table),
                ("html", self.export_report),
            )
        )
        self._export.setMenu(menu)
        bar.addWidget(self._open)
        bar.addWidget(self._whole)
        bar.addStretch(1)
        for tool in (self._keep, self._forget, self._export):
            bar.addWidget(tool)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.S)
        for part in (self._span, self._kept_span):
            column.addWidget(part)
        column.addWidget(self.table, 1)
        parts = QSplitter(Qt.Orientation.Horizontal)
        parts.setChildrenCollapsible(False)
        parts.addWidget(self.view)
        parts.addWidget(side)
        parts.setStretchFactor(0, 1)
        parts.setSizes([760, 400])
        rows = QVBoxLayout(self)
        rows.setContentsMargins(Space.M, Space.M, Space.M, Space.M)
        rows.addLayout(bar)
        rows.addWidget(self._notice)
        rows.addWidget(parts, 1)
        self._notice.hide()
        worded(self, self._word)

    def _word(self) -> None:
        for tool, text, tip in (
            (self._open, self.tr("Open log…"), self.tr("Show another recorded log here.")),
            (self._whole, self.tr("Whole"), self.tr("Show the whole of it (Home).")),
            (
                self._keep,
                self.tr("Keep to compare"),
                self.tr(
                    "Keep the figures of what is shown, and see beside them those of another "
                    "span or log."
                ),
            ),
            (
                self._forget,
                self.tr("Compare no more"),
                self.tr("Forget the span that was kept."),
            ),
            (self._export, self.tr("Export"), self.tr("Save what is shown.")),
        ):
            tool.setText(text)
            tool.setToolTip(tip)
        self._picture.setText(self.tr("&Picture (PNG)…"))
        self._drawing.setText(self.tr("&Drawing (SVG)…"))
        self._figure_table.setText(self.tr("&Table of the figures (CSV)…"))
        self._report.setText(self.tr("&Report (HTML)…"))
        self._show_figures()

    def _connect(self) -> None:
        self._open.clicked.connect(self._ask_for_log)
        self._whole.clicked.connect(self.view.look_at_all)
        self._keep.clicked.connect(self.keep)
        self._forget.clicked.connect(self.forget)
        self.view.spanChanged.connect(self._span_changed)
        self.view.failed.connect(self._say)
        self._rest.timeout.connect(self._sum_up)
        self._reader.opened.connect(self.show_run)
        self._reader.summed.connect(self._summed)
        self._reader.noticed.connect(self._say)
        self._reader.failed.connect(self._say)
        self._writer.failed.connect(self._say)
        self._writer.written.connect(
            lambda path: self._say(self.tr("Saved as {}").format(printable(path)))
        )

    def _ask_for_log(self) -> None:
        ask_for_log(self, self._folder, self.open_log)

    def _span_changed(self) -> None:
        self._rest.start()

    def _sum_up(self) -> None:
        if self._run is not None:
            self._reader.sum_up(self._run.past, *self.view.span)

    def _summed(self, summary: Summary | None) -> None:
        self._figures = None if summary is None else summary.as_dict()
        self._show_figures()

    def _show_figures(self) -> None:
        known = self._run is not None
        for tool in (self._whole, self._export):
            tool.setEnabled(known)
        self._keep.setEnabled(self._figures is not None)
        self._forget.setVisible(self._kept is not None)
        self._kept_span.setVisible(self._kept is not None)
        if self._kept is not None:
            self._kept_span.setText(self.tr("Kept: {}").format(_span_text(self._kept[0])))
        self._span.setText(self.tr("This: {}").format(_span_text(self._shown)) if known else "")
        self.table.show_figures(self._kept[1] if self._kept else None, self._figures)

    def _say(self, text: str) -> None:
        self._notice.setText(text)
        self._notice.show()


def ask_for_log(parent: QWidget, folder: Path, chosen: Callable[[Path], None]) -> None:
    """Ask for a recorded log; `chosen` gets its path."""
    translate = QCoreApplication.translate
    dialog = QFileDialog(parent, translate("Explorer", "Open a recorded log"), str(folder))
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters(
        [
            translate("Explorer", "Recorded logs (*.jsonl)"),
            translate("Explorer", "All files (*)"),
        ]
    )
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda path: chosen(Path(path)))
    dialog.open()


def _span_text(run: Run) -> str:
    start, end = (moment_text(t, wall=run.wall) for t in (run.start, run.end))
    return f"{printable(run.name)}, {start} – {end}"


def _label() -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
