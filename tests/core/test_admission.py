"""What was dropped gets into the journal, here and in a process of its own."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from dropline import admission
from dropline.admission import Taken, walk_in
from dropline.intake import Root, walk
from dropline.intake.walk import BATCH_ITEMS
from dropline.journal import Journal, State

Until = Callable[..., None]

NAMES = ["with spaces", "照片 二〇二四.jpg", "😀🎉.png", "two\nlines", "caf\udce9", "a" * 255]
#: More than go into a pipe that nobody reads.
FOLDERS, FILES = 40, 250

#: The other process, killed in its third batch: what it was about to keep is "told", or "kept" and
#: nobody knows for certain.
KILLED = """
import os, sys
from dropline import admission

take_in, batches, moment = admission.take_in, iter(range(2)), sys.argv[1]

def take_in_until_killed(*what, tell, **how):
    ends = next(batches, None) is None

    def told(taken):
        tell(taken)
        if ends and moment == "told":
            os.kill(os.getpid(), 9)

    taken = take_in(*what, tell=told, **how)
    if ends:
        os.kill(os.getpid(), 9)
    return taken

admission.take_in = take_in_until_killed
admission.main()
"""


def write(path: Path, content: bytes = b"content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Root:
    """A folder with odd names, a pipe that is refused, and more files than go into one batch."""
    folder = tmp_path / "tree"
    for name in NAMES:
        write(folder / name)
    for number in range(BATCH_ITEMS + 100):
        write(folder / "many" / str(number), b"")
    os.mkfifo(folder / "pipe")
    return Root(str(folder), str(folder))


@pytest.fixture(scope="module")
def wide_tree(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A folder of many files in many folders."""
    path = tmp_path_factory.mktemp("wide")
    for folder in range(FOLDERS):
        for number in range(FILES):
            write(path / str(folder) / str(number), b"")
    return Root(str(path), str(path))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "home" / "journal.sqlite", run="run")) as journal:
        yield journal


@pytest.fixture
def target(journal: Journal) -> int:
    return journal.target("http://127.0.0.1:8765", None)


def found(taken: Iterable[Taken]) -> list[tuple[str, str, int]]:
    records = [record for each in taken for record in each.admission.waiting]
    assert all(record.id and record.state is State.WAITING for record in records)
    return sorted((record.path, record.name, record.size) for record in records)


def walked(root: Root) -> list[tuple[str, str, int]]:
    batches = walk([root])
    return sorted((item.path, item.name, item.size) for batch in batches for item in batch.found)


def kept(journal: Journal) -> list[str]:
    assert journal.path is not None
    with closing(sqlite3.connect(journal.path)) as db:
        return sorted(os.fsdecode(path) for (path,) in db.execute("SELECT path FROM jobs"))


def states(journal: Journal) -> list[int]:
    assert journal.path is not None
    with closing(sqlite3.connect(journal.path)) as db:
        return [state for (state,) in db.execute("SELECT state FROM jobs")]


def paths(taken: Iterable[Taken]) -> list[str]:
    return sorted(record.path for each in taken for record in each.admission.waiting)


def test_what_is_found_is_in_the_journal_with_its_numbers(
    journal: Journal, target: int, tree: Root
) -> None:
    taken = list(walk_in([tree], journal, target, known=False))
    assert found(taken) == walked(tree)
    assert paths(taken) == kept(journal)
    assert sum(each.found for each in taken) == len(kept(journal))
    assert sum(each.size for each in taken) == len(NAMES) * len(b"content")
    [refused] = [item for each in taken for item in each.refused]
    assert refused.path == f"{tree.path}/pipe"


def test_a_long_walk_goes_on_apart_and_takes_the_same_in(
    journal: Journal, target: int, tree: Root
) -> None:
    taking = walk_in([tree], journal, target, known=False, here=0)
    first = next(taking)
    assert first.found < BATCH_ITEMS + 100
    taken = [first, *taking]
    assert found(taken) == walked(tree)
    assert paths(taken) == kept(journal)
    assert sum(each.found for each in taken) == len(kept(journal))
    [refused] = [item for each in taken for item in each.refused]
    assert refused.path == f"{tree.path}/pipe"


