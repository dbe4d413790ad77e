"""The window while a large folder is dropped on it: how long it stands still, how soon it sends.

The window's own program runs off screen in a process of its own, with its embedded receiver, as a
user runs it. A *heartbeat* is a timer of 5 ms in the GUI thread; a *stall* is what lies between two
beats beyond those 5 ms. Its peer is the same line and receiver in one process without a window.

    python tests/benchmarks/window.py [--bare] [--seconds N] PATH…

measures once and prints JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from grounds import Grounds, expected, verify
from PySide6.QtCore import QMimeData, QObject, QPointF, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget
from report import Section, Table, middle, progress, ratio

from dropline.bus import EventBus, MemoryBus
from dropline.events import (
    FileFailed,
    FileRefused,
    FileStarted,
    FileUploaded,
    Message,
    ReceiverStarted,
    ScanFinished,
)
from dropline.home import Home
from dropline.line import Line
from dropline.receiver import Receiver
from dropline.targets import ReceiverTarget
from dropline_desktop.app import Application, log_to, make_qt

#: Seconds from beat to beat.
BEAT = 0.005
#: Seconds that the idle window is watched before the drop.
IDLE = 2.0
#: Seconds after the drop at which the window is ended if it is not done.
LIMIT = 100.0
#: The same without a window, which is there for comparison alone.
LIMIT_BARE = 30.0
#: Seconds without a new file in the journal after which it has all.
SETTLED = 3.0
WORKERS = 4
#: Milliseconds over which a stall is one too long.
LONG = 50.0


@dataclass(slots=True)
class Story:
    """What happened after a drop; times in seconds since it, by the clock on the wall."""

    dropped: float = 0.0
    url: str = ""
    started: float | None = None
    uploaded: float | None = None
    shown: float | None = None
    walked: float | None = None
    journaled: float | None = None
    found: int = 0
    done: int = 0
    failed: int = 0
    refused: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the walk has ended and every file with it."""
        return self.walked is not None and self.done + self.failed >= self.found

    def listen(self, bus: EventBus, over: Callable[[], None]) -> None:
        """Follow the events; `over` is called when there is nothing more to come."""

        def take(messages: Sequence[Message]) -> None:
            for message in messages:
                self._take(message)
            if self.is_over:
                over()

        bus.subscribe("", take, batches=True)

    def _take(self, message: Message) -> None:
        match message.data:
            case ReceiverStarted(url=url):
                self.url = url
            case FileStarted() if self.started is None:
                self.started = self._since(message.time)
            case FileUploaded():
                self.done += 1
                if self.uploaded is None:
                    self.uploaded = self._since(message.time)
                    self.shown = time.time() - self.dropped
            case FileFailed():
                self.failed += 1
            case FileRefused():
                self.refused += 1
            case ScanFinished(found=found):
                self.walked = self._since(message.time)
                self.found = found

    def _since(self, moment: datetime) -> float:
        return moment.timestamp() - self.dropped


class Journaled:
    """When the last file came into the journal, which is ahead of the line."""

    def __init__(self, home: Home) -> None:
        self._path = home.journal
        self._seen = 0
        self._last = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self, story: Story) -> None:
        """Write it into the story, unless files were still coming."""
        self._over.set()
        self._thread.join()
        if story.walked is not None or time.time() - self._last > SETTLED:
            story.journaled = self._last - story.dropped

    def _watch(self) -> None:
        with contextlib.closing(sqlite3.connect(self._path, timeout=10.0)) as journal:
            while not self._over.wait(0.1):
                (seen,) = journal.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()
                if seen != self._seen:
                    self._seen, self._last = seen, time.time()


@dataclass(slots=True)
class Memory:
    """Resident memory in MiB: now, and at most so far."""

    first: float = 0.0
    most: float = 0.0
    process: psutil.Process = field(default_factory=psutil.Process)

    def look(self) -> None:
        """Look once."""
        now = self.process.memory_info().rss / 2**20
        self.first = self.first or now
        self.most = max(self.most, now)


