"""The dialog of settings: what it sets, what its search finds, and files of settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QCheckBox, QComboBox, QSpinBox, QWidget

from dropline.station import Order
from dropline.tuning import Goal, GoalKind
from dropline_desktop.app import Application
from dropline_desktop.language import Language
from dropline_desktop.palette import entries
from dropline_desktop.settings import Settings
from dropline_desktop.settings.dialog import SettingsDialog
from dropline_desktop.settings.exchange import LARGEST, MARK
from dropline_desktop.settings.forms import Section
from dropline_desktop.settings.profile import Profile
from dropline_desktop.theme import Mode

#: Files of settings that are none, or not good ones, with a part of what is said.
BAD: tuple[tuple[bytes, str], ...] = (
    (b"{", "no settings of Dropline"),
    (b"[1]", "no settings of Dropline"),
    (b"\xff\xfe", "no settings of Dropline"),
    (b'{"program": "Other", "settings_format": 1, "settings": {}}', "no settings of Dropline"),
    (b'{"program": "Dropline", "settings_format": 2, "settings": {}}', "no settings"),
    (json.dumps({**MARK, "settings": []}).encode(), "no settings of Dropline"),
    (b" " * (LARGEST + 1), "too large"),
    *(
        (json.dumps({**MARK, "settings": {"workers": 3, **wrong}}).encode(), said)
        for wrong, said in (
            ({"workers": "many"}, '“workers” can\'t be "many"'),
            ({"workers": True}, "“workers”"),
            ({"theme": "pink"}, "“theme”"),
            ({"limit": float("nan")}, "“limit”"),
            ({"goal": {"kind": "wait", "limit": -1}}, "“goal”"),
            ({"goal": {"kind": "wait", "limit": "1"}}, "“goal”"),
            ({"watched": ["/a", 2]}, "“watched”"),
            ({"share": True}, "“share”"),
            ({"profile": ""}, "“profile”"),
            ({"targets": {"profiles": [], "chosen": "none"}}, "“targets”"),
            ({"targets": {"profiles": [{"name": "a", "url": "http://a:b@c"}], "chosen": ""}}, ""),
            ({"colour": "red"}, "“colour”"),
        )
    ),
)

Wait = Callable[[Callable[[], object]], None]


@pytest.fixture
def app(application: Callable[[], Application], monkeypatch: Any, tmp_path: Path) -> Application:
    """An application that was not started: what the line is asked for waits."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return application()


@pytest.fixture
def dialog(app: Application) -> SettingsDialog:
    app.show_settings()
    assert app.settings_dialog is not None
    return app.settings_dialog


def control(dialog: SettingsDialog, key: str) -> Any:
    found = dialog.findChild(QWidget, f"setting_{key}")
    assert found is not None
    return found


def choose(box: QComboBox, value: object) -> None:
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())


def found(dialog: SettingsDialog, text: str) -> list[str]:
    dialog.search.setText(text)
    return [row.setting.key for row in dialog.rows if not row.isHidden()]


def values(dialog: SettingsDialog) -> dict[str, Any]:
    return {row.setting.key: row.setting.get() for row in dialog.rows if row.setting.get}


def test_it_opens_by_its_key_and_by_the_palette(app: Application) -> None:
    action = app.window.findChild(QAction, "settings")
    assert action is not None
    assert action.shortcut() == QKeySequence("Ctrl+,")
    assert "Settings…" in [entry.name for entry in entries(app.window)]
    action.trigger()
    assert app.settings_dialog is not None
    assert app.settings_dialog.isVisible()


def test_each_change_holds_at_once_and_is_kept(
    app: Application, dialog: SettingsDialog, wait: Wait
) -> None:
    control(dialog, "workers").setValue(7)
    choose(control(dialog, "theme"), "dark")
    choose(control(dialog, "order"), Order.SHORTEST.value)
    choose(control(dialog, "figures_window"), 60.0)
    control(dialog, "limit").choose(5e6)
    control(dialog, "notifications").setChecked(False)
    control(dialog, "autopilot_least").setValue(20)
    control(dialog, "goal").choose(Goal(GoalKind.WAIT, 1.5))
    control(dialog, "port").setValue(9000)
    window, kept = app.window, Settings(app.home.root)
    assert (window.tuner.workers, kept.workers) == (7, 7)
    assert (app.theme.mode, kept.theme) == (Mode.DARK, "dark")
    assert window._themes[Mode.DARK].isChecked()
    assert (window.order.order, kept.order) == (Order.SHORTEST, Order.SHORTEST)
    assert kept.figures_window == 60.0
    assert (window.tuner.limit.limit, kept.limit) == (5e6, 5e6)
    assert not app.tray.notifying
    assert not kept.notifications
    assert window.tune.autopilot.bounds == kept.autopilot_bounds == (20, 20)
    assert control(dialog, "autopilot_most").value() == 20
    assert window.tune.goal.goal == kept.goal == Goal(GoalKind.WAIT, 1.5)
    assert kept.port == 9000
    control(dialog, "start_at_login").setChecked(True)
    wait(app.autostart.enabled)