def test_what_was_sent_and_what_waits_is_told_apart_there_too(
    journal: Journal, target: int, tree: Root
) -> None:
    first = list(walk_in([tree], journal, target, known=True, here=0))
    records = [record for each in first for record in each.admission.waiting]
    sent = {record.id for record in records if record.path.endswith("1")}
    journal.sent(target, [(r.id, r.size, r.mtime_ns, "id", "00") for r in records if r.id in sent])
    again = list(walk_in([tree], journal, target, known=True, here=0))
    assert paths(again) == []
    assert {record.id for each in again for record in each.admission.sent} == sent
    assert sum(each.found for each in again) == len(records)


def test_the_journal_is_ahead_of_who_takes_from_it(
    journal: Journal, target: int, wide_tree: Root, until: Until
) -> None:
    taking = walk_in([wide_tree], journal, target, known=False, here=0)
    first = [next(taking), next(taking)]
    until(lambda: len(kept(journal)) == FOLDERS * FILES)
    assert found([*first, *taking]) == walked(wide_tree)


def test_what_was_written_ahead_is_forgotten_when_nobody_wants_it_any_more(
    journal: Journal, target: int, wide_tree: Root, until: Until
) -> None:
    stop = threading.Event()
    taking = walk_in([wide_tree], journal, target, known=False, here=0, stop=stop.is_set)
    taken = [next(taking), next(taking)]
    until(lambda: len(kept(journal)) == FOLDERS * FILES)
    stop.set()
    assert list(taking) == []
    assert kept(journal) == paths(taken)


def test_what_had_failed_has_failed_again_when_nobody_wants_it_any_more(
    journal: Journal, target: int, wide_tree: Root, until: Until
) -> None:
    before = [
        r
        for each in walk_in([wide_tree], journal, target, known=False, here=0)
        for r in each.admission.waiting
    ]
    journal.failed([(record.id, 3, f"No {record.id}.") for record in before])
    stop = threading.Event()
    taking = walk_in([wide_tree], journal, target, known=False, here=0, stop=stop.is_set)
    taken = [next(taking), next(taking)]
    until(lambda: set(states(journal)) == {State.WAITING})
    stop.set()
    assert list(taking) == []
    joined = {record.id for each in taken for record in each.admission.waiting}
    for record in journal.records([record.id for record in before]):
        if record.id in joined:
            assert record.state is State.WAITING
        else:
            assert (record.state, record.attempts) == (State.FAILED, 3)
            assert record.reason == f"No {record.id}."
    assert len(kept(journal)) == FOLDERS * FILES


def test_what_was_written_ahead_is_kept_for_the_next_run_if_there_is_to_be_one(
    journal: Journal, target: int, wide_tree: Root, until: Until
) -> None:
    stop = threading.Event()
    taking = walk_in(
        [wide_tree], journal, target, known=False, here=0, stop=stop.is_set, keep=lambda: True
    )
    next(taking)
    next(taking)
    until(lambda: len(kept(journal)) == FOLDERS * FILES)
    stop.set()
    assert list(taking) == []
    assert len(kept(journal)) == FOLDERS * FILES


def test_a_walk_that_nobody_wants_leaves_no_process_and_no_rows(
    journal: Journal, target: int, wide_tree: Root
) -> None:
    before = set(psutil.Process().children())
    taking = walk_in([wide_tree], journal, target, known=False, here=0)
    taken = [next(taking), next(taking)]
    [walker] = set(psutil.Process().children()) - before
    taking.close()  # type: ignore[attr-defined]
    assert not walker.is_running()
    assert kept(journal) == paths(taken)


