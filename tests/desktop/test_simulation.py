"""A simulated load in the window: chosen, shown, steered, ended, and never taken for uploads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from dropline.events import WorkersChanged
from dropline.home import Home
from dropline.load import Batch, Even, Exponential, Fixed, LogNormal, Poisson, Service
from dropline_desktop.app import Application
from dropline_desktop.right_of_way import RightOfWay
from dropline_desktop.settings import Settings
from dropline_desktop.simulation import Simulation
from dropline_desktop.simulation.dialog import SimulationDialog
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.text import unbroken
from dropline_desktop.theme import Mode, Theme
from dropline_desktop.transfers.rows import State
from dropline_desktop.window import MainWindow

UNSTABLE = (
    "Unstable: 50.0/s come and 40.0/s can be served, so the queue grows without end. "
    "6 workers keep up."
)
Wait = Callable[[Callable[[], object]], None]
QUICK = Plan(Poisson(100.0), Service(Exponential(0.01)), 2)


@pytest.fixture
def wait(qtbot) -> Wait:
    """Let the program go on until something is so; long enough for a busy machine."""
    return lambda condition: qtbot.waitUntil(lambda: bool(condition()), timeout=30_000)


@pytest.fixture
def dialog(qtbot, qapp) -> SimulationDialog:
    made = SimulationDialog(Theme(qapp, Mode.LIGHT))
    qtbot.addWidget(made)
    return made


@pytest.fixture
def window(qtbot, qapp, tmp_path: Path) -> MainWindow:
    made = MainWindow(Settings(tmp_path), Theme(qapp, Mode.LIGHT))
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def simulation(window: MainWindow, qapp, wait: Wait) -> Iterator[Simulation]:
    """One that nothing is left of after the test."""
    parent = QObject()
    made = Simulation(window, Theme(qapp, Mode.LIGHT), RightOfWay(parent), parent)
    yield made
    made.close()
    made.wait()
    qapp.processEvents()  # what ended is told of to this thread


# --- the plan and its dialog ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            Plan(Poisson(30.0), Service(Exponential(0.1)), 4),
            "Theory (M/M/4): ρ 75 %, L 4.5, τ 151 ms, wait 51 ms.",
        ),
        (
            Plan(Even(30.0), Service(Fixed(0.1)), 4),
            "Theory (D/D/4): ρ 75 %, L 3.0, τ 100 ms, wait 0 s.",
        ),
        (
            Plan(Poisson(50.0), Service(Exponential(0.1)), 4),
            UNSTABLE,
        ),
        (Plan(Batch(40), Service(Fixed(0.5)), 4), "Theory: the batch takes 5.0 s."),
    ],
)
def test_theory_is_told_in_words(plan: Plan, words: str) -> None:
    assert plan.expectation(plan.workers) == words


def test_without_workers_nothing_is_served() -> None:
    assert QUICK.expectation(0) == "0 workers: nothing is served."


def test_the_dialog_asks_for_what_the_law_needs(dialog: SimulationDialog) -> None:
    def shown() -> set[str]:
        names = ("rate", "jobs", "scv", "mean", "workers")
        return {name for name in names if dialog._form.isRowVisible(getattr(dialog, name))}

    assert shown() == {"rate", "mean", "workers"}
    dialog.arrivals.setCurrentIndex(dialog.arrivals.findData("batch"))
    dialog.service.setCurrentIndex(dialog.service.findData("lognormal"))
    assert shown() == {"jobs", "scv", "mean", "workers"}
    dialog.jobs.setValue(12)
    dialog.scv.setValue(0.5)
    dialog.mean.setValue(0.25)
    dialog.workers.setValue(3)
    plan = dialog.plan()
    assert isinstance(plan.arrivals, Batch)
    assert (plan.arrivals.jobs, plan.workers) == (12, 3)
    assert plan.service.law == LogNormal(0.25, 0.5)
    assert dialog.expected.text() == plan.expectation(3)


def test_the_dialog_begins_with_a_load_that_settles(dialog: SimulationDialog, qtbot) -> None:
    assert dialog.expected.text().startswith("Theory (M/M/4): ρ 75 %")
    with qtbot.waitSignal(dialog.startAsked) as asked:
        dialog.start.click()
    [plan] = asked.args
    assert (plan.arrivals.rate, plan.service.law, plan.workers) == (30.0, Exponential(0.1), 4)


# --- a simulation in the window -------------------------------------------------------------------


def test_the_window_shows_and_steers_the_simulated_line_until_it_ends(
    simulation: Simulation, window: MainWindow, wait: Wait
) -> None:
    asked: list[int] = []
    window.workersWanted.connect(asked.append)
    simulation.start(QUICK)
    page, line = simulation.page, simulation.line
    assert page is not None
    assert line is not None
    assert page.isVisible()
    assert not window.instruments.isVisible()
    assert page.banner.isVisible()
    assert page.banner.accessibleName() == "Simulated load – no files are sent"
    assert simulation.dialog.stop.isEnabled()

    wait(lambda: page.instruments.tiles.tiles[0].value not in {"–", "0/s"})
    assert "Theory (M/M/2)" in page.banner.words.text()
    assert "L\N{NO-BREAK SPACE}" in page.banner.words.text()
    page.instruments.tuner.spin.setValue(5)
    wait(lambda: line.station.counts().running == 5)
    wait(lambda: "Theory (M/M/5)" in page.banner.words.text())
    page.instruments.tuner.pause.click()
    wait(lambda: line.station.counts().paused)
    wait(lambda: "0 workers" in page.banner.words.text())
    assert asked == []
    assert window.tuner.workers == 4

    page.banner.stop.click()
    assert window.instruments.isVisible()
    assert not page.isVisible()
    assert simulation.line is None
    simulation.wait()
    assert line.station.counts().running == 0
    assert not simulation.dialog.stop.isEnabled()


def test_another_simulation_takes_the_place_of_the_first(
    simulation: Simulation, window: MainWindow, wait: Wait
) -> None:
    simulation.start(QUICK)
    first = simulation.line
    simulation.start(Plan(Batch(3), Service(Fixed(0.01)), 1))
    assert simulation.line is not first
    page = simulation.page
    assert page is not None
    assert page.isVisible()
    wait(lambda: "It took" in page.banner.words.text())
    assert page.banner.words.text().startswith(
        unbroken("3 jobs come at once and take 10 ms on average. It took ")
    )


# --- and in the whole program ---------------------------------------------------------------------


@pytest.fixture
def app(qapp, wait: Wait, dropline_home: Path) -> Iterator[Application]:
    """A running program; closed at the end."""
    made = Application(qapp, Home(dropline_home), port=0)
    ended: list[bool] = []
    made.finished.connect(lambda: ended.append(True))
    made.start()
    wait(lambda: made.engine._line is not None)
    yield made
    made.shutdown()
    wait(lambda: ended)
    made.window.deleteLater()
    made.deleteLater()


def test_real_files_go_on_beside_a_simulation(app: Application, wait: Wait, tmp_path: Path) -> None:
    app.window.findChild(QAction, "simulate").trigger()
    assert app.simulation is not None
    assert app.simulation.dialog.isVisible()
    app.simulation.start(QUICK)
    line = app.simulation.line
    assert line is not None
    wait(lambda: line.station.counts().finished > 20)
    (tmp_path / "real.txt").write_text("real")
    app.drop([str(tmp_path / "real.txt")])
    rows = app.window.transfers.model.rows
    wait(lambda: rows.counts[State.SENT] == 1)
    assert len(rows) == 1
    assert app.settings.workers == 4
    send = app.engine._line
    wait(lambda: send.read(60).finished == 1)  # a moment after it was told
    assert send.read(60).station == "send"
    log = app.window.log.model
    wait(lambda: any("1 file sent" in log.sentence_at(row) for row in range(log.rowCount())))
    changes = [event for row in range(log.rowCount()) if is_change(event := log.event_at(row))]
    assert [(event.station, event.wanted) for event in changes] == [("send", 4)]


def is_change(event: object) -> bool:
    return isinstance(event, WorkersChanged)


def test_the_program_ends_while_it_simulates(app: Application, wait: Wait) -> None:
    app._simulate()
    assert app.simulation is not None
    app.simulation.start(Plan(Poisson(50.0), Service(Fixed(60.0)), 3))
    line = app.simulation.line
    assert line is not None
    wait(lambda: line.station.counts().busy == 3)
    app.shutdown()
    app.simulation.wait()
    assert line.station.counts().running == 0
