"""What a refresh of the charts costs the GUI thread, with 24 hours of history behind them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from grounds import Grounds
from meters import line
from PySide6.QtCore import QEvent, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication
from report import Section, Table, progress

from dropline.history import Row, Store, summary
from dropline.meter import Figures, LittlesLaw, Meter
from dropline.station.reading import Reading
from dropline_desktop.charts import Charts
from dropline_desktop.theme import Mode, Theme

#: Seconds of the line's past.
PAST = 25 * 3600
#: Refreshes that are measured of each view.
REFRESHES = 100
#: The views, in seconds up to now.
VIEWS = {"1 min": 60.0, "1 h": 3600.0, "24 h": 86_400.0}


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """25 hours of a busy line on disk, and an hour of readings; fewer refreshes when quick."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    qt = QApplication.instance() or QApplication([])
    assert isinstance(qt, QApplication)
    with grounds.fresh() as folder:
        store = Store(folder / "history.sqlite", "send")
        refreshes = REFRESHES // 4 if quick else REFRESHES
        took = _fill(store, PAST)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 2**20
        progress(f"history: {size:.1f} MiB")
        charts = Charts(Theme(qt, Mode.LIGHT))
        charts.resize(1000, 700)
        charts.show()
        for reading in _readings(3600):
            charts.add_reading(reading)
        charts.set_past(store)
        table = Table(["view", "GUI thread, ms: median", "99 of 100", "longest", "aim", "read, ms"])
        for name, span in VIEWS.items():
            read = _show(charts, span)
            own = np.array([_refresh(qt, charts) for _ in range(refreshes)])
            figures = (np.median(own), np.percentile(own, 99), own.max())
            table.rows.append([name, *(f"{x:.1f}" for x in figures), "≤ 16", f"{read:.0f}"])
            progress(f"{name}: {np.median(own):.1f} ms")
        charts.wait_for_files()
        charts.close()
        charts.deleteLater()
        qt.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return Section(
        "The charts: a refresh, with history",
        f"25 hours of 1,000 files a second on disk ({size:.1f} MiB; a second is added in "
        f"{took * 1e3:.1f} ms), an hour of readings in memory; {refreshes} refreshes of each view, "
        "all charts drawn and painted off screen at 1000 × 700. The CPU time of the GUI thread "
        "alone; reading from disk, by another thread, is the last column.",
        [table],
    )


def _fill(store: Store, seconds: int) -> float:
    """Write a past that ends now; return what a second took to add, towards the end."""
    store.open(print)
    minute = _a_minute()
    now = time.time()
    began, timed = 0.0, 600
    batch: list[Row] = []
    for i in range(seconds):
        row = minute[i % len(minute)]
        shift = now - seconds + i - row.start
        batch.append(_moved(row, shift))
        if len(batch) == 3600 and seconds - i > timed:
            store.append(batch)
            batch = []
        if seconds - i == timed:
            store.append(batch)
            batch, began = [], time.perf_counter()
        if seconds - i < timed:
            store.append(batch)
            batch = []
    took = (time.perf_counter() - began) / timed
    store.close()
    return took


def _a_minute() -> Sequence[Row]:
    """A minute of 1,000 files a second, in seconds."""
    meter, edge, rows = Meter(), 0, []
    entries = iter(line(60_000))
    for now in range(1, 56):
        for entry in entries:
            meter.observe(entry)
            if entry.t > now:
                break
        for second in meter.seconds(edge, now):
            edge = second.end.time
            rows.append(Row.of(second, 0.0, 0.1))
    assert summary(rows) is not None
    return rows


def _moved(row: Row, by: float) -> Row:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return Row(**{**values, "start": row.start + by, "end": row.end + by})


def _readings(seconds: int) -> Sequence[Reading]:
    now = time.monotonic()
    random = np.random.default_rng(1)
    return [
        _reading(now - seconds + i / 10, *random.normal(1.0, 0.1, 3)) for i in range(10 * seconds)
    ]


def _reading(t: float, x: float, y: float, z: float) -> Reading:
    figures = Figures(
        *(t - 10, t, 10_000, 10_000, 0, 0, 0),
        *(1000 * x, 1000 * y, 278 * z, 9 * x, 6 * y, 3.6 * z, 4.0, 0.9 * x, 0.01 * y, 0.005 * z),
    )
    little = LittlesLaw(9.0, 9.0, 0.0, 0.0, True)
    return Reading(
        "send", t, False, 4, 4, 3, round(6 * x), round(9 * y), 0, 0, 0, 0.03 * z, 1e6, 1.0, 0.5,
        2.0, 10.0, figures, 0.008 * x, 0.02 * y, 0.03 * z, little, 0.0, None,
    )  # fmt: skip


def _show(charts: Charts, span: float) -> float:
    """Show this view with all that belongs to it; return the milliseconds that reading took."""
    began = time.perf_counter()
    charts.follow(span)
    charts.draw()
    charts.wait_for_files()
    took = time.perf_counter() - began
    loop = QEventLoop()
    QTimer.singleShot(50, loop.quit)
    loop.exec()
    return took * 1e3


def _refresh(qt: QApplication, charts: Charts) -> float:
    """Draw everything, and let Qt paint it; the milliseconds of CPU that this thread took."""
    began = time.thread_time()
    charts.draw()
    qt.processEvents()
    return (time.thread_time() - began) * 1e3
