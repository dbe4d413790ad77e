"""Every text of every window: none is cut, and in Chinese none is left in English.

In both languages and both themes; the windows that are made larger and smaller in three sizes. A
change of the theme takes longest, so it is the outermost loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QWidget

from dropline.bus import Router
from dropline.events import FolderWatched, ReceiverStarted
from dropline.load import Exponential, Poisson, Service
from dropline.tuning import Goal, GoalKind
from dropline_desktop.app import Application
from dropline_desktop.explorer import Explorer
from dropline_desktop.language import Language
from dropline_desktop.settings.profile import Profile
from dropline_desktop.simulation.dialog import SimulationDialog
from dropline_desktop.simulation.page import SimulationPage
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.theme import Mode

from .test_tiles import READING
from .words import cut, words

SIZES = ((1024, 640), (1440, 860), (2560, 1440))
#: Turns of the event loop in which a layout comes to rest.
TURNS = 20
PLAN = Plan(Poisson(30.0), Service(Exponential(0.1)), 4)
ROUTER = Router("test", lambda _event: None)
#: What is the same in every language: names, addresses, units, keys, formats, symbols.
SAME = re.compile(
    r"Dropline|English|\w*\+?[a-z0-9]+://[\w.:/]*|(?<!\w)/\w[\w./-]*"
    r"|\bETA\b|\bMIT\b|\bUSL\b|M/M/c|Lq|Wq|X·W|[ac]s²|\bp\d\d\b|\b[kMG]?B\b"
    r"|WebDAV|\btus\b|multipart|\bS3\b|QR|PNG|SVG|CSV|HTML|JSON|\*?\.jsonl?|dropline measure"
    r"|Ctrl|Shift|Alt|Home|Del|Space|F\d?\b|<[^>]*>|&nbsp;|\(&\w\)"
)
WORD = re.compile(r"[A-Za-z]{3,}")


@pytest.fixture
def app(application: Callable[[], Application]) -> Application:
    """One that has not started, told of what fills its window."""
    app = application()
    app.settings.profiles = [Profile("文件", "webdav+https://host/folder")]
    window = app.window
    window.status.take([ROUTER.envelope(ReceiverStarted("http://127.0.0.1:8765"))])
    window.watched.take([ROUTER.envelope(FolderWatched("/a"))])
    window.watched.show_folders(["/a"])
    window.tune.goal.choose(Goal(GoalKind.RESPONSE, 5.0))
    return app


def settle(app: Application, page: SimulationPage) -> None:
    """Let all be worded, dressed and laid out, with figures of now."""
    for parts in (app.window.instruments, page.instruments):
        parts._shown_at = 0.0
        parts._take_readings([ROUTER.envelope(READING)])
    app.window._shown_at = 0.0
    app.window._take_readings([ROUTER.envelope(READING)])
    QCoreApplication.sendPostedEvents()
    QCoreApplication.processEvents()


def still_cut(app: Application, page: SimulationPage, part: QWidget) -> list[str]:
    """What is cut once all has found its place, which takes some turns where rows break anew."""
    for _ in range(TURNS):
        if not (found := cut(part)):
            return []
        settle(app, page)
    return found


def shown(app: Application, page: SimulationPage, others: list[QWidget]) -> Iterator[tuple]:
    """Each window in turn, in each of its sizes, with a name to tell it by."""
    window = app.window
    for state, show in (
        ("instruments", lambda: window.hide_simulation(page)),
        ("welcome", window._welcome),
        ("simulation", lambda: window.show_simulation(page)),
    ):
        show()
        for size in SIZES:
            window.resize(*size)
            settle(app, page)
            assert (window.width(), window.height()) == size, "it does not fit"
            yield f"{state} {size}", window
    window.hide_simulation(page)
    for other in others:
        for size in SIZES if isinstance(other, Explorer) else (None,):
            if size is not None:
                other.resize(*size)
            other.show()
            settle(app, page)
            yield f"{type(other).__name__} {size}", other
            other.hide()


def test_no_text_is_cut_or_left_in_english(app: Application, tmp_path) -> None:
    app.show_settings()
    window, dialog = app.window, app.settings_dialog
    page = SimulationPage(app.theme, PLAN)
    others = [
        *(app.destination, app.about, window.watched, window.share, window.commands, dialog),
        *(window.tune.ledger, SimulationDialog(app.theme, window), Explorer(app.theme, tmp_path)),
    ]
    window.show()
    wrong: dict[str, list[str]] = {}
    for mode in (Mode.LIGHT, Mode.DARK):
        window.choose_theme(mode)
        for language in (Language.ENGLISH, Language.CHINESE):
            window.choose_language(language)
            QCoreApplication.sendPostedEvents()
            dialog.search.setText("e" if language is Language.ENGLISH else "。")  # all of them
            english: set[str] = set()
            for name, part in shown(app, page, others):
                for text in still_cut(app, page, part):
                    wrong.setdefault(text, []).append(f"{mode} {language} {name}")
                if language is Language.CHINESE:
                    english |= {
                        text for text in words(part).values() if WORD.search(SAME.sub("", text))
                    }
            for text in english:
                wrong.setdefault(f"in English: {text}", []).append(mode)
    for other in (*others, page):
        other.close()
    page.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not wrong, "\n".join(f"{text}: {', '.join(places)}" for text, places in wrong.items())
