"""The guided demo, off screen: drops files, changes the worker count, prints what that did.

It is the real program in a data folder of its own that is removed afterwards: the same window,
driven by the same drop and the same spin box, with real files sent to the real receiver.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from itertools import cycle, islice
from pathlib import Path

from PySide6.QtCore import QDeadlineTimer, QEventLoop, QMimeData, Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from dropline.events import FileFailed, FileQueued, FileRefused, FileUploaded, Message, ScanFinished
from dropline.home import Home
from dropline.station import Reading
from dropline_desktop import quantities as q
from dropline_desktop.app import Application, make_qt
from dropline_desktop.dropped import to_url

#: Workers before and after the change.
BEFORE, AFTER = 2, 8
#: Files of the big drop, and those that arrive after it every `EVERY` milliseconds.
BACKLOG, SOME, EVERY = 20_000, 10, 250
#: Seconds over which the figures are measured.
WINDOW = 5.0
#: The utilisation from which the throughput tells what the workers can do.
BUSY = 0.8
#: Seconds without a file that is sent after which the demo gives up.
PATIENCE = 180.0
PICTURE = Path("dropline-demo.png")


class DemoError(Exception):
    """The demo did not get as far as it should; the message says why."""


class Outcome:
    """What became of the files."""

    def __init__(self) -> None:
        self.queued = self.verified = self.scanned = 0
        self.problems: list[str] = []
        self.reading: Reading | None = None

    def take(self, messages: list[Message]) -> None:
        """Take in a batch of events."""
        for message in messages:
            match message.data:
                case FileQueued():
                    self.queued += 1
                case FileUploaded():
                    self.verified += 1
                case ScanFinished():
                    self.scanned += 1
                case FileFailed(reason=reason) | FileRefused(reason=reason):
                    self.problems.append(reason)
                case Reading() as reading:
                    self.reading = reading

    @property
    def done(self) -> bool:
        """Whether every file has come to its end."""
        return self.verified + len(self.problems) >= self.queued


def run_demo() -> int:
    """Run the demo; 0 when every file was verified."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    say = print
    say("Dropline: there is no display, so this is the guided demo, off screen.")
    qt = make_qt()
    with tempfile.TemporaryDirectory(prefix="dropline-demo-") as folder, _samples() as samples:
        app = Application(qt, Home(Path(folder) / "home"))
        demo = Demo(app, samples, Path(folder) / "files")
        try:
            return demo.run(say)
        except (DemoError, OSError) as error:
            print(f"dropline: the demo broke off: {error}", file=sys.stderr)
            return 1
        finally:
            demo.end()


