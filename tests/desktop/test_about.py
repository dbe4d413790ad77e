"""About Dropline: its version, its places, and the licences of what is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from dropline import __version__
from dropline.home import Home
from dropline_desktop.about import LICENCES, AboutDialog, brought, licences
from dropline_desktop.language import Language, Translation


def test_it_tells_version_places_and_licences(qtbot: QtBot, tmp_path: Path) -> None:
    home = Home(tmp_path / "with <signs> & spaces")
    dialog = AboutDialog(home)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: bool(dialog.licences.toPlainText()), timeout=60_000)
    assert __version__ in dialog.name.text()
    assert "with &lt;signs&gt; &amp; spaces/logs</a>" in dialog.places.text()
    assert "numpy " in dialog.licences.toPlainText()
    dialog.close()


def test_it_speaks_chinese(qtbot: QtBot, tmp_path: Path, translation: Translation) -> None:
    dialog = AboutDialog(Home(tmp_path))
    qtbot.addWidget(dialog)
    translation.speak(Language.CHINESE)
    qtbot.waitUntil(lambda: "数据" in dialog.places.text())


def test_each_package_is_told_with_a_licence() -> None:
    lines = dict(line.split(": ", 1) for line in licences().splitlines())
    assert lines[f"dropline {__version__}"] == "MIT"
    assert {"–"}.isdisjoint(lines.values())
    names = {found.metadata["Name"] for found in brought("dropline")}
    assert {"PySide6_Essentials", "shiboken6", "Werkzeug"} <= names
    assert not {"pytest", "ruff"} & names


def test_a_bundle_shows_the_text_that_was_made_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "dropline"))
    assert licences().startswith(f"{LICENCES}: ")
    (tmp_path / LICENCES).write_text("all of them", "utf-8")
    assert licences() == "all of them"
