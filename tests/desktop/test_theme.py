"""The look: readable in both schemes, told apart without colour vision, following the system."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QWidget
from pytestqt.qtbot import QtBot

from dropline_desktop.charts.contents import CHARTS, Chart
from dropline_desktop.notices import Notice
from dropline_desktop.parts import Card, mute
from dropline_desktop.theme import DARK, LIGHT, Colours, Line, Mode, Size, Theme, palette

SCHEMES = pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
GROUNDS = ("window", "surface", "alternate", "raised")
STATES = ("waiting", "in_service", "done", "failed")

#: Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(colour: str) -> np.ndarray:
    """Linear RGB of "#RRGGBB" (IEC 61966-2-1)."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    dark, light = sorted(float(linear(c) @ (0.2126, 0.7152, 0.0722)) for c in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB under D65."""
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = to_xyz @ np.clip(rgb, 0, 1) / (0.95047, 1.0, 1.08883)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: str, other: str, sight: str) -> float:
    """CIE 1976 colour difference as seen; about 2 is just noticeable side by side."""
    seen = [lab(SIGHT[sight] @ linear(colour)) for colour in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


@SCHEMES
@pytest.mark.parametrize("name", ["text", "muted", "accent", *STATES])
def test_text_is_readable_on_every_ground(scheme: Colours, name: str) -> None:
    for ground in GROUNDS:
        assert contrast(getattr(scheme, name), getattr(scheme, ground)) >= 4.5, ground
    for ground in ("accent", "waiting"):  # what is selected, the banner of a simulation
        assert contrast(scheme.on_accent, getattr(scheme, ground)) >= 4.5, ground


@SCHEMES
def test_outlines_of_fields_and_boxes_stand_out_from_what_they_frame(scheme: Colours) -> None:
    outline = palette(scheme, outline=True).window().color().darker(140)  # as Fusion does
    assert contrast(outline.name(), scheme.surface) >= 3.0


@SCHEMES
def test_curves_stand_out_from_the_chart(scheme: Colours) -> None:
    for line in Line:
        assert contrast(getattr(scheme, line.value[0]), scheme.surface) >= 3.0, line


@SCHEMES
@pytest.mark.parametrize("sight", SIGHT)
def test_states_are_told_apart_by_the_colour_blind(scheme: Colours, sight: str) -> None:
    for one, other in combinations(STATES, 2):
        seen = difference(getattr(scheme, one), getattr(scheme, other), sight)
        assert seen >= 10, (one, other)


@SCHEMES
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_curves_of_a_chart_differ_in_more_than_hue(scheme: Colours, chart: Chart) -> None:
    lines = [line for _, line in chart.curves]
    for one, other in combinations(lines, 2):
        assert one.value[1:] != other.value[1:], "same dashes, width and fill"
        for sight in SIGHT:
            colours = (getattr(scheme, line.value[0]) for line in (one, other))
            assert difference(*colours, sight) >= 10, (one, other, sight)


def test_the_system_is_followed_while_it_changes(
    qapp: QApplication, theme: Theme, qtbot: QtBot
) -> None:
    theme.set_mode(Mode.SYSTEM)
    with qtbot.waitSignal(theme.changed):
        qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme.dark
    assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(DARK.window)
    with qtbot.waitSignal(theme.changed):
        qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert not theme.dark


def test_a_chosen_scheme_stays_whatever_the_system_does(qapp: QApplication, theme: Theme) -> None:
    theme.set_mode(Mode.DARK)
    qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert theme.dark
    assert theme.mode is Mode.DARK


def test_the_style_is_the_same_on_every_system(qapp: QApplication, theme: Theme) -> None:
    assert qapp.style().name() == "fusion"


def test_the_application_wears_the_theme(qapp: QApplication, theme: Theme) -> None:
    palette = qapp.palette()
    assert palette.color(QPalette.ColorRole.Base) == QColor(LIGHT.surface)
    disabled = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
    assert disabled == QColor(LIGHT.disabled)


def test_type_follows_the_users_own_font(qapp: QApplication, theme: Theme) -> None:
    sizes = [theme.font(size).pointSizeF() for size in (Size.CAPTION, Size.BODY, Size.FIGURE)]
    assert sizes == sorted(sizes)
    assert theme.font(Size.BODY).pointSizeF() == pytest.approx(qapp.font().pointSizeF())


def test_pens_carry_the_look_of_a_line(theme: Theme) -> None:
    pen = theme.pen(Line.OLDEST)
    assert pen.color() == QColor(LIGHT.waiting)
    assert list(pen.dashPattern()) == list(Line.OLDEST.value[1])
    assert theme.fill(Line.BUSY).color().alphaF() < 0.5


def test_another_theme_reaches_a_dialog_and_styles_nothing_anew(theme: Theme, qtbot: QtBot) -> None:
    """A style sheet would: Qt applies it to each part, which takes 0.1 ms for each."""
    heard: list[QEvent.Type] = []

    class Part(QLabel):
        def event(self, event: QEvent) -> bool:
            heard.append(event.type())
            return super().event(event)

    window = QWidget()
    qtbot.addWidget(window)
    part, quiet = Part(Card(window)), QLabel(QDialog(window))
    mute(quiet)
    window.show()
    quiet.ensurePolished()
    heard.clear()
    theme.set_mode(Mode.DARK)
    QApplication.processEvents()
    assert QEvent.Type.StyleChange not in heard
    assert part.palette().color(part.foregroundRole()) == QColor(DARK.text)
    assert quiet.palette().color(quiet.foregroundRole()) == QColor(DARK.muted)


def test_the_sign_of_a_notice_follows_the_theme(theme: Theme, qtbot: QtBot) -> None:
    notice = Notice(theme, "Something is wrong.", "")
    qtbot.addWidget(notice)
    (sign,) = (label for label in notice.findChildren(QLabel) if not label.pixmap().isNull())
    light = sign.pixmap().toImage()
    theme.set_mode(Mode.DARK)
    assert sign.pixmap().toImage() != light
