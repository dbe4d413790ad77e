"""The status bar and the notices: in words, and true to what came."""

from __future__ import annotations

import dataclasses

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton, QToolButton

from dropline.bus import Router
from dropline.events import (
    Event,
    FileRetried,
    FileUploaded,
    Message,
    ReceiverStarted,
    ReceiverStopped,
    TargetDown,
    TargetUp,
)
from dropline.meter import LittlesLaw, Meter
from dropline.station import Sampler, Station
from dropline_desktop.language import Language
from dropline_desktop.notices import MOST, Notices, Offer
from dropline_desktop.status import StatusBar
from dropline_desktop.theme import Theme

ROUTER = Router("test", lambda _event: None)
LAW = LittlesLaw(
    mean_in_system=12.25, throughput_times_response=12.0, edge=0.25, error=0.0, stationary=True
)


def messages(*events: Event) -> list[Message]:
    return [ROUTER.envelope(event) for event in events]


@pytest.fixture
def status(qtbot, qapp):
    status = StatusBar(Theme(qapp))
    qtbot.addWidget(status)
    return status


@pytest.fixture
def notices(qtbot, qapp):
    notices = Notices(Theme(qapp))
    qtbot.addWidget(notices)
    return notices


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "Little's law: L 12.3 = X·W 12.0 + 0.25 at the edges ✓"),
        ({"edge": -0.25}, "Little's law: L 12.3 = X·W 12.0 − 0.25 at the edges ✓"),
        ({"error": 0.5}, "Little's law: L 12.3 = X·W 12.0 + 0.25 at the edges ✗ off by 0.50"),
        ({"mean_in_system": 0.0}, "Little's law: the line is empty"),
    ],
)
def test_littles_law_in_plain_words(status, change, text):
    assert status._law(dataclasses.replace(LAW, **change)) == text


def test_a_line_that_fills_is_explained(status):
    assert "filling or emptying" not in status._explain(LAW)
    assert "filling or emptying" in status._explain(dataclasses.replace(LAW, stationary=False))


def test_the_receivers_address_can_be_copied(status):
    assert not status.receiver.isEnabled()
    status.take(messages(ReceiverStarted("http://127.0.0.1:8765")))
    status.receiver.click()
    assert QGuiApplication.clipboard().text() == "http://127.0.0.1:8765"
    status.take(messages(ReceiverStopped("http://127.0.0.1:8765")))
    assert status.receiver.text() == "Receiver stopped"


def test_the_target_does_well_or_not(status):
    status.take(messages(FileUploaded(1, "id", 1, "00", False, 0.1)))
    assert status.target.text().startswith("Target: answers, last file verified at ")
    status.take(messages(FileRetried(2, 1, "It is busy.", 1.0)))
    assert status.target.text().endswith("failed: It is busy.")


@pytest.fixture
def reading():
    """A real reading of an empty station."""
    station = Station("send", lambda: None, None)
    return Sampler(station, Meter(0.0), lambda *events: None, clock=lambda: 10.0).read(10.0)


def test_a_target_that_is_down_says_since_when_and_when_it_is_tried(status, qtbot, reading):
    assert not status.try_now.isVisibleTo(status)
    status.take(
        messages(FileRetried(1, 1, "No answer.", 1.0), TargetDown("http://x", "No answer."))
    )
    assert status.try_now.isVisibleTo(status)
    since = status.target.text()
    assert since.startswith("Target: down since ")
    assert status.target.toolTip().endswith("No answer.")
    for change, words in (
        ({"next_try": 4.2}, "next try in 5.0 s"),
        ({"next_try": 0.0, "busy": 1}, "being tried…"),
        ({"next_try": 0.0}, "tried again with the next file"),
    ):
        status.show_reading(dataclasses.replace(reading, **change))
        assert status.target.text() == f"{since}, {words}"
    status.take(messages(FileRetried(1, 2, "No answer.", 1.0)))
    assert status.target.text().startswith(since), "what else fails is no news"
    with qtbot.waitSignal(status.probeAsked):
        status.try_now.click()
    status.take(messages(TargetUp("http://x")))
    assert status.target.text().startswith("Target: answers again since ")
    assert not status.try_now.isVisibleTo(status)
    status.show_reading(reading)
    assert status.target.text().startswith("Target: answers again since ")


def test_a_notice_that_no_longer_holds_is_withdrawn(notices):
    notices.show_notice("Lost.")
    notices.show_notice("Other.")
    notices.withdraw("Lost.")
    assert [notice.text for notice in notices.notices] == ["Other."]


def test_notices_are_counted_bounded_and_dismissed(notices):
    notices.show()
    for number in (0, 0, 1, 2, 3):
        notices.show_notice(f"Notice {number}", details="why")
    shown = notices.notices
    assert [notice.text for notice in shown] == ["Notice 1", "Notice 2", "Notice 3"]
    assert len(shown) == MOST
    notices.show_notice("Notice 3")
    assert shown[-1].accessibleName() == "Notice 3 (2 times)"
    shown[0].findChild(QPushButton).click()
    assert QGuiApplication.clipboard().text() == "why"
    for notice in shown:
        notice.findChild(QToolButton).click()
    assert notices.notices == []
    assert not notices.isVisible()


def test_a_notice_may_offer_something(notices, translation):
    done = []
    offer = Offer(
        lambda: QCoreApplication.translate("Application", "Restart now"), lambda: done.append(True)
    )
    notices.show_notice("It holds later.", offer=offer)
    button = notices.notices[0].findChild(QPushButton)
    assert button.text() == "Restart now"
    translation.speak(Language.CHINESE)
    QCoreApplication.sendPostedEvents()
    assert button.text() == "立即重启"
    button.click()
    assert done == [True]
