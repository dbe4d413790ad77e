"""`dropline serve --check`: every stored byte against its digest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from dropline.cli import main
from dropline.receiver import Receiver


@pytest.fixture
def fill(tmp_path: Path, database: str) -> Callable[[], dict[str, str]]:
    def store() -> dict[str, str]:
        """Store two small files and two of their own; ids by name."""
        receiver = Receiver(tmp_path / "data", port=0, database=database, small=10)
        receiver.start()
        files = [("file", (name, name.encode() * 9)) for name in ("a", "b", "long", "longer")]
        answer = requests.post(f"{receiver.url}/upload", files=files).json()
        receiver.stop()
        return {file["name"]: file["file_id"] for file in answer["files"]}

    return store


def check(tmp_path: Path, database: str, *more: str) -> int:
    return main(
        ["serve", "--check", "--data", str(tmp_path / "data"), "--database", database, *more]
    )


def test_what_is_whole_is_said_to_be(
    fill: Callable[[], dict[str, str]],
    tmp_path: Path,
    database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill()
    assert check(tmp_path, database) == 0
    assert capsys.readouterr().out == (
        "4 files of 108 bytes are whole, 0 are not; 0 have bytes but no row, "
        "and 0 of these were removed.\n"
    )


def test_what_is_wrong_is_named_and_orphans_go_only_when_asked(
    fill: Callable[[], dict[str, str]],
    tmp_path: Path,
    database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ids = fill()
    paths = {path.name: path for path in (tmp_path / "data" / "files").glob("*/*")}
    longer = paths[ids["longer"]]
    longer.write_bytes(b"x" + longer.read_bytes()[1:])
    paths[ids["long"]].unlink()
    orphan = longer.with_name("01a212ba-ae44-7fe6-87ee-3f7867d2041b")
    orphan.write_bytes(b"somebody's")
    assert check(tmp_path, database) == 1
    told = capsys.readouterr().out
    assert f"{ids['longer']} 'longer': its bytes do not have its SHA-256" in told
    assert f"{ids['long']} 'long': its bytes are gone" in told
    assert f"{orphan}: no row tells of it" in told
    assert orphan.exists()
    assert check(tmp_path, database, "--sweep") == 1
    assert not orphan.exists()
    assert longer.exists()  # broken, but a row tells of it
    assert "1 have bytes but no row, and 1 of these were removed" in capsys.readouterr().out


def test_nothing_is_swept_by_a_database_that_knows_nothing(
    fill: Callable[[], dict[str, str]],
    tmp_path: Path,
    database: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill()
    assert check(tmp_path, f"sqlite:///{tmp_path / 'other.sqlite'}", "--sweep") == 1
    assert len(list((tmp_path / "data" / "files").glob("*/*"))) == 2
    assert "Nothing is removed" in capsys.readouterr().out


def test_a_folder_in_use_is_left_alone(receiver: Receiver, tmp_path: Path) -> None:
    assert main(["serve", "--check", "--data", str(tmp_path / "received")]) == 1
