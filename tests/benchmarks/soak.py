"""Hours in minutes: a window under load, while everything about it is changed over and over.

A simulated line runs in the window at a high rate; meanwhile theme and language are switched, the
workers of both lines are resized at random, dialogs open and close, and the simulation ends and
begins anew. What is there is counted after a warm-up and at the end, each time with the same theme
and language and no simulation: memory, objects by type, QObjects, timers, threads, descriptors.
A *stall* is what lies between two beats of a timer of 5 ms in the GUI thread beyond these.

    python tests/benchmarks/soak.py [--events N] [--rate R] [--seed S]

runs once and prints JSON.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from typing import Any

import numpy as np
import psutil
from grounds import Grounds
from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QObject, QTimer
from PySide6.QtGui import QPixmapCache
from PySide6.QtWidgets import QApplication
from report import Section, Table, progress
from window import BEAT, Heartbeat

from dropline.home import Home
from dropline.load import Exponential, Poisson, Service
from dropline_desktop.app import Application, make_qt
from dropline_desktop.bus import QtBus
from dropline_desktop.language import Language
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.theme import Mode

#: Events of the whole run, arrivals, starts and ends of jobs; and jobs a second, which a machine
#: can bear together with the window: in a line that falls behind, memory holds what waits.
EVENTS, RATE = 1_000_000, 1_000.0
QUICK_EVENTS = 30_000
#: Seconds from one change to the next, and rounds of changes in a simulation.
PAUSE, ROUNDS = 0.5, 4
#: The share of the events after which all that is made once is there.
WARM = 0.3
#: Seconds in which what has ended is gone.
PATIENCE = 60.0
MOST_WORKERS = 12


class Soak:
    """One run, from the start of the program to its end."""

    def __init__(self, events: int, rate: float, seed: int) -> None:
        self._wanted, self._rate = events, rate
        self._random = random.Random(seed)
        self._counted = [0]
        self._lock = threading.Lock()
        self._qt = make_qt(sys.argv[:1])
        self._app = Application(self._qt, Home.default(), port=0)
        self._changes = cycle(
            [(mode, language) for mode in (Mode.DARK, Mode.LIGHT)
             for language in (Language.CHINESE, Language.ENGLISH)]
        )  # fmt: skip
        self._took: dict[str, list[float]] = {}
        self._changed: list[tuple[float, float]] = []  # when what is timed began and ended

    def run(self) -> dict[str, Any]:
        """Run; returns what was counted."""
        app, began = self._app, time.monotonic()
        app.start()
        app.window.resize(1280, 760)
        self._go_on(1.0)
        app._simulate()
        app.simulation.dialog.close()
        app.show_settings()
        heart = Heartbeat()
        rounds, before = 0, None
        while self._counted[0] < self._wanted or before is None or rounds % ROUNDS:
            if before is None and self._counted[0] >= WARM * self._wanted and not rounds % ROUNDS:
                before = self._count()
                del heart.beats[:]
            self._round(rounds)
            rounds += 1
        heart.stop()
        after = self._count()
        beats = np.array(heart.beats)[::2]  # times, without the CPU by then
        stalls = np.diff(beats) - BEAT
        # those in which nothing was changed on purpose
        calm = np.full(len(stalls), True)
        for began_at, ended_at in np.searchsorted(beats, self._changed):
            calm[max(0, began_at - 1) : ended_at] = False
        told = {
            "seconds": time.monotonic() - began,
            "events": self._counted[0],
            "rounds": rounds,
            "before": before,
            "after": after,
            "simulations": rounds // ROUNDS,
            "stalls": _quantiles(stalls),
            "calm": _quantiles(stalls[calm]),
            "took": {name: float(np.median(each)) for name, each in self._took.items()},
        }  # fmt: skip
        self._close()
        return told

    # --- what is done -----------------------------------------------------------------------

    def _round(self, number: int) -> None:
        app, draw = self._app, self._random
        if number % ROUNDS == 0:
            plan = Plan(Poisson(self._rate), Service(Exponential(0.001)), MOST_WORKERS)
            with self._timed("a simulation begins"):
                app.simulation.start(plan)
            app.simulation.line.station.watch(self._take)
            self._go_on(PAUSE)
        mode, language = next(self._changes)
        with self._timed("another theme"):
            app.window.choose_theme(mode)
        self._go_on(PAUSE)
        with self._timed("another language"):
            app.window.choose_language(language)
        self._go_on(PAUSE)
        for spin in (app.window.tuner.spin, app.simulation.page.instruments.tuner.spin):
            spin.setValue(draw.randint(1, MOST_WORKERS))
        dialog = draw.choice(
            [app.settings_dialog, app.about, app.destination, app.window.commands,
             app.window.watched, app.simulation.dialog]
        )  # fmt: skip
        with self._timed("a dialog opens"):
            dialog.show()
        self._go_on(PAUSE)
        dialog.close()
        if number % ROUNDS == ROUNDS - 1:
            app.simulation.stop()

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        at = time.monotonic()
        yield
        QCoreApplication.processEvents()  # it is over once it is painted
        over = time.monotonic()
        self._took.setdefault(what, []).append(over - at)
        self._changed.append((at, over))

    def _take(self, entries: Sequence[object]) -> None:
        with self._lock:
            self._counted[0] += len(entries)

    def _go_on(self, seconds: float) -> None:
        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def _close(self) -> None:
        loop = QEventLoop()
        self._app.finished.connect(loop.quit)
        self._app.shutdown()
        loop.exec()

    # --- what is counted --------------------------------------------------------------------

    def _count(self) -> dict[str, Any]:
        """What is there once all that has ended is gone, or after `PATIENCE`."""
        app = self._app
        app.window.choose_theme(Mode.LIGHT)
        app.window.choose_language(Language.ENGLISH)
        app.window.tuner.spin.setValue(4)
        deadline, last = time.monotonic() + PATIENCE, None
        while True:
            self._go_on(0.5)
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            gc.collect()
            now = self._look()
            ending = app.simulation.findChildren(QtBus)  # threads that are at it change no count
            if last is not None and now["counts"] == last["counts"] and not ending:
                return now
            if time.monotonic() > deadline:
                return now
            last = now

    def _look(self) -> dict[str, Any]:
        objects = [each for top in self._roots() for each in [top, *top.findChildren(QObject)]]
        unique = {id(each): each for each in objects}.values()
        counts = {
            "QObjects": len(unique),
            "timers": sum(isinstance(each, QTimer) for each in unique),
            "widgets": len(QApplication.allWidgets()),
            "threads": psutil.Process().num_threads(),
            "descriptors": _descriptors(),
        }
        types = Counter(
            f"{type(each).__module__}.{type(each).__name__}" for each in gc.get_objects()
        )
        return {
            "memory": _resident(),
            "allocated": _allocated(),
            "counts": counts,
            "types": dict(types),
        }

    def _roots(self) -> list[QObject]:
        return [self._app, self._qt, *QApplication.topLevelWidgets()]


def growth(told: dict[str, Any]) -> dict[str, int]:
    """By how much each count differs, and each type of objects that has become more."""
    before, after = told["before"], told["after"]
    grown = {name: after["counts"][name] - count for name, count in before["counts"].items()}
    types = Counter(after["types"])
    types.subtract(before["types"])
    return grown | {name: more for name, more in types.most_common(12) if more > 0}


def _quantiles(seconds: Any) -> dict[str, float]:
    """Of stalls, in seconds."""
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "most": 1.0}
    return {name: float(np.quantile(seconds, share)) for name, share in shares.items()}


def _resident() -> float:
    """MiB, without what is kept for later: Qt's drawings (10 MiB at most), glibc's freed memory."""
    QPixmapCache.clear()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
    return psutil.Process().memory_info().rss / 2**20


class _Allocations(ctypes.Structure):
    """What `mallinfo2` of glibc tells: bytes of all arenas."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
                     "uordblks", "fordblks", "keepcost")
    ]  # fmt: skip


