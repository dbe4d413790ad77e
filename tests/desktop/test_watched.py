"""The dialog of the watched folders: each with its state, and the end of it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from dropline.bus import Router
from dropline.events import (
    Event,
    FolderLost,
    FolderReturned,
    FolderUnwatched,
    FolderWatched,
    Message,
)
from dropline_desktop.theme import Theme
from dropline_desktop.watched import WatchedFolders

ROUTER = Router("test", lambda _event: None)


def messages(*events: Event) -> list[Message]:
    return [ROUTER.envelope(event) for event in events]


@pytest.fixture
def dialog(qtbot, qapp):
    dialog = WatchedFolders(Theme(qapp))
    qtbot.addWidget(dialog)
    return dialog


def shown(dialog: WatchedFolders) -> dict[str, str]:
    items = map(dialog.list.topLevelItem, range(dialog.list.topLevelItemCount()))
    return {item.text(0): item.text(1) for item in items}


def test_each_folder_has_its_state(dialog):
    dialog.show_folders(["/a", "/ab", "/c"])
    assert set(shown(dialog).values()) == {"Looking at it…"}
    dialog.take(
        messages(
            FolderWatched("/a"),
            FolderWatched("/ab", "It is looked through."),
            FolderLost("/c", "“/c” is not there: put it back or mount its disk."),
        )
    )
    assert shown(dialog) == {
        "/a": "Watching.",
        "/ab": "Watching. It is looked through.",
        "/c": "Is not there: put it back or mount its disk.",
    }
    dialog.take(messages(FolderReturned("/c"), FolderWatched("/c")))
    dialog.show_restless(["/a/x", "/ab/y", "/ab/z"])
    assert shown(dialog) == {
        "/a": "Watching; 1 file waits to be at rest",
        "/ab": "Watching; 2 files wait to be at rest",
        "/c": "Watching.",
    }


def test_a_folder_is_given_up_by_the_button(dialog, qtbot):
    dialog.show_folders(["/a", "/b"])
    assert not dialog.stop.isEnabled()
    dialog.list.topLevelItem(1).setSelected(True)
    with qtbot.waitSignal(dialog.stopAsked) as asked:
        qtbot.mouseClick(dialog.stop, Qt.MouseButton.LeftButton)
    assert asked.args == ["/b"]
    dialog.show_folders(["/a"])
    dialog.take(messages(FolderUnwatched("/b")))
    assert set(shown(dialog)) == {"/a"}
    assert not dialog.stop.isEnabled()


def test_it_asks_for_the_restless_only_while_it_shows(dialog, qtbot):
    with qtbot.waitSignals([dialog.restlessAsked, dialog.restlessAsked]):
        dialog.show()
    dialog.close()
    assert not dialog._timer.isActive()
