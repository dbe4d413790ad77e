"""The control port: figures and drops for programs of the same user, and for nobody else."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from dropline.control import ControlServer, Running, line_metrics, line_status
from dropline.home import Home
from dropline.line import Line
from dropline.meter import Figures, Percentiles
from dropline.receiver import Receiver
from dropline.station import metrics

Until = Callable[..., None]


@pytest.fixture
def home(dropline_home: Path) -> Home:
    return Home(dropline_home)


class Program:
    """A running program with a control port."""

    def __init__(self, home: Home) -> None:
        self.dropped: list[list[str]] = []
        self.control = ControlServer(home, status=lambda: {"answer": 42}, drop=self.drop)
        self.control.start(receiver="http://127.0.0.1:8765")
        self.run = home.read_run() or {}

    def drop(self, paths: Sequence[str]) -> None:
        if paths == ["/bad"]:
            raise RuntimeError("this program fails")
        self.dropped.append(list(paths))

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.run['token']}"} | options.pop("headers", {})
        return requests.request(method, self.run["control"] + path, headers=headers, **options)


@pytest.fixture
def program(home: Home) -> Iterator[Program]:
    made = Program(home)
    yield made
    made.control.close()


def test_the_run_file_says_how_to_reach_the_program(program: Program, home: Home) -> None:
    assert stat.S_IMODE(home.run_file.stat().st_mode) == 0o600
    assert program.run["pid"] == os.getpid()
    assert program.run["receiver"] == "http://127.0.0.1:8765"
    assert program.run["control"].startswith("http://127.0.0.1:")
    assert len(program.run["token"]) == 64


def test_a_running_program_is_found_and_asked(program: Program, home: Home) -> None:
    running = Running.find(home)
    assert running is not None
    assert running.status() == {"answer": 42}
    assert running.run == program.run


def test_paths_are_handed_over_as_they_are(
    program: Program, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    running = Running.find(home)
    assert running is not None
    running.drop(["/a b/照片 😀", "relative", "two\nlines", "/caf\udce9", "-x"])
    assert program.dropped == [
        [
            "/a b/照片 😀",
            f"{tmp_path}/relative",
            f"{tmp_path}/two\nlines",
            "/caf\udce9",
            f"{tmp_path}/-x",
        ]
    ]


@pytest.mark.parametrize(
    "authorization", ["", "Bearer ", "Bearer x", "Basic eDp4", "Bearer \xe9", "{}", "bearer {}"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/status"), ("POST", "/drop"), ("GET", "/")])
def test_nobody_gets_in_without_the_token(
    program: Program, method: str, path: str, authorization: str
) -> None:
    given = authorization.replace("{}", program.run["token"]).encode("latin-1")
    answer = program.ask(method, path, json={"paths": ["/a"]}, headers={"Authorization": given})
    assert answer.status_code == 403
    assert program.run["token"] not in answer.text
    assert program.dropped == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"{}", b'{"paths": "/a"}', b'{"paths": [1]}', b'{"paths": null}'],
)
def test_a_malformed_drop_is_refused(program: Program, body: bytes) -> None:
    answer = program.ask("POST", "/drop", data=body)
    assert answer.status_code == 400
    assert "paths" in answer.json()["error"]
    assert program.dropped == []


def test_a_program_that_takes_no_paths_says_so(home: Home) -> None:
    control = ControlServer(home, status=dict)
    control.start()
    try:
        running = Running.find(home)
        assert running is not None
        with pytest.raises(requests.HTTPError, match="405"):
            running.drop(["/a"])
    finally:
        control.close()


def test_other_addresses_are_not_found(program: Program) -> None:
    for method, path in (("GET", "/drop"), ("POST", "/status"), ("GET", "/"), ("GET", "/status/")):
        assert program.ask(method, path).status_code == 404


def test_a_failing_program_is_told_of_and_goes_on(
    program: Program, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    running = Running.find(home)
    assert running is not None
    with pytest.raises(requests.RequestException):
        running.drop(["/bad"])
    assert "this program fails" in caplog.text
    assert running.status() == {"answer": 42}


def test_a_closed_program_is_not_found(home: Home) -> None:
    program = Program(home)
    running = Running.find(home)
    program.control.close()
    assert not home.run_file.exists()
    assert Running.find(home) is None
    assert running is not None
    with pytest.raises(requests.RequestException):
        running.status()
    program.control.close()


def test_closing_leaves_another_programs_run_file(program: Program, home: Home) -> None:
    control = ControlServer(home, status=dict)
    control.close()  # never started
    assert home.read_run() == program.run
    home.write_run({**program.run, "pid": os.getpid() + 1})
    program.control.close()
    assert home.read_run() is not None


def test_starting_and_closing_at_once_leaves_nothing(home: Home) -> None:
    for _ in range(5):
        control = ControlServer(home, status=dict)
        control.start()
        control.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "control"]


def test_a_client_that_says_nothing_does_not_keep_it_from_closing(
    program: Program, until: Until
) -> None:
    port = int(program.run["control"].rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)):
        program.control.close()


@pytest.mark.parametrize(
    "change",
    [
        {"control": "http://127.0.0.1:1"},  # nobody there any more
        {"control": "no address"},
        {"control": 7},
        {"control": None},
        {"token": "another"},
        {"token": "line\nbreak"},
        {"token": "não é ascii 字"},
        {"token": 7},
    ],
)
def test_a_stale_or_damaged_run_file_finds_nothing(
    program: Program, home: Home, change: dict[str, Any]
) -> None:
    home.write_run(program.run | change)
    assert Running.find(home) is None


@pytest.mark.parametrize("missing", ["control", "token"])
def test_a_run_file_without_an_address_finds_nothing(
    program: Program, home: Home, missing: str
) -> None:
    home.write_run({key: value for key, value in program.run.items() if key != missing})
    assert Running.find(home) is None


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"7", b""])
def test_another_server_on_the_old_port_is_not_the_program(
    rogue: Any, home: Home, body: bytes
) -> None:
    server = rogue(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    home.write_run({"pid": 1, "control": server.url, "token": "x"})
    assert Running.find(home) is None


def test_the_status_of_a_line_has_the_figures_and_the_state_now(
    make_line: Callable[..., Line], tmp_path: Path, until: Until, heard: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    line = make_line(url, workers=3)
    (tmp_path / "file").write_bytes(b"content")
    line.drop([str(tmp_path / "file")])
    until(lambda: line.station.counts().failed == 1)
    status = line_status(line, "http://127.0.0.1:8765")
    assert json.loads(json.dumps(status, allow_nan=False)) == status
    assert (status["receiver"], status["target"]) == ("http://127.0.0.1:8765", url)
    [(name, station)] = status["stations"].items()
    assert name == "send"
    figures = {field for field in Figures.__dataclass_fields__ if field not in {"start", "end"}}
    assert figures < station.keys()
    now = {key: station[key] for key in ("wanted", "running", "busy", "waiting", "failed")}
    assert now == {"wanted": 3, "running": 3, "busy": 0, "waiting": 0, "failed": 1}
    assert (station["arrivals"], station["finished"]) == (1, 0)
    assert station["retried"] >= 3  # then the target counts as down


def test_prometheus_reads_the_line(
    make_line: Callable[..., Line], receiver: Receiver, home: Home, tmp_path: Path, until: Until
) -> None:
    for i in range(20):
        (tmp_path / f"{i}.txt").write_text("x" * i)
    line = make_line(receiver.url, workers=3)
    line.tuner.start(home.ledger)
    line.drop([str(tmp_path / f"{i}.txt") for i in range(20)])
    until(lambda: line.read(60.0).finished == 20)
    line.pause()
    line.drop([str(tmp_path / f"{i}.txt") for i in range(5)], again=True)
    until(lambda: line.tuner.recommended is not None)
    control = ControlServer(home, status=dict, metrics=lambda: line_metrics(line))
    control.start()
    try:
        run = home.read_run() or {}
        url = f"{run['control']}/metrics"
        assert requests.get(url, timeout=30).status_code == 403
        headers = {"Authorization": f"Bearer {run['token']}"}
        answer = requests.get(url, headers=headers, timeout=30)
    finally:
        control.close()
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels["station"] == "send"
    }
    name = "dropline_station_"
    assert samples[name + "arrivals_total", None] == 25
    assert samples[name + "finished_total", None] == 20
    assert samples[name + "response_seconds_count", None] == 20
    assert samples[name + "response_seconds_bucket", "+Inf"] == 20
    assert samples[name + "arrival_rate", None] > 0
    assert samples[name + "workers_wanted", None] == 3
    assert samples[name + "busy_seconds_total", None] > 0
    assert samples[name + "workers_recommended", None] == line.tuner.recommended


def test_a_program_without_metrics_says_so(program: Program) -> None:
    assert program.ask("GET", "/metrics").status_code == 404


@given(st.lists(st.floats(0.0, 5000.0), max_size=50))
def test_buckets_count_what_is_at_most_as_long(seconds: list[float]) -> None:
    times = Percentiles()
    times.add(seconds)
    buckets = metrics._buckets(times)
    assert [count for _, count in buckets] == sorted(count for _, count in buckets)
    assert buckets[-1] == ("+Inf", len(seconds))
    for bound, count in buckets[:-1]:
        least = sum(each < 0.98 * float(bound) for each in seconds)
        assert least <= count <= sum(each < 1.02 * float(bound) for each in seconds)
