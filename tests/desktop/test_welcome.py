"""The first screen, and the files to try the line with."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from dropline_desktop.samples import COUNT, SIZE, make_samples
from dropline_desktop.settings import Settings
from dropline_desktop.theme import Mode, Theme
from dropline_desktop.welcome import Welcome


@pytest.mark.parametrize("way", ["samples", "simulate", "files"])
def test_each_way_is_asked_for_and_closes_it(way: str, qtbot: QtBot, qapp: QApplication) -> None:
    welcome = Welcome(Theme(qapp, Mode.LIGHT))
    qtbot.addWidget(welcome)
    welcome.show()
    with qtbot.waitSignal(getattr(welcome, f"{way}Asked")):
        getattr(welcome, way).click()
    assert welcome.isHidden()


def test_samples_are_made_anew_each_time(tmp_path: Path) -> None:
    first, second = make_samples(tmp_path), make_samples(tmp_path)
    assert first != second
    assert [file.stat().st_size for file in first.iterdir()] == [SIZE] * COUNT


def test_it_is_remembered_that_it_was_shown(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    assert not settings.welcomed
    settings.welcomed = True
    settings.save()
    assert Settings(tmp_path).welcomed
