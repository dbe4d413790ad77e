"""The first screen, and the files to try the line with."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from dropline.events import FilesDropped
from dropline_desktop.bus import QtBus
from dropline_desktop.samples import COUNT, SIZE, make_samples
from dropline_desktop.settings import Settings
from dropline_desktop.theme import Mode, Theme
from dropline_desktop.welcome import Welcome
from dropline_desktop.window import MainWindow


@pytest.mark.parametrize("way", ["samples", "simulate", "files"])
def test_each_way_is_asked_for_and_leaves_it(way: str, qtbot: QtBot, qapp: QApplication) -> None:
    welcome = Welcome(Theme(qapp, Mode.LIGHT))
    qtbot.addWidget(welcome)
    welcome.show()
    with qtbot.waitSignals([getattr(welcome, f"{way}Asked"), welcome.left]):
        getattr(welcome, way).click()


def test_the_picture_is_told_to_screen_readers(qtbot: QtBot, qapp: QApplication) -> None:
    welcome = Welcome(Theme(qapp, Mode.LIGHT))
    qtbot.addWidget(welcome)
    assert welcome.picture.accessibleName() == "Files → Waiting → Workers → Receiver"
    for letter in "λLμτ":
        assert f"{letter}: " in welcome.picture.accessibleDescription()


def test_samples_are_made_anew_and_old_ones_go(tmp_path: Path) -> None:
    first, second = make_samples(tmp_path), make_samples(tmp_path)
    assert first != second
    assert [file.stat().st_size for file in first.iterdir()] == [SIZE] * COUNT
    assert first.name == "samples"  # which is what the list shows
    os.utime(first.parent, (time.time() - 7200,) * 2)
    make_samples(tmp_path)
    assert not first.parent.exists()
    assert second.exists()


def test_it_is_shown_once_and_gives_way_to_what_is_dropped(
    tmp_path: Path, qtbot: QtBot, qapp: QApplication
) -> None:
    settings, theme, bus = Settings(tmp_path), Theme(qapp, Mode.LIGHT), QtBus()
    window = MainWindow(settings, theme)
    qtbot.addWidget(window)
    window.listen(bus)
    window.show()
    window.greet()
    assert window.welcome.isVisible()
    assert not window.instruments.isVisible()
    bus.post(FilesDropped("drop-1", ("/tmp/x",)))
    qtbot.waitUntil(window.instruments.isVisible)
    window.greet()
    assert window.instruments.isVisible()
    settings.save()
    assert Settings(tmp_path).welcomed
    window.close()
