"""Files of what the charts show: a picture, a drawing, a table of the readings, a report."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Qt, QThreadPool, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from dropline.report import Run, page, picture
from dropline_desktop.charts.contents import COLUMNS
from dropline_desktop.charts.history import Floats
from dropline_desktop.spoken import why


class Writer(QObject):
    """Writes files off the GUI thread, one after the other."""

    written = Signal(str)  # the path
    failed = Signal(str)  # a sentence

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)

    def write(self, path: Path, write: Callable[[Path], None]) -> None:
        """Have `write` fill a file beside `path`, which takes its place only when it is whole."""

        def run() -> None:
            partial = path.with_name(path.name + ".part")
            try:
                write(partial)
                os.replace(partial, path)
            except (OSError, ValueError) as error:
                partial.unlink(missing_ok=True)
                self.failed.emit(
                    self.tr("{} was not written: {}. Choose another folder.").format(
                        path, why(error)
                    )
                )
            else:
                self.written.emit(str(path))

        self._pool.start(run)

    def wait(self) -> None:
        """Return when everything is written."""
        self._pool.waitForDone()


def write_picture(path: Path, image: QImage) -> None:
    """Write a PNG."""
    with path.open("wb"):  # for the system's own reason, which Qt does not tell
        pass
    if not image.save(str(path), "PNG"):  # type: ignore[call-overload]
        raise OSError(f"the picture does not fit at {path}")


def write_table(
    path: Path, names: Sequence[str], wall: datetime | None, times: Floats, values: Floats
) -> None:
    """Write a CSV: a row a reading, with its time in UTC and in seconds after the first.

    `wall` is the time of day at time 0; with None only seconds are told, those of a log. What is
    undefined is an empty cell.
    """
    zero = times[0] if wall is not None and len(times) else 0.0
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([*(["time"] if wall is not None else []), "seconds", *names])
        for t, row in zip(times.tolist(), values.T.tolist(), strict=True):
            cells = ("" if math.isnan(value) else f"{value:.9g}" for value in row)
            day = [] if wall is None else [_utc(wall.timestamp() + t)]
            rows.writerow([*day, f"{t - zero:.3f}", *cells])


def _utc(t: float) -> str:
    text = datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def write_drawing(
    path: Path,
    times: Floats,
    values: Floats,
    marks: Sequence[tuple[float, str]],
    span: tuple[float, float],
    *,
    wall: bool = True,
) -> None:
    """Write an SVG of curves, one row of `values` for each of `COLUMNS`; see `picture`."""
    points = {quantity.key: row for quantity, row in zip(COLUMNS, values, strict=True)}
    points["workers"] = points["running"]
    svg = picture(times, points, marks, span, wall=wall, translate=QCoreApplication.translate)
    path.write_text(svg, encoding="utf-8")


def write_report(path: Path, runs: Sequence[Run]) -> None:
    """Write an HTML report of a run, or of two compared; raises what `page` raises."""
    path.write_text(page(runs, translate=QCoreApplication.translate), encoding="utf-8")


def ask_for_file(parent: QWidget, kind: str, save: Callable[[Path], None]) -> None:
    """Ask for a file of a `kind`, such as "png", and have it saved."""
    dialog = QFileDialog(parent, QCoreApplication.translate("Charts", "Save the charts"))
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(kind)
    dialog.setNameFilter(f"*.{kind}")
    dialog.selectFile(f"dropline-{datetime.now().astimezone():%Y%m%d-%H%M%S}.{kind}")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(lambda chosen: save(Path(chosen)))
    dialog.open()
