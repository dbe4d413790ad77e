"""The application: makes every object once, connects them, and ends them in order."""

from __future__ import annotations

import logging
import logging.handlers
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtWidgets import QApplication

from dropline.events import NetworkUp
from dropline.home import Home
from dropline.station import Order, Reading
from dropline.tuning import By
from dropline_desktop.about import AboutDialog
from dropline_desktop.autostart import autostart
from dropline_desktop.bus import QtBus
from dropline_desktop.crash import CrashReport
from dropline_desktop.destination import DestinationDialog
from dropline_desktop.engine import Engine
from dropline_desktop.errors import ErrorReporter
from dropline_desktop.explorer import Explorers
from dropline_desktop.focus import FocusRing
from dropline_desktop.icons import application_icon
from dropline_desktop.interpreter import Interpreter
from dropline_desktop.language import Translation
from dropline_desktop.motion import DesktopMotion
from dropline_desktop.network import Network
from dropline_desktop.notices import Offer
from dropline_desktop.right_of_way import RightOfWay
from dropline_desktop.samples import make_samples
from dropline_desktop.settings import Settings
from dropline_desktop.settings.profile import Profile
from dropline_desktop.signals import StopSignals
from dropline_desktop.spoken import why
from dropline_desktop.taskbar import Taskbar
from dropline_desktop.text import printable
from dropline_desktop.theme import Mode, Theme
from dropline_desktop.tray import Tray
from dropline_desktop.wake import Wake
from dropline_desktop.window import MainWindow

if TYPE_CHECKING:
    from dropline.line import Line
    from dropline_desktop.settings.dialog import SettingsDialog
    from dropline_desktop.simulation import Simulation


