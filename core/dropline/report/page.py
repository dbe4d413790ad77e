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
from dropline.history import Past, Summary, summary
from dropline.history.curves import curves
from dropline.meter import RELATIVE_ERROR
from dropline.report import text
from dropline.report.figures import Figure, figures
from dropline.report.picture import picture
from dropline.report.text import Translate, safe
from dropline.station import Order

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


def page(
    runs: Sequence[Run], made: datetime | None = None, translate: Translate = text.english
) -> str:
    """The report of one run, or of two that are compared; `made` is when, now by default.

    Raises OSError or ValueError when a past cannot be read.
    """
    made = made or datetime.now(UTC)
    summaries = [summary(run.past.rows(run.start, run.end)) for run in runs]
    names = translate("Report", " and ").join(run.name for run in runs)
    title = translate("Report", "Dropline report: {}").format(safe(names))
    about = translate("Report", "Made {} by Dropline {}. Times of day are UTC.").format(
        f"{made.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", __version__
    )
    shown = figures(translate)
    parts = [
        _heading(1, title),
        f'<p class="muted">{about}</p>',
        _heading(2, translate("Report", "Figures")),
        f"<section>{_table(runs, summaries, shown, translate)}</section>",
        *(
            part
            for run, told in zip(runs, summaries, strict=True)
            for part in _of_run(run, told, translate)
        ),
        _heading(2, translate("Report", "Definitions")),
        f"<section><dl>{''.join(map(_definition, shown))}</dl></section>",
    ]
    language = translate("Report", "en")
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def change(before: float | None, after: float | None) -> float | None:
    """By which share of `before` it changed; None where that means nothing."""
    return (after - before) / before if before and after is not None else None


def words(event: Event, translate: Translate = text.english) -> str:
    """What happened, in a few words; empty for what is of no interest here."""
    match event:
        case WorkersChanged(before=before, wanted=wanted):
            return translate("Report", "workers {} → {}").format(before, wanted)
        case OrderChanged(order=order):
            orders: dict[str, str] = {
                Order.FIFO: translate("Report", "first come, first served"),
                Order.SHORTEST: translate("Report", "shortest first"),
                Order.SMALL_LANE: translate("Report", "small files' lane"),
            }
            return translate("Report", "order: {}").format(orders.get(order, order))
        case TargetDown():
            return translate("Report", "target down")
        case TargetUp():
            return translate("Report", "target up")
        case NetworkDown():
            return translate("Report", "network down")
        case NetworkUp():
            return translate("Report", "network up")
        case StationPaused():
            return translate("Report", "paused")
        case StationResumed():
            return translate("Report", "resumed")
    return ""


def _table(
    runs: Sequence[Run],
    summaries: Sequence[Summary | None],
    shown: Sequence[Figure],
    translate: Translate,
) -> str:
    told = [{} if each is None else each.as_dict() for each in summaries]
    both = len(runs) == 2
    head = [safe(run.name) for run in runs]
    spans = [
        translate("Report", "{} to {}").format(
            *(text.moment(t, wall=run.wall) for t in (run.start, run.end))
        )
        for run in runs
    ]
    if both:
        head.append(translate("Report", "change"))
        spans.append("")
    # lupdate does not look into f-strings.
    title, span = translate("Report", "figure"), translate("Report", "from, to")
    rows = [
        f'<tr><th colspan="2">{title}</th>{_cells("th", head)}</tr>',
        f"<tr><td></td><td>{span}</td>{_cells('td', spans)}</tr>",
    ]
    for figure in shown:
        values = [each.get(figure.key) for each in told]
        cells = [figure.text(value) for value in values]
        if both:
            by = change(*values)
            cells.append(text.UNDEFINED if by is None else f"{100 * by:+.1f} %")
        rows.append(f"<tr><td>{figure.symbol}</td><td>{figure.name}</td>{_cells('td', cells)}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _heading(level: int, words: str) -> str:
    return f"<h{level}>{words}</h{level}>"


def _cells(kind: str, texts: Sequence[str]) -> str:
    return "".join(f'<{kind} class="value">{each}</{kind}>' for each in texts)


def _of_run(run: Run, told: Summary | None, translate: Translate) -> Sequence[str]:
    """Its charts, its check by Little's law, and what happened."""
    heading = _heading(2, safe(run.name))
    if told is None:
        nothing = translate("Report", "Nothing is known of this time.")
        return heading, f"<section><p>{nothing}</p></section>"
    length = run.end - run.start
    rows = run.past.rows(run.start, run.end, length / _GROUPS / 4)
    made = curves(rows, _GROUPS, _WINDOW * length)
    marks = [
        (mark.time, said)
        for mark in run.past.marks(run.start, run.end)
        if (said := words(mark.event, translate))
    ]
    svg = picture(
        made.times,
        made.points,
        marks,
        (run.start, run.end),
        wall=run.wall,
        translate=translate,
    )
    checks = _checks(told, _WINDOW * length, translate)
    return (
        heading,
        f'<section>{svg}<p class="muted">{checks}</p></section>',
        _heading(3, translate("Report", "What happened")),
        f"<section>{_events(run, marks, translate)}</section>",
    )


def _checks(told: Summary, window: float, translate: Translate) -> str:
    law = told.littles_law
    sentences = [
        translate("Report", "Little's law: L = {}, X·W = {}, edge {}; they differ by {}.").format(
            *map(
                text.number,
                (law.mean_in_system, law.throughput_times_response, law.edge, law.error),
            )
        ),
        ""
        if law.stationary
        else translate("Report", "The line was not stationary over this time."),
        translate("Report", "Percentiles are within {} of the true ones.").format(
            f"{RELATIVE_ERROR:.0%}"
        ),
        translate(
            "Report",
            "The figures tell of {}; in the charts, rates and times are over the last {}.",
        ).format(text.duration(told.covered), text.duration(window)),
    ]
    return " ".join(filter(None, sentences))


def _events(run: Run, marks: Sequence[tuple[float, str]], translate: Translate) -> str:
    if not marks:
        quiet = translate(
            "Report", "The number of workers stayed as it was, and nothing went down."
        )
        return f"<p>{quiet}</p>"
    rows = [(text.moment(t, wall=run.wall), safe(said)) for t, said in marks[:_EVENTS]]
    if len(marks) > _EVENTS:
        more = f"{len(marks) - _EVENTS:,}"
        rows.append(("", translate("Report", "and {} more").format(more)))
    return (
        f"<table>{''.join(f'<tr><td>{at}</td><td>{what}</td></tr>' for at, what in rows)}</table>"
    )


def _definition(figure: Figure) -> str:
    return f"<dt>{f'{figure.symbol} {figure.name}'.strip()}</dt><dd>{figure.definition}</dd>"