class Heartbeat(QObject):
    """Notes when the GUI thread comes by, and how much CPU it has used by then."""

    def __init__(self) -> None:
        super().__init__()
        self.beats = array("d")  # time and CPU by turns: they are of the memory that is measured
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(round(BEAT * 1000))

    def stop(self) -> None:
        """No more beats."""
        self._timer.stop()

    @Slot()
    def _beat(self) -> None:
        self.beats.extend((time.monotonic(), time.thread_time()))

    def stalls(self, begin: float, end: float) -> dict[str, float]:
        """Stalls between beats in [begin, end), in ms; `own` is the thread's CPU in the longest."""
        beats = np.array(self.beats).reshape(-1, 2)
        beats = beats[(begin <= beats[:, 0]) & (beats[:, 0] < end)]
        if len(beats) < 2:
            return {}
        gaps = np.diff(beats, axis=0) * 1000
        stalls = np.maximum(gaps[:, 0] - BEAT * 1000, 0.0)
        longest = int(np.argmax(stalls))
        return {
            "p50": float(np.percentile(stalls, 50)),
            "p99": float(np.percentile(stalls, 99)),
            "longest": float(stalls[longest]),
            "long": int(np.count_nonzero(stalls > LONG)),
            "own": float(gaps[longest, 1]),
        }


# --- in the process that is measured ------------------------------------------------------------


class WithWindow:
    """The whole program, from its start until the drop is sent or the time is up."""

    def __init__(self, paths: Sequence[str], limit: float) -> None:
        self._paths = paths
        self._limit = limit
        home = Home.default()
        log_to(home)
        self._qt = make_qt()
        self._app = Application(self._qt, home, port=0)
        self._heartbeat = Heartbeat()
        self._look = QTimer()
        self._memory = Memory()
        self._look.timeout.connect(self._memory.look)
        self._story = Story()
        self._story.listen(self._app.bus, lambda: QTimer.singleShot(0, self._end))
        self._app.bus.subscribe(ReceiverStarted, self._begin)
        self._dropped = self._seconds = 0.0
        self._measured: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        """Return what was measured."""
        self._app.start()
        self._qt.exec()  # until the end of what is measured,
        try:
            story = conclude(self._story, self._memory, self._paths, self._seconds)
        finally:
            self._app.finished.connect(self._qt.quit)
            self._app.shutdown()
            self._qt.exec()  # and until all is closed
        return {**self._measured, **story}

    def _begin(self, _message: Message) -> None:
        # A second more than is watched: the window opens and draws itself first.
        QTimer.singleShot(round((IDLE + 1.0) * 1000), self._drop)

    def _drop(self) -> None:
        self._look.start(200)
        self._memory.look()
        self._dropped = time.monotonic()
        self._story.dropped = time.time()
        self._journaled = Journaled(Home.default())
        drop_on(self._app.window, self._paths)
        self._measured["drop"] = time.monotonic() - self._dropped
        QTimer.singleShot(round(self._limit * 1000), self._end)

    def _end(self) -> None:
        if not self._look.isActive():  # it was the end before
            return
        end = time.monotonic()
        self._seconds = end - self._dropped
        self._look.stop()
        self._memory.look()
        self._heartbeat.stop()
        self._journaled.end(self._story)
        walked = self._dropped + (self._limit if self._story.walked is None else self._story.walked)
        for phase, begin, until in (
            ("idle", self._dropped - IDLE, self._dropped),
            ("walking", self._dropped, walked),
            ("sending", walked, end),
        ):
            self._measured[phase] = self._heartbeat.stalls(begin, until)
        self._app.engine.do(lambda line: line.pause())
        self._qt.exit()  # quit would close the window, which ends the program


def drop_on(window: QWidget, paths: Sequence[str]) -> None:
    """Do what a file manager does: enter the window, and let go."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(path) for path in paths])
    place = window.rect().center()
    with_what = (
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    for event in (QDragEnterEvent(place, *with_what), QDropEvent(QPointF(place), *with_what)):
        QApplication.sendEvent(window, event)


def without_window(paths: Sequence[str], limit: float) -> dict[str, Any]:
    """Drop the paths on a line without a window; return what was measured."""
    home = Home.default()
    log_to(home)
    story, memory = Story(), Memory()
    over = threading.Event()
    with contextlib.ExitStack() as parts:
        bus = MemoryBus()
        parts.callback(bus.close)
        story.listen(bus, over.set)
        receiver = Receiver(home.receiver_data, port=0)
        receiver.start()
        parts.callback(receiver.stop)
        target = ReceiverTarget(receiver.url, installation=home.installation())
        line = Line(target, bus, home=home, workers=WORKERS)
        line.start()
        parts.callback(line.close)
        story.url = receiver.url
        memory.look()
        story.dropped = time.time()
        journaled = Journaled(home)
        line.drop(paths)
        drop = time.time() - story.dropped
        while not over.wait(0.2) and time.time() - story.dropped < limit:
            memory.look()
        seconds = time.time() - story.dropped
        journaled.end(story)
        line.pause()
        memory.look()
        return {"drop": drop, **conclude(story, memory, paths, seconds)}


def conclude(story: Story, memory: Memory, paths: Sequence[str], seconds: float) -> dict[str, Any]:
    """The story's figures, after a check of what the receiver has."""
    told = asdict(story)  # as it is now: the last uploads are still on their way
    stored = verify(story.url, expected(_folders(paths)), all_of_them=story.is_over)
    if story.failed or story.refused or stored < told["done"]:
        raise RuntimeError(f"{stored} files are stored, but the line says: {told}")
    return {
        **told,
        "rate": told["done"] / seconds,
        "seconds": seconds,
        "memory": memory.first,
        "growth": memory.most - memory.first,
    }


