"""Drops, pastes and dialogs: every name arrives as it is on disk, and the source is let go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
)
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit, QTextEdit, QVBoxLayout, QWidget

from dropline_desktop.drop_zone import Chooser, Drops
from dropline_desktop.dropped import from_urls, local_path, to_url

NAMES = [
    "plain.txt",
    "with space.txt",
    "100%.txt",
    "%41.txt",
    "a#b?c&d=e.txt",
    "文件 名.txt",
    "emoji 😀 👨‍👩‍👧.txt",
    "new\nline\ttab.txt",
    "quote'\"`$(x);.txt",
    "back\\slash.txt",
    " leading and trailing ",
    "-rf",
    "combining e\u0301.txt",
    "right\u202eto left.txt",
    "x" * 255,
    os.fsdecode(b"caf\xe9 latin-1.txt"),
    os.fsdecode(b"\xff\xfe\x80"),
    "file:",
    "http:",
]


class Window(QWidget):
    """A window with parts that would like to keep drops for themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.field = QLineEdit()
        self.text = QTextEdit()
        layout = QVBoxLayout(self)
        layout.addWidget(self.field)
        layout.addWidget(self.text)
        self.drops = Drops(self)
        self.drops.claim(self)
        self.received: list[str] = []
        self.rejected: list[str] = []
        self.hovered: list[bool] = []
        self.drops.received.connect(self.received.extend)
        self.drops.rejected.connect(self.rejected.append)
        self.drops.hovering.connect(self.hovered.append)


@pytest.fixture
def window(qtbot):
    window = Window()
    qtbot.addWidget(window)
    window.show()
    return window


def uri_list(*uris: str | bytes) -> QMimeData:
    """What a file manager hands over."""
    lines = [uri.encode() if isinstance(uri, str) else uri for uri in uris]
    mime = QMimeData()
    mime.setData("text/uri-list", b"".join(line + b"\r\n" for line in lines))
    return mime


def drag_over(widget: QWidget, mime: QMimeData) -> QDragMoveEvent:
    """Enter and move, as the window system sends them; the answer to the move."""
    actions = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    state = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    place = widget.rect().center()
    QApplication.sendEvent(widget, QDragEnterEvent(place, actions, mime, *state))
    move = QDragMoveEvent(place, actions, mime, *state)
    QApplication.sendEvent(widget, move)
    return move


