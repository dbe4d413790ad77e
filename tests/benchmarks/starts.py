"""How long a start takes: of the window until it can be seen, and of commands until they end."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from grounds import Grounds
from report import ROUNDS, Section, Table, middle, progress, spread

#: What `dropline` does, and an end once the window is on the screen.
WINDOW = """
from PySide6.QtCore import QTimer
from dropline.home import Home
from dropline_desktop.app import Application, make_qt

qt = make_qt()
app = Application(qt, Home.default(), port=0)
app.finished.connect(qt.quit)
app.start()

def look():
    if app.window.windowHandle().isExposed():
        print("visible", flush=True)
        look_again.stop()
        app.shutdown()

look_again = QTimer()
look_again.timeout.connect(look)
look_again.start(1)
qt.exec()
"""
COMMANDS = (
    ("dropline --help", ["--help"]),
    ("dropline model mm1", ["model", "mm1", "--arrival-rate", "1", "--service-rate", "2"]),
    ("dropline send --help", ["send", "--help"]),
)


def bench(_grounds: Grounds, *, quick: bool) -> Section:
    """Each start cold once and then warm; one warm run when quick."""
    runs = 1 if quick else ROUNDS
    table = Table(["start", "cold, s", "warm, s", "least to greatest, ms"])
    for name, command in (
        ("window, visible", ["-c", WINDOW]),
        *((name, ["-m", "dropline_desktop", *words]) for name, words in COMMANDS),
    ):
        _forget()
        cold = _start(command)
        _start(command)
        warm = [_start(command) for _ in range(runs)]
        table.rows.append(
            [name, middle([cold]), middle(warm), spread([each * 1e3 for each in warm])]
        )
        progress(f"{name}: {middle(warm)} s")
    return Section(
        "Starts",
        "From the start of the process to its first words: the window's once it is on the screen "
        f"(platform {_platform()}), a command's own. Cold: Python's and the libraries' files are "
        "no longer in memory, but for those that another program has mapped.",
        [table],
    )


def _platform() -> str:
    return os.environ.get("QT_QPA_PLATFORM", "offscreen")


def _start(command: list[str]) -> float:
    """Seconds until the process has printed a line."""
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "QT_QPA_PLATFORM": _platform(), "DROPLINE_HOME": home}
        began = time.monotonic()
        with subprocess.Popen(
            [sys.executable, *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            took = time.monotonic() - began
            _, errors = process.communicate()
        if not line or process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}: {errors.decode()}")
    return took


def _forget() -> None:
    """Ask the system to drop the files of Python and of the libraries from memory."""
    for folder in {sysconfig.get_path("stdlib"), sysconfig.get_path("platlib")}:
        for path in Path(folder).rglob("*"):
            if path.is_file():
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(descriptor)
