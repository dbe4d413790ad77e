"""Holding: what is dropped from a temporary folder can be sent after that is gone, and nothing of
the user's is ever removed.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropline.intake import Found, Hold, Refused, Root, Spool
from dropline.intake.hold import BLOCK, LEAST, MAX_OPEN
from dropline.intake.walk import walk

SmallDisk = Callable[[int], Path]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "home" / "spool")
    yield made
    made.close()


@pytest.fixture
def lasting(other_disk: Path) -> Path:
    """A folder that is not temporary."""
    return other_disk


@pytest.fixture
def temporary_elsewhere(other_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder on another file system than the spool's."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(other_disk))
    return other_disk


def write(path: Path, content: bytes = b"content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def hold(spool: Spool, *paths: Path | str) -> list[Root]:
    held = Hold([str(path) for path in paths], spool)
    held.now()
    return held.rest()


def search(roots: list[Root]) -> tuple[list[Found], list[Refused]]:
    batches = list(walk(roots))
    return [f for b in batches for f in b.found], [r for b in batches for r in b.refused]


def test_an_empty_path_is_not_the_current_folder(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "here" / "file")
    monkeypatch.chdir(tmp_path / "here")
    found, refused = search(hold(spool, ""))
    assert found == []
    assert len(refused) == 1


def contents(found: list[Found]) -> dict[str, bytes]:
    return {f.name: b"" if f.name.endswith("/") else Path(f.source).read_bytes() for f in found}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def is_empty(spool: Spool) -> bool:
    return not spool.path.exists() or os.listdir(spool.path) == ["lock"]


def test_what_is_not_in_a_temporary_folder_is_read_in_place(spool: Spool, lasting: Path) -> None:
    path = str(write(lasting / "tree" / "file"))
    folder = str(lasting / "tree")
    assert hold(spool, folder, path) == [Root(folder, folder), Root(path, path)]
    assert not spool.path.exists()


def test_what_is_held_outlives_its_source(spool: Spool, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    write(tree / "one", b"1")
    write(tree / "sub" / "caf\udce9\n", b"2")
    (tree / "empty").mkdir()
    os.utime(tree / "empty", ns=(1, 2_000_000_000))
    single = write(tmp_path / "single", b"3")
    before = {f.name: f for f in search([Root(str(p), str(p)) for p in (tree, single)])[0]}
    roots = hold(spool, tree, single)
    shutil.rmtree(tree)
    single.unlink()
    found, refused = search(roots)
    assert contents(found) == {
        "tree/one": b"1", "tree/sub/caf\udce9\n": b"2", "tree/empty/": b"", "single": b"3",
    }  # fmt: skip
    assert not refused
    for item in found:  # what tells one file from another is that of the source
        known = before[item.name]
        assert (item.path, item.size, item.mtime_ns) == (known.path, known.size, known.mtime_ns)


def test_on_the_same_disk_holding_is_a_hard_link(spool: Spool, tmp_path: Path) -> None:
    path = write(tmp_path / "file")
    [root] = hold(spool, path)
    assert os.path.samefile(root.source, path)
    assert not os.path.islink(root.source)


def test_on_another_disk_the_file_is_opened_at_once_and_copied_later(
    spool: Spool, temporary_elsewhere: Path
) -> None:
    path = write(temporary_elsewhere / "file", bytes(range(256)) * 10_000)
    status = path.stat()
    held = Hold([str(path)], spool)
    held.now()
    path.unlink()
    [found] = search(held.rest())[0]
    assert Path(found.source).read_bytes() == bytes(range(256)) * 10_000
    assert (found.size, found.mtime_ns) == (status.st_size, status.st_mtime_ns)


def test_the_drop_takes_only_its_time(spool: Spool, tmp_path: Path) -> None:
    files = [write(tmp_path / "tree" / str(number)) for number in range(LEAST + 100)]
    ticks = iter(range(1_000_000))
    held = Hold([str(tmp_path / "tree")], spool, clock=lambda: next(ticks))  # a second a look
    held.now(seconds=10)
    links = {file.stat().st_nlink for file in files}
    assert links == {1, 2}  # some are held, some not yet
    found, _ = search(held.rest())
    assert len(found) == LEAST + 100


def test_a_slow_disk_does_not_lose_what_is_usually_dropped(spool: Spool, tmp_path: Path) -> None:
    for number in range(LEAST - 5):
        write(tmp_path / "tree" / str(number))
    minutes = iter(range(0, 1_000_000, 60))
    held = Hold([str(tmp_path / "tree")], spool, clock=lambda: next(minutes))
    held.now()
    shutil.rmtree(tmp_path / "tree")
    found, _ = search(held.rest())
    assert len(found) == LEAST - 5


def test_many_lasting_paths_take_only_the_drops_time_too(spool: Spool, lasting: Path) -> None:
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return float(looks)

    held = Hold([str(lasting / str(number)) for number in range(1000)], spool, clock=clock)
    held.now(seconds=10)
    assert looks < 20
    assert len(held.rest()) == 1000


def test_few_files_are_open_at_once(spool: Spool, temporary_elsewhere: Path) -> None:
    for number in range(2 * MAX_OPEN):
        write(temporary_elsewhere / "tree" / str(number))
    before = len(os.listdir("/proc/self/fd"))
    held = Hold([str(temporary_elsewhere / "tree")], spool)
    held.now(seconds=60)
    assert len(os.listdir("/proc/self/fd")) <= before + MAX_OPEN + 1
    found, _ = search(held.rest())
    assert len(contents(found)) == 2 * MAX_OPEN
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_dropped_link_into_a_temporary_folder_is_held(spool: Spool, tmp_path: Path) -> None:
    write(tmp_path / "real" / "file", b"1")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "other").symlink_to("real/file")
    roots = hold(spool, tmp_path / "link", tmp_path / "other")
    shutil.rmtree(tmp_path / "real")
    found, refused = search(roots)
    assert contents(found) == {"link/file": b"1", "other": b"1"}
    assert not refused
    assert {item.path for item in found} == {f"{tmp_path}/link/file", f"{tmp_path}/other"}


def test_loops_of_links_are_walked_once(spool: Spool, tmp_path: Path) -> None:
    write(tmp_path / "not dropped")
    tree = tmp_path / "tree"
    write(tree / "a" / "file", b"1")
    (tree / "here").symlink_to(".")
    (tree / "up").symlink_to("..")
    (tree / "a" / "up").symlink_to("..")
    (tree / "a" / "away").symlink_to("../..")
    (tree / "b").symlink_to("a")
    found, refused = search(hold(spool, tree))
    assert contents(found) == {"tree/a/file": b"1"}
    assert not refused


def test_a_link_to_a_file_is_held_by_itself(spool: Spool, tmp_path: Path) -> None:
    """Each may be released first, and the other is still there to be sent."""
    tree = tmp_path / "tree"
    write(tree / "file", b"1")
    (tree / "link").symlink_to("file")
    write(tmp_path / "beside", b"2")
    (tree / "outward").symlink_to(tmp_path / "beside")
    roots = hold(spool, tree)
    shutil.rmtree(tree)
    (tmp_path / "beside").unlink()
    found, _ = search(roots)
    assert contents(found) == {"tree/file": b"1", "tree/link": b"1", "tree/outward": b"2"}
    for item in found:
        assert Path(item.source).read_bytes() in {b"1", b"2"}
        spool.release(item.source)
    assert is_empty(spool)


def test_broken_links_and_pipes_are_refused_under_their_own_path(
    spool: Spool, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    write(tree / "file")
    (tree / "broken").symlink_to("gone")
    (tree / "self").symlink_to("self")
    os.mkfifo(tree / "pipe")
    (tree / "to pipe").symlink_to("pipe")
    (tree / "zero").symlink_to("/dev/zero")
    found, refused = search(hold(spool, tree, tmp_path / "not there"))
    assert [item.name for item in found] == ["tree/file"]
    assert {item.path for item in refused} == {
        *(f"{tree}/{name}" for name in ("broken", "self", "pipe", "to pipe", "zero")),
        f"{tmp_path}/not there",
    }


def test_what_vanishes_before_it_is_held_is_refused(spool: Spool, tmp_path: Path) -> None:
    write(tmp_path / "tree" / "file")
    held = Hold([str(tmp_path / "tree")], spool)
    held.now(seconds=0, least=1)  # the folder is listed, its file not held
    shutil.rmtree(tmp_path / "tree")
    found, [refused] = search(held.rest())
    assert not found
    assert refused.path == f"{tmp_path}/tree/file"
    assert "is not there any more" in refused.reason


def test_what_may_not_be_read_is_left_to_the_walk(
    unprivileged: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unprivileged()
    write(folder / "tree" / "file")
    (folder / "tree" / "locked").mkdir(mode=0o000)
    spool = Spool(folder / "spool")
    found, [refused] = search(hold(spool, folder / "tree"))
    spool.close()
    assert [item.name for item in found] == ["tree/file"]
    assert refused.path == f"{folder}/tree/locked"
    assert "give yourself permission" in refused.reason


def test_release_never_touches_what_a_link_leads_to(
    spool: Spool, tmp_path: Path, lasting: Path
) -> None:
    write(lasting / "album" / "picture", b"picture")
    write(lasting / "single", b"single")
    write(tmp_path / "beside" / "file", b"file")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "album").symlink_to(lasting / "album")
    (tree / "single").symlink_to(lasting / "single")
    (tree / "beside").symlink_to(tmp_path / "beside")
    before = files_in(tmp_path / "beside") | files_in(lasting) | files_in(tree)
    found, _ = search(hold(spool, tree))
    assert contents(found) == {
        "tree/album/picture": b"picture", "tree/single": b"single", "tree/beside/file": b"file",
    }  # fmt: skip
    for item in found:
        spool.release(item.source)
    assert files_in(tmp_path / "beside") | files_in(lasting) | files_in(tree) == before
    assert (lasting / "album" / "picture").read_bytes() == b"picture"


def test_release_never_touches_what_is_not_held(spool: Spool, tmp_path: Path) -> None:
    path = write(tmp_path / "file")
    near = write(Path(f"{spool.path}-beside") / "file")
    [root] = hold(spool, path)
    for other in (path, near, near.parent, tmp_path, spool.path, spool.path.parent, "/", ""):
        spool.release(str(other))
    assert path.exists()
    assert near.exists()
    assert Path(root.source).exists()


def test_release_removes_the_folders_that_it_leaves_empty(spool: Spool, tmp_path: Path) -> None:
    write(tmp_path / "tree" / "a" / "b" / "one")
    write(tmp_path / "tree" / "a" / "two")
    (tmp_path / "tree" / "empty").mkdir()
    found, _ = search(hold(spool, tmp_path / "tree"))
    for item in sorted(found, key=lambda item: item.name):
        assert not is_empty(spool)
        spool.release(item.source)
        assert not os.path.lexists(item.source)
        spool.release(item.source)  # twice does no harm
    assert is_empty(spool)
    assert len(files_in(tmp_path / "tree")) == 5
    spool.close()
    assert not spool.path.exists()


def test_where_the_spool_cannot_be_made_the_source_is_read_in_place(tmp_path: Path) -> None:
    write(tmp_path / "home")  # a file where the data folder should be
    spool = Spool(tmp_path / "home" / "spool")
    path = str(write(tmp_path / "file"))
    assert hold(spool, path, "a\0b", "") == [Root(path, path), Root("a\0b", "a\0b"), Root("", "")]
    spool.sweep()
    spool.close()


def test_where_the_spool_is_full_the_source_is_read_in_place(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    spool = Spool(small_disk(1 << 20) / "spool")
    write(tmp_path / "small")
    for number in range(4):
        write(tmp_path / "tree" / str(number), bytes(400_000))
    roots = hold(spool, tmp_path / "tree", tmp_path / "small")
    assert roots[0] == Root(str(tmp_path / "tree"), str(tmp_path / "tree"))
    assert roots[1].source.startswith(str(spool.path))  # what fits is held
    found, refused = search(roots)
    assert {name: len(content) for name, content in contents(found).items()} == {
        "small": 7, **{f"tree/{number}": 400_000 for number in range(4)},
    }  # fmt: skip
    assert not refused
    spool.close()


def test_where_the_spool_has_no_room_for_names_the_source_is_read_in_place(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    disk = small_disk(1 << 20)
    spool = Spool(disk / "spool")
    spool.folder()  # made while there is room
    used = 0
    try:
        while True:
            (disk / str(used)).mkdir()
            used += 1
    except OSError:
        pass
    write(tmp_path / "tree" / "file", b"1")
    (tmp_path / "tree" / "pipe").symlink_to("gone")
    roots = hold(spool, tmp_path / "tree")
    assert roots == [Root(str(tmp_path / "tree"), str(tmp_path / "tree"))]
    spool.close()


def test_a_file_that_changes_while_it_is_copied_is_read_in_place(
    spool: Spool, temporary_elsewhere: Path
) -> None:
    path = write(temporary_elsewhere / "file", bytes(2 * BLOCK))
    held = Hold([str(path)], spool)
    held.now()

    def stop() -> bool:  # asked between two blocks
        with path.open("ab") as file:
            file.write(b"more")
        return False

    assert held.rest(stop) == [Root(str(path), str(path))]


def test_copying_ends_when_told_and_closes_its_files(
    spool: Spool, temporary_elsewhere: Path
) -> None:
    for number in range(5):
        write(temporary_elsewhere / "tree" / str(number), bytes(BLOCK))
    held = Hold([str(temporary_elsewhere / "tree")], spool)
    held.now(seconds=60)
    before = len(os.listdir("/proc/self/fd"))
    held.rest(lambda: True)
    assert len(os.listdir("/proc/self/fd")) == before - 5


def test_a_sweep_takes_what_dead_runs_left_and_nothing_of_the_living(tmp_path: Path) -> None:
    root = tmp_path / "spool"
    path = str(write(tmp_path / "file"))
    code = (
        "import sys; from pathlib import Path; from dropline.intake import Hold, Spool;"
        "spool = Spool(Path(sys.argv[1])); hold = Hold([sys.argv[2]], spool);"
        "print(hold.rest()[0].source, flush=True); sys.stdin.read()"
    )
    ours = Spool(root)
    [mine] = hold(ours, path)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(root), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        theirs = process.stdout.readline().strip()
        starting = Spool(root)
        starting.sweep()
        assert Path(theirs).exists()
        assert Path(mine.source).exists()
        process.kill()
    starting.sweep()
    assert not Path(theirs).exists()
    assert Path(mine.source).exists()
    ours.close()
    Spool(root).sweep()
    assert os.listdir(root) == []
    assert Path(path).exists()


def test_the_spool_is_for_its_user_only(spool: Spool, tmp_path: Path) -> None:
    hold(spool, write(tmp_path / "file"))
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o700


@given(
    paths=st.sets(
        st.lists(st.sampled_from(["a", "b", "😀", "\udcff"]), min_size=1, max_size=4).map(tuple),
        max_size=10,
    ),
    links=st.dictionaries(
        st.sampled_from(["l1", "l2", "a/l3", "b/l4"]),
        st.sampled_from([".", "..", "a", "b", "a/b", "l1", "l2", "/", "gone", "../a"]),
        max_size=4,
    ),
)
@settings(max_examples=40)
def test_holding_changes_nothing_that_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    paths: set[tuple[str, ...]],
    links: dict[str, str],
) -> None:
    base = tmp_path_factory.mktemp("hold")
    root = base / "tree"
    root.mkdir()
    for path in sorted(paths, key=len, reverse=True):
        place = root.joinpath(*path)
        if not place.exists():
            write(place, "/".join(path).encode("utf-8", "surrogateescape"))
    for name, target in links.items():
        if (root / name).parent.is_dir():
            (root / name).symlink_to(target)
    found, refused = search([Root(str(root), str(root))])
    expected = contents(found)
    before = files_in(root)
    spool = Spool(base / "spool")
    held, held_refused = search(hold(spool, root))
    assert contents(held) == expected
    assert {item.path for item in held} == {item.path for item in found}
    assert {item.path for item in held_refused} == {item.path for item in refused}
    for item in held:
        spool.release(item.source)
    assert files_in(root) == before
    assert {item.name: Path(item.path).read_bytes() for item in found if item.size} == {
        name: content for name, content in expected.items() if content
    }
    spool.close()


def test_runs_that_begin_while_others_sweep_keep_their_folders(tmp_path: Path) -> None:
    def begin_and_sweep() -> None:
        for _ in range(100):
            mine = Spool(tmp_path / "spool")
            mine.open()
            assert (mine.path / "lock").exists()
            mine.sweep()
            assert (mine.path / "lock").exists()
            mine.close()

    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(begin_and_sweep) for _ in range(8)]:
            each.result()
    assert os.listdir(tmp_path / "spool") == []
