"""The rows of the list: names come back as they were, however odd, and take little memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QCoreApplication
from PySide6.QtTest import QAbstractItemModelTester

from dropline.bus import Router
from dropline.events import Event, FileFailed, FileQueued, FileRefused, FileUploaded
from dropline_desktop.theme import Theme
from dropline_desktop.transfers.model import TransfersModel
from dropline_desktop.transfers.names import Names
from dropline_desktop.transfers.rows import Rows, State
from dropline_desktop.transfers.search import Search
from dropline_desktop.transfers.view import TransfersView

ROUTER = Router("test", lambda _event: None)
#: Name and path of files as a walk finds them, and some as none should.
ODD = [
    ("data/a.txt", "/home/u/data/a.txt"),
    ("data/b.txt", "/home/u/data/b.txt"),
    ("data/caf\udce9.txt", "/home/u/data/caf\udce9.txt"),  # a byte that is not UTF-8
    ("data/\udce4\udcb8\udc96", "/home/u/data/\udce4\udcb8\udc96"),  # three that would be
    ("data/half\ud83d", "C:\\data\\half\ud83d"),  # half a character, which Windows lets pass
    ("data/two\nlines", "/home/u/data/two\nlines"),
    ("data/empty/", "/home/u/data/empty"),
    ("data/back\\slash", "/home/u/data/back\\slash"),
    ("data/sub/b.txt", "C:\\Users\\u\\data\\sub\\b.txt"),
    ("alone.txt", "/alone.txt"),
    ("sent as", "/lies/elsewhere"),
    ("data/", "/"),
    ("", ""),
    ("数据/文件😀.txt", "/数据/文件😀.txt"),
    ("Straße/GROSS.TXT", "/Straße/GROSS.TXT"),
]
texts = st.text(st.sampled_from("aAß/\\\n.\udce9İ文"), max_size=6)


def queued(*files: tuple[str, str]) -> Rows:
    rows = Rows()
    for job, (name, path) in enumerate(files, start=1):
        rows.apply(ROUTER.envelope(FileQueued(job, path, name, 1)))
    return rows


def test_odd_names_and_paths_come_back_as_they_were() -> None:
    rows = queued(*ODD)
    rows.apply(ROUTER.envelope(FileRefused("/dev/pi\udcffpe", "drop", "It is a pipe.")))
    assert [(rows.name(row), rows.path(row)) for row in range(len(ODD))] == ODD
    assert rows.name(len(ODD)) == rows.path(len(ODD)) == "/dev/pi\udcffpe"
    assert rows.name_of(3) == "data/caf\udce9.txt"
    assert rows.name_of(99) == ""


@given(st.lists(st.tuples(texts, texts | texts.map("/x/{}".format))))
def test_any_names_and_paths_come_back(files: list[tuple[str, str]]) -> None:
    names = Names()
    for name, path in files:
        names.append(name, path)
    assert [(names.name(row), names.path(row)) for row in range(len(files))] == files


@given(st.lists(st.tuples(texts, texts), max_size=20), texts, st.sets(st.integers(0, 19)))
def test_the_search_finds_what_a_plain_one_finds(
    files: list[tuple[str, str]], text: str, failed: set[int]
) -> None:
    rows = queued(*files)
    for row in failed:
        rows.apply(ROUTER.envelope(FileFailed(row + 1, 1, "Aß.")))
    search = Search(rows, frozenset(), text)
    search.advance(60.0)
    assert search.done == len(files)
    wanted = text.casefold()
    assert search.fits(slice(search.done)).tolist() == [
        wanted in name.casefold() or (row in failed and wanted in "Aß.".casefold())
        for row, (name, _path) in enumerate(files)
    ]


def test_a_row_takes_56_bytes() -> None:
    """Leaves of 20 characters, 500 in a folder; an array sets a little aside to grow into."""
    count = 20_000
    events = [
        FileQueued(job, f"{folder}/file-{job:011}.txt", f"{folder[9:]}/file-{job:011}.txt", job)
        for job in range(1, count + 1)
        for folder in [f"/home/u/data/folder-{job // 500:03}"]
    ]
    messages = [ROUTER.envelope(event) for event in events]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        rows = Rows()
        for message in messages:
            rows.apply(message)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(rows) == count
    assert taken <= 58 * count


def test_what_was_sent_before_takes_nothing() -> None:
    first = 1_000_000_000
    tracemalloc.start()
    try:
        rows = Rows()
        for job in (first, first + 5000, 7):  # the last is one of long ago, dropped again
            rows.apply(ROUTER.envelope(FileQueued(job, "/a", f"{job}", 1)))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [rows.name_of(job) for job in (first, first + 5000, 7)] == [
        "1000000000",
        "1000005000",
        "7",
    ]
    assert rows.name_of(first + 1) == rows.name_of(8) == rows.name_of(0) == ""
    assert most < 200_000


@given(
    st.lists(st.lists(st.integers(1, 200), max_size=150), max_size=4),
    st.sampled_from([State.WAITING, State.SENT]),
    st.sampled_from(["", "1"]),
)
def test_a_filtered_list_follows_whatever_happens(
    qapp: Any, batches: list[list[int]], state: State, text: str
) -> None:
    """Jobs are queued, sent or queued again: the list is what a look at every row would give."""
    model = TransfersModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)
    model.look_for(frozenset({state}), text)
    queued_jobs: set[int] = set()
    for batch in batches:
        events: list[Event] = []
        for job in batch:
            if job in queued_jobs:
                events.append(FileUploaded(job, "id", 1, "00", False, 0.5))
                queued_jobs.remove(job)
            else:
                events.append(FileQueued(job, f"/{job}", f"{job}", 1))
                queued_jobs.add(job)
        model.take([ROUTER.envelope(event) for event in events])
        model._search.advance(60.0)
        model.flush()
        rows = model.rows
        assert [model.row(place) for place in range(model.rowCount())] == [
            row for row in range(len(rows)) if rows.state(row) is state and text in rows.name(row)
        ]
    model.deleteLater()


class Counting(TransfersModel):
    """Counts how often it is asked for its columns, once for each look at a cell."""

    asked = 0

    def columnCount(self, *parent: Any) -> int:
        self.asked += 1
        return super().columnCount(*parent)


def test_selecting_every_row_looks_at_few(qapp: Any, qtbot: Any) -> None:
    model = Counting()
    view = TransfersView(model, Theme(qapp))
    qtbot.addWidget(view)
    view.resize(900, 600)
    with qtbot.waitExposed(view):
        view.show()
    model.take([ROUTER.envelope(FileQueued(job, f"/{job}", f"{job}", 1)) for job in range(1, 5001)])
    model.flush()
    QCoreApplication.processEvents()
    model.asked = 0
    view.selectAll()
    view.grab()
    QCoreApplication.processEvents()
    assert view.selectionModel().hasSelection()
    assert model.asked < 1000


@pytest.mark.parametrize(
    "text", ["data/b", "b.txt", "DATA/SUB/B", "sub/", "a/sub", "/", "tra", "SSE/gross"]
)
def test_a_text_may_reach_over_the_folder(text: str) -> None:
    rows = queued(*ODD)
    search = Search(rows, frozenset(), text)
    search.advance(60.0)
    found = {ODD[row][0] for row in search.fits(slice(search.done)).nonzero()[0]}
    assert found == {name for name, _path in ODD if text.casefold() in name.casefold()}
