"""The commands: what they print, what they exit with, and how they end.

They run as processes where that matters (signals, streams, what is imported), and in this one,
through the same entry, where many cases are looked at.
"""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import requests

from dropline.cli import COMMANDS, main
from dropline.cli.signals import stop_on_signals
from dropline.control import ControlServer
from dropline.home import Home
from dropline.receiver import Receiver
from dropline.station.limit import BURST

Until = Callable[..., None]
Done = subprocess.CompletedProcess[str]
Call = Callable[..., Done]
RATES = ("--arrival-rate", "1", "--service-rate", "1")
DROPLINE = (sys.executable, "-m", "dropline_desktop")
LOGS = json.loads((Path(__file__).parents[1] / "data" / "logs.json").read_text())


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """`call("send", PATH)`: run the command in this process."""

    def run(*arguments: str | Path) -> Done:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        output, errors = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, output, errors)

    return run


def dropline(*arguments: str | Path, **options: Any) -> Done:
    """Run the command as a process, to its end."""
    return subprocess.run(
        [*DROPLINE, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        errors="surrogateescape",
        **options,
    )


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The command as a process while it runs; it is killed if it is still there at the end."""
    with subprocess.Popen(
        [*DROPLINE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def assert_one_line_of_error(done: Done, status: int = 1) -> str:
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    return line


def write(path: Path, content: bytes = b"content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A recorded log, the first of the reference."""
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in LOGS[0]["log"]))
    return path


# --- all commands ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(call: Call, command: str) -> None:
    done = call(command, "--help")
    assert done.returncode == 0
    assert "example:\n" in done.stdout
    assert f"\n  dropline {command}" in done.stdout
    assert "--debug" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["send"], "PATH"),
        (["send", "x", "--workers", "many"], "--workers"),
        (["send", "x", "--workers", "0"], "use 1 to 256"),
        (["send", "x", "--workers", "257"], "use 1 to 256"),
        (["send", "x", "--limit", "fast"], "such as 800K, 5M"),
        (["send", "x", "--limit", "1K"], "use 10K or more"),
        (["send", "x", "--to", "ftp://host"], "use http://host:port"),
        (["send", ""], "a PATH is empty"),
        (["send", "--watch"], "--watch"),
        (["send", "--watch", "/no/such"], "name a folder that is there"),
        (["send", "x", "--colour"], "--colour"),
        (["serve", "--port", "65536"], "use 0 to 65535"),
        (["serve", "--port", "-1"], "use 0 to 65535"),
        (["serve", "--small", "16k"], "use a number of bytes from 0 to 1048576"),
        (["serve", "--small", "1048577"], "use a number of bytes from 0 to 1048576"),
        (["measure", "log", "--start", "0"], "--end"),
        (["model", "mm2", *RATES], "mm2"),
        (["model", "mm1", "--arrival-rate", "1"], "--service-rate"),
        (["model", "mm1", *RATES, "--workers", "2"], "mm1 takes no --workers: use mmc"),
        (["model", "mg1", *RATES, "--percentile", "0.9"], "use mm1, mmc"),
        (["model", "mmc", *RATES, "--percentile", "95"], "such as 0.95"),
        (["model", "mmc", *RATES, "--time", "-1"], "0 or more"),
        (["model", "mmc", *RATES, "--workers", "0"], "from 1 to"),
        (["model", "mmc", *RATES, "--workers", "2.5"], "--workers"),
        (["model", "mmck", *RATES], "--capacity"),
        (["model", "mmck", *RATES, "--workers", "3", "--capacity", "2"], "2 places for 3 workers"),
        (["model", "ggc", *RATES, "--scv-service", "nan"], "variability of service times"),
        (["model", "mm1", "--arrival-rate", "-1", "--service-rate", "1"], "arrival rate"),
        (["model", "erlang_b", "--arrival-rate", "1", "--service-rate", "0"], "service rate"),
        (["status", "extra"], "extra"),
    ],
)
def test_wrong_usage_is_told_in_one_line(call: Call, arguments: list[str], reason: str) -> None:
    line = assert_one_line_of_error(call(*arguments), status=2)
    assert line.startswith(f"dropline {arguments[0]}: ")
    assert reason in line