def _folders(paths: Sequence[str]) -> list[Path]:
    """The folders of small files at the paths, or in the folders there."""
    folders = [Path(path) for path in paths]
    if folders[0].name == "small":
        return sorted(folders[0].iterdir())
    return folders


# --- in the process that compares ---------------------------------------------------------------


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """100,000 files, or as many as go within 100 seconds; 2,000 within 5 seconds when quick."""
    folders = grounds.small_files(2_000 if quick else 100_000)
    paths = folders if quick else [grounds.root / "small"]
    window = _measure(grounds, paths, 5.0 if quick else LIMIT)
    bare = _measure(grounds, paths, 3.0 if quick else LIMIT_BARE, "--bare")
    return Section(
        f"The window: a folder of {window['found']:,} files of 4 KiB dropped on it",
        f"One run. The real window off screen with its embedded receiver and {WORKERS} workers; "
        f"{window['done']:,} files were sent and verified in {window['seconds']:.0f} s, "
        f"{bare['done']:,} in {bare['seconds']:.0f} s without a window (same line, same receiver, "
        "one process). A stall is what passes between two beats of a 5 ms timer in the GUI thread "
        "beyond those 5 ms. Where its own CPU is much less, the thread waited for the interpreter "
        "lock or for a core.",
        [_stalls(window), _times(window, bare)],
    )


def _stalls(window: dict[str, Any]) -> Table:
    table = Table(["stalls of the GUI thread, ms", "idle", "walking", "sending", "aim"])
    for row, key, aim in (
        ("median", "p50", ""),
        ("99th percentile", "p99", ""),
        ("longest", "longest", f"< {LONG:.0f}"),
        (f"how many over {LONG:.0f} ms", "long", "0"),
        ("its own CPU in that one", "own", ""),
    ):
        phases = (window[phase].get(key) for phase in ("idle", "walking", "sending"))
        table.rows.append([row, *("–" if x is None else f"{x:.4g}" for x in phases), aim])
    return table


def _times(window: dict[str, Any], bare: dict[str, Any]) -> Table:
    table = Table(["after the drop", "window", "no window", "window / none", "aim"])
    for row, key, scale, aim in (
        ("the drop itself, ms", "drop", 1e3, ""),
        ("first upload begun, ms", "started", 1e3, "< 200"),
        ("first upload verified, ms", "uploaded", 1e3, "< 200"),
        ("… and told, ms", "shown", 1e3, ""),
        ("all in the journal, s", "journaled", 1.0, "< 15"),
        ("all in the line, s", "walked", 1.0, ""),
        ("files/s", "rate", 1.0, ""),
        ("memory before, MiB", "memory", 1.0, ""),
        ("memory grew by, MiB", "growth", 1.0, ""),
    ):
        pair = [window[key], bare[key]]
        shown = ["–" if x is None else middle([x * scale]) for x in pair]
        share = ratio(pair[:1], pair[1:]) if None not in pair and pair[1] else "–"
        table.rows.append([row, *shown, share, aim])
    return table


def _measure(
    grounds: Grounds, paths: Sequence[Path], seconds: float, *options: str
) -> dict[str, Any]:
    """Measure in a process of its own."""
    with grounds.fresh() as folder:
        done = subprocess.run(
            [sys.executable, __file__, *options, "--seconds", str(seconds), *map(str, paths)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=seconds + 60.0,
            env={
                **os.environ,
                "DROPLINE_HOME": str(folder),
                "QT_QPA_PLATFORM": "offscreen",
                "QT_LOGGING_RULES": "default.warning=false",  # of what that platform can't do
            },
        )
    measured: dict[str, Any] = json.loads(done.stdout)
    progress(f"{' '.join(options) or 'window'}: {measured['done']:,} files")
    return measured


def main() -> None:
    """Measure once, in this process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bare", action="store_true", help="without a window")
    parser.add_argument("--seconds", type=float, default=LIMIT)
    parser.add_argument("paths", nargs="+")
    options = parser.parse_args()
    if options.bare:
        measured = without_window(options.paths, options.seconds)
    else:
        measured = WithWindow(options.paths, options.seconds).run()
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
