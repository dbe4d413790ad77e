"""The tiles: figures at a glance, with their units, definitions and warnings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QApplication, QLabel, QToolButton, QToolTip, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from dropline_desktop import quantities as q
from dropline_desktop.figures import Figures
from dropline_desktop.language import Language, Translation
from dropline_desktop.theme import Theme
from dropline_desktop.tiles import Tile, Tiles

from .readings import IDLE

FIGURES = replace(
    IDLE.figures,
    arrivals=30,
    finished=25,
    arrival_rate=3.0,
    throughput=2.5,
    service_rate=1.25,
    mean_in_system=12.34,
    mean_waiting=8.0,
    mean_busy=4.0,
    utilisation=0.984,
    mean_response=2.0,
    mean_wait=1.2,
)
READING = replace(
    IDLE,
    t=10.0,
    busy=4,
    waiting=9,
    in_system=13,
    finished=25,
    oldest=3.0,
    bytes_rate=3_100_000.0,
    eta=125.0,
    eta_low=110.0,
    eta_high=145.0,
    figures=FIGURES,
    p50=1.5,
    p95=3.21,
    p99=4.0,
)


@pytest.fixture
def tiles(theme: Theme, qtbot: QtBot) -> Tiles:
    widget = Tiles(theme)
    qtbot.addWidget(widget)
    widget.resize(900, widget.sizeHint().height())
    return widget


def tile(tiles: Tiles, key: str) -> Tile:
    return next(tile for tile in tiles.tiles if tile.quantity.key == key)


def said(tiles: Tiles) -> str:
    """All texts of the row."""
    return " | ".join(label.text() for label in tiles.findChildren(QLabel))


def test_every_figure_has_its_value_and_unit(tiles: Tiles) -> None:
    tiles.show_reading(READING)
    assert [(tile.quantity.key, tile.value) for tile in tiles.tiles] == [
        ("arrival_rate", "3.0/s"),
        ("throughput", "2.5/s"),
        ("service_rate", "1.3/s"),
        ("utilisation", "98 %"),
        ("mean_in_system", "12.3"),
        ("p95", "3.2 s"),
        ("eta", "2 min 5 s"),
    ]


def test_the_time_left_stands_over_its_range(tiles: Tiles) -> None:
    tiles.show_reading(READING)
    assert tile(tiles, "eta").caption == "1.8–2.4 min"
    tiles.show_reading(replace(READING, eta_low=None, eta_high=None))
    assert tile(tiles, "eta").caption == "time left"
    tiles.show_reading(replace(READING, eta=0.0, eta_low=0.0, eta_high=0.0))
    assert (tile(tiles, "eta").value, tile(tiles, "eta").caption) == ("0 s", "time left")
    assert "9 times in 10" in q.ETA.help()


def test_the_list_of_figures_stays_as_wide_as_it_is(theme: Theme, qtbot: QtBot) -> None:
    figures = Figures(theme)
    qtbot.addWidget(figures)
    before = figures.minimumSizeHint()
    figures.show_reading(replace(READING, eta=123456.0, in_system=123_456_789))
    assert figures.minimumSizeHint() == before


def test_what_is_undefined_is_a_dash(tiles: Tiles) -> None:
    assert {tile.value for tile in tiles.tiles} == {"–"}
    idle = replace(FIGURES, service_rate=None, utilisation=None)
    tiles.show_reading(replace(READING, figures=idle, p95=None, eta=None))
    assert [tile(tiles, key).value for key in ("service_rate", "utilisation", "p95", "eta")] == [
        "–"
    ] * 4


def test_the_window_is_said_once(tiles: Tiles) -> None:
    assert "nothing measured yet" in said(tiles)
    tiles.show_reading(READING)
    assert said(tiles).count("over the last 10 s") == 1
    tiles.show_reading(replace(READING, window=2.96))
    assert "over the last 3.0 s" in said(tiles)


def test_more_arrivals_than_the_workers_can_send_are_called_unstable(tiles: Tiles) -> None:
    tiles.show_reading(replace(READING, figures=replace(FIGURES, arrival_rate=5.0)))
    assert tile(tiles, "utilisation").caption == "unstable"
    assert "λ ≥ cμ: 5.0/s arrive, 5.0/s can be sent" in said(tiles)
    tiles.show_reading(READING)
    assert tile(tiles, "utilisation").caption == "utilisation"
    assert "λ ≥ cμ" not in said(tiles)


@pytest.mark.parametrize("changes", [{"paused": True}, {"wanted": 0}])
def test_a_paused_line_is_paused_and_not_unstable(tiles: Tiles, changes: dict[str, int]) -> None:
    reading = replace(READING, **changes)
    tiles.show_reading(reading)
    assert tile(tiles, "utilisation").caption == "paused"
    assert q.capacity(reading) == 0
    assert not q.unstable(reading)


def test_an_idle_line_is_not_unstable() -> None:
    quiet = replace(FIGURES, arrival_rate=0.0, service_rate=None)
    assert not q.unstable(replace(READING, figures=quiet))


def test_the_question_mark_gives_the_definition_and_the_articles_name(
    tiles: Tiles, qtbot: QtBot
) -> None:
    button = tile(tiles, "utilisation").findChild(QToolButton)
    assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
    for text in ("utilisation", "busy", "called throughput there"):
        assert text in button.toolTip()
    with qtbot.waitExposed(tiles):
        tiles.show()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert "called throughput there" in QToolTip.text()
    QToolTip.hideText()


def test_a_screen_reader_gets_name_and_value(tiles: Tiles) -> None:
    tiles.show_reading(READING)
    arrivals = tile(tiles, "arrival_rate")
    assert arrivals.accessibleName() == "arrival rate"
    assert arrivals.accessibleDescription() == "3.0/s"


@pytest.mark.parametrize("width", [320, 560, 1280])
def test_no_value_is_cut_off_however_narrow(tiles: Tiles, qtbot: QtBot, width: int) -> None:
    with qtbot.waitExposed(tiles):
        tiles.show()
    tiles.resize(width, tiles.height())
    tiles.show_reading(READING)
    QApplication.processEvents()
    for shown in tiles.tiles:
        label = next(label for label in shown.findChildren(QLabel) if label.text() == shown.value)
        assert QFontMetrics(label.font()).horizontalAdvance(shown.value) <= label.width()


@pytest.mark.parametrize("language", [Language.ENGLISH, Language.CHINESE])
def test_no_symbol_is_cut_off_in_a_row_that_just_fits(
    tiles: Tiles, theme: Theme, translation: Translation, qtbot: QtBot, language: Language
) -> None:
    """A regression: short Chinese names made the tiles narrower than "τ p95" and the "?"."""
    translation.speak(language)
    QApplication.sendPostedEvents()
    with qtbot.waitExposed(tiles):
        tiles.show()
    widths = [tiles.minimumSizeHint().width() + step for step in range(0, 900, 25)]
    for width in widths:
        tiles.resize(width, tiles.height())
        QApplication.processEvents()
        for shown in tiles.tiles:
            symbol = shown.findChildren(QLabel)[0]
            assert symbol.width() >= symbol.sizeHint().width(), (width, symbol.text())


@pytest.mark.parametrize("language", [Language.ENGLISH, Language.CHINESE])
def test_a_row_may_become_two_at_once(
    tiles: Tiles, theme: Theme, translation: Translation, qtbot: QtBot, language: Language
) -> None:
    """A regression: a window was kept as wide as one row of tiles until it was resized again."""
    window = QWidget()
    qtbot.addWidget(window)
    QVBoxLayout(window).addWidget(tiles)
    translation.speak(language)
    window.resize(1280, 100)
    with qtbot.waitExposed(window):
        window.show()
    QApplication.processEvents()  # what the language changed is laid out
    narrow = window.minimumSizeHint().width()
    assert narrow < sum(each.minimumWidth() for each in tiles.tiles)
    window.resize(narrow, 100)
    QApplication.processEvents()
    assert window.width() == narrow
    assert all(each.width() >= each.minimumWidth() for each in tiles.tiles)
    tiles.setParent(None)  # the fixture closes them
