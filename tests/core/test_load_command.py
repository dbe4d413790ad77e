"""`dropline load`: theory beside measurement, clear errors, and nothing left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dropline.cli import main
from dropline.home import Home
from dropline.intake import Spool
from dropline.meter import measure
from dropline.receiver import Receiver

Until = Callable[..., None]
Done = subprocess.CompletedProcess[str]
DROPLINE = (sys.executable, "-m", "dropline_desktop")
#: Fast jobs, so that a run takes half a second.
QUICK = ("--rate", "400", "--mean", "0.002", "--jobs", "200")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """`call("--jobs", 3)`: run the command in this process."""

    def run(*arguments: object) -> Done:
        try:
            status = main(["load", *map(str, arguments)])
        except SystemExit as end:
            status = int(end.code or 0)
        output, errors = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, output, errors)

    return run


def test_theory_stands_beside_what_was_measured(call: Callable[..., Done]) -> None:
    done = call(*QUICK, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["theory"]["model"] == "M/M/4"
    assert answer["theory"]["arrival_rate"] == 400
    assert answer["theory"]["utilisation"] == pytest.approx(0.2)
    assert answer["measured"].keys() >= answer["theory"].keys() - {"model", "drain"}
    assert answer["measured"]["arrivals"] <= 200
    assert answer["verdict"] in {"valid", "doubtful"}
    assert answer["by_chance"].keys() == answer["theory"].keys() - {"model", "drain"}
    assert (
        answer["by_chance"]["utilisation"]["low"] < 0.2 < answer["by_chance"]["utilisation"]["high"]
    )


def test_people_get_a_table_and_a_sentence(call: Callable[..., Done]) -> None:
    done = call("--rate", 100, "--mean", 0.005, "--seconds", 0.1, "--service", "fixed")
    assert done.returncode == 0
    assert "theory M/D/4" in done.stdout
    assert "Take M/D/4 with care: only" in done.stdout


def test_a_line_that_cannot_keep_up_says_so(call: Callable[..., Done]) -> None:
    done = call("--rate", 300, "--mean", 0.02, "--seconds", 0.3, "--workers", 2, "--json")
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "unstable"
    assert answer["theory"]["mean_in_system"] == answer["theory"]["response_p95"] == "inf"
    assert answer["why"].startswith("Unstable: 300 jobs a second come and 2 workers can do 100,")
    assert answer["why"].endswith("7 workers keep up.")


def test_a_batch_is_told_of_by_how_long_it_took(call: Callable[..., Done]) -> None:
    done = call("--arrivals", "batch", "--jobs", 40, "--mean", 0.005, "--json")
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["measured"]["finished"]) == ("batch", 40)
    low, expected, high = (answer["theory"]["drain"][key] for key in ("low", "expected", "high"))
    assert low < expected < high
    assert answer["seconds"] >= 0.005


def test_no_formula_holds_for_a_ramp(call: Callable[..., Done]) -> None:
    done = call("--arrivals", "ramp", "--rate", 10, "--last-rate", 200, "--seconds", 0.5)
    assert done.returncode == 0
    assert "No formula holds where the arrival rate changes" in done.stdout


def test_a_load_is_recorded_and_comes_again(call: Callable[..., Done], tmp_path: Path) -> None:
    log = tmp_path / "load.jsonl"
    assert call(*QUICK, "--record", log).returncode == 0
    assert measure(log, -1, 60)["finished"] == 200
    again = json.loads(call("--arrivals", log, "--mean", 0.002, "--json").stdout)
    assert again["measured"]["arrivals"] <= 200
    assert again["theory"]["model"] == "G/M/4"


def test_a_log_that_cannot_be_written_is_told_of(call: Callable[..., Done], tmp_path: Path) -> None:
    done = call(*QUICK, "--record", tmp_path)
    assert done.returncode == 0
    assert "theory M/M/4" in done.stdout
    assert done.stderr.startswith(f"dropline load: Recording to {tmp_path} stopped: ")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--rate", "0"], "a rate of 0.0 arrivals a second: choose a number above 0"),
        (["--mean", "0"], "a mean service time of 0 seconds: choose more"),
        (["--workers", "0"], "--workers 0: use 1 to 256"),
        (["--jobs", "0"], "--jobs 0: use 1 or more"),
        (["--seconds", "inf"], "--seconds inf: use more than 0"),
        (["--scv", "2"], "--scv is of lognormal values: those that are exp have their own"),
        (["--contention", "2"], "a contention of 2: choose 0 to 1"),
        (["--size", "4K"], "--size 4K: write bytes, such as 4096, or several: 4096,65536"),
        (["--arrivals", "ramp"], "a ramp ends at another rate: add --last-rate λ"),
        (["--last-rate", "3"], "--last-rate is of a ramp: add --arrivals ramp"),
        (
            ["--arrivals", "nix"],
            "--arrivals: use poisson, even, batch, ramp or a recorded log (nix can't be read: ",
        ),
        (["--to", "nix://x"], "--to: "),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    call: Callable[..., Done], options: list[str], error: str
) -> None:
    done = call(*options)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"dropline load: {error}")


def test_real_files_are_sent_and_leave_nothing_here(
    call: Callable[..., Done], receiver: Receiver, stored: Any, dropline_home: Path
) -> None:
    done = call("--to", receiver.url, "--rate", 200, "--jobs", 30, "--size", "10,3000", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    files = stored.files()
    assert len(files) == 30
    assert {file["size"] for file in files} == {10, 3000}
    assert all(file["name"].startswith("simulated load/") for file in files)
    assert json.loads(done.stdout)["theory"]["model"] == "M/G/4"
    assert list(Home(dropline_home).spool.iterdir()) == []
    assert not Home(dropline_home).journal.exists()


def test_files_that_fail_are_told_of(
    call: Callable[..., Done], rogue: Any, dropline_home: Path
) -> None:
    server = rogue(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    done = call("--to", server.url, "--rate", 200, "--jobs", 3)
    assert done.returncode == 1
    assert done.stderr.startswith("3 jobs failed, the last for this reason: ")
    assert list(Home(dropline_home).spool.iterdir()) == []


def test_what_a_killed_load_leaves_goes_at_the_next_start(
    receiver: Receiver, stored: Any, dropline_home: Path, until: Until
) -> None:
    command = [*DROPLINE, "load", "--to", receiver.url, "--rate", "50", "--seconds", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        until(stored.files, 60)
        process.kill()
    home = Home(dropline_home)
    assert not home.journal.exists()
    assert not home.run_file.exists()
    Spool(home.spool).sweep()  # as each line does at its start
    assert list(home.spool.iterdir()) == []


def test_a_signal_ends_it_with_what_was_measured(until: Until, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    command = [*DROPLINE, "load", "--seconds", "600", "--rate", "100", "--record", str(log)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: log.exists() and log.stat().st_size > 1000, 60)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")
    assert "theory M/M/4" in output
    assert "such runs" not in output  # it was not as long as they would be
