"""The charts as one SVG, which is light or dark as its reader likes."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from dropline.history.curves import Floats
from dropline.report import text
from dropline.report.text import Translate, safe


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve: which figure, what it is called, its class in the style sheet."""

    key: str
    name: str
    look: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves on one scale. `steps`: a value holds until the next one."""

    title: str
    curves: tuple[Curve, ...]
    height: int
    tick: Callable[[float, float], str]
    top: float | None = None
    steps: bool = False


def charts(translate: Translate) -> tuple[Chart, ...]:
    """All of them, from top to bottom."""
    return (
        Chart(
            translate("Report", "Rates"),
            (
                Curve("throughput", translate("Report", "X throughput"), "throughput", filled=True),
                Curve("arrival_rate", translate("Report", "λ arrival rate"), "arrival"),
                Curve("capacity", translate("Report", "cμ capacity"), "capacity"),
            ),
            130,
            lambda value, _: text.rate(value),
        ),
        Chart(
            translate("Report", "Queue, files"),
            (
                Curve("waiting", translate("Report", "Lq waiting"), "waiting", filled=True),
                Curve("in_system", translate("Report", "L in the line"), "level"),
            ),
            110,
            lambda value, _: text.number(value),
        ),
        Chart(
            translate("Report", "Response time"),
            (
                Curve("mean_response", translate("Report", "τ mean"), "level"),
                Curve("p50", "p50", "p50"),
                Curve("p95", "p95", "p95"),
                Curve("p99", "p99", "p99"),
            ),
            150,
            text.duration,
        ),
        Chart(
            translate("Report", "Utilisation"),
            (
                Curve(
                    "utilisation", translate("Report", "ρ utilisation"), "utilisation", filled=True
                ),
            ),
            80,
            lambda value, _: text.percent(value),
            top=1.0,
        ),
        Chart(
            translate("Report", "Workers"),
            (
                Curve("busy", translate("Report", "busy"), "busy", filled=True),
                Curve("workers", translate("Report", "c workers"), "capacity"),
            ),
            90,
            lambda value, _: text.number(value),
            steps=True,
        ),
    )


STYLE = """
svg.charts{--surface:#fff;--text:#1b1f24;--muted:#57606a;--grid:#e8eaee;--blue:#0072b2;
--green:#007355;--amber:#996300;--pink:#b0428c;--p50:#4793c9;--p99:#0a4a78;background:var(--surface)}
@media(prefers-color-scheme:dark){svg.charts{--surface:#1c2026;--text:#e6e9ed;--muted:#9ba4af;
--grid:#2b3139;--blue:#56b4e9;--green:#36cc99;--amber:#e69f00;--pink:#d981b3;--p50:#2f83bd;
--p99:#a6d8ff}}
svg.charts text{font:11px system-ui,sans-serif;fill:var(--muted)}
svg.charts .title{font-weight:bold;fill:var(--text)}
svg.charts .grid{stroke:var(--grid)}svg.charts .mark{stroke:var(--muted);stroke-dasharray:4 3}
svg.charts path{fill:none;stroke-width:1.4;stroke-linejoin:round}
svg.charts path.area{stroke:none;opacity:.2}
.arrival{stroke:var(--pink)}.throughput{stroke:var(--green)}
.capacity{stroke:var(--text);stroke-dasharray:2 3}
.waiting{stroke:var(--amber)}.level{stroke:var(--text)}.busy,.utilisation,.p95{stroke:var(--blue)}
.p50{stroke:var(--p50);stroke-dasharray:2 3}.p99{stroke:var(--p99);stroke-dasharray:7 2 2 2}
svg.charts .area.throughput{fill:var(--green)}svg.charts .area.waiting{fill:var(--amber)}
svg.charts .area.busy,svg.charts .area.utilisation{fill:var(--blue)}
"""

_LEFT, _RIGHT, _HEAD, _FOOT = 66, 14, 24, 24
_TIME_STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200),
    *(days * 86_400 for days in (1, 2, 5, 10)),
)


def picture(
    times: Floats,
    points: Mapping[str, Floats],
    marks: Sequence[tuple[float, str]],
    span: tuple[float, float],
    *,
    wall: bool,
    width: int = 960,
    translate: Translate = text.english,
) -> str:
    """The curves over `span`: `points` has an array as long as `times` for each figure it knows.

    `marks` are times and words. `wall`: times are seconds since 1970, told in UTC; else a log's.
    NaN is a gap.
    """
    inside = (times >= span[0]) & (times <= span[1])
    times, points = times[inside], {key: values[inside] for key, values in points.items()}
    shown, title = charts(translate), translate("Report", "Charts of the line")
    height = sum(chart.height + _HEAD for chart in shown) + _FOOT
    head = (
        f'<svg class="charts" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
        f"<title>{title}</title><style>{STYLE}</style>"
    )
    parts = [head]
    place = _Place(span, _LEFT, width - _RIGHT)
    top = 0
    for chart in shown:
        bottom = top + _HEAD + chart.height
        parts += _strip(chart, times, points, place, top + _HEAD, bottom)
        for t, words in marks:
            if span[0] <= t <= span[1]:
                x = place(t)
                parts.append(f'<line class="mark" x1="{x}" x2="{x}" y1="{top + _HEAD}" '
                             f'y2="{bottom}"><title>{safe(words)}</title></line>')  # fmt: skip
        top = bottom
    for t, label in _time_ticks(span, wall=wall):
        parts.append(f'<text x="{place(t)}" y="{top + 15}" text-anchor="middle">{label}</text>')
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a time lies, in pixels."""

    span: tuple[float, float]
    left: float
    right: float

    def __call__(self, t: float) -> float:
        start, end = self.span
        share = (t - start) / (end - start) if end > start else 0.0
        return round(self.left + share * (self.right - self.left), 1)


def _strip(
    chart: Chart,
    times: Floats,
    points: Mapping[str, Floats],
    place: _Place,
    top: float,
    bottom: float,
) -> Iterator[str]:
    """One chart: scale, legend, curves."""
    known = {c.key: points[c.key] for c in chart.curves if c.key in points}
    greatest = max(
        (float(np.nanmax(v)) for v in known.values() if np.isfinite(v).any()), default=0.0
    )
    most, step = _scale(chart.top or greatest)
    yield f'<text class="title" x="{_LEFT}" y="{top - 7}">{chart.title}</text>'
    for i in range(round(most / step) + 1):
        y = round(bottom - i * step / most * (bottom - top), 1)
        yield f'<line class="grid" x1="{place.left}" x2="{place.right}" y1="{y}" y2="{y}"/>'
        label = chart.tick(i * step, most)
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{label}</text>'
    right = place.right
    for curve in reversed(chart.curves):
        right -= _width(curve.name) + 8
        yield f'<text x="{right}" y="{top - 7}">{curve.name}</text>'
        right -= 26
        yield f'<path class="{curve.look}" d="M{right} {top - 11}h20"/>'
    for curve in chart.curves:
        if curve.key in known:
            yield from _curve(curve, times, known[curve.key], place, most, top, bottom,
                              steps=chart.steps)  # fmt: skip


def _width(name: str) -> int:
    """About how many pixels it takes."""
    return sum(12 if unicodedata.east_asian_width(c) in "WF" else 7 for c in name)


def _curve(
    curve: Curve,
    times: Floats,
    values: Floats,
    place: _Place,
    most: float,
    top: float,
    bottom: float,
    *,
    steps: bool,
) -> Iterator[str]:
    """A path for each stretch without a gap."""
    start, end = place.span
    scale = (place.right - place.left) / (end - start)
    xs = np.round(place.left + (times - start) * scale, 1)
    ys = np.round(bottom - values / most * (bottom - top), 1)
    if steps:
        xs, ys = np.repeat(xs, 2)[1:], np.repeat(ys, 2)[:-1]
    known = np.isfinite(ys)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], known, [False])).astype(int)))
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        line = "L".join(f"{x:g} {y:g}" for x, y in zip(xs[first:last], ys[first:last], strict=True))
        if curve.filled:
            area = f"M{xs[first]:g} {bottom}L{line}L{xs[last - 1]:g} {bottom}Z"
            yield f'<path class="area {curve.look}" d="{area}"/>'
        yield f'<path class="{curve.look}" d="M{line}"/>'


def _scale(greatest: float) -> tuple[float, float]:
    """The top of a scale for values up to `greatest`, and the distance of its ticks."""
    if not greatest > 0:
        return 1.0, 1.0
    fewest = greatest / 4
    decade = 10.0 ** math.floor(math.log10(fewest))
    step = next(s * decade for s in (1, 2, 2.5, 5, 10) if s * decade >= fewest * (1 - 1e-9))
    return math.ceil(greatest / step - 1e-9) * step, step


def _time_ticks(span: tuple[float, float], *, wall: bool) -> Iterator[tuple[float, str]]:
    start, end = span
    step = next((s for s in _TIME_STEPS if s >= (end - start) / 8), _TIME_STEPS[-1])
    for i in range(math.ceil(start / step), math.floor(end / step) + 1):
        t = i * step
        if not wall:
            yield t, text.duration(t, end)
            continue
        at = datetime.fromtimestamp(t, UTC)
        day = step >= 86_400 or at.hour == at.minute == at.second == 0
        yield t, f"{at:%m-%d}" if day else f"{at:%H:%M:%S}" if step < 60 else f"{at:%H:%M}"
