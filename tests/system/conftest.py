"""An X server, a window manager, and Dropline started on it as a user does."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
DRAG_SOURCE = Path(__file__).with_name("drag_source.py")
DROPLINE = Path(sys.executable).with_name("dropline")
Need = Callable[[str, str], str]


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for a true value and return it."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


class Lines:
    """What a program prints, line by line, without ever blocking the program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, args=(process.stdout,))
        self._thread.start()

    def _read(self, stream: Any) -> None:
        for line in stream:
            self._lines.put(line.strip())

    def get(self, seconds: float) -> str | None:
        """The next line, or None when there is none in time."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def join(self) -> None:
        """Read to the end."""
        self._thread.join()


class Screen:
    """An X display with a window manager."""

    def __init__(self, need_program: Need) -> None:
        self.xdotool = need_program("xdotool", "xdotool")
        read, write = os.pipe()
        self._server = subprocess.Popen(
            [need_program("Xvfb", "xvfb"), "-displayfd", str(write), "-screen", "0",
             "1600x1000x24", "-nolisten", "tcp"],
            pass_fds=[write], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(write)
        with os.fdopen(read) as number:
            display = number.readline().strip()
        # Of the tests' own: no session bus, so no tray and no notifications to somebody's desktop.
        unwanted = {"WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "DBUS_SESSION_BUS_ADDRESS"}
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        self.env = {**kept, "DISPLAY": f":{display}", "LC_ALL": "C.UTF-8"}
        self._openbox = need_program("openbox", "openbox")
        self._manager = self._manage()
        need_program("xprop", "x11-utils")
        try:
            until(self._is_managed, 60, "the window manager")
        except BaseException:
            self.close()
            raise

    def _manage(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([self._openbox], env=self.env, stderr=subprocess.DEVNULL)

    def _is_managed(self) -> bool:
        if self._manager.poll() is not None:  # where much goes on it finds no display at first
            self._manager = self._manage()
        answer = subprocess.run(
            ["xprop", "-root", "_NET_SUPPORTING_WM_CHECK"],
            env=self.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return "window id" in answer.stdout

    def do(self, *words: object) -> str:
        """Run xdotool."""
        done = subprocess.run(
            [self.xdotool, *map(str, words)],
            env=self.env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.strip()

    def window(self, title: str, process: subprocess.Popen[str]) -> str:
        """The id of the visible window of a title, once it is there."""

        def find() -> str:
            assert process.poll() is None, "the program ended"
            return self.do("search", "--onlyvisible", "--name", title).split("\n")[0]

        return str(until(find, 30, f"a window named {title}"))

    def place(self, window: str, x: int, y: int) -> None:
        """Move a window, and wait until it is there."""
        self.do("windowmove", "--sync", window, x, y)

    def centre(self, window: str) -> tuple[int, int]:
        """The middle of a window on the screen."""
        lines = self.do("getwindowgeometry", "--shell", window).splitlines()
        shape = {name: int(value) for name, value in (line.split("=") for line in lines)}
        return shape["X"] + shape["WIDTH"] // 2, shape["Y"] + shape["HEIGHT"] // 2

    def picture(self, path: Path) -> None:
        """Write what is on the screen, where ImageMagick is there to do it."""
        if shutil.which("import"):
            subprocess.run(
                ["import", "-window", "root", os.fspath(path)], env=self.env, check=False
            )

    def close(self) -> None:
        """End the window manager and the server."""
        for process in (self._manager, self._server):
            process.terminate()
            process.wait(60)


class Dropline:
    """The installed program, running with its window on a screen."""

    def __init__(self, screen: Screen, home: Path, *paths: object, log: Path) -> None:
        self.screen = screen
        self.home = home
        self.env = {**screen.env, "DROPLINE_HOME": os.fspath(home)}
        self.log = log
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [DROPLINE, *map(str, paths)], env=self.env, stderr=errors, text=True
            )
        try:
            self.window = screen.window("^Dropline", self.process)
            self.run = until(self._run_file, 30, "run.json")
        except AssertionError:
            self.process.kill()
            self.process.wait()
            raise AssertionError(log.read_text()) from None
        screen.place(self.window, 260, 20)

    def _run_file(self) -> dict[str, Any] | None:
        try:
            run: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        except (OSError, ValueError):
            return None
        return run

    @property
    def receiver(self) -> str:
        """The URL of the embedded receiver."""
        return str(self.run["receiver"])

    def status(self) -> dict[str, Any]:
        """The send station in `dropline status --json`."""
        done = subprocess.run(
            [DROPLINE, "status", "--json"],
            env=self.env, capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        station: dict[str, Any] = json.loads(done.stdout)["stations"]["send"]
        return station

    def stored(self) -> list[dict[str, Any]]:
        """Every file that the receiver lists."""
        files: list[dict[str, Any]] = []
        after = ""
        while True:
            page = requests.get(
                f"{self.receiver}/files", params={"limit": 1000, "after": after}, timeout=30
            ).json()
            files += page["files"]
            if page["next"] is None:
                return files
            after = page["next"]

    def wait_stored(self, count: int, seconds: float = 60) -> list[dict[str, Any]]:
        """The list of files once it is this long."""
        files: list[dict[str, Any]] = []

        def enough() -> bool:
            nonlocal files
            files = self.stored()
            return len(files) >= count

        try:
            until(enough, seconds, f"{count} files at the receiver")
        except AssertionError as error:
            known = f"{len(files)} there; {self.status()}; {self.log.read_text()}"
            raise AssertionError(f"{error}: {known}") from None
        return files

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)


@pytest.fixture(scope="session")
def screen(need_program: Need) -> Iterator[Screen]:
    """A screen for all tests of the run."""
    made = Screen(need_program)
    yield made
    made.close()


@pytest.fixture
def start(screen: Screen, dropline_home: Path, tmp_path: Path) -> Iterator[Callable[..., Dropline]]:
    """`start(PATH…)`: the program, ended after the test."""
    started: list[Dropline] = []

    def begin(*paths: object) -> Dropline:
        program = Dropline(screen, dropline_home, *paths, log=tmp_path / "dropline.err")
        started.append(program)
        return program

    yield begin
    for program in started:
        screen.picture(tmp_path / "screen.png")
        try:
            program.end()
        except subprocess.TimeoutExpired:
            program.process.kill()
            program.process.wait()
            raise
        print(program.log.read_text())


@pytest.fixture
def drag(screen: Screen) -> Iterator[Callable[..., str]]:
    """`drag(onto, paths…)`: drag from another program by the mouse; how the drop ended."""
    started: list[tuple[subprocess.Popen[str], Lines]] = []

    def perform(onto: str, arguments: Sequence[object]) -> str:
        process = subprocess.Popen(
            [sys.executable, os.fspath(DRAG_SOURCE), *map(str, arguments)],
            env=screen.env, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        lines = Lines(process)
        started.append((process, lines))
        assert lines.get(30) == "ready"
        source = screen.window("^Drag source", process)
        screen.place(source, 20, 20)
        for step in range(60):  # Qt begins a drag on a move, once it has seen the button
            if step % 10 == 0:  # pressed where the window was not yet, or was covered
                screen.do("mouseup", 1, "windowraise", source)
                x, y = screen.centre(source)
                screen.do("mousemove", "--sync", x, y, "mousedown", 1)
            screen.do("mousemove", "--sync", x + 12, y + 6 + step % 2)
            if (line := lines.get(0.5)) is not None:
                break
        assert line == "started"
        to_x, to_y = screen.centre(onto)
        accepted = None
        for step in range(1, 60):  # the target answers each move; some come before it listens
            share = min(1.0, step / 8)
            wiggle = step % 2
            screen.do(
                "mousemove", "--sync",
                round(x + (to_x - x) * share) + wiggle, round(y + (to_y - y) * share),
            )  # fmt: skip
            if step > 8 and (accepted or step > 20):
                break
            while (line := lines.get(0.1 if step >= 8 else 0.001)) is not None:
                accepted = line == "action CopyAction"
        screen.do("mouseup", 1)
        ended = until(lambda: lines.get(0.5), 20, "the end of the drag")
        while not ended.startswith("dropped"):
            ended = until(lambda: lines.get(0.5), 20, "the end of the drag")
        return str(ended.removeprefix("dropped "))

    yield perform
    screen.do("mouseup", 1)
    for process, lines in started:
        process.terminate()
        process.wait(60)
        lines.join()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def lasting_folder() -> Iterator[Path]:
    """A folder outside the system's temporary ones, so that nothing dropped from it is held."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="drag-", dir=build))
    yield folder
    shutil.rmtree(os.fsencode(folder))
