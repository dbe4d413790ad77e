"""The main window: lays out the parts, and hands on what the user asks for as signals.

It knows nothing of the line: `listen` feeds its parts from a bus, its signals go to whoever
connects them.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QCloseEvent, QShowEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QMenu,
    QStackedWidget,
    QTabWidget,
)

from dropline.bus import EventBus
from dropline.events import (
    FilesDropped,
    FolderLost,
    FolderReturned,
    FolderUnwatched,
    HandlerFailed,
    JournalTroubled,
    Message,
    RecordingEnded,
)
from dropline.station import Order, Reading
from dropline_desktop import format
from dropline_desktop.actions import Command, Menu, commands, plain
from dropline_desktop.destination import DestinationButton
from dropline_desktop.docks import Dock, Side
from dropline_desktop.drop_zone import Chooser, Drops, DropZone
from dropline_desktop.events import EventLog
from dropline_desktop.icons import application_icon
from dropline_desktop.instruments import READING_EVERY, Instruments, column
from dropline_desktop.language import Language, worded
from dropline_desktop.notices import Notices
from dropline_desktop.palette import Palette
from dropline_desktop.sentences import sentence
from dropline_desktop.settings import Settings
from dropline_desktop.share import ShareDialog
from dropline_desktop.status import StatusBar
from dropline_desktop.theme import Mode, Space, Theme
from dropline_desktop.transfers import TransfersPanel
from dropline_desktop.watched import WatchedFolders
from dropline_desktop.welcome import Welcome

if TYPE_CHECKING:
    from dropline_desktop.simulation.page import SimulationPage

T = TypeVar("T", bound=StrEnum)


class MainWindow(QMainWindow):
    """Everything there is to see."""

    #: Paths to take in; emitted while a drop lasts, see `Drops.received`.
    dropped = Signal(object)
    stopScanAsked = Signal()
    #: Job ids, or None for all.
    cancelAsked = Signal(object)
    retryAsked = Signal(object)
    #: Job ids.
    sendAgainAsked = Signal(object)
    holdAsked = Signal(object)
    releaseAsked = Signal(object)
    #: Job ids, and the priority that they are to have.
    priorityAsked = Signal(object, int)
    workersWanted = Signal(int)
    pauseWanted = Signal(bool)
    #: Bytes a second, or None for no limit.
    limitWanted = Signal(object)
    orderWanted = Signal(Order)
    #: Try a target that is down now.
    probeAsked = Signal()
    #: A folder to watch, or to watch no more.
    watchAsked = Signal(object)
    unwatchAsked = Signal(object)
    #: Tell `watched` which files wait to be at rest.
    restlessAsked = Signal()
    recordWanted = Signal(bool)
    #: Ask for a simulated load.
    simulateAsked = Signal()
    #: Ask for all that can be set.
    settingsAsked = Signal()
    #: Ask where files shall go.
    sendToAsked = Signal()
    #: Tell about the program.
    aboutAsked = Signal()
    #: Start at login, or do not.
    autostartWanted = Signal(bool)
    #: Make sample files, and send them.
    samplesAsked = Signal()
    #: Ask for a recorded log to show; show the history.
    openLogAsked = Signal()
    historyAsked = Signal()
    languageWanted = Signal(Language)
    #: Seconds that the figures are to be taken over.
    windowChosen = Signal(float)
    closed = Signal()

    def __init__(self, settings: Settings, theme: Theme) -> None:
        super().__init__()
        self._settings = settings
        self._theme = theme
        self._shown_at = 0.0
        self.setObjectName("MainWindow")
        self.setWindowTitle("Dropline")
        self.setWindowIcon(application_icon())
        self.chooser = Chooser(self, settings.last_folder)
        self.drops = Drops(self)
        self.commands = Palette(self)
        self._actions = {command.name: self._make_action(command) for command in commands()}
        self.notices = Notices(theme)
        self.drop_zone = DropZone(
            theme,
            DestinationButton(theme, settings, self._actions["sendTo"]),
            self._actions["addFiles"],
            self._actions["addFolder"],
        )
        self.transfers = TransfersPanel(theme)
        self.instruments = Instruments(
            theme,
            workers=settings.workers,
            order=settings.order,
            limit=settings.limit,
            goal=settings.goal,
        )
        self.tiles = self.instruments.tiles
        self.charts = self.instruments.charts
        self.tuner = self.instruments.tuner
        self.tune = self.instruments.tune
        self.order = self.instruments.order
        self.charts.lanes.name_of = self.transfers.model.rows.name_of
        self.log = EventLog(theme, self.transfers.model.rows.name_of)
        self.status = StatusBar(theme)
        self.watched = WatchedFolders(theme, self)
        self.share = ShareDialog(theme, self)
        self.welcome = Welcome(theme)
        self._lost: dict[str, str] = {}
        self._arranged = False
        self._lay_out()
        self._make_menus()
        self._connect()
        self._restore()
        worded(self, self._word)
        self.drops.claim(self)

    def listen(self, bus: EventBus) -> None:
        """Feed the parts from a bus. A part that fails doesn't stop the others."""
        bus.subscribe("", self.transfers.take, batches=True)
        bus.subscribe("", self.log.take, batches=True)  # after the transfers, which know the names
        bus.subscribe("", self.status.take, batches=True)
        bus.subscribe("dropline.folder.", self.watched.take, batches=True)
        bus.subscribe("dropline.folder.", self._take_folder)
        self.instruments.listen(bus)
        bus.subscribe(JournalTroubled, lambda message: self.show_notice(message.data.reason))
        bus.subscribe(Reading, self._take_readings, batches=True)
        bus.subscribe(HandlerFailed, self._take_failure)
        bus.subscribe("dropline.recording.", self._take_recording)
        bus.subscribe(FilesDropped, lambda _message: self._end_welcome())

    def show_notice(self, text: str, details: str = "") -> None:
        """Tell the user something that must be read, without stopping anything."""
        self.notices.show_notice(text, details)

    def tell_saved(self, path: str) -> None:
        """Say for a moment where something was saved."""
        self.status.showMessage(self.tr("Saved as {}").format(path), 8000)

    def bring_to_front(self) -> None:
        """Show the window above the others."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def greet(self) -> None:
        """Show the first screen until something is dropped, once."""
        if not self._settings.welcomed:
            self._settings.welcomed = True
            self._welcome()

    def _welcome(self) -> None:
        self._stage.setCurrentWidget(self.welcome)
        self.welcome.samples.setFocus()

    def _end_welcome(self) -> None:
        if self._stage.currentWidget() is self.welcome:
            self._stage.setCurrentIndex(self._stage.count() - 1 if self._stage.count() > 2 else 0)

    def show_simulation(self, page: SimulationPage) -> None:
        """Show a simulated line in place of the send line, until `hide_simulation`."""
        self._panels.addWidget(page.instruments.panel)
        self._panels.setCurrentWidget(page.instruments.panel)
        self._stage.addWidget(page)
        self._stage.setCurrentWidget(page)
        self._name_parts()

    def hide_simulation(self, page: SimulationPage) -> None:
        """Show the send line again."""
        self._panels.removeWidget(page.instruments.panel)
        page.instruments.panel.setParent(page)
        self._stage.removeWidget(page)
        self._stage.setCurrentWidget(self.instruments)
        self._name_parts()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._arranged:
            return
        self._arranged = True  # only what is shown knows its size
        if not self.restoreState(self._settings.layout("docks")):
            self.arrange()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._save()
        self.watched.close()
        super().closeEvent(event)
        self.closed.emit()

    # --- what arrives -----------------------------------------------------------------------

    def _take_readings(self, messages: list[Message]) -> None:
        reading = messages[-1].data
        assert isinstance(reading, Reading)
        if reading.t - self._shown_at >= READING_EVERY:
            self._shown_at = reading.t
            self.status.show_reading(reading)
            self._show_title(reading)

    def _show_title(self, reading: Reading) -> None:
        """Tell the taskbar how much is left."""
        left = format.count(reading.in_system)
        self.setWindowTitle(
            self.tr("Dropline: {} to send").format(left) if reading.in_system else "Dropline"
        )

    def _take_folder(self, message: Message) -> None:
        """A watched folder that is lost must be read of, for as long as it is."""
        match message.data:
            case FolderLost(folder=folder, reason=reason):
                self._lost[folder] = reason
                self.show_notice(reason)
            case FolderReturned(folder=folder) | FolderUnwatched(folder=folder):
                self.notices.withdraw(self._lost.pop(folder, ""))
        if isinstance(message.data, FolderReturned):
            self.show_notice(sentence(message.data))

    def _take_failure(self, message: Message) -> None:
        assert isinstance(message.data, HandlerFailed)
        text = self.tr("A part of Dropline failed ({}). Uploads go on; please report it.")
        self.show_notice(text.format(message.data.error), repr(message.data))

    def _take_recording(self, message: Message) -> None:
        match message.data:
            case RecordingEnded(problem=problem) if problem:
                self._actions["record"].setChecked(False)
                self.show_notice(problem)
            case event:
                self.status.showMessage(sentence(event), 8000)

    def show_autostart(self, on: bool) -> None:
        """Whether it starts at login, without asking for a change."""
        action = self._actions["autostart"]
        with QSignalBlocker(action):
            action.setChecked(on)

    def set_autostart(self, on: bool) -> None:
        """Ask for a start at login, or for none."""
        self._actions["autostart"].setChecked(on)

    @property
    def starts_at_login(self) -> bool:
        """Whether that is asked for."""
        return self._actions["autostart"].isChecked()

    # --- what is chosen ---------------------------------------------------------------------

    def _offer(self, retry: bool, cancel: bool, stop: bool) -> None:
        """Offer in the menu what can be done now."""
        self._actions["retryFailed"].setEnabled(retry)
        self._actions["cancelAll"].setEnabled(cancel)
        self._actions["stopScan"].setEnabled(stop)

    def choose_theme(self, mode: Mode) -> None:
        """Put on a theme, and remember it."""
        self._themes[mode].setChecked(True)
        self._theme.set_mode(mode)
        self._settings.theme = mode

    def choose_language(self, language: Language) -> None:
        """Speak a language, and remember it."""
        self._languages[language].setChecked(True)
        self._settings.language = language
        self.languageWanted.emit(language)

    def choose_window(self, seconds: float) -> None:
        """Take the figures over so many seconds."""
        self.charts.set_window(seconds)
        self.windowChosen.emit(seconds)

    def show_watched(self) -> None:
        self.watched.show()
        self.watched.raise_()
        self.watched.activateWindow()

    def arrange(self) -> None:
        """Put every part where it is at first."""
        for dock in self._docks:
            dock.setFloating(False)
            self.addDockWidget(dock.home.value, dock)
            dock.show()
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        self.resizeDocks([self._files, self._tuning], [430, 320], across)
        self.resizeDocks([self._events], [min(130, self.height() // 7)], down)

    # --- how it is put together -------------------------------------------------------------

    def _make_action(self, command: Command) -> QAction:
        runs: dict[str, Callable[..., object]] = {
            "addFiles": self.chooser.files,
            "addFolder": self.chooser.directory,
            "paste": self.drops.paste,
            "watchFolder": self.chooser.watched,
            "watchedFolders": self.show_watched,
            "openLog": self.openLogAsked.emit,
            "history": self.historyAsked.emit,
            "quit": self.close,
            "retryFailed": lambda: self.retryAsked.emit(None),
            "cancelAll": lambda: self.cancelAsked.emit(None),
            "stopScan": self.stopScanAsked.emit,
            "record": self.recordWanted.emit,
            "simulate": self.simulateAsked.emit,
            "palette": self.commands.open,
            "sendTo": self.sendToAsked.emit,
            "settings": self.settingsAsked.emit,
            "welcome": self._welcome,
            "autostart": self.autostartWanted.emit,
            "about": self.aboutAsked.emit,
        }
        return command.make(self._theme, self, runs[command.name])

    def _lay_out(self) -> None:
        self._stage, self._panels = QStackedWidget(), QStackedWidget()
        self._stage.addWidget(self.instruments)
        self._stage.addWidget(self.welcome)
        self._panels.addWidget(self.instruments.panel)
        files = column(self.drop_zone, self.transfers)
        self._files = Dock(self._theme, self, "files", files, Side.LEFT)
        self._tuning = Dock(self._theme, self, "tuning", self._panels, Side.RIGHT)
        self._events = Dock(self._theme, self, "events", self.log, Side.BOTTOM, self.log.tools)
        self.setAnimated(False)
        self.setCorner(Qt.Corner.BottomLeftCorner, Side.LEFT.value)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.setCentralWidget(column(self.notices, self._stage))
        self.setContentsMargins(Space.M, Space.M, Space.M, 0)
        self.setStatusBar(self.status)

    @property
    def _docks(self) -> tuple[Dock, Dock, Dock]:
        return self._files, self._tuning, self._events

    def _make_menus(self) -> None:
        self._menus = {menu: self.menuBar().addMenu("") for menu in Menu}
        for command in commands():
            if command.apart:
                self._menus[command.menu].addSeparator()
            self._menus[command.menu].addAction(self._actions[command.name])
        view = self._menus[Menu.VIEW]
        for dock in self._docks:
            view.addAction(dock.toggleViewAction())
        self._places_menu = view.addMenu("")
        for dock in self._docks:
            self._places_menu.addMenu(dock.places)
        self._places_menu.addSeparator()
        self._at_first = self._places_menu.addAction("", self.arrange)
        view.addSeparator()
        self._theme_menu, self._language_menu = view.addMenu(""), view.addMenu("")
        self._themes = self._choices(self._theme_menu, Mode, self._theme.mode, self.choose_theme)
        self._languages = self._choices(
            self._language_menu, Language, self._settings.language, self.choose_language
        )

    def _choices(
        self, menu: QMenu, values: type[T], chosen: T, choose: Callable[[T], None]
    ) -> dict[T, QAction]:
        """Actions of which one is on, one for each of the values."""
        group = QActionGroup(self)
        actions = {value: group.addAction("") for value in values}
        for value, action in actions.items():
            action.setCheckable(True)
            action.setChecked(value is chosen)
            action.triggered.connect(lambda _on, value=value: choose(value))
            menu.addAction(action)
        return actions

    def _word(self) -> None:
        self.setLocale(QLocale())
        for menu, shown in self._menus.items():
            shown.setTitle(menu.title)
        for command in commands():
            command.word(self._actions[command.name])
        self._name_parts()
        self._places_menu.setTitle(self.tr("&Arrange"))
        self._at_first.setText(self.tr("As at fir&st"))
        self._theme_menu.setTitle(self.tr("T&heme"))
        self._language_menu.setTitle(self.tr("&Language"))
        for action, text in (
            (self._themes[Mode.SYSTEM], self.tr("&As the system")),
            (self._themes[Mode.LIGHT], self.tr("&Light")),
            (self._themes[Mode.DARK], self.tr("&Dark")),
            (self._languages[Language.SYSTEM], self.tr("&As the system")),
            (self._languages[Language.ENGLISH], "&English"),
            (self._languages[Language.CHINESE], "简体中文(&C)"),
        ):
            action.setText(text)

    def _name_parts(self) -> None:
        for dock, text in (
            (self._files, self.tr("&Files")),
            (self._tuning, self.tr("&Tuning")),
            (self._events, self.tr("&Event log")),
        ):
            simulated = dock is self._tuning and self._panels.count() > 1
            dock.setWindowTitle(self.tr("Tuning, simulated") if simulated else plain(text))
            dock.toggleViewAction().setText(text)  # which was the title without a key
            dock.places.setTitle(text)

    def _connect(self) -> None:
        self.drops.received.connect(self.dropped)
        self.drops.rejected.connect(self.show_notice)
        self.drops.hovering.connect(self.drop_zone.set_hovered)
        self.chooser.chosen.connect(self.dropped)
        self.transfers.cancelAsked.connect(self.cancelAsked)
        self.transfers.retryAsked.connect(self.retryAsked)
        self.transfers.sendAgainAsked.connect(self.sendAgainAsked)
        self.transfers.holdAsked.connect(self.holdAsked)
        self.transfers.releaseAsked.connect(self.releaseAsked)
        self.transfers.priorityAsked.connect(self.priorityAsked)
        self.transfers.stopScanAsked.connect(self.stopScanAsked)
        self.transfers.possible.connect(self._offer)
        self._offer(False, False, False)
        self.transfers.noticed.connect(self.show_notice)
        self.tuner.workersWanted.connect(self.workersWanted)
        self.tuner.pauseWanted.connect(self.pauseWanted)
        self.tuner.limit.wanted.connect(self.limitWanted)
        self.tuner.limit.refused.connect(self.show_notice)
        self.tune.exportFailed.connect(self.show_notice)
        self.tune.exported.connect(self.tell_saved)
        self.order.orderWanted.connect(self.orderWanted)
        self.status.probeAsked.connect(self.probeAsked)
        self.status.shareAsked.connect(self.share.open)
        self.welcome.left.connect(self._end_welcome)
        self.welcome.samplesAsked.connect(self.samplesAsked)
        self.welcome.simulateAsked.connect(self.simulateAsked)
        self.welcome.filesAsked.connect(self.chooser.files)
        self.chooser.watchChosen.connect(self.watchAsked)
        self.watched.watchAsked.connect(self.chooser.watched)
        self.watched.stopAsked.connect(self.unwatchAsked)
        self.watched.restlessAsked.connect(self.restlessAsked)
        self.charts.windowChanged.connect(self.windowChosen)
        self.charts.exportFailed.connect(self.show_notice)
        self.charts.pastFailed.connect(self.show_notice)
        self.charts.exported.connect(self.tell_saved)

    # --- what is remembered -----------------------------------------------------------------

    def _restore(self) -> None:
        self.resize(1280, 760)
        self.restoreGeometry(self._settings.layout("window"))
        self.transfers.view.horizontalHeader().restoreState(self._settings.layout("transfers"))
        self.charts.set_window(self._settings.figures_window)
        self.tune.autopilot.bounds = self._settings.autopilot_bounds

    def _save(self) -> None:
        self._settings.set_layout("window", self.saveGeometry())
        if self._arranged:
            self._settings.set_layout("docks", self.saveState())
        header = self.transfers.view.horizontalHeader()
        self._settings.set_layout("transfers", header.saveState())
        self._settings.last_folder = self.chooser.folder
        self._settings.workers = self.tuner.workers
        self._settings.autopilot_bounds = self.tune.autopilot.bounds
        self._settings.save()
