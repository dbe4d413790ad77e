"""The data folder: one installation id, a private run file that is never read half written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dropline.home import FolderInUseError, FolderLock, Home, write_private


@pytest.fixture
def home(dropline_home: Path) -> Home:
    return Home.default()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_environment_names_the_folder(dropline_home: Path) -> None:
    assert Home.default().root == dropline_home


def test_a_relative_folder_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DROPLINE_HOME", "here")
    home = Home.default()
    monkeypatch.chdir("/")
    assert home.root == tmp_path / "here"


def test_without_the_variable_it_is_the_platforms_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPLINE_HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Home.default().root.name == "dropline"


def test_the_installation_id_is_made_once(home: Home) -> None:
    made = home.installation()
    assert len(made) == 32
    assert home.installation() == made
    assert Home(home.root).installation() == made
    assert os.listdir(home.root) == ["installation"]


@pytest.mark.parametrize("_", range(10))
def test_all_who_ask_first_at_once_get_the_same_installation_id(home: Home, _: int) -> None:
    barrier = threading.Barrier(8)

    def ask(_: int) -> str:
        barrier.wait()
        return home.installation()

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(ask, range(8)))
    assert made == {home.installation()}
    assert os.listdir(home.root) == ["installation"]


def test_the_run_file_is_private_whatever_the_umask(home: Home) -> None:
    before = os.umask(0)
    try:
        home.write_run({"pid": os.getpid(), "receiver": None})
        home.write_run({"pid": os.getpid(), "receiver": "http://127.0.0.1:8765"})
    finally:
        os.umask(before)
    assert mode(home.run_file) == 0o600
    assert home.read_run() == {"pid": os.getpid(), "receiver": "http://127.0.0.1:8765"}
    assert os.listdir(home.root) == ["run.json"]


def test_a_reader_sees_the_old_content_or_the_new_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [letter * 100_000 for letter in "ab"]
    write_private(path, contents[0])
    ended = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not ended.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(200):
            write_private(path, contents[number % 2])
    finally:
        ended.set()
        reader.join()
    assert seen <= set(contents)


def test_a_write_that_fails_leaves_the_old_content_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\udcff")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff\xfe"])
def test_a_damaged_run_file_is_no_run_file(home: Home, content: bytes) -> None:
    home.root.mkdir()
    home.run_file.write_bytes(content)
    assert home.read_run() is None
    home.clear_run()


def test_no_run_file(home: Home) -> None:
    assert home.read_run() is None
    home.clear_run()


def test_only_its_own_run_file_is_cleared(home: Home) -> None:
    home.write_run({"pid": os.getpid() + 1})
    home.clear_run()
    assert home.read_run() is not None
    home.write_run({"pid": os.getpid()})
    home.clear_run()
    assert home.read_run() is None


def test_a_folder_is_locked_until_its_process_ends_in_whatever_way(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dropline.home import FolderLock;"
        "lock = FolderLock(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(FolderInUseError):
            FolderLock(tmp_path)
        process.kill()
    lock = FolderLock(tmp_path)
    with pytest.raises(FolderInUseError):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()
