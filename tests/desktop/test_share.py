"""Letting a phone in: the address, its picture, and the end of it."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from dropline_desktop.share import QUIET, ShareDialog, qr_code
from dropline_desktop.theme import Theme

ADDRESS = "http://192.0.2.7:8765/?token=abc"


@pytest.fixture
def dialog(qtbot: QtBot, qapp: QApplication) -> ShareDialog:
    made = ShareDialog(Theme(qapp))
    qtbot.addWidget(made)
    return made


def test_who_opens_it_lets_others_in_until_they_end_it(dialog: ShareDialog, qtbot: QtBot) -> None:
    with qtbot.waitSignal(dialog.asked):
        dialog.open()
    assert dialog.code.isHidden()
    dialog.show_address(ADDRESS, "")
    assert dialog.link.text() == ADDRESS
    assert not dialog.code.pixmap().isNull()
    dialog.copy.click()
    assert QGuiApplication.clipboard().text() == ADDRESS
    dialog.reject()
    with qtbot.assertNotEmitted(dialog.asked):  # they are in still
        dialog.open()
    with qtbot.waitSignal(dialog.ended):
        dialog.end.click()
    assert dialog.isHidden()
    assert not dialog.address


def test_why_not_is_said(dialog: ShareDialog) -> None:
    dialog.open()
    dialog.show_address("", "This machine is in no network.")
    assert dialog.explanation.text() == "This machine is in no network."
    assert dialog.code.isHidden()
    dialog.reject()


def test_the_code_is_that_of_the_text(qtbot: QtBot) -> None:
    import segno

    picture = qr_code(ADDRESS, 2.0).toImage()
    modules = segno.make(ADDRESS, error="m", micro=False).matrix
    scale = picture.width() // (len(modules) + 2 * QUIET)
    for y, row in enumerate(modules):
        for x, dark in enumerate(row):
            at = ((QUIET + x) * scale + 1, (QUIET + y) * scale + 1)
            assert (picture.pixelColor(*at).lightness() < 128) is bool(dark)