class Application(QObject):
    """The object graph. Its methods are for the GUI thread unless they say otherwise."""

    #: Everything is closed; nothing of it runs any more.
    finished = Signal()
    _engine_failed = Signal(str)
    _engine_closed = Signal()
    #: Where the history of the line is read.
    _kept = Signal(object)
    _show_asked = Signal()
    #: A sentence for the user, from whatever thread.
    _refused = Signal(str)
    #: The ledger's records and its accuracy.
    _ledger = Signal(object, object)
    #: What the line watches, and which files in it wait to be at rest.
    _watched = Signal(object)
    _restless = Signal(object)
    _shared = Signal(str, str)
    #: Whether Dropline starts at login, after an attempt to change that.
    _starts = Signal(bool)

    def __init__(self, qt: QApplication, home: Home, *, port: int | None = None) -> None:
        """Make everything; nothing runs yet. The receiver takes the next free port after `port`,
        which is that of the settings unless one is given."""
        super().__init__()
        self._closing: threading.Thread | None = None
        self._target_waits = ""
        #: Whether the program is to start anew once it has ended.
        self.restarting = False
        self.home = home
        self.errors = ErrorReporter(self)
        self.errors.install()
        self.settings = Settings(home.root)
        self.translation = Translation(qt, self.settings.language, self)
        self.theme = Theme(qt, mode_of(self.settings.theme), self, self.settings.motion)
        self.desktop_motion = DesktopMotion(self)
        self.desktop_motion.wished.connect(self.theme.motion.wish)
        self.focus_ring = FocusRing(qt, self)
        self.bus = QtBus(parent=self)
        self.window = MainWindow(self.settings, self.theme)
        self.explorers = Explorers(self.theme, home.logs)
        self.tray = Tray(self.window, notifying=self.settings.notifications)
        self.signals = StopSignals(self)
        self.interpreter = Interpreter(self)
        self.right_of_way = RightOfWay(self)
        self.network = Network(self.bus.post, self)
        self.taskbar = Taskbar(self)
        self.wake = Wake(self)
        #: There once somebody has asked for it.
        self.simulation: Simulation | None = None
        self.settings_dialog: SettingsDialog | None = None
        self.engine = Engine(
            home,
            self.bus,
            workers=self.settings.workers,
            failed=self._engine_failed.emit,
            noticed=self._refused.emit,
            kept=self._kept.emit,
            shown=self._show_asked.emit,
            give_way=self.right_of_way.give_way,
            port=self.settings.port if port is None else port,
            target=self.settings.running,
        )
        self.destination = DestinationDialog(
            self.theme, self.settings, home.installation, self.window
        )
        self.about = AboutDialog(home, self.window)
        self.autostart = autostart()
        self.window.show_autostart(self.autostart.enabled())
        self._connect()

    def start(self, paths: Sequence[str] = ()) -> None:
        """Show the window, and start to receive and to send."""
        self.window.show()
        self.engine.do(lambda line: line.measure_over(self.settings.figures_window))
        self.engine.do(lambda line: line.limit(self.settings.limit))
        self.engine.do(lambda line: line.set_order(self.settings.order))
        self.engine.do(lambda line: line.tuner.set_goal(self.settings.goal))
        self.engine.do(
            lambda line: self._ledger.emit(
                line.tuner.ledger.records(), line.tuner.ledger.accuracy()
            )
        )
        self._watch(self.settings.watched)
        if paths:
            self.drop(paths)
        self.engine.start()
        self.network.listen()
        self.desktop_motion.listen()
        self.wake.listen()

    def drop(self, paths: Sequence[str]) -> None:
        """Take paths in. Safe from any thread; files in temporary folders are held on return."""
        self.engine.drop(paths)

    def status(self) -> dict[str, Any]:
        """What `dropline status` says. For any thread but the GUI's."""
        return self.engine.status()

    def shutdown(self) -> None:
        """End everything, in this order, while the event loop goes on; then `finished`.

        1. The window and the tray icon go, so that nothing new is asked for.
        2. In a thread: other programs are answered no more, uploads stop, the receiver stops; and
           so does what is simulated.
        3. The bus delivers what they still had to say and stops.
        4. The interpreter, signals and unexpected errors are as Python has them again, words as
           the code has them.
        """
        if self._closing is not None:
            return
        self._closing = threading.Thread(target=self._close_engine, name="engine close")
        self.window.close()
        self.explorers.close()
        if self.settings_dialog is not None:
            self.settings_dialog.close()
        if self.simulation is not None:
            self.simulation.close()
        self.tray.hide()
        self.taskbar.hide()
        self._closing.start()

    def _close_engine(self) -> None:
        try:
            self.engine.close()
            if self.simulation is not None:
                self.simulation.wait()
        finally:
            self._engine_closed.emit()

    def _finish(self) -> None:
        assert self._closing is not None
        self._closing.join()
        self.bus.close()
        self.interpreter.close()
        self.signals.close()
        self.errors.uninstall()
        self.translation.close()
        self.finished.emit()

    def _connect(self) -> None:
        window, tray, engine = self.window, self.tray, self.engine
        window.listen(self.bus)
        tray.listen(self.bus)
        self.bus.subscribe(Reading, self.taskbar.take, batches=True)
        self.wake.woke.connect(self._probe)
        self.interpreter.listen(self.bus)
        self.bus.delivering.connect(self.right_of_way.take)
        window.charts.drawing.connect(self.right_of_way.take)
        window.installEventFilter(self.right_of_way)
        window.dropped.connect(self._take_in)
        window.stopScanAsked.connect(lambda: engine.do(lambda line: line.cancel_scan()))
        window.cancelAsked.connect(lambda jobs: engine.do(lambda line: line.cancel(jobs)))
        window.retryAsked.connect(lambda jobs: engine.do(lambda line: line.retry(jobs)))
        window.sendAgainAsked.connect(lambda jobs: engine.do(lambda line: line.send_again(jobs)))
        window.holdAsked.connect(lambda jobs: engine.do(lambda line: line.hold(jobs)))
        window.releaseAsked.connect(lambda jobs: engine.do(lambda line: line.release(jobs)))
        window.priorityAsked.connect(
            lambda jobs, priority: engine.do(lambda line: line.prioritise(jobs, priority))
        )
        window.probeAsked.connect(self._probe)
        window.orderWanted.connect(self._set_order)
        window.watchAsked.connect(lambda folder: self._watch([folder]))
        window.unwatchAsked.connect(self._unwatch)
        window.restlessAsked.connect(
            lambda: engine.do(lambda line: self._restless.emit(line.restless))
        )
        window.workersWanted.connect(self._resize)
        window.tune.workersChosen.connect(lambda workers: self._resize(workers, By.CURVE))
        window.instruments.goalWanted.connect(lambda goal: setattr(self.settings, "goal", goal))
        window.instruments.steer(engine.do)
        window.limitWanted.connect(self._limit)
        window.windowChosen.connect(self._measure_over)
        window.recordWanted.connect(self._record)
        window.share.asked.connect(lambda: engine.share(self._shared.emit))
        window.share.ended.connect(engine.unshare)
        self._shared.connect(window.share.show_address)
        window.closed.connect(self.shutdown)
        for part in (window, tray):
            part.pauseWanted.connect(self._pause)
        tray.quitWanted.connect(self.shutdown)
        self.signals.received.connect(self.shutdown)
        self.errors.reported.connect(window.show_notice)
        self.bus.subscribe(NetworkUp, lambda _message: self._probe())
        self._refused.connect(window.show_notice)
        self._watched.connect(self._remember_watched)
        self._restless.connect(window.watched.show_restless)
        self._engine_failed.connect(window.show_notice)
        self._engine_closed.connect(self._finish)
        self._ledger.connect(window.tune.show_ledger)
        self._kept.connect(window.charts.set_past)
        window.languageWanted.connect(self.translation.speak)
        window.openLogAsked.connect(lambda: self.explorers.ask(window))
        window.historyAsked.connect(self._show_history)
        window.sendToAsked.connect(self.destination.open)
        self.destination.changed.connect(self._show_targets)
        window.drop_zone.destination.chosen.connect(self._show_targets)
        window.aboutAsked.connect(self.about.open)
        window.settingsAsked.connect(self.show_settings)
        window.autostartWanted.connect(self._start_at_login)
        self._starts.connect(window.show_autostart)
        window.samplesAsked.connect(self._try_samples)
        window.simulateAsked.connect(self._simulate)
        self._show_asked.connect(window.bring_to_front)

    def _take_in(self, paths: list[str]) -> None:
        if self.engine.failure:
            self.window.show_notice(self.engine.failure)
        else:
            self.engine.do(lambda line: line.drop(paths))

    def _resize(self, workers: int, by: By = By.HAND) -> None:
        self.settings.workers = workers
        self.engine.do(lambda line: line.resize(workers, by=by))

    def _set_order(self, order: Order) -> None:
        self.settings.order = order
        self.engine.do(lambda line: line.set_order(order))

    def _probe(self) -> None:
        self.engine.do(lambda line: line.probe_now())

    def _watch(self, folders: Sequence[str]) -> None:
        def watch(line: Line) -> None:  # in whatever thread
            for folder in folders:
                try:
                    line.watch(folder)
                except ValueError as error:
                    self._refused.emit(str(error))
            self._watched.emit(line.watched)

        self.engine.do(watch)

    def _unwatch(self, folder: str) -> None:
        def unwatch(line: Line) -> None:
            line.unwatch(folder)
            self._watched.emit(line.watched)

        self.engine.do(unwatch)

    def watch_only(self, folders: Sequence[str]) -> None:
        """Watch these folders, and no others."""
        for folder in set(self.settings.watched) - set(folders):
            self._unwatch(folder)
        self._watch([folder for folder in folders if folder not in self.settings.watched])

    def _remember_watched(self, folders: tuple[str, ...]) -> None:
        self.settings.watched = folders
        self.window.watched.show_folders(folders)

    def _pause(self, paused: bool) -> None:
        self.engine.do(lambda line: line.pause() if paused else line.resume())

    def _limit(self, bytes_per_second: float | None) -> None:
        self.settings.limit = bytes_per_second
        self.engine.do(lambda line: line.limit(bytes_per_second))

    def _record(self, on: bool) -> None:
        name = f"line-{datetime.now().astimezone():%Y%m%d-%H%M%S}.jsonl"
        path = self.home.logs / name if on else None
        self.engine.do(lambda line: line.record(path))

    def _show_history(self) -> None:
        past = self.window.charts.past
        if past is not None:  # else it is just starting
            self.explorers.show_history(past)

    def _try_samples(self) -> None:
        def make() -> None:
            try:
                made = make_samples(self.home.root / "samples")
            except OSError as error:
                say = QCoreApplication.translate(
                    "Application",
                    "The sample files can't be made: {}. Free some room, or drop files of your "
                    "own.",
                )
                self._refused.emit(say.format(why(error)))
            else:
                self.engine.do(lambda line: line.drop([str(made)]))

        threading.Thread(target=make, name="samples", daemon=True).start()

    def _start_at_login(self, on: bool) -> None:
        def keep() -> None:
            try:
                self.autostart.set(on)
            except OSError as error:
                say = QCoreApplication.translate(
                    "Application",
                    "Dropline can't be set to start at login, or not to: {}. See that your folder "
                    "of settings can be written to.",
                )
                self._refused.emit(say.format(why(error)))
                self._starts.emit(not on)

        threading.Thread(target=keep, name="autostart", daemon=True).start()

    def choose_profile(self, name: str) -> None:
        """Send to the target of this name, or with "" to the own receiver, from the next start."""
        self.settings.profile = name
        self._show_targets()

    def keep_profiles(self, profiles: Sequence[Profile], chosen: str) -> None:
        """Have these targets to choose from, in place of all others."""
        self.settings.profiles = profiles
        self.choose_profile(chosen)

    def _show_targets(self) -> None:
        self.window.drop_zone.destination.refresh()
        if self.settings.running is not None:  # its limit may be another
            self.window.tuner.limit.choose(self.settings.limit)
        notices = self.window.notices
        notices.withdraw(self._target_waits)
        if self.settings.target_waits:
            self._target_waits = self.tr(
                "From the next start on files go to {}. What waits now goes on when its target is "
                "chosen again."
            ).format(printable(self.settings.profile) or self.tr("the receiver in this window"))
            offer = Offer(lambda: self.tr("Restart now"), self.restart)
            notices.show_notice(self._target_waits, offer=offer)

    def restart(self) -> None:
        """Start anew, as soon as all is closed: `run` sees to it."""
        self.restarting = True
        self.shutdown()

    def show_settings(self) -> None:
        """Show all that can be set."""
        if self.settings_dialog is None:
            from dropline_desktop.settings.dialog import SettingsDialog
            from dropline_desktop.settings.table import settings_of

            self.settings_dialog = SettingsDialog(self.theme, settings_of(self), self.window)
        self.settings_dialog.show()
        self.settings_dialog.raise_()
        self.settings_dialog.activateWindow()

    def _simulate(self) -> None:
        if self.simulation is None:
            # Not at the top: it takes what the engine imports while the window shows already.
            from dropline_desktop.simulation import Simulation

            self.simulation = Simulation(self.window, self.theme, self.right_of_way, self)
        self.simulation.ask()

    def tell_crash(self, details: str) -> None:
        """Say that the last run crashed; `details` are to be copied."""
        text = self.tr(
            "Dropline crashed the last time. What was in the line goes on; please report it with "
            "the details."
        )
        self.window.show_notice(text, details)

    def _measure_over(self, seconds: float) -> None:
        self.settings.figures_window = seconds
        self.engine.do(lambda line: line.measure_over(seconds))


