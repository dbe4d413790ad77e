"""Two languages, whole, and switched while the window runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QLocale

from dropline.bus import Router
from dropline.events import FolderWatched, ReceiverStarted, ScanFinished
from dropline.load import Exponential, Poisson, Service
from dropline_desktop import format
from dropline_desktop.language import Language, Translation
from dropline_desktop.sentences import drained_sentence, sentence
from dropline_desktop.settings import Settings
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.theme import Mode, Theme
from dropline_desktop.window import MainWindow

from .test_tiles import READING
from .words import cut, words

PLAN = Plan(Poisson(30.0), Service(Exponential(0.1)), 4)
ROUTER = Router("test", lambda _event: None)
ROOT = Path(__file__).resolve().parents[2]
#: Of the window, from the least on.
SIZES = ((1024, 640), (1280, 760), (1920, 1080))


@pytest.fixture
def window(qtbot, qapp, tmp_path) -> Callable[[], MainWindow]:
    """Makes windows that have seen a reading and some events."""

    def make() -> MainWindow:
        window = MainWindow(Settings(tmp_path), Theme(qapp, Mode.LIGHT))
        qtbot.addWidget(window)
        window.status.take([ROUTER.envelope(ReceiverStarted("http://127.0.0.1:8765"))])
        window.watched.take([ROUTER.envelope(FolderWatched("/a"))])
        window.watched.show_folders(["/a"])
        tell(window)
        return window

    return make


def tell(window: MainWindow) -> None:
    """Let a window show a reading, as it does some times a second."""
    for part in (window, window.instruments):
        part._shown_at = 0.0
        part._take_readings([ROUTER.envelope(READING)])


def speak(translation: Translation, language: Language) -> None:
    translation.speak(language)
    QCoreApplication.sendPostedEvents()


def test_nothing_is_missing_left_over_or_false():
    checked = subprocess.run(
        [sys.executable, ROOT / "tools" / "translations.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("language", [Language.CHINESE, Language.ENGLISH])
def test_a_window_switched_says_what_one_made_in_that_language_says(window, translation, language):
    other = Language.ENGLISH if language is Language.CHINESE else Language.CHINESE
    speak(translation, other)
    switched = window()
    before = words(switched)
    speak(translation, language)
    tell(switched)
    after = words(switched)
    assert after == words(window())
    assert after != before


@pytest.mark.parametrize("language", [Language.ENGLISH, Language.CHINESE])
def test_no_text_is_cut_at_200_percent(language):
    # Qt reads the scale when it starts; what is cut at 100 % finds test_texts.py.
    name = f"{Path(__file__).name}::test_no_text_is_cut_at_this_scale[{language}]"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rN", Path(__file__).with_name(name)],
        env=os.environ | {"QT_SCALE_FACTOR": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif("QT_SCALE_FACTOR" not in os.environ, reason="run by the test before")
@pytest.mark.parametrize("language", [str(Language.ENGLISH), str(Language.CHINESE)])
def test_no_text_is_cut_at_this_scale(window, qtbot, translation, language):
    speak(translation, Language(language))
    shown = window()
    shown.show()
    for size in SIZES:
        shown.resize(*size)
        QCoreApplication.processEvents()
        assert cut(shown) == [], size


def test_the_choice_is_in_the_menu_and_remembered(window, translation, tmp_path):
    shown = window()
    shown.languageWanted.connect(translation.speak)
    shown._languages[Language.CHINESE].trigger()
    QCoreApplication.sendPostedEvents()
    assert shown.menuBar().actions()[0].text() == "文件(&F)"
    assert Settings(tmp_path).language is Language.CHINESE
    shown._languages[Language.SYSTEM].trigger()
    QCoreApplication.sendPostedEvents()
    assert shown.menuBar().actions()[0].text() == "&File"


def test_figures_follow_the_language(translation):
    at = datetime(2026, 11, 24, 14, 3, tzinfo=UTC)
    assert (format.day(at), format.duration(125)) == ("24 Nov", "2 min 5 s")
    speak(translation, Language.CHINESE)
    assert (format.day(at), format.duration(125)) == ("11月24日", "2 分 5 秒")
    assert (format.size(512), format.rate(1234.5), format.percent(0.98)) == (
        "512 字节",
        "1,235/秒",
        "98%",
    )


def test_one_is_not_many(translation):
    assert drained_sentence(1, 0, 0) == "1 file sent"
    assert drained_sentence(1234, 1, 0) == "1,234 files sent, 1 failed"
    assert sentence(ScanFinished("1", 1, 5, 0, False)) == (
        "Scan finished: 1 file found, 5 bytes, 0 refused"
    )
    speak(translation, Language.CHINESE)
    assert drained_sentence(1, 0, 0) == "已发送 1 个文件"
    assert drained_sentence(1234, 1, 2) == "已发送 1,234 个文件，失败 1 个，取消 2 个"


def test_the_system_may_be_chinese(qapp, monkeypatch):
    for told, language in (
        (["zh-Hans-CN", "zh-CN"], Language.CHINESE),
        (["zh-SG"], Language.CHINESE),
        (["zh-TW"], Language.ENGLISH),
        (["de-DE", "zh-CN"], Language.ENGLISH),
        ([], Language.ENGLISH),
    ):
        monkeypatch.setattr(QLocale, "uiLanguages", lambda _self, told=told: told)
        translation = Translation(qapp)
        QCoreApplication.sendPostedEvents()
        chinese = QCoreApplication.translate("Command", "&File") == "文件(&F)"
        assert chinese is (language is Language.CHINESE), told
        translation.close()
