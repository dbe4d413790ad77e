"""Where the window sends to: chosen, tried out on a real receiver, and remembered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from dropline.receiver import Receiver
from dropline.targets.chosen import TRIAL
from dropline_desktop.destination import DestinationButton, DestinationDialog
from dropline_desktop.settings import Settings
from dropline_desktop.settings.profile import Profile, profiles_of
from dropline_desktop.theme import Mode, Theme

PATIENCE = 60_000


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path / "data", port=0, token="a-token-of-its-own")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path)


@pytest.fixture
def dialog(
    settings: Settings, qtbot: QtBot, qapp: QApplication, memory: Any
) -> Iterator[DestinationDialog]:
    made = DestinationDialog(Theme(qapp, Mode.LIGHT), settings, lambda: "test", None)
    qtbot.addWidget(made)
    made.open()
    made.add.click()
    yield made
    made.close()


def answered(dialog: DestinationDialog, qtbot: QtBot) -> str:
    qtbot.waitUntil(dialog.add.isEnabled, timeout=PATIENCE)
    return dialog.answer.text()


def select(dialog: DestinationDialog, name: str) -> None:
    items = [dialog.list.item(row) for row in range(dialog.list.count())]
    dialog.list.setCurrentItem(next(each for each in items if each.text().startswith(name)))


def listed(dialog: DestinationDialog) -> list[str]:
    return [dialog.list.item(row).text() for row in range(dialog.list.count())]


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
    dialog: DestinationDialog, settings: Settings, qtbot: QtBot, url: str, said: str
) -> None:
    dialog.url.setText(url)
    dialog.test.click()
    assert said in answered(dialog, qtbot)
    assert settings.profiles == ()


def test_it_is_remembered_with_the_secret_in_the_keyring(
    dialog: DestinationDialog, receiver: Receiver, qtbot: QtBot, memory: Any, tmp_path: Path
) -> None:
    dialog.url.setText(receiver.url)
    dialog.secret.setText("a-token-of-its-own")
    dialog.use.click()
    qtbot.waitUntil(dialog.isHidden, timeout=PATIENCE)
    kept = Settings(tmp_path)
    assert kept.running == Profile("127.0.0.1", receiver.url)
    assert list(memory.kept.values()) == ["a-token-of-its-own"]
    assert "a-token-of-its-own" not in (tmp_path / "settings.ini").read_text()
    dialog.open()
    assert dialog.secret.text() == ""
    dialog.test.click()  # with what the keyring holds
    assert answered(dialog, qtbot).startswith("It works")
    select(dialog, "The receiver")
    dialog.use.click()
    assert Settings(tmp_path).profile == ""
    assert len(Settings(tmp_path).profiles) == 1


def test_several_are_kept_changed_and_removed(
    dialog: DestinationDialog, settings: Settings, qtbot: QtBot, memory: Any
) -> None:
    for name, url, secret in (
        ("Archive", "webdav+https://dav.example/a", "one"),
        ("Bucket", "tus+https://tus.example/files/", "two"),
    ):
        dialog.add.click()
        dialog.name.setText(name)
        dialog.url.setText(url)
        dialog.secret.setText(secret)
        dialog.limit.choose(1e6)
        dialog.keep.click()
        assert answered(dialog, qtbot) == f"“{name}” is kept."
    assert listed(dialog) == ["The receiver in this window ✓", "Archive · WebDAV", "Bucket · tus"]
    dialog.name.setText("Archive")
    dialog.keep.click()
    assert "already" in answered(dialog, qtbot)
    dialog.name.setText("Store")
    dialog.use.click()
    qtbot.waitUntil(dialog.isHidden, timeout=PATIENCE)
    assert [each.name for each in settings.profiles] == ["Archive", "Store"]
    assert settings.profiles[1].limit == 1e6
    assert settings.profile == "Store"
    dialog.open()
    assert dialog.name.text() == "Store"
    dialog.remove.click()
    assert "gone" in answered(dialog, qtbot)
    assert settings.profile == ""
    assert [each.name for each in settings.profiles] == ["Archive"]
    assert list(memory.kept.values()) == ["one"]


def test_a_choice_holds_from_the_next_start_on_and_each_target_has_its_limit(
    tmp_path: Path, qtbot: QtBot, qapp: QApplication
) -> None:
    settings = Settings(tmp_path)
    settings.profiles = [Profile("A & B", "http://a:1"), Profile("C", "http://c:1", "ada", 2e6)]
    settings.limit = 1e6  # of the own receiver
    edit = QAction("&Edit…")
    button = DestinationButton(Theme(qapp, Mode.LIGHT), settings, edit)
    qtbot.addWidget(button)
    assert button.menu().actions()[-1] is edit
    button.menu().actions()[2].trigger()
    assert (settings.profile, settings.running, settings.limit) == ("C", None, 1e6)
    assert "the receiver in this window; from the next start: C" in button.toolTip()
    after = Settings(tmp_path)
    assert after.running == Profile("C", "http://c:1", "ada", 2e6)
    assert after.limit == 2e6
    after.limit = 3e6
    assert [each.limit for each in Settings(tmp_path).profiles] == [None, 3e6]
    after.profile = ""
    assert Settings(tmp_path).limit == 1e6


def test_the_one_target_of_before_is_a_profile_now(tmp_path: Path) -> None:
    (tmp_path / "settings.ini").write_text(
        "[General]\ntarget=webdav+https://cloud.example/dav\ntarget_user=ada\nlimit=500000\n"
    )
    expected = Profile("cloud.example", "webdav+https://cloud.example/dav", "ada", 5e5)
    assert Settings(tmp_path).running == expected
    assert Settings(tmp_path).profiles == (expected,)  # and only once


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        '[{"name": "a"}]',
        '[{"name": "a", "url": 1}]',
        '[{"name": "", "url": "http://a"}]',
        '[{"name": "a", "url": "http://u:secret@a"}]',
        '[{"name": "a", "url": "http://a", "limit": "1"}]',
        '[{"name": "a", "url": "http://a", "limit": true}]',
        '[{"name": "a", "url": "http://a"}, {"name": "a", "url": "http://b"}]',
    ],
)
def test_damaged_profiles_are_none(text: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        profiles_of(json.loads(text))
