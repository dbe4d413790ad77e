"""The benchmarks run, and the check behind their figures refuses what is not whole."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
    with requests.post(f"{url}/upload", files={"file": (name, CONTENT)}, timeout=30) as answer:
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


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import peers

    return peers


def test_a_folder_is_checked_like_a_receiver(peers: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.bin").write_bytes(CONTENT)
    wanted = {"a.bin": DIGEST, "b.bin": DIGEST}
    with pytest.raises(RuntimeError, match="1 of 2 files are not stored"):
        peers.verify_folder(tmp_path, wanted)
    (tmp_path / "b.bin").write_bytes(CONTENT)
    assert peers.verify_folder(tmp_path, wanted) == 2
    (tmp_path / "a.bin").write_bytes(CONTENT)
    with pytest.raises(RuntimeError, match=r"a\.bin is stored twice"):
        peers.verify_folder(tmp_path, wanted)


def test_files_are_made_once_and_have_the_digests_that_stand_beside_them(
    peers: Any, tmp_path: Path
) -> None:
    grounds, sizes = peers.Grounds(tmp_path), [0, 1, 5000] * 200
    folders = grounds.files("mixed", sizes)
    expected = sys.modules["grounds"].expected(folders)
    made = {path.name: path.read_bytes() for path in peers.files(folders)}
    assert [len(made[name]) for name in sorted(made)] == sizes
    assert {name: hashlib.sha256(data).hexdigest() for name, data in made.items()} == expected
    first = folders[0] / "000001.bin"
    before = first.stat().st_mtime_ns
    assert grounds.files("mixed", sizes) == folders
    assert first.stat().st_mtime_ns == before


def test_a_peer_that_is_not_here_is_named_with_what_it_needs(
    peers: Any, need_program: Callable[[str, str], str], tmp_path: Path, monkeypatch: Any
) -> None:
    only_curl = tmp_path / "bin"
    only_curl.mkdir()
    (only_curl / "curl").symlink_to(need_program("curl", "curl"))
    monkeypatch.setenv("PATH", str(only_curl))
    missing = [peer.missing for peer in peers.contenders(peers.Grounds(tmp_path)).values()]
    assert missing == [
        *[""] * 3, "–, needs Debian’s nodejs and npm", *["–, needs Debian’s rclone"] * 2,
    ]  # fmt: skip


def test_a_quick_run_prints_a_table_with_the_peer(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--quick", "--only", "meter"]
    done = subprocess.run(
        [*command, "--grounds", str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "Quick" in done.stdout
    assert "| Meter.observe " in done.stdout
    assert "| no meter: append and count " in done.stdout
