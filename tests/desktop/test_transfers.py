"""The list of transfers: every state, a hundred thousand rows, filters that keep up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QAbstractItemModel, QCoreApplication, QItemSelectionModel, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication, QLabel, QMenu

from dropline.bus import Router
from dropline.events import (
    Event,
    FileCancelled,
    FileFailed,
    FileHeld,
    FilePrioritised,
    FileProgressed,
    FileQueued,
    FileRefused,
    FileReleased,
    FileRetried,
    FileSkipped,
    FileStarted,
    FileUploaded,
    Message,
    ScanFinished,
    ScanProgressed,
)
from dropline_desktop.theme import Theme
from dropline_desktop.transfers import TransfersPanel, view
from dropline_desktop.transfers.model import Column, TransfersModel
from dropline_desktop.transfers.rows import State

ROUTER = Router("test", lambda _event: None)


def messages(*events: Event) -> list[Message]:
    return [ROUTER.envelope(event) for event in events]


def queued(first: int, last: int) -> list[Message]:
    return messages(
        *(FileQueued(job, f"/data/{job}.txt", f"data/{job}.txt", job) for job in range(first, last))
    )


def uploaded(job: int, *, duplicate: bool = False, proof: str = "digest") -> FileUploaded:
    return FileUploaded(job, "id", 1000, "00", duplicate, 0.5, proof)


def take(model: TransfersModel, *batches: list[Message]) -> None:
    """Let the model take batches in and tell of them at once."""
    for batch in batches:
        model.take(batch)
    model.flush()


def column(model: QAbstractItemModel, number: Column) -> list[str]:
    return [model.index(row, number).data() for row in range(model.rowCount())]


@pytest.fixture
def big_model(qapp: QApplication) -> Iterator[TransfersModel]:
    model = TransfersModel()
    yield model
    model.deleteLater()


@pytest.fixture
def model(big_model: TransfersModel) -> TransfersModel:
    mode = QAbstractItemModelTester.FailureReportingMode.Fatal
    QAbstractItemModelTester(big_model, mode, big_model)  # it looks at every row: not for big ones
    return big_model


@pytest.fixture
def panel(qtbot, qapp):
    panel = TransfersPanel(Theme(qapp))
    qtbot.addWidget(panel)
    return panel


def test_each_event_gives_its_state(model):
    take(model, queued(1, 9))
    take(
        model,
        messages(
            *(FileStarted(job, 1, 0) for job in range(2, 9)),
            FileProgressed(2, 1),
            uploaded(3),
            uploaded(4, duplicate=True),
            FileRetried(5, 1, "It is busy.", 30.0),
            FileFailed(6, 5, "It is\ngone."),
            FileCancelled(7),
            FileRefused("/data/pipe", "drop-1", "“/data/pipe” is a pipe."),
        ),
    )
    assert column(model, Column.STATE) == [
        "Waiting",
        "Sending 50 %",
        "Sent",
        "Sent",
        "Retry in 30 s",
        "Failed",
        "Cancelled",
        "Sending",
        "Refused",
    ]
    assert column(model, Column.RESULT) == [
        "",
        "",
        "Verified",
        "Verified: was there already",
        "It is busy.",
        "It is␊gone.",
        "",
        "",
        "Is a pipe.",
    ]
    assert model.index(2, Column.SPEED).data() == "2.0 kB/s"
    assert column(model, Column.ATTEMPT)[:2] == ["", "1"]
    tip = model.index(5, Column.NAME).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == "/data/6.txt\nFailed\nIt is␊gone."
    assert sum(model.rows.counts) == 9


def test_the_result_tells_how_far_the_target_confirmed_a_file(model):
    take(model, queued(1, 4), messages(uploaded(1), uploaded(2, proof="size")))
    take(model, messages(uploaded(3, proof="none")))
    assert column(model, Column.STATE) == ["Sent"] * 3
    assert column(model, Column.RESULT) == [
        "Verified",
        "Sent: size checked",
        "Sent: not verified by the server",
    ]


def skipped(job: int) -> FileSkipped:
    return FileSkipped(job, f"/data/{job}.txt", f"data/{job}.txt", job, "id", "00")


def cells(model: TransfersModel, row: int) -> tuple[str, str]:
    return tuple(model.index(row, number).data() for number in (Column.STATE, Column.RESULT))


def test_a_held_file_waits_until_it_is_released(model):
    take(model, queued(1, 4), messages(FileStarted(2, 1, 0), FileRetried(3, 1, "Busy.", 9.0)))
    take(model, messages(*(FileHeld(job) for job in (1, 2, 3))))
    assert [cells(model, row) for row in range(3)] == [("Held", "Until you resume it")] * 3
    assert not model.rows.progress
    assert not model.rows.due
    take(model, messages(FileReleased(1), FileReleased(2)))
    assert column(model, Column.STATE) == ["Waiting", "Waiting", "Held"]


def test_a_file_that_went_on_before_its_release_was_told_stays_where_it_is(model):
    take(model, queued(1, 2), messages(FileHeld(1), FileStarted(1, 1, 0), FileReleased(1)))
    assert column(model, Column.STATE) == ["Sending"]
    take(model, messages(uploaded(1), FileHeld(1)))
    assert column(model, Column.STATE) == ["Sent"]


def test_what_goes_first_says_so_while_it_waits(model):
    take(model, queued(1, 3), messages(FilePrioritised(1, 1), FilePrioritised(9, 1)))
    assert column(model, Column.RESULT) == ["Goes before the others", ""]
    take(model, messages(FilePrioritised(1, 0), FilePrioritised(2, 1), FileStarted(2, 1, 0)))
    assert column(model, Column.RESULT) == ["", ""]
    take(model, messages(FileFailed(2, 1, "Gone.")), queued(2, 3))
    assert cells(model, 1) == ("Waiting", ""), "its turn is told anew"


def test_an_unchanged_file_counts_as_sent_in_its_own_row(model):
    take(model, queued(1, 2), messages(uploaded(1), skipped(1), skipped(7)))
    assert model.rowCount() == 2
    assert [cells(model, row) for row in range(2)] == [("Sent", "Unchanged: sent there before")] * 2
    changed = FileQueued(1, "/data/1.txt", "data/1.txt", 5000)
    take(model, messages(changed))
    assert cells(model, 0) == ("Waiting", "")
    assert model.index(0, Column.SIZE).data() == "5.0 kB"
    assert model.index(0, Column.SPEED).data() == ""


def test_a_retried_file_keeps_its_row(model):
    take(model, queued(1, 2) + messages(FileStarted(1, 1, 0), FileFailed(1, 5, "No.")))
    take(model, queued(1, 2))
    assert column(model, Column.STATE) == ["Waiting"]
    assert column(model, Column.RESULT) == [""]


def test_names_are_shown_as_one_line_that_cannot_deceive(model):
    take(model, messages(FileQueued(1, "/x", "a\nb\u202egpj.\udce9\u3000文件", 1)))
    assert column(model, Column.NAME) == ["a␊b\\u202egpj.\\xe9\u3000文件"]


def test_events_about_unknown_jobs_are_passed_over(model):
    take(model, messages(FileStarted(7, 1, 0), uploaded(8), FileCancelled(0)))
    assert model.rowCount() == 0


def test_a_batch_is_one_insertion_and_one_change(model, qtbot):
    inserted, changed = [], []
    model.rowsInserted.connect(lambda _parent, first, last: inserted.append((first, last)))
    model.dataChanged.connect(lambda a, b: changed.append((a.row(), b.row())))
    take(model, queued(1, 1001))
    take(model, messages(*(FileStarted(job, 1, 0) for job in (7, 500, 20))))
    assert inserted == [(0, 999)]
    assert changed == [(6, 499)]
    model.take(queued(1001, 1101))
    model.take(queued(1101, 1201) + messages(FileStarted(1150, 1, 0), FileStarted(3, 1, 0)))
    model.flush()
    assert inserted[1:] == [(1000, 1199)]
    assert changed[1:] == [(2, 2)]


def test_filters_follow_the_states(model, qtbot):
    model.look_for(frozenset({State.WAITING}), "")
    take(model, queued(1, 101))
    qtbot.waitUntil(lambda: model.rowCount() == 100)
    take(model, messages(*(FileStarted(job, 1, 0) for job in (1, 2, 50, 100))))
    qtbot.waitUntil(lambda: model.rowCount() == 96)
    names = column(model, Column.NAME)
    assert names == [f"data/{job}.txt" for job in range(1, 101) if job not in (1, 2, 50, 100)]
    take(model, messages(FileRetried(50, 1, "It is busy.", 1.0)))
    model.look_for(frozenset({State.RETRYING, State.SENDING}), "")
    assert column(model, Column.NAME) == [f"data/{job}.txt" for job in (1, 2, 50, 100)]


def test_an_insertion_between_shown_rows_lands_in_its_place(model, qtbot):
    take(model, queued(1, 11) + messages(uploaded(2), uploaded(9)))
    model.look_for(frozenset({State.SENT}), "")
    inserted = []
    model.rowsInserted.connect(lambda _parent, first, last: inserted.append((first, last)))
    take(model, messages(uploaded(5), uploaded(6), uploaded(10)))
    qtbot.waitUntil(lambda: model.rowCount() == 5)
    assert inserted == [(1, 2), (4, 4)]
    assert column(model, Column.NAME) == [f"data/{job}.txt" for job in (2, 5, 6, 9, 10)]


def test_search_finds_names_and_reasons(model, qtbot):
    take(model, queued(1, 200))
    model.look_for(frozenset(), "DATA/19")
    assert len(column(model, Column.NAME)) == 11
    model.look_for(frozenset(), "busy")
    assert model.rowCount() == 0
    take(model, messages(FileRetried(7, 1, "The receiver is Busy.", 5.0)))
    qtbot.waitUntil(lambda: model.rowCount() == 1)
    assert column(model, Column.NAME) == ["data/7.txt"]


def test_jobs_of_a_selection_are_those_in_the_wanted_states(model):
    take(model, queued(1, 11) + messages(uploaded(3), FileRefused("/p", "d", "No.")))
    assert model.jobs(0, 10, frozenset({State.WAITING})) == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    model.look_for(frozenset({State.WAITING}), "")
    assert model.jobs(2, 3, frozenset({State.WAITING})) == [4, 5]


def test_a_hundred_thousand_rows(big_model, qtbot):
    """The real load, in the batches of the bus: the counts and the search come out right."""
    model = big_model
    batches = [queued(first, first + 500) for first in range(1, 100_001, 500)]
    take(model, *batches)
    for first in range(1, 50_001, 500):
        take(model, messages(*(uploaded(job) for job in range(first, first + 500))))
    assert model.rowCount() == 100_000
    assert model.rows.counts[State.SENT] == 50_000
    model.look_for(frozenset({State.SENT}), "99")
    wanted = sum("99" in str(job) for job in range(1, 50_001))
    qtbot.waitUntil(lambda: model.rowCount() == wanted)
    model.look_for(frozenset(), "")
    assert model.rowCount() == 100_000


def test_the_panel_counts_and_filters(panel, qtbot):
    panel.take(queued(1, 31) + messages(uploaded(1), FileFailed(2, 5, "Gone.")))
    chips = panel._chips
    with qtbot.waitSignal(
        panel.possible, check_params_cb=lambda *what: what == (True, True, False)
    ):
        qtbot.waitUntil(lambda: chips["all"].text().startswith("30"))
    assert chips["waiting"].text() == "28\nWaiting"
    assert chips["sent"].text() == "1\nSent"
    assert not chips["refused"].isVisibleTo(panel)
    panel.show_only("failed")
    assert column(panel.model, Column.NAME) == ["data/2.txt"]
    panel.show_only("all")
    panel.search.setText("data/30")
    qtbot.waitUntil(lambda: panel.model.rowCount() == 1)


def test_the_scan_line_says_how_far_it_is_and_stops(panel, qtbot):
    possible: list[tuple[bool, bool, bool]] = []
    panel.possible.connect(lambda *what: possible.append(what))
    panel.take(messages(ScanProgressed("d1", 12345, 9, 3), ScanProgressed("d2", 5, 1, 0)))
    qtbot.waitUntil(lambda: panel._scan_line.isVisibleTo(panel))
    assert possible[-1] == (False, False, True)
    assert panel._scan_text.text() == "Scanning… 12,350 files found, 3 refused"
    with qtbot.waitSignal(panel.stopScanAsked):
        panel._scan_line.findChild(type(panel._cancel_all)).click()
    panel.take(messages(ScanFinished("d1", 0, 0, 0, False), ScanFinished("d2", 0, 0, 0, False)))
    qtbot.waitUntil(lambda: not panel._scan_line.isVisibleTo(panel))
    assert possible[-1] == (False, False, False)


def test_keys_act_on_the_selection(panel, qtbot):
    view = panel.view
    with qtbot.waitActive(panel):
        panel.show()
        panel.activateWindow()
    view.setFocus()
    panel.take(queued(1, 6) + messages(FileFailed(2, 5, "Gone."), uploaded(3)))
    panel.model.flush()
    view.selectAll()
    with qtbot.waitSignal(panel.cancelAsked) as cancelled:
        qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert cancelled.args == [[1, 4, 5]]
    with qtbot.waitSignal(panel.retryAsked) as retried:
        qtbot.keyClick(view, Qt.Key.Key_F5)
    assert retried.args == [[2]]
    qtbot.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    clipboard = QGuiApplication.clipboard()
    assert clipboard.text() == "\n".join(f"/data/{job}.txt" for job in range(1, 6))
    view.copy_reasons()
    assert clipboard.text() == "data/2.txt: Gone."


def test_keys_hold_and_send_first_and_again(panel, qtbot):
    view = panel.view
    with qtbot.waitActive(panel):
        panel.show()
        panel.activateWindow()
    view.setFocus()
    panel.take(queued(1, 7))
    panel.take(messages(FileHeld(2), uploaded(3), skipped(4), FileStarted(5, 1, 0)))
    panel.model.flush()
    view.selectAll()
    alt, shift = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier
    for signal, key, modifier, jobs in (
        (panel.holdAsked, Qt.Key.Key_P, Qt.KeyboardModifier.NoModifier, [[1, 5, 6]]),
        (panel.releaseAsked, Qt.Key.Key_R, Qt.KeyboardModifier.NoModifier, [[2]]),
        (panel.priorityAsked, Qt.Key.Key_Up, alt, [[1, 2, 6], 1]),
        (panel.priorityAsked, Qt.Key.Key_Down, alt, [[1, 2, 6], 0]),
        (panel.sendAgainAsked, Qt.Key.Key_F5, shift, [[3, 4]]),
    ):
        with qtbot.waitSignal(signal) as asked:
            qtbot.keyClick(view, key, modifier)
        assert asked.args == jobs


def test_the_menu_offers_what_fits_the_selection(panel, qtbot):
    view = panel.view
    panel.show()
    panel.take(queued(1, 4) + messages(FileHeld(2), uploaded(3)))
    panel.model.flush()
    for row, enabled in (
        (0, {"Pause", "Send first", "Usual turn", "Cancel"}),
        (1, {"Resume", "Send first", "Usual turn", "Cancel"}),
        (2, {"Send again"}),
    ):
        flag = QItemSelectionModel.SelectionFlag
        view.selectionModel().select(panel.model.index(row, 0), flag.ClearAndSelect | flag.Rows)
        view.customContextMenuRequested.emit(view.rect().center())
        (menu,) = (menu for menu in view.findChildren(QMenu) if menu.isVisible())
        names = {action.text() for action in menu.actions() if action.isEnabled()}
        assert names - {"Copy path", "Show in folder", ""} == enabled
        menu.close()
        qtbot.waitUntil(lambda: all(action.isEnabled() for action in view.actions()))


def test_twenty_thousand_rows_are_paused_with_one_key(panel, qtbot):
    for first in range(1, 20_001, 500):
        panel.take(queued(first, first + 500))
    panel.model.flush()
    panel.view.selectAll()
    with qtbot.waitSignal(panel.holdAsked) as asked:
        next(action for action in panel.view.actions() if action.text() == "Pause").trigger()
    assert asked.args == [list(range(1, 20_001))]


def test_buttons_for_everything(panel, qtbot):
    assert not panel._retry_failed.isEnabled()
    panel.take(queued(1, 3) + messages(FileFailed(1, 5, "Gone.")))
    qtbot.waitUntil(panel._retry_failed.isEnabled)
    with qtbot.waitSignal(panel.retryAsked) as retried:
        panel._retry_failed.click()
    with qtbot.waitSignal(panel.cancelAsked) as cancelled:
        panel._cancel_all.click()
    assert (retried.args, cancelled.args) == ([None], [None])


def test_states_are_painted_in_their_colours(panel, qtbot):
    """A few pixels: a failed row shows the colour of failure, a waiting one does not."""
    panel.resize(500, 300)
    panel.show()
    panel.take(queued(1, 3) + messages(FileFailed(2, 5, "Gone.")))
    panel.model.flush()
    QCoreApplication.processEvents()
    failed = panel._theme.colour("failed").rgb()
    image = panel.view.viewport().grab().toImage()
    height = panel.view.rowHeight(0)
    pixels = np.array(
        [[image.pixel(x, y) for x in range(image.width())] for y in range(2 * height)]
    )
    assert not (pixels[:height] == failed).any()
    assert (pixels[height:] == failed).sum() > 10


def test_too_many_lines_to_copy_are_cut_with_a_notice(panel, monkeypatch):
    monkeypatch.setattr(view, "MAX_COPIED", 2)
    noticed: list[str] = []
    panel.noticed.connect(noticed.append)
    panel.take(queued(1, 4))
    panel.model.flush()
    panel.view.selectAll()
    panel.view.copy_paths()
    assert QGuiApplication.clipboard().text() == "/data/1.txt\n/data/2.txt"
    assert noticed == ["Only the first 2 lines were copied: select fewer rows."]


def test_a_narrow_list_keeps_state_name_and_result(panel):
    panel.show()
    for width, hidden in ((330, {Column.SIZE, Column.ATTEMPT, Column.SPEED}), (1200, set())):
        panel.resize(width, 300)
        assert {column for column in Column if panel.view.isColumnHidden(column)} == hidden


def test_the_whole_reason_stands_below_the_list(panel, qtbot):
    why = panel.findChild(QLabel, "transfersWhy")
    reason = "“/data/2.txt” is not there any more: drop it again."
    panel.take(queued(1, 4) + messages(FileFailed(2, 5, reason)))
    panel.show()
    assert why.isHidden()
    panel.show_only("failed")
    qtbot.waitUntil(lambda: not why.isHidden())
    assert why.text().replace("\u200b", "") == reason
    panel.show_only("all")
    qtbot.waitUntil(why.isHidden)
    qtbot.waitUntil(lambda: panel.model.rowCount() == 3)
    panel.view.setCurrentIndex(panel.model.index(1, 0))
    qtbot.waitUntil(lambda: not why.isHidden())
    panel.view.setCurrentIndex(panel.model.index(0, 0))
    qtbot.waitUntil(why.isHidden)
