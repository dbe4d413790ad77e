"""What a refresh of the worker lanes costs the GUI thread, and what the rest costs beside it."""

from __future__ import annotations

import heapq
import os
import random
import time
from collections.abc import Sequence

import numpy as np
from grounds import Grounds
from PySide6.QtCore import QEvent, QEventLoop
from PySide6.QtWidgets import QApplication
from report import Section, Table, progress

from dropline.meter import Entry, Kind
from dropline_desktop.charts.axes import TimeAxis
from dropline_desktop.charts.lanes.bars import CAPACITY, Bars
from dropline_desktop.charts.lanes.strip import LaneStrip
from dropline_desktop.theme import Mode, Theme

#: Refreshes that are measured of each case.
REFRESHES = 100
#: Seconds in view.
VIEW = 60.0
CASES = ((4, 2_000), (64, 2_000), (64, 10_000), (64, 50_000))


def bench(_grounds: Grounds, *, quick: bool) -> Section:
    """Lanes and bars in view, the last of them few when quick."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    qt = QApplication.instance() or QApplication([])
    assert isinstance(qt, QApplication)
    theme = Theme(qt, Mode.LIGHT)
    table = Table(
        ["lanes", "bars in view", "GUI thread, ms: median", "99 of 100", "longest", "aim",
         "drawn beside it, ms", "µs an entry"],
    )  # fmt: skip
    for lanes, bars in CASES[: 2 if quick else None]:
        entries = _busy(lanes, bars)
        taken = _take(entries)
        strip = LaneStrip(theme, TimeAxis(60.0), lambda: VIEW)
        strip.resize(1000, 160)
        strip.show()
        strip.painter.observe(entries)
        runs = np.array([_refresh(qt, strip, i) for i in range(REFRESHES + 3)][3:]) * 1e3
        own, beside = runs.T
        figures = (np.median(own), np.percentile(own, 99), own.max())
        table.rows.append(
            [str(lanes), f"{bars:,}", *(f"{x:.2f}" for x in figures), "≤ 16",
             f"{np.median(beside):.1f}", f"{taken:.2f}"]
        )  # fmt: skip
        progress(f"{lanes} lanes: {np.median(own):.2f} ms")
        strip.painter.wait()
        strip.close()
        strip.deleteLater()
        qt.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return Section(
        "The worker lanes: a refresh",
        f"{VIEW:.0f} s of busy workers at 1000 × 160, {REFRESHES} refreshes, painted off screen; "
        f"CPU time of the GUI thread alone, from the wish to the painted picture. Beside it a "
        f"thread takes in the entries and draws; it keeps {CAPACITY:,} bars.",
        [table],
    )


def _busy(lanes: int, bars: int) -> Sequence[Entry]:
    """The log of `bars` files in `VIEW` seconds, of a line that is busy all the time."""
    numbers = random.Random(bars)
    entries = [Entry(0.0, Kind.WORKERS, workers=lanes)]
    free = [(0.0, worker) for worker in range(lanes)]
    for job in range(bars):
        began, worker = heapq.heappop(free)
        took = numbers.expovariate(bars / VIEW / lanes)
        kind = numbers.choices([Kind.FINISH, Kind.RETRY, Kind.FAIL], [96, 3, 1])[0]
        entries.append(Entry(max(0.0, began - numbers.expovariate(1.0)), Kind.ARRIVE, job))
        entries.append(Entry(began, Kind.START, job, None, worker, 4096))
        entries.append(Entry(began + took, kind, job))
        heapq.heappush(free, (began + took, worker))
    order = {Kind.START: 1}
    return sorted(entries, key=lambda entry: (entry.t, order.get(entry.kind, 0)))


def _take(entries: Sequence[Entry]) -> float:
    """Microseconds an entry that making bars takes."""
    bars = Bars()
    began = time.perf_counter()
    bars.take(entries)
    return (time.perf_counter() - began) / len(entries) * 1e6


def _refresh(qt: QApplication, strip: LaneStrip, number: int) -> tuple[float, float]:
    """Ask for a picture, and paint it: seconds of this thread, and until it was drawn."""
    loop = QEventLoop()
    strip.painter.drawn.connect(loop.quit)
    asked, began = time.perf_counter(), time.thread_time()
    strip.look_at(0.01 * number, VIEW + 0.01 * number, VIEW)
    loop.exec()
    drawn = time.perf_counter()
    strip.plot.viewport().repaint()
    return time.thread_time() - began, drawn - asked
