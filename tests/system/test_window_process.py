"""The program as a process: started, asked, tuned and ended as a user or the system does it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from dropline_desktop.settings import Settings

from .conftest import DROPLINE, until

#: The keys of DESIGN §3 and §5 that `dropline status --json` has for a station.
STATE = {"wanted", "running", "busy", "waiting", "failed"}
FIGURES = {
    "arrivals", "finished", "retried", "cancelled", "arrival_rate", "throughput", "service_rate",
    "mean_in_system", "mean_waiting", "mean_busy", "mean_workers", "utilisation", "mean_response",
    "mean_wait",
}  # fmt: skip


def fill(folder: Path, count: int, size: int = 2048) -> dict[str, str]:
    """Fill a folder with files; name → SHA-256."""
    folder.mkdir(parents=True)
    digests: dict[str, str] = {}
    for number in range(count):
        data = f"{number} ".encode() * (size // 5)
        (folder / f"{number}.txt").write_bytes(data)
        digests[f"{folder.name}/{number}.txt"] = sha256(data).hexdigest()
    return digests


def test_the_window_tells_its_figures_and_takes_paths_of_a_second_start(start, tmp_path) -> None:
    first, second = fill(tmp_path / "first", 20), fill(tmp_path / "second", 20)
    program = start(tmp_path / "first")
    assert program.screen.do("getwindowname", program.window).startswith("Dropline")
    assert (program.home / "run.json").stat().st_mode & 0o777 == 0o600
    assert program.run["pid"] == program.process.pid
    program.wait_stored(len(first))
    again = subprocess.run(
        [DROPLINE, os.fspath(tmp_path / "second")], env=program.env, timeout=30, check=False
    )
    assert again.returncode == 0
    stored = program.wait_stored(len(first) + len(second))
    assert {file["name"]: file["sha256"] for file in stored} == first | second

    status = program.status()
    assert status.keys() >= STATE | FIGURES
    until(lambda: program.status()["finished"] == 40, 10, "the figures")


def test_workers_set_by_keyboard_in_the_middle_of_a_run(
    start, lasting_folder, dropline_home
) -> None:
    expected = fill(lasting_folder / "many", 1500)
    # 3 MB at a limited rate: the run lasts, however quick the machine is.
    Settings(dropline_home).limit = 300_000
    program = start()
    program.screen.do("windowactivate", "--sync", program.window)
    command = [DROPLINE, lasting_folder / "many"]
    subprocess.run(command, env=program.env, timeout=30, check=True)
    until(lambda: program.status()["busy"] > 0, 20, "the first upload")
    # Alt+W is the mnemonic of the label of the spin box.
    program.screen.do("key", "alt+w", "8", "Return")
    until(lambda: program.status()["wanted"] == 8, 20, "8 wanted workers")
    until(lambda: program.status()["running"] == 8, 20, "8 running workers")
    stored = program.wait_stored(len(expected), 90)
    assert len(stored) == len(expected)
    assert {file["name"]: file["sha256"] for file in stored} == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_in_the_middle_of_an_upload(start, lasting_folder, number) -> None:
    with (lasting_folder / "large.bin").open("wb") as file:
        file.truncate(2_000_000_000)
    program = start(lasting_folder / "large.bin")
    until(lambda: program.status()["busy"] == 1, 20, "the upload to run")
    assert program.end(number) == 0
    assert not (program.home / "run.json").exists()
    receiver = program.home / "receiver"
    assert list(receiver.rglob("*.part")) == []


def test_closing_the_window_ends_the_program(start) -> None:
    program = start()
    program.screen.do("windowactivate", "--sync", program.window)
    program.screen.do("key", "alt+F4")
    assert program.process.wait(60) == 0
    assert not (program.home / "run.json").exists()


@pytest.mark.timeout(600)
def test_without_a_display_the_guided_demo_runs(tmp_path, dropline_home) -> None:
    unset = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    env = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [DROPLINE], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=580, check=False
    )
    assert done.returncode == 0, done.stderr
    for symbol in "λμρLτ":
        assert f"\n   {symbol}  " in done.stdout
    picture = QImage(os.fspath(tmp_path / "dropline-demo.png"))
    assert picture.width() >= 1024
    colours = {picture.pixel(x, 300) for x in range(picture.width())}
    assert len(colours) > 5  # not blank


def test_the_window_is_there_before_the_engine_and_stays_responsive(start, tmp_path) -> None:
    """A drop on the command line of many files: status answers all the while."""
    fill(tmp_path / "files", 600, 64)
    program = start(tmp_path / "files")
    answers = 0
    done = threading.Event()

    def watch() -> None:
        program.wait_stored(600)
        done.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    while not done.is_set():
        assert program.status()["wanted"] == 4
        answers += 1
        assert time.monotonic() - began < 90
    watcher.join()
    assert answers