def drop(widget: QWidget, mime: QMimeData) -> QDropEvent:
    """A whole drag and drop; the answer to the drop."""
    drag_over(widget, mime)
    event = QDropEvent(
        QPointF(widget.rect().center()),
        Qt.DropAction.CopyAction | Qt.DropAction.MoveAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(widget, event)
    return event


def as_uri(path: Path) -> str:
    return "file://" + "".join(
        chr(byte) if (byte < 128 and chr(byte).isalnum()) or byte in b"/-_." else f"%{byte:02x}"
        for byte in os.fsencode(path)
    )


def test_every_name_arrives_as_it_is_on_disk(window, tmp_path):
    paths = []
    for name in NAMES:
        path = tmp_path / name
        path.write_bytes(b"x")
        paths.append(path)
    event = drop(window, uri_list(*map(as_uri, paths)))
    assert window.received == [os.fspath(path) for path in paths]
    assert all(os.path.exists(path) for path in window.received)
    assert event.isAccepted()
    assert window.rejected == []


@pytest.mark.parametrize("name", NAMES)
def test_a_url_leads_back_to_its_path(qapp, name):
    assert local_path(to_url(f"/tmp/{name}")) == f"/tmp/{name}"


def test_a_drop_on_any_part_counts(window):
    for part in (window, window.field, window.text, window.text.viewport()):
        window.received.clear()
        assert drop(part, uri_list("file:///data/x")).isAccepted()
        assert window.received == ["/data/x"]
    assert window.field.text() == ""
    assert window.text.toPlainText() == ""


def test_a_move_is_answered_with_a_copy(window):
    """Otherwise the source would delete its files when the drop returns."""
    event = drop(window, uri_list("file:///data/x"))
    assert event.dropAction() is Qt.DropAction.CopyAction
    assert drag_over(window, uri_list("file:///x")).dropAction() is Qt.DropAction.CopyAction


def test_dragging_lights_the_zone_and_asks_for_the_kind_only(window):
    class Counted(QMimeData):
        read = 0

        def retrieveData(self, kind: str, preferred: object) -> object:
            Counted.read += 1
            return super().retrieveData(kind, preferred)

    mime = Counted()
    mime.setUrls([QUrl("file:///x")])
    assert drag_over(window, mime).isAccepted()
    assert window.hovered[-1] is True
    assert Counted.read == 0
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert window.hovered[-1] is False


def test_what_is_no_file_is_refused_while_it_is_dragged(window):
    mime = QMimeData()
    mime.setText("only words")
    assert not drag_over(window, mime).isAccepted()
    assert window.hovered == []


def test_the_paths_are_known_before_the_drop_returns(window, tmp_path):
    """What was dragged out of an archive vanishes right afterwards."""
    path = tmp_path / "from an archive"
    path.write_bytes(b"x")
    seen = []
    window.drops.received.connect(lambda paths: seen.append(os.path.exists(paths[0])))
    drop(window, uri_list(as_uri(path)))
    assert seen == [True]


def test_other_addresses_are_refused_in_a_sentence(window):
    drop(window, uri_list("https://example.org/a.pdf", "file:///data/x"))
    assert window.received == ["/data/x"]
    sentence = "is no file on this computer: save it here first, then drop it."
    assert window.rejected == [f"“https://example.org/a.pdf” {sentence}"]
    drop(window, uri_list("smb://nas/a", "file://another-computer/b"))
    assert "and 1 more" in window.rejected[-1]


def test_this_computer_by_name_and_stray_nul(qapp):
    dropped = from_urls([QUrl("file://localhost/data/x"), QUrl("file:///data/y%00")])
    assert dropped.paths == ["/data/x", "/data/y"]


def test_thousands_of_files_in_one_drop(window):
    drop(window, uri_list(*(f"file:///data/{number}" for number in range(10_000))))
    assert len(window.received) == 10_000


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("/data/a\n/data/b c\n", ["/data/a", "/data/b c"]),
        ('"/data/quoted"\r\n', ["/data/quoted"]),
        ("file:///data/%E6%96%87", ["/data/文"]),
        ("~/x", [os.path.expanduser("~/x")]),
    ],
)
def test_paths_as_text_can_be_pasted(window, text, paths):
    QGuiApplication.clipboard().setText(text)
    window.drops.paste()
    assert window.received == paths
    assert window.rejected == []


def test_copied_files_can_be_pasted(window):
    QGuiApplication.clipboard().setMimeData(uri_list("file:///data/caf%E9"))
    window.drops.paste()
    assert window.received == [os.fsdecode(b"/data/caf\xe9")]


def test_a_useless_clipboard_is_explained(window):
    QGuiApplication.clipboard().setText("just words")
    window.drops.paste()
    assert window.rejected == [
        "“just words” is no file on this computer: save it here first, then drop it."
    ]
    QGuiApplication.clipboard().clear()
    window.drops.paste()
    assert window.rejected[-1].startswith("The clipboard is empty")


def test_the_dialog_hands_over_what_was_chosen(window, qtbot, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x")
    chooser = Chooser(window, os.fspath(tmp_path))
    chooser.files()
    dialog = window.findChild(QFileDialog)
    qtbot.waitUntil(dialog.isVisible)
    dialog.selectFile(os.fspath(tmp_path / "a.txt"))
    with qtbot.waitSignal(chooser.chosen) as chosen:
        dialog.accept()
    assert chosen.args == [[os.fspath(tmp_path / "a.txt")]]
    qtbot.waitUntil(lambda: not window.findChildren(QFileDialog))