class Demo:
    """Drives the window as a user would."""

    def __init__(self, app: Application, samples: Path, folder: Path) -> None:
        self.app = app
        self.outcome = Outcome()
        self._samples = samples
        self._folder = folder
        self._drops = 0
        self._arrivals = QTimer(app)
        self._arrivals.setInterval(EVERY)
        app.bus.subscribe("", self.outcome.take, batches=True)

    def run(self, say: Callable[[str], object]) -> int:
        """The demo from beginning to end; the exit status."""
        app, outcome = self.app, self.outcome
        app.settings.workers = BEFORE
        app.start()
        app.window.tuner.spin.setValue(BEFORE)
        self._until(lambda: outcome.reading is not None, "the line did not start")
        app.window.charts.set_window(WINDOW)
        app.engine.do(lambda line: line.measure_over(WINDOW))

        say(f"1. The bundled samples are dropped on the window; {BEFORE} workers send them.")
        self._drop(self._samples)
        self._until(lambda: outcome.scanned == self._drops and outcome.done, "the samples stuck")
        say(f"   {outcome.verified} files sent and verified.")

        say(f"2. {BACKLOG:,} small files are dropped, and {SOME} more every {EVERY} ms.")
        sent_alone = outcome.verified
        self._drop(self._make_folder(BACKLOG))
        self._until(lambda: outcome.verified > sent_alone, "nothing was sent")
        self._arrivals.timeout.connect(lambda: self._drop(self._make_folder(SOME)))
        self._arrivals.start()

        before = self._measure()
        say(f"3. The spin box is set from {BEFORE} to {AFTER} workers.")
        app.window.tuner.spin.setValue(AFTER)
        after = self._measure()
        if not app.window.grab().save(os.fspath(PICTURE)):
            raise DemoError(f"{PICTURE} could not be written here: start it in another folder")
        say(_table(before, after))
        say(_lesson(before, after))
        self._arrivals.stop()

        say("4. The rest is sent.")
        self._until(
            lambda: outcome.scanned == self._drops and outcome.done, "the line did not empty"
        )
        for problem in outcome.problems:
            print(problem, file=sys.stderr)
        verified = f"{outcome.verified:,} of {outcome.queued:,}"
        say(f"   {verified} files sent and verified by size and SHA-256.")
        say(f"The window as it looked with {AFTER} workers: {PICTURE}")
        return 0 if outcome.verified == outcome.queued and not outcome.problems else 1

    def end(self) -> None:
        """Close the application."""
        self._arrivals.stop()
        loop = QEventLoop()
        self.app.finished.connect(loop.quit)
        self.app.shutdown()
        loop.exec()

    def _measure(self) -> Reading:
        """The reading after `WINDOW` more seconds, whose figures cover just those."""
        _go_on(WINDOW + 0.2)
        assert self.outcome.reading is not None
        return self.outcome.reading

    def _until(self, true: Callable[[], bool], otherwise: str) -> None:
        deadline = QDeadlineTimer(round(PATIENCE * 1000))
        verified = self.outcome.verified
        while not true():
            if verified != self.outcome.verified:
                verified = self.outcome.verified
                deadline.setRemainingTime(round(PATIENCE * 1000))
            notices = self.app.window.notices.notices
            if notices:
                raise DemoError(notices[0].text)
            if deadline.hasExpired():
                raise DemoError(f"{otherwise} within {PATIENCE:.0f} s")
            _go_on(0.05)

    def _drop(self, path: Path) -> None:
        """Drop a path on the window, with the events that the window system would send."""
        self._drops += 1
        mime = QMimeData()
        mime.setUrls([to_url(os.fspath(path))])
        window = self.app.window
        place = window.drop_zone.geometry().center()
        action = Qt.DropAction.CopyAction
        held = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(window, QDragEnterEvent(place, action, mime, *held))
        QApplication.sendEvent(window, QDropEvent(place.toPointF(), action, mime, *held))

    def _make_folder(self, size: int) -> Path:
        """A new folder of so many small files of several kinds."""
        folder = self._folder / f"drop {self._drops}"
        folder.mkdir(parents=True)
        sources = sorted(path for path in self._samples.rglob("*") if path.is_file())
        for number, source in enumerate(islice(cycle(sources), size)):
            shutil.copyfile(source, folder / f"{number:05d} {source.name}")
        return folder


def _go_on(seconds: float) -> None:
    """Let the program run for so long."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def _table(before: Reading, after: Reading) -> str:
    """Both readings beside each other."""
    lines = [f"   {'measured over':<24}{before.window:>10.1f} s{after.window:>12.1f} s"]
    lines.append(f"   {'c  workers':<24}{before.running:>12}{after.running:>14}")
    for quantity in (
        q.ARRIVAL_RATE,
        q.THROUGHPUT,
        q.SERVICE_RATE,
        q.UTILISATION,
        q.MEAN_IN_SYSTEM,
        q.MEAN_RESPONSE,
        q.P95,
    ):
        name = f"{quantity.symbol}  {quantity.name()}"
        cells = [quantity.text(quantity.value(reading)) for reading in (before, after)]
        lines.append(f"   {name:<24}{cells[0]:>12}{cells[1]:>14}")
    return "\n".join(lines)


def _lesson(before: Reading, after: Reading) -> str:
    """What the table says about more workers, in a sentence."""
    slow, fast = before.figures.throughput, after.figures.throughput
    if not slow or not fast:
        return "   Nothing was sent in one of the windows: this machine has other things to do."
    if min(before.figures.utilisation or 0.0, after.figures.utilisation or 0.0) < BUSY:
        return (
            "   In one of the windows the workers had nothing to do for a part of the time: "
            "X is then what arrived, not what they could do."
        )
    if fast > 1.1 * slow:
        times = fast / slow
        return f"   {AFTER} workers sent {times:.1f} times as many files a second as {BEFORE}."
    return (
        f"   {AFTER} workers sent no more a second than {BEFORE}: they share this machine's "
        "processors and disk, so each got slower (μ)."
    )


@contextmanager
def _samples() -> Iterator[Path]:
    with as_file(files("dropline_resources").joinpath("samples")) as folder:
        yield folder