@pytest.mark.parametrize("moment", ["told", "kept"])
def test_a_process_that_is_killed_is_told_and_what_it_wrote_is_taken(
    journal: Journal,
    target: int,
    wide_tree: Root,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    monkeypatch.setattr(admission, "_COMMAND", ("-P", "-c", KILLED, moment))
    taken: list[Taken] = []
    with pytest.raises(OSError, match="the process that walked the folders was ended"):
        taken.extend(walk_in([wide_tree], journal, target, known=False, here=0))
    assert len(taken) == 4  # the first is taken in here
    assert kept(journal) == paths(taken)


def test_a_walk_that_gets_no_process_goes_on_here(
    journal: Journal,
    target: int,
    tree: Root,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = psutil.Process().children()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    taking = walk_in([tree], journal, target, known=False, here=0)
    taken = [next(taking), next(taking)]
    assert psutil.Process().children() == before
    assert found([*taken, *taking]) == walked(tree)


def test_a_process_that_takes_no_orders_is_done_without(
    journal: Journal,
    target: int,
    tree: Root,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "_COMMAND", ("-c", ""))
    gone = [f"{tree.path}/{number:0200}" for number in range(1000)]  # more than a pipe holds
    roots = [tree, *(Root(path, path) for path in gone)]
    assert found(walk_in(roots, journal, target, known=False, here=0)) == walked(tree)


def test_a_journal_that_is_in_memory_alone_is_written_here(tree: Root) -> None:
    notices: list[str] = []
    journal = Journal(Path("/proc/none/journal"), run="run", notice=notices.append)
    assert journal.path is None
    before = psutil.Process().children()
    taking = walk_in([tree], journal, journal.target("http://x", None), known=False, here=0)
    taken = [next(taking), next(taking)]
    assert psutil.Process().children() == before
    assert found([*taken, *taking]) == walked(tree)


def test_what_the_journal_does_not_take_there_is_refused(
    journal: Journal, target: int, tree: Root
) -> None:
    taking = walk_in([tree], journal, target, known=False, here=0)
    first = next(taking)
    assert journal.path is not None
    with closing(sqlite3.connect(journal.path)) as db:
        db.execute("ALTER TABLE jobs RENAME TO no_jobs")
    refused = [item for taken in taking for item in taken.refused]
    with closing(sqlite3.connect(journal.path)) as db:
        db.execute("ALTER TABLE no_jobs RENAME TO jobs")
    lost = [item for item in refused if item.path != f"{tree.path}/pipe"]
    assert len(lost) == len(walked(tree)) - first.found
    assert all(item.reason.startswith("The journal cannot be written") for item in lost)


def test_a_journal_that_is_gone_is_told(journal: Journal, target: int, tree: Root) -> None:
    taking = walk_in([tree], journal, target, known=False, here=0)
    next(taking)
    assert journal.path is not None
    journal.path = journal.path.parent / "none" / "journal.sqlite"
    [taken] = taking
    [refused] = taken.refused
    assert refused.path == tree.path
    assert refused.reason.startswith(f"The journal {journal.path} cannot be used")


def test_a_bundled_program_does_it_itself(
    journal: Journal,
    target: int,
    tree: Root,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """By an argument, for it brings no interpreter; here a script stands for the program."""
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable} -P\nimport sys\nfrom dropline import admission\n"
        "assert sys.argv[1:] == [admission.APART]\nadmission.main()\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert found(walk_in([tree], journal, target, known=False, here=0)) == walked(tree)


def test_held_sources_that_go_as_soon_as_they_are_found_are_all_found(
    journal: Journal, target: int, tmp_path: Path
) -> None:
    """As they do when they are sent and released while the walk goes on."""
    held = tmp_path / "held" / "tree"
    for number in range(BATCH_ITEMS):
        write(held / "many" / str(number), b"")
    taken = []
    for each in walk_in([Root("/tmp/tree", os.fspath(held))], journal, target, known=False, here=0):
        taken.append(each)
        assert not each.refused
        assert not each.unneeded
        for record in each.admission.waiting:
            os.unlink(record.source)
        with contextlib.suppress(OSError):  # not empty yet
            (held / "many").rmdir()
            held.rmdir()
    assert len(kept(journal)) == len(paths(taken)) == BATCH_ITEMS


def test_held_sources_of_what_is_not_to_be_sent_are_told(
    journal: Journal, target: int, tmp_path: Path
) -> None:
    held = write(tmp_path / "held" / "file")
    root = Root("/tmp/file", os.fspath(held))
    for known in (False, True):
        taken = list(walk_in([root], journal, target, known=known))
        assert [each.unneeded for each in taken] == [[root.source] if known else []]
        assert not [item for each in taken for item in each.refused]
