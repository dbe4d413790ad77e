"""A crash of the interpreter leaves its stacks, and the next start tells of it."""

from __future__ import annotations

import faulthandler
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

from dropline_desktop.crash import CrashReport


@pytest.fixture(autouse=True)
def faults_as_before(pytestconfig: pytest.Config) -> Iterator[None]:
    """Pytest's own watch goes on afterwards: where it tells is not what a test's stderr is."""
    yield
    if fault_handler_stderr_fd_key in pytestconfig.stash:
        faulthandler.enable(pytestconfig.stash[fault_handler_stderr_fd_key])


def run_and(end: str, folder: Path) -> int:
    code = f"""
from pathlib import Path
from dropline_desktop.crash import CrashReport
report = CrashReport(Path({str(folder)!r}))
assert report.begin() == ""
{end}
"""
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_a_crash_is_told_once_and_kept(tmp_path: Path) -> None:
    assert run_and("import faulthandler; faulthandler._sigabrt()", tmp_path) < 0
    report = CrashReport(tmp_path)
    details = report.begin()
    assert details.startswith("Dropline ")
    assert "most recent call first" in details
    report.end()
    again = CrashReport(tmp_path)
    assert again.begin() == ""
    again.end()
    assert len(list(tmp_path.glob("crash-*.txt"))) == 1


@pytest.mark.parametrize("end", ["report.end()", "import os; os.kill(os.getpid(), 9)"])
def test_a_run_that_ended_or_was_killed_is_no_crash(tmp_path: Path, end: str) -> None:
    run_and(end, tmp_path)
    report = CrashReport(tmp_path)
    assert report.begin() == ""
    report.end()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    report = CrashReport(tmp_path / "missing")
    assert report.begin() == ""
    report.end()
