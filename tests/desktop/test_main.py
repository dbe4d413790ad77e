"""The command line of the window: what it does without a display, and that it stays quick."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dropline_desktop import __main__ as command


@pytest.fixture
def headless(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="there is always a display")
def test_paths_without_a_display_are_answered_in_a_sentence(headless, capsys, tmp_path):
    assert command.main([os.fspath(tmp_path)]) == 2
    assert capsys.readouterr().err == "dropline: there is no display: use dropline send PATH…\n"


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="there is always a display")
def test_any_of_the_displays_counts(headless, monkeypatch):
    assert not command.has_display()
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.setenv(name, "x")
        assert command.has_display()
        monkeypatch.delenv(name)


def test_a_word_that_is_nothing_is_an_error(capsys):
    assert command.main(["sned"]) == 2
    assert "“sned” is no file, folder or command" in capsys.readouterr().err


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
    assert "example:" in (text := capsys.readouterr().out)
    assert "  send " in text


def test_commands_import_neither_qt_nor_numpy():
    script = (
        "import sys; from dropline_desktop.__main__ import main\n"
        "try: main(['measure', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'PySide6', 'numpy', 'pyqtgraph', 'flask'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_the_window_shows_before_what_only_the_engine_needs_is_imported():
    script = (
        "import sys, dropline_desktop.app\n"
        "heavy = {'scipy', 'flask', 'sqlalchemy', 'alembic', 'requests', 'keyring', 'rich'}\n"
        "heavy |= {'PIL', 'cheroot', 'prometheus_client', 'segno', 'watchdog'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
