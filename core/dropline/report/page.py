"""A report: one HTML file that needs no network, nothing of which can be anything but text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dropline import __version__
from dropline.events import (
    Event,
    NetworkDown,
    NetworkUp,
    OrderChanged,
    StationPaused,
    StationResumed,
    TargetDown,
    TargetUp,
    WorkersChanged,
)
from dropline.history import Mark, Past, Summary, summary
from dropline.history.curves import curves
from dropline.meter import RELATIVE_ERROR
from dropline.report import text
from dropline.report.figures import FIGURES, Figure
from dropline.report.picture import picture
from dropline.report.text import safe

#: Groups of rows that a picture's curves are made of, at most.
_GROUPS = 480
#: Rates and times in a picture are taken over this share of its length.
_WINDOW = 1 / 40
#: Events that are listed at most.
_EVENTS = 200


@dataclass(frozen=True, slots=True)
class Run:
    """What is reported of: a past from `start` to `end`.

    `wall`: its times are seconds since 1970, else a log's own.
    """

    name: str
    past: Past
    start: float
    end: float
    wall: bool


_STYLE = """
:root{color-scheme:light dark;--window:#f3f4f6;--surface:#fff;--text:#1b1f24;--muted:#57606a;
--border:#d5d9df}
@media(prefers-color-scheme:dark){:root{--window:#14171b;--surface:#1c2026;--text:#e6e9ed;
--muted:#9ba4af;--border:#3a414b}}
body{margin:0;background:var(--window);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:1000px;margin:0 auto;padding:24px 16px}
h1{font-size:1.5em;margin:0}h2{font-size:1.1em;margin:1.6em 0 .5em}
section{background:var(--surface);border:1px solid var(--border);border-radius:6px;
padding:12px 16px;overflow-x:auto}
.muted,dd{color:var(--muted)}table{border-collapse:collapse}
th,td{padding:2px 20px 2px 0;text-align:left;vertical-align:top}
th{font-weight:600}td.value,th.value{text-align:right;font-variant-numeric:tabular-nums}
dd{margin:0 0 .4em}svg{max-width:100%;height:auto}
@media print{body{background:none}section{border:none;padding:0}}
"""


def page(runs: Sequence[Run], made: datetime | None = None) -> str:
    """The report of one run, or of two that are compared; `made` is when, now by default.

    Raises OSError or ValueError when a past cannot be read.
    """
    made = made or datetime.now(UTC)
    summaries = [summary(run.past.rows(run.start, run.end)) for run in runs]
    title = "Dropline report: " + safe(" and ".join(run.name for run in runs))
    about = f"Made {made.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} by Dropline {__version__}."
    parts = [
        f"<h1>{title}</h1>",
        f'<p class="muted">{about} Times of day are UTC.</p>',
        "<h2>Figures</h2>",
        f"<section>{_table(runs, summaries)}</section>",
        *(part for run, told in zip(runs, summaries, strict=True) for part in _of_run(run, told)),
        "<h2>Definitions</h2>",
        f"<section><dl>{''.join(map(_definition, FIGURES))}</dl></section>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def change(before: float | None, after: float | None) -> float | None:
    """By which share of `before` it changed; None where that means nothing."""
    return (after - before) / before if before and after is not None else None


def words(event: Event) -> str:
    """What happened, in a few words; empty for what is of no interest here."""
    match event:
        case WorkersChanged(before=before, wanted=wanted):
            return f"workers {before} → {wanted}"
        case OrderChanged(order=order):
            return f"order: {order}"
        case TargetDown():
            return "target down"
        case TargetUp():
            return "target up"
        case NetworkDown():
            return "network down"
        case NetworkUp():
            return "network up"
        case StationPaused():
            return "paused"
        case StationResumed():
            return "resumed"
    return ""


def _table(runs: Sequence[Run], summaries: Sequence[Summary | None]) -> str:
    told = [{} if each is None else each.as_dict() for each in summaries]
    names = [safe(run.name) for run in runs]
    both = len(runs) == 2
    head = [*names, *(["change"] if both else [])]
    rows = [f'<tr><th colspan="2">figure</th>{_cells("th", head)}</tr>']
    spans = [
        f"{text.moment(run.start, wall=run.wall)} to {text.moment(run.end, wall=run.wall)}"
        for run in runs
    ]
    rows.append(f"<tr><td></td><td>from, to</td>{_cells('td', [*spans, *([''] if both else [])])}")
    for figure in FIGURES:
        values = [each.get(figure.key) for each in told]
        shown = [figure.text(value) for value in values]
        if both:
            by = change(*values)
            shown.append(text.UNDEFINED if by is None else f"{100 * by:+.1f} %")
        rows.append(f"<tr><td>{figure.symbol}</td><td>{figure.name}</td>{_cells('td', shown)}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _cells(kind: str, texts: Sequence[str]) -> str:
    return "".join(f'<{kind} class="value">{each}</{kind}>' for each in texts)


def _of_run(run: Run, told: Summary | None) -> Sequence[str]:
    """Its charts, its check by Little's law, and what happened."""
    heading = f"<h2>{safe(run.name)}</h2>"
    if told is None:
        return heading, "<section><p>Nothing is known of this time.</p></section>"
    length = run.end - run.start
    rows = run.past.rows(run.start, run.end, length / _GROUPS / 4)
    made = curves(rows, _GROUPS, _WINDOW * length)
    marks = [mark for mark in run.past.marks(run.start, run.end) if words(mark.event)]
    svg = picture(
        made.times,
        made.points,
        [(mark.time, words(mark.event)) for mark in marks],
        (run.start, run.end),
        wall=run.wall,
    )
    return (
        heading,
        f'<section>{svg}<p class="muted">{_checks(told, _WINDOW * length)}</p></section>',
        "<h3>What happened</h3>",
        f"<section>{_events(run, marks)}</section>",
    )


def _checks(told: Summary, window: float) -> str:
    law = told.littles_law
    return (
        f"Little's law: L = {text.number(law.mean_in_system)}, "
        f"X·W = {text.number(law.throughput_times_response)}, edge {text.number(law.edge)}; "
        f"they differ by {text.number(law.error)}. "
        f"{'' if law.stationary else 'The line was not stationary over this time. '}"
        f"Percentiles are within {RELATIVE_ERROR:.0%} of the true ones. "
        f"The figures tell of {text.duration(told.covered)}; in the charts, rates and times are "
        f"over the last {text.duration(window)}."
    )


def _events(run: Run, marks: Sequence[Mark]) -> str:
    if not marks:
        return "<p>The number of workers stayed as it was, and nothing went down.</p>"
    rows = [
        (text.moment(mark.time, wall=run.wall), safe(words(mark.event))) for mark in marks[:_EVENTS]
    ]
    if len(marks) > _EVENTS:
        rows.append(("", f"and {len(marks) - _EVENTS:,} more"))
    return (
        f"<table>{''.join(f'<tr><td>{at}</td><td>{what}</td></tr>' for at, what in rows)}</table>"
    )


def _definition(figure: Figure) -> str:
    return f"<dt>{f'{figure.symbol} {figure.name}'.strip()}</dt><dd>{figure.definition}</dd>"
