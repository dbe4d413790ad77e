"""Reports: one file that needs no network, whose text is text, with the figures of the meter."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from dropline import cli
from dropline.events import OrderChanged, TargetDown, WorkersChanged
from dropline.history import Mark, Row, Store, replay
from dropline.history.keeper import MARKED
from dropline.meter import Entry, Kind, Meter, Recorder, measure
from dropline.report import Run, page, picture
from dropline.report import text as words
from dropline.report.page import words as what

ODD = '<script>alert("x")</script>\n\u202e&amp;.jsonl'


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._open and self._open[-1] in {"td", "th"}:
            self.rows[-1][-1] += data


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    def write(entries: Sequence[Entry], name: str = "run.jsonl") -> Path:
        with Recorder(tmp_path / name) as recorder:
            recorder.record(entries)
        return tmp_path / name

    return write


def a_run(workers: int = 2) -> list[Entry]:
    """A file each second, and half a second for each."""
    entries = [Entry(0.0, Kind.WORKERS, workers=workers)]
    for job in range(1, 61):
        entries += [
            Entry(job - 1.0, Kind.ARRIVE, job),
            Entry(job - 0.75, Kind.START, job),
            Entry(job - 0.25, Kind.FINISH, job),
        ]
    return [*entries, Entry(60.0, Kind.WORKERS, workers=8)]


def of(path: Path, name: str = "") -> Run:
    past = replay(path)
    start, end = past.extent() or (0.0, 0.0)
    return Run(name or path.name, past, start, end, wall=False)


def test_a_report_tells_what_measuring_tells(record: Callable[..., Path]) -> None:
    path = record(a_run())
    exact = measure(path, 0.0, 60.0)
    told = {row[1]: row[2] for row in Page(page([of(path)])).rows if len(row) == 3}
    assert told["arrivals"] == str(exact["arrivals"]) == "60"
    assert told["arrival rate"] == "1/s"
    assert told["utilisation"] == words.percent(exact["utilisation"]) == "25 %"
    assert told["response time, mean"] == words.duration(exact["mean_response"]) == "750 ms"
    assert told["response time, p95"] == words.duration(exact["response_p95"])
    assert told["wait, mean"] == "250 ms"


def test_it_needs_no_network_and_runs_nothing(record: Callable[..., Path]) -> None:
    read = Page(page([of(record(a_run()))]))
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in read.tags}
    addresses = [
        value for _, attributes in read.tags for key, value in attributes.items()
        if key in {"src", "href", "style", "onload"} or (value or "").startswith("http")
    ]  # fmt: skip
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}  # a name, not a place
    (policy,) = [a["content"] for tag, a in read.tags if tag == "meta" and "http-equiv" in a]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_a_name_is_text_whatever_it_is(record: Callable[..., Path]) -> None:
    html = page([of(record(a_run()), ODD)])
    assert "<script" not in html
    assert "\u202e" not in html
    assert '<script>alert("x")</script>��&amp;.jsonl' in Page(html).text


def test_two_runs_stand_side_by_side_with_the_change(record: Callable[..., Path]) -> None:
    first, second = record(a_run(), "a.jsonl"), record(a_run(4), "b.jsonl")
    rows = {row[1]: row[2:] for row in Page(page([of(first), of(second)])).rows if len(row) == 5}
    assert rows["workers"] == ["2", "4", "+100.0 %"]
    assert rows["arrival rate"] == ["1/s", "1/s", "+0.0 %"]
    assert rows["failed"] == ["0", "0", "–"]
    assert rows["utilisation"] == ["25 %", "12.5 %", "-50.0 %"]


def test_what_happened_is_listed_and_marked(record: Callable[..., Path]) -> None:
    entries = [e._replace(t=30.0) if e.workers == 8 else e for e in a_run()]
    entries.sort(key=lambda e: e.t)
    read = Page(page([of(record(entries))]))
    assert ["30.000 s", "workers 2 → 8"] in read.rows
    assert [a["class"] for tag, a in read.tags if tag == "line"].count("mark") == 5
    assert "L = 0.753, X·W = 0.753, edge 0; they differ by 0." in read.text


def test_times_of_the_history_are_told_in_utc() -> None:
    class Busy:
        def extent(self) -> tuple[float, float]:
            return 0.0, 60.0

        def rows(self, _start: float, _end: float, _width: float = 0.0) -> Sequence[Row]:
            meter = Meter()
            meter.observe_all(a_run())
            return [Row.of(second, 1_700_000_000.0) for second in meter.seconds(0, 60.0)]

        def marks(self, _start: float, _end: float) -> Sequence[Mark]:
            events = (TargetDown("u", "r"), OrderChanged("send", "<fifo>"))
            return [Mark(1_700_000_030.0, event) for event in events]

    run = Run("history", Busy(), 1_700_000_000.0, 1_700_000_060.0, wall=True)
    read = Page(page([run], datetime(2026, 1, 2, tzinfo=UTC)))
    assert ["", "from, to", "2023-11-14T22:13:20Z to 2023-11-14T22:14:20Z"] in read.rows
    assert ["2023-11-14T22:13:50Z", "target down"] in read.rows
    assert ["2023-11-14T22:13:50Z", "order: <fifo>"] in read.rows
    assert "Made 2026-01-02T00:00:00Z by Dropline" in read.text


def test_a_time_of_which_nothing_is_known_says_so(tmp_path: Path) -> None:
    nothing = Store(tmp_path / "none.sqlite", "send")
    read = Page(page([Run("history", nothing, 0.0, 60.0, wall=True)]))
    assert "Nothing is known of this time." in read.text
    assert ["λ", "arrival rate", "–"] in read.rows


def test_a_picture_is_sound_xml_with_a_gap_where_nothing_is_known() -> None:
    times = np.arange(10.0)
    values = np.where((times > 3) & (times < 6), np.nan, times)
    drawn = ET.fromstring(
        picture(times, {"in_system": values}, [(2.0, "<&>")], (0.0, 9.0), wall=False)
    )
    space = "{http://www.w3.org/2000/svg}"
    paths = [p.get("d", "") for p in drawn.iter(f"{space}path") if p.get("class") == "level"]
    curves = [d for d in paths if "L" in d]
    assert len(curves) == 2
    assert [len(re.findall(r"[ML]", d)) for d in curves] == [4, 4]
    assert drawn.find(f".//{space}line[@class='mark']/{space}title").text == "<&>"  # type: ignore[union-attr]


@pytest.mark.parametrize("points", [{}, {"in_system": np.full(3, np.nan)}])
def test_a_picture_of_nothing_is_empty_and_sound(points: dict[str, np.ndarray]) -> None:
    times = np.arange(3.0) if points else np.empty(0)
    ET.fromstring(picture(times, points, [], (0.0, 2.0), wall=False))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (float("nan"), "–"), (0.0, "0 ms"), (0.0123, "12.3 ms"), (7.5, "7.5 s"),
     (300.0, "5 min"), (90_000.0, "25 h")],
)  # fmt: skip
def test_times_are_told_in_the_unit_that_fits(value: float | None, text: str) -> None:
    assert words.duration(value) == text


# --- the command --------------------------------------------------------------------------------


def test_the_command_writes_a_report_of_a_log(
    record: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report.html"
    log = str(record(a_run()))
    assert cli.main(["report", log, "--start", "10", "--end", "20", "-o", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}\n"
    assert ["", "arrivals", "10"] in Page(output.read_text("utf-8")).rows


def test_the_command_reports_of_the_history(
    dropline_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report.html"
    assert cli.main(["report", "-o", str(output)]) == 1
    assert "there is no history in" in capsys.readouterr().err
    meter = Meter()
    meter.observe_all(a_run())
    store = Store(dropline_home / "history.sqlite", "send")
    store.open(pytest.fail)
    store.append([Row.of(second, 1_700_000_000.0) for second in meter.seconds(0, 60.0)])
    store.close()
    assert cli.main(["report", "-o", str(output)]) == 0
    assert ["", "arrivals", "60"] in Page(output.read_text("utf-8")).rows


@pytest.mark.parametrize(
    ("arguments", "reason", "status"),
    [
        (["a", "b", "c"], "give one log, or two to compare", 2),
        (["{log}", "--start", "5", "--end", "5"], "5 s is not after 5 s", 2),
        (["{empty}"], "is empty: record a log first", 1),
        (["{none}"], "can't be read: No such file", 1),
        (["--hours", "0"], "use more than 0", 2),
    ],
)
def test_the_command_says_what_is_wrong(
    record: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
    status: int,
) -> None:
    places = {
        "{log}": str(record(a_run())),
        "{empty}": str(record([], "empty.jsonl")),
        "{none}": str(tmp_path / "none"),
    }
    given = [places.get(each, each) for each in arguments]
    assert cli.main(["report", *given, "-o", str(tmp_path / "report.html")]) == status
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_each_event_that_marks_the_charts_has_words() -> None:
    made = {WorkersChanged: ("send", 1, 2), OrderChanged: ("send", "fifo")}
    for kind in MARKED:
        count = len(dataclasses.fields(kind))
        assert what(kind(*made.get(kind, ("",) * count)))
