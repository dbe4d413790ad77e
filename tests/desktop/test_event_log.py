"""The event log: bounded, filtered, and honest about what it does not keep."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester

from dropline.bus import Router
from dropline.events import (
    Event,
    FileCancelled,
    FileFailed,
    FileHeld,
    FilePrioritised,
    FileProgressed,
    FileReleased,
    FileSkipped,
    FileStarted,
    FileUploaded,
    FolderLost,
    FolderReturned,
    FolderUnwatched,
    FolderWatched,
    HandlerFailed,
    JournalTroubled,
    Message,
    NetworkDown,
    NetworkUp,
    OrderChanged,
    Proof,
    StationDrained,
    TargetDown,
    TargetUp,
    WorkersChanged,
    event_types,
)
from dropline_desktop.events import EventLog
from dropline_desktop.events.model import KEPT
from dropline_desktop.sentences import Kind, drained_sentence, kind_of
from dropline_desktop.theme import Theme

ROUTER = Router("test", lambda _event: None)


def messages(*events: Event) -> list[Message]:
    return [ROUTER.envelope(event) for event in events]


@pytest.fixture
def log(qtbot, qapp):
    log = EventLog(Theme(qapp), lambda job: f"file {job}")
    qtbot.addWidget(log)
    mode = QAbstractItemModelTester.FailureReportingMode.Fatal
    QAbstractItemModelTester(log.model, mode, log)
    return log


def lines(log: EventLog) -> list[str]:
    return [log.model.sentence_at(row) for row in range(log.model.rowCount())]


def test_events_are_sentences(log, qtbot):
    log.take(
        messages(
            WorkersChanged("send", 2, 8),
            FileStarted(3, 1, 0),
            FileProgressed(3, 100),
            FileFailed(3, 5, "It is\ngone."),
            StationDrained("send", 500, 2, 0),
        )
    )
    qtbot.waitUntil(lambda: log.model.rowCount() > 0)
    assert lines(log) == [
        "Workers: 2 → 8",
        "Started: file 3, attempt 1, worker 0",
        "Failed: file 3: It is␊gone.",
        "500 files sent, 2 failed",
    ]
    tip = log.model.index(0).data(Qt.ItemDataRole.ToolTipRole)
    assert tip.endswith("+00:00 · dropline.station.workers")


def test_watched_folders_are_told_in_sentences(log, qtbot):
    log.take(
        messages(
            FolderWatched("/outbox"),
            FolderWatched("/outbox", "It is looked through."),
            FolderLost("/outbox", "“/outbox” is not there."),
            FolderReturned("/outbox"),
            FolderUnwatched("/outbox"),
        )
    )
    qtbot.waitUntil(lambda: log.model.rowCount() > 0)
    assert lines(log) == [
        "Watching /outbox",
        "Watching /outbox. It is looked through.",
        "“/outbox” is not there.",
        "Watching again: /outbox",
        "Not watching any more: /outbox",
    ]
    assert kind_of(FolderWatched("/outbox")) is Kind.DROPS
    assert kind_of(FolderLost("/outbox", "")) is Kind.TROUBLE


@pytest.mark.parametrize(
    ("event", "text", "kind"),
    [
        (FileSkipped(3, "/f", "f", 1, "id", "00"), "Unchanged, sent there before: f", Kind.FILES),
        (FileHeld(3), "Paused: file 3", Kind.FILES),
        (FileReleased(3), "Resumed: file 3", Kind.FILES),
        (FilePrioritised(3, 1), "Sent before the others: file 3", Kind.FILES),
        (FilePrioritised(3, 0), "In its usual turn: file 3", Kind.FILES),
        (OrderChanged("send", "shortest"), "Order: Shortest first", Kind.WORKERS),
        (TargetDown("http://x", "No."), "Target http://x is down: No.", Kind.TROUBLE),
        (TargetUp("http://x"), "Target http://x answers again", Kind.RECEIVER),
        (NetworkDown("glib"), "This computer has no network", Kind.TROUBLE),
        (NetworkUp("glib"), "This computer has a network again", Kind.RECEIVER),
        (JournalTroubled("/j", "It is damaged."), "It is damaged.", Kind.TROUBLE),
    ],
)
def test_each_event_in_words_and_of_its_kind(log, event, text, kind):
    log.take(messages(event))
    log.model.flush()
    assert lines(log) == [text]
    assert kind_of(event) is kind


def test_every_event_has_a_kind_and_known_ones_a_sentence(qapp):
    known = {name for name in event_types() if name.startswith("dropline.")}
    assert "dropline.file.queued" in known
    assert kind_of(FileFailed(1, 1, "")) is Kind.TROUBLE
    assert kind_of(HandlerFailed("", "", "", "")) is Kind.TROUBLE
    assert drained_sentence(1, 0, 3) == "1 file sent, 3 cancelled"


def test_the_log_is_bounded_and_says_so(log, qtbot):
    for first in range(0, 2 * KEPT + 7, 500):
        log.take(messages(*(FileCancelled(job) for job in range(first, first + 500))))
    total = log.model._total
    qtbot.waitUntil(lambda: log.model.rowCount() > 0)
    log.take(messages(FileCancelled(-1)))
    log.model.flush()
    assert log.model.rowCount() == KEPT
    assert lines(log)[-1] == "Cancelled: file -1"
    assert log.model.forgotten == total + 1 - KEPT
    assert log._forgotten.text() == f"{log.model.forgotten:,} older not kept"


def test_the_filter_holds_for_old_and_new(log, qtbot):
    log.take(messages(*(FileCancelled(job) for job in range(100)), WorkersChanged("send", 1, 2)))
    log.kind.setCurrentIndex(log.kind.findData(Kind.WORKERS))
    assert lines(log) == ["Workers: 1 → 2"]
    log.take(messages(FileCancelled(100), WorkersChanged("send", 2, 3)))
    qtbot.waitUntil(lambda: log.model.rowCount() == 2)
    log.kind.setCurrentIndex(0)
    log.search.setText("FILE 10")
    qtbot.waitUntil(lambda: lines(log) == ["Cancelled: file 10", "Cancelled: file 100"])
    log.take(messages(*(FileCancelled(job) for job in range(200, 200 + KEPT))))
    log.model.flush()
    assert lines(log)[0] == "Cancelled: file 1000"


def test_it_follows_until_the_user_scrolls_up(log, qtbot):
    log.resize(400, 200)
    log.show()
    log.take(messages(*(FileCancelled(job) for job in range(200))))
    bar = log.list.verticalScrollBar()
    qtbot.waitUntil(lambda: 0 < bar.maximum() == bar.value())
    bar.setValue(10)
    log.take(messages(*(FileCancelled(job) for job in range(200, 300))))
    qtbot.waitUntil(lambda: log.model.rowCount() == 300)
    assert bar.value() == 10


def test_lines_can_be_copied_and_cleared(log, qtbot):
    log.take(messages(FileCancelled(1), FileCancelled(2)))
    log.model.flush()
    log.list.selectAll()
    log.list.copy()
    copied = QGuiApplication.clipboard().text().splitlines()
    assert [line[10:] for line in copied] == ["Cancelled: file 1", "Cancelled: file 2"]
    log._clear.click()
    assert lines(log) == []


def test_the_log_tells_how_far_the_target_confirmed_a_file(log, qtbot):
    log.take(messages(*(FileUploaded(1, "id", 1, "00", False, 0.5, proof) for proof in Proof)))
    qtbot.waitUntil(lambda: log.model.rowCount() == 3)
    assert [line.partition(":")[0] for line in lines(log)] == [
        "Sent and verified",
        "Sent, size checked",
        "Sent, not verified by the server",
    ]
