"""The pictures of the program, made by itself: `make pictures`.

The real program runs off screen in a data folder of its own, sends real files to its own receiver,
and is photographed idle, busy, with failures and under a simulated load, with its dialogs and other
windows too; and filmed from a drop to its end.

    make pictures                      those of the READMEs and of the guide, into docs
    make pictures ARGS=--film          the READMEs' films alone
    make pictures ARGS=--all           every state in each language, theme and size, to look at,
                                       into build/pictures
    python tools/pictures.py [--out DIR] --state S… [--theme T]… [--language L]… [--size WxH]…

QT_SCALE_FACTOR=2 makes them as on a screen of high density.
"""

from __future__ import annotations

import argparse
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("LC_ALL", "C.UTF-8")
# of what that platform can't do
os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")

from PIL import Image
from PySide6.QtCore import QDeadlineTimer, QEventLoop, Qt, QTimer
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QApplication, QWidget

from dropline.home import Home
from dropline.load import Batch, Exponential, Poisson, Service
from dropline.station import Reading
from dropline.tuning import GoalKind
from dropline_desktop.app import Application, make_qt
from dropline_desktop.instruments import Instruments
from dropline_desktop.language import Language
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.theme import Mode

ROOT = Path(__file__).resolve().parent.parent
THEMES = (Mode.LIGHT, Mode.DARK)
LANGUAGES = (Language.ENGLISH, Language.CHINESE)
WINDOW = ("idle", "busy", "failures", "simulation", "steady", "unstable", "probe", "autopilot")
WINDOWS = ("halve", "watch", "history", "load", "palette", "settings")
STATES = (*WINDOW, *WINDOWS)
#: What the guide shows.
GUIDE = ("idle", "busy", "failures", "halve", "watch", "history")
#: Logical size of the window, and those of the whole set.
SIZE = (1440, 860)
SIZES = ((1024, 640), (1440, 900), (3840, 2160))
#: Seconds, half of the 95th percentile of a line that two workers can just bear.
HALF = 0.4
#: Seconds in which all parts are drawn anew and have the last figures.
SETTLE = 2.0
#: Files of the busy picture, and the workers before and after the change that it shows.
FILES, BEFORE, AFTER = 120_000, 2, 8
#: The film: files that are dropped, seconds until more workers come and until its end, frames a
#: second, and the width of its picture.
FILM_FILES, FILM_MORE, FILM_END, FILM_RATE, FILM_WIDTH = 30_000, 5.0, 14.0, 4, 1080


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

    def halve(self) -> None:
        """A simulated line that two workers can just bear, since it was given the workers that are
        advised for half of its response time.
        """
        instruments = self._simulate(Plan(Poisson(17.0), Service(Exponential(0.1)), BEFORE))
        self.go_on(25.0)
        goal, apply = instruments.tune.goal, instruments.tune.advice.apply
        goal.box.setCurrentIndex(goal.box.findData(str(GoalKind.RESPONSE)))
        goal.seconds.setValue(HALF)
        self.go_on(3.0)
        self.until(apply.isEnabled)
        apply.click()
        self.go_on(20.0)

    def watch(self) -> None:
        """The dialog of the watched folders, with one that is watched."""
        self.app.window.watchAsked.emit(os.fspath(self.make_files("Scans", 60)))
        self.until(lambda: self._finished() >= 60)
        self._trigger("watchedFolders")

    def history(self) -> None:
        """What the line did, as the window shows it that also saves a report."""
        self.app.drop([os.fspath(self.make_files("Holiday 2026", 20_000))])
        self.until(lambda: self._finished() >= 5_000)
        self.app.window.tuner.spin.setValue(AFTER)
        self.until(lambda: self._finished() >= 20_000)
        self.go_on(3.0)
        self._trigger("history")
        self.go_on(2.0)

    def load(self) -> None:
        """The dialog that asks for a load to simulate."""
        self._trigger("simulate")

    def palette(self) -> None:
        """The commands, to be found by their names."""
        self._trigger("palette")

    def settings(self) -> None:
        """All that can be set."""
        self._trigger("settings")

    def film(self) -> list[Image.Image]:
        """From a drop, past the moment when more workers are given to it."""
        folder = os.fspath(self.make_files("Holiday 2026", FILM_FILES))
        window, frames = self.app.window, []
        for number in range(round(FILM_END * FILM_RATE)):
            if number == FILM_RATE:
                self.app.drop([folder])
            if number == round((1 + FILM_MORE) * FILM_RATE):
                window.tuner.spin.setValue(AFTER)
            self.go_on(1 / FILM_RATE)
            picture = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
            picture = picture.scaledToWidth(FILM_WIDTH, Qt.TransformationMode.SmoothTransformation)
            size, pixels = (picture.width(), picture.height()), bytes(picture.constBits())
            line = picture.bytesPerLine()
            frames.append(Image.frombuffer("RGB", size, pixels, "raw", "RGB", line, 1))
        return frames

    @property
    def shown(self) -> QWidget:
        """The window or dialog in front."""
        main = self.app.window
        others = [each for each in QApplication.topLevelWidgets() if each.isVisible()]
        return next((each for each in others if each is not main), main)

    def _trigger(self, name: str) -> None:
        action = self.app.window.findChild(QAction, name)
        assert action is not None
        QTimer.singleShot(0, action.trigger)  # a dialog may hold up who asks for it
        self.go_on(1.0)

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


