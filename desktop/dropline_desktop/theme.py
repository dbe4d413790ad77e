"""The visual system: colours, line styles, type and spacing, light and dark.

Words used here. The *scheme* is light or dark; the *mode* is what the user asked for, which may be
"as the system". A *line* is the look of one curve: colour, dash pattern, width and fill.

Hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), darkened or lightened until
text in them is readable on our surfaces; and no meaning hangs on a hue alone: lines that share a
chart differ in dash pattern, width or fill, and states are named in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QFont, QFontInfo, QPalette, QPen
from PySide6.QtWidgets import QApplication

from dropline_desktop.motion import Motion, MotionMode


class Mode(StrEnum):
    """What the user asked for."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Space(IntEnum):
    """Distances, in device-independent pixels."""

    XS = 2
    S = 4
    M = 8
    L = 12
    XL = 16


class Size(Enum):
    """The type scale: factor on the user's own font size, and weight."""

    CAPTION = (0.86, QFont.Weight.Normal)
    BODY = (1.0, QFont.Weight.Normal)
    TITLE = (1.0, QFont.Weight.DemiBold)
    FIGURE = (1.45, QFont.Weight.DemiBold)


@dataclass(frozen=True)
class Colours:
    """Every colour of a scheme, as "#RRGGBB"."""

    window: str
    surface: str  # cards, lists, charts: where most text stands
    alternate: str  # every second row
    raised: str  # buttons
    border: str
    grid: str  # lines behind curves
    text: str
    muted: str  # text of second rank
    disabled: str
    accent: str  # selection, focus, links
    on_accent: str

    waiting: str
    in_service: str
    bundle: str  # several files in service together
    done: str
    failed: str
    retried: str
    arrival: str
    throughput: str
    capacity: str
    utilisation: str
    p50: str  # the percentiles are one hue in three strengths
    p95: str
    p99: str


LIGHT = Colours(
    window="#F3F4F6",
    surface="#FFFFFF",
    alternate="#F7F8FA",
    raised="#FFFFFF",
    border="#D5D9DF",
    grid="#E8EAEE",
    text="#1B1F24",
    muted="#57606A",
    disabled="#8B949E",
    accent="#0072B2",
    on_accent="#FFFFFF",
    waiting="#996300",
    in_service="#0072B2",
    bundle="#52B596",
    done="#007355",
    failed="#931F00",
    retried="#B0428C",
    arrival="#B0428C",
    throughput="#007355",
    capacity="#1B1F24",
    utilisation="#0072B2",
    p50="#4793C9",
    p95="#0072B2",
    p99="#0A4A78",
)

DARK = Colours(
    window="#14171B",
    surface="#1C2026",
    alternate="#20252C",
    raised="#272D35",
    border="#3A414B",
    grid="#2B3139",
    text="#E6E9ED",
    muted="#9BA4AF",
    disabled="#6B7480",
    accent="#56B4E9",
    on_accent="#0B1117",
    waiting="#E69F00",
    in_service="#56B4E9",
    bundle="#1E8C67",
    done="#36CC99",
    failed="#FF6F3D",
    retried="#D981B3",
    arrival="#D981B3",
    throughput="#36CC99",
    capacity="#E6E9ED",
    utilisation="#56B4E9",
    p50="#2F83BD",
    p95="#56B4E9",
    p99="#A6D8FF",
)


class Line(Enum):
    """The look of each curve: (name of its colour, dash pattern, width, filled below).

    Dash patterns are in units of the width; () is solid.
    """

    ARRIVAL = ("arrival", (), 1.8, False)
    THROUGHPUT = ("throughput", (), 1.4, True)
    CAPACITY = ("capacity", (1.2, 2.4), 1.6, False)
    IN_SYSTEM = ("text", (), 1.4, False)
    WAITING = ("waiting", (), 1.4, True)
    MEAN = IN_SYSTEM
    P50 = ("p50", (1.2, 2.0), 1.6, False)
    P95 = ("p95", (), 2.0, False)
    P99 = ("p99", (6.0, 2.0, 1.2, 2.0), 1.6, False)
    OLDEST = ("waiting", (5.0, 3.0), 1.6, False)
    UTILISATION = ("utilisation", (), 1.4, True)
    WANTED = ("text", (4.0, 3.0), 1.6, False)
    RUNNING = ("muted", (), 1.8, False)
    BUSY = ("in_service", (), 1.2, True)
    GOAL = ("failed", (8.0, 4.0), 1.4, False)

    @property
    def filled(self) -> bool:
        """Whether the area under the curve is tinted."""
        return self.value[3]

    @property
    def dashed(self) -> bool:
        """Whether the curve is dashed or dotted."""
        return bool(self.value[1])


