"""Where the window sends to: chosen, tried out on a real receiver, and remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from dropline.receiver import Receiver
from dropline.targets.chosen import TRIAL
from dropline_desktop.destination import DestinationDialog
from dropline_desktop.settings import Settings
from dropline_desktop.theme import Mode, Theme

PATIENCE = 30_000


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path / "data", port=0, token="a-token-of-its-own")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def dialog(tmp_path: Path, qtbot: QtBot, qapp: QApplication, memory: Any) -> DestinationDialog:
    made = DestinationDialog(Theme(qapp, Mode.LIGHT), Settings(tmp_path), lambda: "test", None)
    qtbot.addWidget(made)
    made.open()
    return made


def answered(dialog: DestinationDialog, qtbot: QtBot) -> str:
    qtbot.waitUntil(dialog.test.isEnabled, timeout=PATIENCE)
    return dialog.answer.text()


def test_a_target_is_tried_out(dialog: DestinationDialog, receiver: Receiver, qtbot: QtBot) -> None:
    assert not dialog.test.isEnabled()
    dialog.url.setText(receiver.url)
    dialog.test.click()
    assert "token" in answered(dialog, qtbot)  # it is asked for
    dialog.secret.setText("a-token-of-its-own")
    dialog.test.click()
    assert answered(dialog, qtbot) == f"It works: {TRIAL} is there, and verified."


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host", "is no address"),
        ("gopher+http://host", "use one of"),
        ("http://127.0.0.1:9", "127.0.0.1:9"),
    ],
)
def test_what_is_wrong_is_said(
    dialog: DestinationDialog, qtbot: QtBot, url: str, said: str
) -> None:
    dialog.url.setText(url)
    dialog.test.click()
    assert said in answered(dialog, qtbot)
    assert dialog._settings.target == ""


def test_it_is_remembered_with_the_secret_in_the_keyring(
    dialog: DestinationDialog, receiver: Receiver, qtbot: QtBot, memory: Any, tmp_path: Path
) -> None:
    dialog.url.setText(receiver.url)
    dialog.secret.setText("a-token-of-its-own")
    dialog.use.click()
    qtbot.waitUntil(dialog.isHidden, timeout=PATIENCE)
    assert Settings(tmp_path).target == receiver.url
    assert list(memory.kept.values()) == ["a-token-of-its-own"]
    assert "a-token-of-its-own" not in (tmp_path / "settings.ini").read_text()
    dialog.open()
    assert dialog.secret.text() == ""
    dialog.test.click()  # with what the keyring holds
    assert answered(dialog, qtbot).startswith("It works")
    dialog.own.click()
    assert Settings(tmp_path).target == ""