def photograph(
    session: Session,
    state: str,
    stem: str,
    themes: Sequence[Mode],
    sizes: Sequence[tuple[int, int]],
) -> None:
    """Bring the program into a state, and take it in each theme and size.

    `stem` is the pictures' path, but for theme and, where there are several, size.
    """
    getattr(session, state)()
    main, shown = session.app.window, session.shown
    for mode, (width, height) in product(themes, sizes if shown is main else sizes[:1]):
        if session.app.theme.mode != mode:
            session.app.theme.set_mode(mode)
            session.go_on(SETTLE)
        if shown is main:
            main.resize(width, height)
            session.go_on(SETTLE / 2)
            main.arrange()
        session.go_on(SETTLE / 4)
        main.instruments.charts.draw()  # all, and none of them half
        path = stem.format(mode.value)
        if shown is main and len(sizes) > 1:
            path = path.replace(".png", f"-{width}x{height}.png")
        shown.grab().save(path)
        print(path, flush=True)
    if shown is not main:
        shown.close()


def named(stem: str, language: Language) -> str:
    """The name of a picture, for all languages but English with the language's."""
    return stem if language is Language.ENGLISH else f"{stem}-{language.value}"


def record(session: Session, path: Path) -> None:
    """Film a drop into an animated WebP."""
    first, *rest = session.film()
    between = 1000 // FILM_RATE
    first.save(path, save_all=True, append_images=rest, duration=between, loop=0, quality=60)
    print(path, f"{path.stat().st_size / 1e6:.1f} MB", flush=True)


def with_session(qt: QApplication, language: Language, act: Callable[[Session], None]) -> None:
    """Run the program for one set of pictures."""
    # at home: what lies in a temporary folder would be held first
    with tempfile.TemporaryDirectory(prefix="dropline-", dir=Path.home()) as folder:
        os.chmod(folder, stat.S_IRWXU)
        session = Session(qt, Path(folder), Mode.LIGHT, language)
        act(session)
        session.close()


def size_of(text: str) -> tuple[int, int]:
    """A size as in "1440x900"."""
    width, _, height = text.partition("x")
    return int(width), int(height)


def make_set(
    qt: QApplication,
    out: Path,
    states: Sequence[str],
    languages: Sequence[Language] = LANGUAGES[:1],
    themes: Sequence[Mode] = THEMES,
    sizes: Sequence[tuple[int, int]] = (SIZE,),
) -> None:
    """Make a picture of each state in each language, theme and size."""
    out.mkdir(parents=True, exist_ok=True)
    for language, state in product(languages, states):
        stem = os.fspath(out / (named(f"window-{state}-{{}}", language) + ".png"))
        with_session(
            qt, language, partial(photograph, state=state, stem=stem, themes=themes, sizes=sizes)
        )


def main() -> None:
    """Make the pictures that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--film", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--state", action="append", choices=STATES)
    parser.add_argument("--theme", action="append", choices=[mode.value for mode in THEMES])
    parser.add_argument("--language", action="append", choices=[each.value for each in LANGUAGES])
    parser.add_argument("--size", action="append", type=size_of)
    options = parser.parse_args()
    qt = make_qt()
    languages = [Language(each) for each in options.language or ()]
    if options.all or options.state:
        make_set(
            qt,
            options.out or ROOT / "build" / "pictures",
            options.state or STATES,
            languages or LANGUAGES[: 2 if options.all else 1],
            [Mode(each) for each in options.theme or THEMES],
            options.size or (SIZES if options.all else (SIZE,)),
        )
        return
    docs = ROOT / "docs"
    for language in languages or LANGUAGES:  # for the READMEs
        with_session(qt, language, partial(record, path=docs / (named("drop", language) + ".webp")))
    if not options.film:
        make_set(qt, docs / "pictures", GUIDE, themes=THEMES[:1])


if __name__ == "__main__":
    main()