def make_qt(arguments: Sequence[str] = ("dropline",)) -> QApplication:
    """The QApplication, named."""
    # Qt fills a shape in several threads, and waits for them without letting go of Python. Where
    # others work too, they come late: a curve that takes 0.3 ms took 5.
    os.environ.setdefault("QT_NO_GUI_THREADPOOL", "1")
    qt = QApplication(list(arguments))
    qt.setApplicationName("dropline")
    qt.setApplicationDisplayName("Dropline")
    qt.setDesktopFileName("dropline")
    qt.setWindowIcon(application_icon())
    qt.setQuitOnLastWindowClosed(False)  # the uploads end first
    return qt


def run(paths: Sequence[str] = ()) -> int:
    """Open the window, take `paths` in, and return the exit status when all is closed."""
    home = Home.default()
    log_to(home)
    qt = make_qt(sys.argv[:1])
    app = Application(qt, home)
    app.finished.connect(qt.quit)
    crash = CrashReport(home.logs)
    details = crash.begin()
    app.start(paths)
    if details:
        app.tell_crash(details)
    if not paths:
        app.window.greet()
    status = qt.exec()
    crash.end()
    if app.restarting:
        app.settings.save()
        start_anew()
    return status


def start_anew() -> None:
    """Start the window in place of this process, which has nothing left to do."""
    command = [sys.executable, *([] if hasattr(sys, "frozen") else ["-m", "dropline_desktop"])]
    if sys.platform == "win32":  # where to replace a process is to end it, and start another
        subprocess.Popen(command)
    else:
        os.execv(sys.executable, command)


def log_to(home: Home) -> None:
    """Write the program's own log beside the recorded ones, 2 MB at most."""
    home.logs.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(
        home.logs / "dropline.log", maxBytes=1_000_000, backupCount=1, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("dropline.receiver.access").setLevel(logging.WARNING)  # a line a file


def mode_of(name: str) -> Mode:
    """The colours that the settings ask for."""
    return Mode(name) if name in set(Mode) else Mode.SYSTEM
