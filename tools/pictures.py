"""The pictures of the window, made by the program itself: `make pictures`.

The real program runs off screen in a data folder of its own, sends real files to its own receiver,
and is photographed idle, busy, with failures and under a simulated load: overloaded and relieved,
steady, unstable, with the guided probe at work, and with the autopilot on. All light and dark.

    make pictures                                      those of the READMEs
    python tools/pictures.py --out DIR [--state S]… [--theme T]… [--language L]…

QT_SCALE_FACTOR=2 makes them as on a screen of high density.
"""

from __future__ import annotations

import argparse
import os
import stat
import tempfile
from collections.abc import Callable
from itertools import product
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("LC_ALL", "C.UTF-8")
# of what that platform can't do
os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")

from PySide6.QtCore import QDeadlineTimer, QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from dropline.home import Home
from dropline.load import Batch, Exponential, Poisson, Service
from dropline.station import Reading
from dropline_desktop.app import Application, make_qt
from dropline_desktop.instruments import Instruments
from dropline_desktop.language import Language
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.theme import Mode

ROOT = Path(__file__).resolve().parent.parent
STATES = ("idle", "busy", "failures", "simulation", "steady", "unstable", "probe", "autopilot")
THEMES = (Mode.LIGHT, Mode.DARK)
LANGUAGES = (Language.ENGLISH, Language.CHINESE)
#: Logical size of the window.
SIZE = (1440, 860)
#: Files of the busy picture, and the workers before and after the change that it shows.
FILES, BEFORE, AFTER = 60_000, 2, 8


class Session:
    """One run of the program, from an empty data folder to its end."""

    def __init__(self, qt: QApplication, folder: Path, mode: Mode, language: Language) -> None:
        self.folder = folder
        self.app = Application(qt, Home(folder / "home"), port=0)
        self.reading: Reading | None = None
        self.app.theme.set_mode(mode)
        self.app.translation.speak(language)
        self.app.bus.subscribe(Reading, self._read)
        self.app.start()
        self.app.window.tuner.spin.setValue(BEFORE)
        self.app.window.resize(*SIZE)
        self.until(lambda: self.reading is not None)

    def _read(self, message: object) -> None:
        self.reading = message.data  # type: ignore[attr-defined]

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Let the program run until the condition is true."""
        deadline = QDeadlineTimer(round(seconds * 1000))
        while not condition():
            if deadline.hasExpired():
                raise SystemExit("pictures: the program did not get as far as it should")
            self.go_on(0.05)

    def go_on(self, seconds: float) -> None:
        """Let the program run for so long."""
        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def make_files(self, name: str, count: int) -> Path:
        """A folder of files like those of a camera."""
        folder = self.folder / name
        folder.mkdir()
        for number in range(count):
            size = 2000 + number * 7919 % 9000
            (folder / f"IMG_{number:05d}.jpg").write_bytes(os.urandom(size))
        return folder

    def idle(self) -> None:
        """As a newcomer sees it."""
        self.go_on(1.0)

    def busy(self) -> None:
        """In the middle of a large drop, some seconds after more workers were given to it."""
        self.app.drop([os.fspath(self.make_files("Holiday 2026", FILES))])
        self.until(lambda: self._finished() > 200)
        self.go_on(14.0)
        self.app.window.tuner.spin.setValue(AFTER)
        self.go_on(14.0)

    def failures(self) -> None:
        """With files that could not be sent."""
        folder = self.make_files("Reports", 40)
        os.mkfifo(folder / "events.pipe")
        (folder / "draft.txt").symlink_to("nowhere")
        self.app.engine.do(lambda line: line.pause())
        self.app.drop([os.fspath(folder)])
        self.until(lambda: self.reading is not None and self.reading.waiting >= 40)
        for number in (3, 11, 12):
            (folder / f"IMG_{number:05d}.jpg").unlink()
        self.app.engine.do(lambda line: line.resume())
        self.until(lambda: self._finished() >= 37)
        self.app.window.transfers.show_only("failed")
        self.go_on(1.5)

    def simulation(self) -> None:
        """Under a simulated load that two workers could not bear, since some seconds with five."""
        instruments = self._simulate(Plan(Poisson(30.0), Service(Exponential(0.1)), BEFORE))
        self.go_on(14.0)
        instruments.tuner.spin.setValue(5)
        self.go_on(20.0)

    def steady(self) -> None:
        """A simulated line that keeps up, some time after it got another worker."""
        instruments = self._simulate(Plan(Poisson(60.0), Service(Exponential(0.05)), 4))
        self.go_on(25.0)
        instruments.tuner.spin.setValue(5)
        self.go_on(25.0)

    def unstable(self) -> None:
        """A simulated line that gets more than it can do."""
        self._simulate(Plan(Poisson(60.0), Service(Exponential(0.05)), 2))
        self.go_on(20.0)

    def probe(self) -> None:
        """A simulated batch, with which other numbers of workers are tried."""
        instruments = self._simulate(Plan(Batch(20_000), Service(Exponential(0.05)), 4))
        self.go_on(8.0)
        instruments.tune.probe.wanted.emit(True)
        self.go_on(18.0)

    def autopilot(self) -> None:
        """A simulated line with too few workers, and the autopilot on."""
        instruments = self._simulate(Plan(Poisson(60.0), Service(Exponential(0.05)), 2))
        instruments.tune.autopilot.on.click()
        self.go_on(40.0)

    def _simulate(self, plan: Plan) -> Instruments:
        self.app.window.simulateAsked.emit()
        simulation = self.app.simulation
        assert simulation is not None
        simulation.dialog.close()
        simulation.start(plan)
        assert simulation.page is not None
        return simulation.page.instruments

    def _finished(self) -> int:
        return self.reading.finished if self.reading is not None else 0

    def close(self) -> None:
        """End the program."""
        loop = QEventLoop()
        self.app.finished.connect(loop.quit)
        self.app.shutdown()
        loop.exec()


def main() -> None:
    """Make the pictures that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    parser.add_argument("--state", action="append", choices=STATES)
    parser.add_argument("--theme", action="append", choices=[mode.value for mode in THEMES])
    parser.add_argument("--language", action="append", choices=[each.value for each in LANGUAGES])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    (ROOT / "build").mkdir(exist_ok=True)
    qt = make_qt()
    for language, mode, state in product(
        map(Language, options.language or LANGUAGES[:1]),
        map(Mode, options.theme or THEMES),
        options.state or STATES,
    ):
        # beside the project: what lies in a temporary folder would be held first
        with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
            os.chmod(folder, stat.S_IRWXU)
            session = Session(qt, Path(folder), mode, language)
            getattr(session, state)()
            which = "" if language is Language.ENGLISH else f"-{language.value}"
            path = options.out / f"window-{state}-{mode.value}{which}.png"
            session.app.window.instruments.charts.draw()  # all, and none of them half
            session.app.window.grab().save(os.fspath(path))
            print(path)
            session.close()


if __name__ == "__main__":
    main()