def test_it_shows_what_was_changed_elsewhere(app: Application, dialog: SettingsDialog) -> None:
    app.window.tuner.spin.setValue(9)
    app.window.choose_theme(Mode.DARK)
    dialog.refresh()
    spin, box = control(dialog, "workers"), control(dialog, "theme")
    assert isinstance(spin, QSpinBox)
    assert (spin.value(), box.currentData()) == (9, "dark")


def test_every_setting_has_a_name_and_a_sentence_in_both_languages(
    app: Application, dialog: SettingsDialog
) -> None:
    for language in (Language.ENGLISH, Language.CHINESE):
        app.window.choose_language(language)
        QCoreApplication.sendPostedEvents()
        for row in dialog.rows:
            label, note = row.setting.words()
            assert label
            assert note.endswith((".", "。"))
            assert row.editor.control.accessibleName() == label
            if isinstance(row.editor.control, QCheckBox):
                assert row.editor.control.toolTip()
    assert dialog.windowTitle() == "设置"


def test_the_search_finds_by_name_and_sentence_in_the_language_shown(
    app: Application, dialog: SettingsDialog
) -> None:
    dialog.sections.setCurrentRow(0)
    assert "workers" not in found(dialog, "")
    assert found(dialog, "PORT") == ["port"]
    assert found(dialog, "light dark") == ["theme"]  # of its sentence
    assert found(dialog, "no such words") == []
    assert not dialog._nothing.isHidden()
    app.window.choose_language(Language.CHINESE)
    QCoreApplication.sendPostedEvents()
    assert found(dialog, "端口") == ["port"]
    dialog.sections.setCurrentRow(1)
    assert dialog.search.text() == ""
    assert {row.setting.section for row in dialog.rows if not row.isHidden()} == {Section.SENDING}


def test_what_is_exported_is_imported_elsewhere(
    app: Application, dialog: SettingsDialog, wait: Wait, tmp_path: Path
) -> None:
    (tmp_path / "watched").mkdir()
    app.settings.watched = [str(tmp_path / "watched")]
    app.settings.profiles = [Profile("Archive", "tus+https://host/files/", "ada", 1e6)]
    app.choose_profile("Archive")
    control(dialog, "workers").setValue(11)
    control(dialog, "goal").choose(Goal(GoalKind.RESPONSE, 3.0))
    before = values(dialog)
    file = tmp_path / "settings.json"
    dialog.write(file)
    wait(lambda: str(file) in dialog.answer.text())
    control(dialog, "workers").setValue(2)
    control(dialog, "goal").choose(Goal())
    choose(control(dialog, "theme"), "dark")
    app.keep_profiles([], "")
    assert control(dialog, "profile").count() == 2  # until it is shown again
    dialog.refresh()
    assert control(dialog, "profile").count() == 1
    dialog.take(file)
    wait(lambda: "Imported" in dialog.answer.text())
    assert values(dialog) == before
    assert control(dialog, "workers").value() == 11


def test_a_goal_for_today_is_not_exported(
    dialog: SettingsDialog, wait: Wait, tmp_path: Path
) -> None:
    control(dialog, "goal").choose(Goal(GoalKind.DONE_BY, 1e9))
    file = tmp_path / "settings.json"
    dialog.write(file)
    wait(file.exists)
    told = json.loads(file.read_text("utf-8"))["settings"]
    assert "goal" not in told
    assert "workers" in told


def test_a_bad_or_foreign_file_is_refused_and_changes_nothing(
    dialog: SettingsDialog, wait: Wait, tmp_path: Path
) -> None:
    before = values(dialog)
    file = tmp_path / "settings.json"
    for content, said in BAD:
        file.write_bytes(content)
        dialog.answer.clear()
        dialog.take(file)
        wait(dialog.answer.text)
        assert "was not imported" in dialog.answer.text()
        assert said in dialog.answer.text()
        assert values(dialog) == before
    file.unlink()
    dialog.answer.clear()
    dialog.take(file)
    wait(dialog.answer.text)
    assert "No such file" in dialog.answer.text()