def test_the_commands_start_without_qt_and_numpy() -> None:
    code = (
        "import sys, importlib, dropline.cli as cli;"
        "early = set(sys.modules);"
        "[importlib.import_module(f'dropline.cli.{name}') for name in cli.COMMANDS];"
        "heavy = {'PySide6', 'pyqtgraph', 'shiboken6', 'numpy', 'dropline_desktop'};"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys();"
        "assert not {'requests', 'rich', 'flask', 'sqlalchemy'} & early, early"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_data_folder_that_cannot_be_used_is_told_with_the_remedy(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPLINE_HOME", str(write(tmp_path / "file") / "home"))
    line = assert_one_line_of_error(call("send", tmp_path / "file"))
    assert "cannot be used (Not a directory): set DROPLINE_HOME" in line
    assert "nothing runs" in assert_one_line_of_error(call("status"))
    line = assert_one_line_of_error(call("serve", "--port", "0"))
    assert "give another folder with --data" in line


def test_an_error_shows_where_it_came_from_with_debug_only(tmp_path: Path) -> None:
    arguments = ["measure", tmp_path / "two\nlines", "--start", "0", "--end", "1"]
    line = assert_one_line_of_error(dropline(*arguments))
    assert line.endswith("two lines can't be read: No such file or directory")
    done = dropline(*arguments, "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("No such file or directory\n")


def test_a_reader_that_has_seen_enough_ends_a_command_quietly(log: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as closed:
        done = subprocess.run(
            [*DROPLINE, "measure", log, "--start", "0", "--end", "1"],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"")


# --- measure --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LOGS, ids=lambda case: case["name"])
def test_measure_gives_the_figures_of_the_reference(
    call: Call, tmp_path: Path, case: dict[str, Any]
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(entry) + "\n" for entry in case["log"]))
    for window in case["windows"]:
        edges = ["--start", str(window["start"]), "--end", str(window["end"])]
        done = call("measure", log, *edges, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        figures = json.loads(done.stdout)
        for key, expected in window["expect"].items():
            if expected is None:
                assert figures[key] is None
            else:
                assert figures[key] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_measure_prints_a_table_for_people_whatever_the_encoding(log: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = dropline("measure", log, "--start", "0", "--end", "4", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"arrival_rate\W+0\.25\b", done.stdout)
    assert re.search(r"arrivals\W+1\b", done.stdout)
    assert dropline("measure", "--help", env=environment).returncode == 0


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [("4", "4", "must end after its start"), ("nan", "1", "must end after its start")],
)
def test_measure_refuses_an_empty_window(
    call: Call, log: Path, start: str, end: str, reason: str
) -> None:
    line = assert_one_line_of_error(call("measure", log, "--start", start, "--end", end))
    assert reason in line


def test_measure_tells_of_a_damaged_log(call: Call, log: Path) -> None:
    content = log.read_text()
    log.write_text(content + '{"t": 9, "ki')
    done = dropline("measure", log, "--start", "0", "--end", "4", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["finished"] == 1
    assert re.fullmatch(r".*log.jsonl, line \d+: cut short, so it is left out\.\n", done.stderr)
    log.write_text("[1]\n" + content)
    line = assert_one_line_of_error(call("measure", log, "--start", "0", "--end", "4"))
    assert "line 1: not a JSON object" in line


# --- send -----------------------------------------------------------------------------------------


def test_send_exits_with_0_once_every_file_is_verified(
    call: Call, receiver: Receiver, stored: Any, tmp_path: Path, dropline_home: Path
) -> None:
    names = ["a b", "照片😀", "two\nlines", "[bold]x[/bold]", "-rf"]
    for name in names:
        write(tmp_path / "tree" / name, name.encode())
    write(tmp_path / "tree" / "caf\udce9", b"latin")
    done = dropline("send", tmp_path / "tree", "--to", receiver.url, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    outcome = json.loads(done.stdout)
    assert outcome["failed"] == []
    assert {item["path"]: item["sha256"] for item in outcome["sent"]} == {
        **{f"{tmp_path}/tree/{name}": sha256(name.encode()).hexdigest() for name in names},
        f"{tmp_path}/tree/caf\\xe9": sha256(b"latin").hexdigest(),
    }
    assert {item["file_id"] for item in outcome["sent"]} == {f["file_id"] for f in stored.files()}
    assert {(item["size"], item["duplicate"]) for item in outcome["sent"]} >= {(5, False)}
    station = outcome["station"]
    assert (station["arrivals"], station["finished"], station["failed"]) == (6, 6, 0)
    assert station["wanted"] == 4
    assert sorted(os.listdir(dropline_home)) == ["installation", "journal.sqlite", "spool"]
    assert os.listdir(dropline_home / "spool") == []

    unchanged = call("send", tmp_path / "tree", "--to", receiver.url)
    assert (unchanged.returncode, unchanged.stderr) == (0, "")
    assert unchanged.stdout.startswith(
        "0 files sent and verified, 0 bytes.\n"
        "6 files unchanged since sent there earlier, so not sent again (--again sends them).\n"
    )
    again = call("send", tmp_path / "tree", "--to", receiver.url, "--again")
    assert (again.returncode, again.stderr) == (0, "")
    size = sum(len(name.encode()) for name in names) + 5
    assert again.stdout.startswith(
        f"6 files sent and verified, {size} bytes (6 of them were there already).\n"
    )


def test_send_exits_with_1_and_lists_what_was_not_sent(
    call: Call, receiver: Receiver, stored: Any, tmp_path: Path
) -> None:
    write(tmp_path / "tree" / "good")
    os.mkfifo(tmp_path / "tree" / "pipe")
    (tmp_path / "tree" / "[red]link").symlink_to("gone")
    paths = [tmp_path / "tree", tmp_path / "caf\udce9 gone", "--to", receiver.url]
    done = dropline("send", *paths)
    assert done.returncode == 1
    assert done.stdout.startswith(
        "1 file sent and verified, 7 bytes.\n3 files not sent; the reasons stand above.\n"
    )
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert any(f"“{tmp_path}/tree/pipe” is a named pipe" in line for line in lines)
    assert any("[red]link” is a link to something that is not there" in line for line in lines)
    assert any("caf\\xe9 gone” is not there any more" in line for line in lines)

    outcome = json.loads(call("send", *paths, "--json", "--again").stdout)
    assert [item["path"] for item in outcome["sent"]] == [f"{tmp_path}/tree/good"]
    assert {Path(item["path"]).name for item in outcome["failed"]} == {
        "pipe", "[red]link", "caf\\xe9 gone",
    }  # fmt: skip
    assert all(item["reason"] for item in outcome["failed"])


def test_send_takes_relative_paths_and_names_with_a_dash(
    call: Call,
    receiver: Receiver,
    stored: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "-rf")
    write(tmp_path / "sub" / "file")
    done = call("send", "--to", receiver.url, "--", "-rf", "sub/../sub")
    assert done.returncode == 0, done.stderr
    assert set(stored.digests()) == {"-rf", "sub/file"}


def test_send_keeps_to_a_limit(call: Call, receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "file", bytes(100_000))
    done = call("send", path, "--to", receiver.url, "--limit", "200 kB/s", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [item["size"] for item in told["sent"]] == [100_000]
    station = told["station"]
    # The bucket begins empty, and what a busy machine missed may come in a burst.
    assert station["bytes_per_second"] <= 200_000 * (1 + BURST / station["window"])


def test_send_shows_the_figures_to_who_looks_on(receiver: Receiver, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 100 << 20)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*DROPLINE, "send", path, "--to", receiver.url],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
        os.close(ours)
        assert process.wait(timeout=60) == 0
    assert "λ /s".encode() in seen
    assert b"Traceback" not in seen


def test_send_can_be_stopped(rogue: Any, tmp_path: Path, dropline_home: Path, until: Until) -> None:
    server = rogue(lambda server, _connection, _request: server.stop.wait(60))
    for name in "abcdef":
        write(tmp_path / "tree" / name)
    with running("send", tmp_path / "tree", "--to", server.url, "--json") as process:
        until(lambda: len(server.requests) == 4, 60)
        assert json.loads((dropline_home / "run.json").read_text())["target"] == server.url
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (143, "")
    outcome = json.loads(output)
    assert outcome["sent"] == []
    assert sorted(Path(item["path"]).name for item in outcome["failed"]) == list("abcdef")
    assert {item["reason"] for item in outcome["failed"]} == {
        "Not sent: the sender was stopped. Send it again."
    }
    assert not (dropline_home / "run.json").exists()


def test_a_stopped_send_tells_people_how_much_is_left(
    rogue: Any, tmp_path: Path, until: Until
) -> None:
    server = rogue(lambda server, _connection, _request: server.stop.wait(60))
    write(tmp_path / "file")
    with running("send", tmp_path / "file", "--to", server.url) as process:
        until(lambda: server.requests, 60)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")
    assert output.startswith(
        "0 files sent and verified, 0 bytes.\n1 file left when it was stopped: send again.\n"
    )


def test_send_watches_folders_until_it_is_stopped(
    receiver: Receiver, stored: Any, tmp_path: Path, until: Until
) -> None:
    write(tmp_path / "a" / "before")
    (tmp_path / "b").mkdir()
    folders = ["--watch", tmp_path / "a", tmp_path / "b"]
    with running("send", *folders, "--to", receiver.url) as process:
        until(lambda: set(stored.digests()) == {"a/before"}, 60)
        write(tmp_path / "b" / "sub" / "after")
        until(lambda: len(stored.files()) == 2, 60)
        os.rename(tmp_path / "b", tmp_path / "c")
        assert process.stderr is not None
        told = [process.stderr.readline() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (143, "")
    assert sorted(told[:2]) == [f"Watching {tmp_path}/a.\n", f"Watching {tmp_path}/b.\n"]
    assert told[2].startswith(f"“{tmp_path}/b” is not there")
    assert output.startswith(
        f"Sent and verified: {tmp_path}/a/before, 7 bytes\n"
        f"Sent and verified: {tmp_path}/b/sub/after, 7 bytes\n"
        "2 files sent and verified, 14 bytes.\n"
    )


def test_send_refuses_to_watch_a_folder_twice(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    done = call("send", "--watch", tmp_path / "a", "--watch", tmp_path / "a" / "b")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        f"--watch: “{tmp_path}/a/b” is watched already, as a part of “{tmp_path}/a”.\n"
    )


def test_a_watching_send_prints_each_outcome_as_a_line_of_json(
    receiver: Receiver, tmp_path: Path
) -> None:
    write(tmp_path / "a" / "file")
    arguments = [tmp_path / "gone", "--watch", tmp_path / "a", "--to", receiver.url, "--json"]
    with running("send", *arguments) as process:
        assert process.stdout is not None
        refused, sent = (json.loads(process.stdout.readline()) for _ in range(2))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert refused["path"] == f"{tmp_path}/gone"
    assert "not there" in refused["reason"]
    assert sent == sent | {"path": f"{tmp_path}/a/file", "size": 7, "duplicate": False}
    last = json.loads(output)
    assert (last["sent"], last["failed"], last["station"]["finished"]) == ([], [], 1)


# --- status ---------------------------------------------------------------------------------------


def test_status_of_nothing(call: Call, dropline_home: Path) -> None:
    line = assert_one_line_of_error(call("status", "--json"))
    assert line == (
        f"dropline status: nothing runs with the data folder {dropline_home}: "
        "start it with dropline"
    )
    write(dropline_home / "run.json", b'{"pid": 1, "control": "http://127.0.0.1:1", "token": "x"}')
    assert "nothing runs" in assert_one_line_of_error(call("status"))


def test_status_of_a_running_sender(call: Call, rogue: Any, tmp_path: Path, until: Until) -> None:
    server = rogue(lambda server, _connection, _request: server.stop.wait(60))
    for name in "abcdef":
        write(tmp_path / "tree" / name, bytes(3 << 20))  # too large for two to a request
    with running("send", tmp_path / "tree", "--to", server.url, "--workers", "3") as process:
        until(lambda: len(server.requests) == 3, 60)
        done = dropline("status", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        status = json.loads(done.stdout)
        assert status["receiver"] is None
        station = status["stations"]["send"]
        now = {key: station[key] for key in ("wanted", "running", "busy", "waiting", "failed")}
        assert now == {"wanted": 3, "running": 3, "busy": 3, "waiting": 3, "failed": 0}
        assert LOGS[0]["windows"][0]["expect"].keys() <= station.keys()
        assert (station["arrivals"], station["finished"]) == (6, 0)
        # The bytes on their way may have a pace already; a range comes with finished files.
        assert (station["eta_low"], station["eta_high"]) == (None, None)
        table = call("status")
        assert (table.returncode, table.stderr) == (0, "")
        assert re.search(r"waiting\W+3\b", table.stdout)
        # A second sender leaves the first's run file alone.
        assert call("send", tmp_path / "gone", "--to", server.url).returncode == 1
        assert call("status", "--json").returncode == 0
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def test_send_goes_to_the_receiver_of_the_running_window(
    call: Call, receiver: Receiver, stored: Any, tmp_path: Path, dropline_home: Path
) -> None:
    window = ControlServer(Home(dropline_home), status=dict)
    window.start(receiver=receiver.url)
    try:
        done = call("send", write(tmp_path / "file"))
        assert done.returncode == 0, done.stderr
        assert (dropline_home / "run.json").exists()
    finally:
        window.close()
    assert [file["name"] for file in stored.files()] == ["file"]


# --- serve ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_stores_until_it_is_stopped(tmp_path: Path, dropline_home: Path, number: int) -> None:
    options = ["--port", "0", "--data", tmp_path / "inbox", "--small", "0"]
    with running("serve", *options) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"Receiver listening at (http://127\.0\.0\.1:\d+); files .*\n", line)
        assert match is not None, line
        assert str(tmp_path / "inbox") in line
        answer = requests.post(f"{match[1]}/upload", files={"file": ("a.txt", b"content")})
        assert answer.json()["status"] == "success"
        assert [path.read_bytes() for path in tmp_path.glob("inbox/files/*/*")] == [b"content"]
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "", "")
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{match[1]}/healthz")


def test_serve_takes_the_next_port_when_its_own_is_taken(call: Call, dropline_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running("serve", "--port", str(port)) as process:
            assert process.stdout is not None
            assert f"Port {port} is taken" in process.stdout.readline()
            line = process.stdout.readline()
            assert re.search(r"listening at http://127\.0\.0\.1:\d+", line)
            assert f":{port};" not in line
            assert str(dropline_home / "receiver") in line
            # Nor do two share a data folder.
            second = assert_one_line_of_error(call("serve", "--port", "0"))
            assert "Another receiver uses" in second
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--host", "0.0.0.0"], "needs a token: give one with --token"),
        (["--host", "203.0.113.7", "--token", "x"], ""),
        (["--port", "0", "--database", "nonsense"], ""),
    ],
)
def test_serve_says_why_it_cannot(call: Call, arguments: list[str], reason: str) -> None:
    line = assert_one_line_of_error(call("serve", *arguments))
    assert line.startswith("dropline serve: ")
    assert reason in line
    assert "use --debug" not in line


# --- signals --------------------------------------------------------------------------------------


def test_a_signal_at_any_moment_is_heard() -> None:
    """Also one that comes in the middle of a wait for it."""
    before = signal.getsignal(signal.SIGINT)
    for _ in range(200):
        with stop_on_signals() as stop:
            assert not stop.wait(0)
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(60)
            assert stop.wait()
            assert stop.is_set()
            assert stop.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) is before
