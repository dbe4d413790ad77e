"""The walk: every file once under its own name, and a sentence for what cannot be sent."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropline.intake import Batch, Found, Refused, Root, walk
from dropline.intake.walk import BATCH_ITEMS

Unprivileged = Callable[[], Path]

NAMES = [
    "with spaces",
    "#%?&=+;,",
    "照片 二〇二四.jpg",
    "😀🎉.png",
    "-rf",
    "--",
    "a" * 255,
    "字" * 85,  # 255 bytes
    "two\nlines",
    "carriage\rreturn",
    "\"double\" 'single' `back`",
    "back\\slash",
    "~",
    "$HOME",
    "con.txt ",
    " leading",
    "caf\udce9",  # not UTF-8
    "\udcff\udcfe",
]


def search(*paths: Path | str) -> tuple[list[Found], list[Refused]]:
    batches = list(walk(Root(str(path), str(path)) for path in paths))
    assert all(batches)
    found = [item for batch in batches for item in batch.found]
    refused = [item for batch in batches for item in batch.refused]
    return found, refused


def names(found: Iterable[Found]) -> list[str]:
    return sorted(item.name for item in found)


def write(path: Path, content: bytes = b"content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_file_goes_by_its_own_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a" / "file.txt")
    [found], refused = search(path)
    status = path.stat()
    assert found == Found(str(path), str(path), "file.txt", status.st_size, status.st_mtime_ns)
    assert not refused


def test_a_folder_goes_with_its_name_in_front(tmp_path: Path) -> None:
    write(tmp_path / "photos" / "one.jpg")
    write(tmp_path / "photos" / "2024" / "two.jpg", b"")
    (tmp_path / "photos" / "empty").mkdir()
    found, refused = search(tmp_path / "photos")
    assert names(found) == ["photos/2024/two.jpg", "photos/empty/", "photos/one.jpg"]
    assert {item.path for item in found} == {
        str(tmp_path / "photos" / name) for name in ("one.jpg", "2024/two.jpg", "empty")
    }
    assert [item.size for item in found if item.name.endswith("two.jpg")] == [0]
    assert not refused


@pytest.mark.parametrize("suffix", ["", "/", "/.", "/inner/.."])
def test_however_the_path_is_written_the_name_is_the_folders(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / "folder" / "file")
    (tmp_path / "folder" / "inner").mkdir()
    found, _ = search(f"{tmp_path}/folder{suffix}")
    assert names(found) == ["folder/file", "folder/inner/"]


def test_an_empty_folder_by_itself(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    [found], _ = search(tmp_path / "empty")
    assert (found.name, found.size) == ("empty/", 0)


def test_any_name_is_kept(tmp_path: Path) -> None:
    for name in NAMES:
        write(tmp_path / "folder" / name, os.fsencode(name))
    found, refused = search(tmp_path / "folder")
    assert names(found) == sorted(f"folder/{name}" for name in NAMES)
    assert all(Path(item.path).read_bytes() == os.fsencode(item.name[7:]) for item in found)
    assert not refused
    for name in NAMES:
        [alone], _ = search(tmp_path / "folder" / name)
        assert alone.name == name


def test_200_folders_deep(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 200)
    write(tmp_path / deep / "file")
    [found], refused = search(tmp_path / "d")
    assert found.name == f"{deep}/file"
    assert not refused


def test_a_path_longer_than_the_system_takes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    folder = os.open(tmp_path / "d", os.O_RDONLY)
    for _ in range(20):  # 20 * 255 bytes are more than 4,096
        os.mkdir("x" * 255, dir_fd=folder)
        inner = os.open("x" * 255, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    found, [refused] = search(tmp_path / "d")
    assert not found
    assert "move it further up" in refused.reason


def test_loops_of_links_end_and_each_file_is_found_once(tmp_path: Path) -> None:
    write(tmp_path / "outside")
    root = tmp_path / "tree"
    write(root / "a" / "b" / "file")
    (root / "here").symlink_to(".")
    (root / "up").symlink_to("..")  # would lead to what was not dropped
    (root / "whole").symlink_to("/")
    (root / "a" / "up").symlink_to("..")
    (root / "a" / "b" / "up").symlink_to("../..")
    (root / "a" / "b" / "away").symlink_to(tmp_path)
    found, refused = search(root)
    assert names(found) == ["tree/a/b/file"]
    assert not refused


def test_a_link_to_itself_and_a_ring_are_refused(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "ring1").symlink_to("ring2")
    (tmp_path / "ring2").symlink_to("ring1")
    write(tmp_path / "file")
    found, refused = search(tmp_path)
    assert names(found) == [f"{tmp_path.name}/file"]
    assert sorted(Path(item.path).name for item in refused) == ["ring1", "ring2", "self"]
    assert all("leads round to itself: remove it" in item.reason for item in refused)


def test_links_are_followed_and_files_keep_the_name_of_their_real_place(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "picture", b"picture")
    write(tmp_path / "one", b"one")
    root = tmp_path / "tree"
    write(root / "z" / "file")
    (root / "a").symlink_to("z")  # comes first by name, yet z is the real place
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "link").symlink_to(tmp_path / "one")
    found, refused = search(root)
    assert names(found) == ["tree/folder/picture", "tree/link", "tree/z/file"]
    assert {item.name: item.size for item in found}["tree/link"] == 3
    assert not refused


def test_a_dropped_link_goes_by_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "real" / "file")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "other").symlink_to("real/file")
    found, _ = search(tmp_path / "link", tmp_path / "other")
    assert names(found) == ["link/file", "other"]


def test_a_folder_dropped_twice_is_walked_once_and_a_file_of_it_may_come_twice(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "folder" / "file")
    found, _ = search(tmp_path / "folder", tmp_path / "folder", file)
    assert names(found) == ["file", "folder/file"]


def test_a_broken_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    for path in (tmp_path, tmp_path / "link"):
        found, [refused] = search(path)
        assert not found
        assert refused.path == str(tmp_path / "link")
        assert "is a link to something that is not there" in refused.reason


def test_what_is_not_there_is_refused_and_the_rest_found(tmp_path: Path) -> None:
    file = write(tmp_path / "file")
    found, refused = search(tmp_path / "gone", file, "", "a\0b")
    assert names(found) == ["file"]
    assert [item.path for item in refused] == [str(tmp_path / "gone"), "", "a\0b"]
    assert "is not there any more: put it back" in refused[0].reason


def test_pipes_sockets_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    write(tmp_path / "file")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        found, refused = search(tmp_path, "/dev/zero", tmp_path / "pipe")
    assert names(found) == [f"{tmp_path.name}/file"]
    reasons = {Path(item.path).name: item.reason for item in refused}
    assert len(refused) == 5
    assert "is a named pipe" in reasons["pipe"]
    assert "is a socket" in reasons["socket"]
    assert "is a device" in reasons["zero"]
    assert all("only files are sent" in reason for reason in reasons.values())


def test_the_whole_file_system_is_refused() -> None:
    found, [refused] = search("/")
    assert not found
    assert "drop the folders in it" in refused.reason


def test_a_folder_without_permission_is_refused_and_the_rest_found(
    unprivileged: Unprivileged,
) -> None:
    folder = unprivileged()
    write(folder / "tree" / "file")
    (folder / "tree" / "locked").mkdir(mode=0o000)
    (folder / "tree" / "no entry").mkdir()
    write(folder / "tree" / "no entry" / "secret")
    (folder / "tree" / "no entry").chmod(0o400)  # lists its names, and no more
    found, refused = search(folder / "tree")
    assert names(found) == ["tree/file"]
    assert {Path(item.path).name for item in refused} == {"locked", "secret"}
    assert all("give yourself permission" in item.reason for item in refused)


def test_batches_are_small_and_early(tmp_path: Path) -> None:
    for number in range(BATCH_ITEMS + 10):
        write(tmp_path / "tree" / str(number))
    root = Root(str(tmp_path / "tree"), str(tmp_path / "tree"))
    batches = walk([root], clock=lambda: 0.0)  # time stands still: only full batches go out
    assert [len(batch) for batch in batches] == [BATCH_ITEMS, 10]
    ticks = itertools.count()  # every look at the clock is a second later
    batches = walk([root], clock=lambda: float(next(ticks)))
    assert [len(batch) for batch in batches] == [1] * (BATCH_ITEMS + 10)


def test_time_passes_in_folders_of_folders_too(tmp_path: Path) -> None:
    write(tmp_path / "first")
    for number in range(100):
        (tmp_path / "tree" / str(number) / "inner").mkdir(parents=True)
    clock = itertools.chain([0.0, 0.0], itertools.repeat(1.0))  # a second passes after the first
    roots = [Root(str(tmp_path / name), str(tmp_path / name)) for name in ("first", "tree")]
    first = next(walk(roots, clock=lambda: next(clock)))
    assert names(first.found) == ["first"]


def test_the_walk_stops_when_told(tmp_path: Path) -> None:
    for number in range(50):
        write(tmp_path / "tree" / str(number))
    root = Root(str(tmp_path / "tree"), str(tmp_path / "tree"))
    seen: list[Batch] = []
    ticks = itertools.count()
    seen.extend(walk([root], stop=lambda: len(seen) >= 3, clock=lambda: float(next(ticks))))
    assert [len(batch) for batch in seen] == [1, 1, 1]
    assert list(walk([root], stop=lambda: True)) == []


@given(data=st.data())
@settings(max_examples=30)
def test_any_tree_is_found_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Every file, and every folder with nothing in it, once."""
    part = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)
    parts = part.filter(lambda name: name not in {".", ".."})
    paths = data.draw(st.sets(st.tuples(parts, parts) | st.tuples(parts, parts, parts), max_size=8))
    root = tmp_path_factory.mktemp("tree")
    expected = set()
    for path in paths:
        place = root.joinpath(*path)
        if place.exists() or any(parent.is_file() for parent in place.parents):
            continue
        if path[0] < "M":
            write(place)
            expected.add(f"{root.name}/{'/'.join(path)}")
        else:
            place.mkdir(parents=True)
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        if not any(folder.iterdir()):
            expected.add(f"{root.name}/{folder.relative_to(root)}/".replace("/./", "/"))
    found, refused = search(root)
    assert names(found) == sorted(expected)
    assert not refused