#: Widgets that are told from what is around them by their outline alone.
_OUTLINED = ("QAbstractSpinBox", "QCheckBox", "QComboBox", "QLineEdit")


class Theme(QObject):
    """The look now in force. Who paints by hand asks it, and repaints on `changed`."""

    changed = Signal()

    def __init__(
        self,
        app: QApplication,
        mode: Mode = Mode.SYSTEM,
        parent: QObject | None = None,
        motion: MotionMode = MotionMode.SYSTEM,
    ) -> None:
        """Dress the application at once; in `Mode.SYSTEM` follow the system while it changes."""
        super().__init__(parent)
        self.motion = Motion(motion, self)
        self._app = app
        self._mode = mode
        self.colours = LIGHT
        app.setStyle("Fusion")
        app.styleHints().colorSchemeChanged.connect(self._follow)
        self.set_mode(mode)

    @property
    def mode(self) -> Mode:
        """What the user asked for."""
        return self._mode

    @property
    def dark(self) -> bool:
        """Whether the scheme in force is the dark one."""
        return self.colours is DARK

    def set_mode(self, mode: Mode) -> None:
        """Change the scheme; the window frames that the system draws come along where it can."""
        self._mode = mode
        hints = self._app.styleHints()
        if mode is Mode.SYSTEM:
            hints.unsetColorScheme()
            self._dress(hints.colorScheme() is Qt.ColorScheme.Dark)
        else:
            dark = mode is Mode.DARK
            hints.setColorScheme(Qt.ColorScheme.Dark if dark else Qt.ColorScheme.Light)
            self._dress(dark)

    def colour(self, name: str, opacity: float = 1.0) -> QColor:
        """A colour by the name of its field in `Colours`."""
        colour = QColor(getattr(self.colours, name))
        colour.setAlphaF(opacity)
        return colour

    def pen(self, line: Line) -> QPen:
        """The pen of a curve, as for a sample of it in a legend."""
        name, dashes, width, _ = line.value
        pen = QPen(self.colour(name), width)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        if dashes:
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
            pen.setDashPattern(dashes)
        return pen

    def cosmetic_pen(self, line: Line, pixel_ratio: float) -> QPen:
        """The pen of a curve in a stretched chart, on a screen with so many pixels to a unit.

        The width of a cosmetic pen is in pixels of the screen, however fine these are.
        """
        pen = self.pen(line)
        pen.setCosmetic(True)
        pen.setWidthF(pen.widthF() * pixel_ratio)
        return pen

    def fill(self, line: Line) -> QBrush:
        """The tint under a filled curve."""
        return QBrush(self.colour(line.value[0], 0.26 if self.dark else 0.18))

    def font(self, size: Size) -> QFont:
        """The user's font at a step of the scale, with digits of one width where it has them."""
        factor, weight = size.value
        font = QFont(self._app.font())
        font.setPointSizeF(QFontInfo(font).pointSizeF() * factor)
        font.setWeight(weight)
        font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def _follow(self, scheme: Qt.ColorScheme) -> None:
        if self._mode is Mode.SYSTEM:
            self._dress(scheme is Qt.ColorScheme.Dark)

    def _dress(self, dark: bool) -> None:
        self.colours = DARK if dark else LIGHT
        self._app.setPalette(palette(self.colours))
        outlined = palette(self.colours, outline=True)
        for name in _OUTLINED:
            self._app.setPalette(outlined, name)  # type: ignore[arg-type]  # as it takes them
        self.changed.emit()


def palette(c: Colours, *, outline: bool = False) -> QPalette:
    """The colours as Qt's widgets understand them.

    `outline`: for those that draw an outline, which Fusion makes of the window's colour, a factor
    of 1.4 darker; it is to stand out from what it frames (3 : 1, WCAG 2.2, 1.4.11).
    """
    role = QPalette.ColorRole
    result = QPalette()
    for key, colour in {
        role.Window: QColor(c.disabled).lighter(140).name() if outline else c.window,
        role.WindowText: c.text,
        role.Base: c.surface,
        role.AlternateBase: c.alternate,
        role.ToolTipBase: c.surface,
        role.ToolTipText: c.text,
        role.PlaceholderText: c.muted,
        role.Text: c.text,
        role.Button: c.raised,
        role.ButtonText: c.text,
        role.BrightText: c.failed,
        role.Link: c.accent,
        role.LinkVisited: c.arrival,
        role.Highlight: c.accent,
        role.HighlightedText: c.on_accent,
        role.Accent: c.accent,
        role.Light: c.raised,
        role.Midlight: c.alternate,
        role.Mid: c.border,
        role.Dark: c.muted,
        role.Shadow: c.border,
    }.items():
        result.setColor(key, QColor(colour))
    for key in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        result.setColor(QPalette.ColorGroup.Disabled, key, QColor(c.disabled))
    result.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(c.border))
    return result
