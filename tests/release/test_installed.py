"""The wheel in an environment that holds nothing else: what users get who install Dropline."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of the environment.

    The libraries are those that bootstrap left in uv's cache, else the network's.
    """
    uv = find_uv_bin()
    place = tmp_path_factory.mktemp("installed")
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(place), versions=["standard"]))
    python = place / "env" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, place / "env"], check=True)
    install = [
        uv, "pip", "install", "--quiet", "--python", str(python),
        "--constraint", str(ROOT / "requirements.lock"), wheel,
    ]  # fmt: skip
    if subprocess.run([*install, "--offline"], capture_output=True, check=False).returncode:
        subprocess.run(install, check=True)
    return python.parent


def run(programs: Path, *arguments: str | Path) -> str:
    """What the installed command prints; it must end well."""
    done = subprocess.run(
        [programs / "dropline", *arguments],
        capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=programs,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@contextmanager
def serving(programs: Path, data: Path) -> Iterator[str]:
    """The URL of an installed receiver while it runs."""
    command = [programs / "dropline", "serve", "--port", "0", "--data", data]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=programs) as receiver:
        try:
            assert receiver.stdout is not None
            assert select.select([receiver.stdout], [], [], PATIENCE)[0], "the receiver is silent"
            found = re.search(r"http://\S+?(?=;)", line := receiver.stdout.readline())
            assert found, line
            yield found[0]
        finally:
            receiver.terminate()


def test_it_says_its_version(programs: Path) -> None:
    from dropline import __version__

    assert run(programs, "--version").strip() == f"Dropline {__version__}"


def test_a_formula_is_computed(programs: Path) -> None:
    told = run(programs, "model", "mm1", "--arrival-rate", "1", "--service-rate", "2", "--json")
    assert json.loads(told)["L"] == pytest.approx(1.0)


def test_a_file_is_sent_from_one_to_the_other(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "a file.txt").write_text("content")
    with serving(programs, tmp_path / "data") as url:
        told = run(programs, "send", tmp_path / "a file.txt", "--to", url)
        assert "1 file sent and verified" in told


def test_the_window_opens(programs: Path, dropline_home: Path) -> None:
    """With icons, translations and the receiver's tables, all of them from the wheel."""
    window = subprocess.Popen(
        [programs / "dropline"],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stderr=subprocess.PIPE, text=True, cwd=programs,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while not (dropline_home / "run.json").exists():
            assert window.poll() is None, window.stderr and window.stderr.read()
            assert time.monotonic() < deadline, "no window"
            time.sleep(0.05)
    finally:
        window.terminate()
        window.communicate(timeout=PATIENCE)
    assert window.returncode == 0
