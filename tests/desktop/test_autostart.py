"""Starting at log-in: kept as Linux, macOS and Windows want it, and chosen in the menu."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from dropline.home import Home
from dropline_desktop.app import Application
from dropline_desktop.autostart import Autostart, RegistryAutostart, autostart, own_command

ODD = ('/opt/a folder/100% "odd" $HOME `x` \\n', "-m", "dropline_desktop")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def assert_goes_on_and_off(made: Autostart) -> None:
    for wanted in (True, True, False, False, True):
        made.set(wanted)
        assert made.enabled() is wanted


def test_linux(home: Path) -> None:
    made = autostart("linux", ODD)
    assert not made.enabled()
    assert_goes_on_and_off(made)
    entry = (home / ".config" / "autostart" / "dropline.desktop").read_text("utf-8")
    [line] = [line for line in entry.splitlines() if line.startswith("Exec=")]
    value = line.removeprefix("Exec=").replace("\\\\", "\\").replace("%%", "%")
    # Quoting is the shell's for what the specification lets stand in quotes.
    printed = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {value}"], capture_output=True, check=True
    )
    assert tuple(printed.stdout.decode().split("\0")[:-1]) == ODD


@pytest.mark.parametrize(
    ("config", "used"), [("{}/own", "own"), ("own", ".config"), ("", ".config")]
)
def test_the_folder_that_the_environment_names(
    home: Path, monkeypatch: pytest.MonkeyPatch, config: str, used: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", config.format(home))
    autostart("linux", ODD).set(True)
    assert (home / used / "autostart" / "dropline.desktop").is_file()


def test_macos(home: Path) -> None:
    made = autostart("darwin", ODD)
    assert_goes_on_and_off(made)
    agent = plistlib.loads((home / "Library" / "LaunchAgents" / "dropline.plist").read_bytes())
    assert agent == {"Label": "dropline", "ProgramArguments": list(ODD), "RunAtLoad": True}


def test_windows(tmp_path: Path) -> None:
    path = str(tmp_path / "registry.ini")
    made = RegistryAutostart(QSettings(path, QSettings.Format.IniFormat), '"C:\\a b\\dropline.exe"')
    assert_goes_on_and_off(made)
    kept = QSettings(path, QSettings.Format.IniFormat).value("dropline")
    assert kept == '"C:\\a b\\dropline.exe"'


def test_the_command_is_the_one_beside_this_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_command()[0] == shutil.which("dropline", path=str(Path(sys.executable).parent))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert own_command() == (sys.executable,)


def test_the_menu_shows_it_and_sets_it(home: Path, qtbot: QtBot, qapp: QApplication) -> None:
    entry = home / ".config" / "autostart" / "dropline.desktop"
    for before in (False, True):  # then it is the other
        app = Application(qapp, Home(home / "data"), port=0)
        item = app.window.findChild(QAction, "autostart")
        assert item.isChecked() is before
        item.trigger()
        qtbot.waitUntil(lambda before=before: entry.exists() is not before, timeout=60_000)
        with qtbot.waitSignal(app.finished, timeout=60_000):
            app.shutdown()


def test_what_cannot_be_set_is_said(home: Path, qtbot: QtBot, qapp: QApplication) -> None:
    (home / ".config").write_text("a file where the folder should be")
    app = Application(qapp, Home(home / "data"), port=0)
    item = app.window.findChild(QAction, "autostart")
    with qtbot.waitSignal(app._refused, timeout=60_000) as refused:
        item.trigger()
    assert "start at login" in refused.args[0]
    qtbot.waitUntil(lambda: not item.isChecked())
    with qtbot.waitSignal(app.finished, timeout=60_000):
        app.shutdown()
