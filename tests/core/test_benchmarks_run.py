"""The benchmarks run, and the check behind their figures refuses what is not whole."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from dropline.receiver import Receiver

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
CONTENT = b"content"
DIGEST = hashlib.sha256(CONTENT).hexdigest()

Verify = Callable[..., int]


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch) -> Verify:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import grounds

    check: Verify = grounds.verify
    return check


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A receiver that holds a.bin."""
    receiver = Receiver(tmp_path / "data", port=0)
    receiver.start()
    _send(receiver.url, "a.bin")
    yield receiver.url
    receiver.stop()


def _send(url: str, name: str) -> None:
    with requests.post(f"{url}/upload", files={"file": (name, CONTENT)}, timeout=10) as answer:
        answer.raise_for_status()


def test_what_is_stored_whole_is_counted(verify: Verify, url: str) -> None:
    _send(url, "folder/b.bin")
    assert verify(url, {"a.bin": DIGEST, "b.bin": DIGEST}) == 2


def test_a_missing_file_is_told_unless_only_some_were_sent(verify: Verify, url: str) -> None:
    wanted = {"a.bin": DIGEST, "b.bin": DIGEST}
    with pytest.raises(RuntimeError, match="1 of 2 files are not stored"):
        verify(url, wanted)
    assert verify(url, wanted, all_of_them=False) == 1


def test_other_bytes_are_told(verify: Verify, url: str) -> None:
    with pytest.raises(RuntimeError, match=r"a\.bin"):
        verify(url, {"a.bin": "0" * 64})


def test_a_file_stored_twice_is_told(verify: Verify, url: str) -> None:
    _send(url, "a.bin")
    with pytest.raises(RuntimeError, match="twice"):
        verify(url, {"a.bin": DIGEST})


def test_a_quick_run_prints_a_table_with_the_peer(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--quick", "--only", "meter"]
    done = subprocess.run(
        [*command, "--grounds", str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "Quick" in done.stdout
    assert "| Meter.observe " in done.stdout
    assert "| no meter: append and count " in done.stdout