def _allocated() -> float | None:
    """MiB that are in use, where that is known; what is resident besides lies free in between."""
    with suppress(OSError, AttributeError):
        mallinfo = ctypes.CDLL("libc.so.6").mallinfo2
        mallinfo.restype = _Allocations
        return float(mallinfo().uordblks) / 2**20
    return None


def _descriptors() -> int:
    process = psutil.Process()
    return process.num_fds() if hasattr(process, "num_fds") else process.num_handles()


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """Run once, in a process of its own."""
    with grounds.fresh() as folder:
        done = subprocess.run(
            [sys.executable, __file__, "--events", str(QUICK_EVENTS if quick else EVENTS)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={
                **os.environ,
                "DROPLINE_HOME": str(folder),
                "QT_QPA_PLATFORM": "offscreen",
                "QT_LOGGING_RULES": "default.warning=false",
            },
        )
    told = json.loads(done.stdout)
    progress(f"{told['events']:,} events in {told['seconds']:.0f} s")
    counts = Table(["since the warm-up", "grew by"])
    for name, more in growth(told).items():
        counts.rows.append([name, f"{more:+,}"])
    for what, name in (("memory", "resident memory, MiB"), ("allocated", "of it in use, MiB")):
        before, after = told["before"][what], told["after"][what]
        counts.rows.append([name, "–" if before is None else f"{after - before:+.1f}"])
    stalls = Table(["GUI stall", "ms", "without those of the changes, ms"])
    for name, seconds in told["stalls"].items():
        calm = told["calm"][name]
        stalls.rows.append([name, f"{seconds * 1000:.1f}", f"{calm * 1000:.1f}"])
    for name, seconds in told["took"].items():
        stalls.rows.append([f"{name}, median", f"{seconds * 1000:.0f}", ""])
    about = (
        f"{told['events']:,} events of a simulated line, theme, language, workers, dialogs and the "
        f"simulation itself changed in {told['rounds']:,} rounds, "
        f"{told['simulations']:,} simulations."
    )
    return Section("A long day, compressed", about, [counts, stalls])


def main() -> None:
    """Run once, in this process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(Soak(options.events, options.rate, options.seed).run()))


if __name__ == "__main__":
    main()
