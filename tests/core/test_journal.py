"""The journal: nothing that it was told is forgotten, and a damaged one gives back what it can."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dropline.journal import Journal, JournalError, Record, State
from dropline.journal import journal as module

URL = "http://127.0.0.1:8765"
OpenJournal = Callable[..., Journal]


def record(path: str, size: int = 1, mtime_ns: int = 1, name: str = "") -> Record:
    return Record(path, path, name or path.lstrip("/"), size, mtime_ns)


def over(_run: str) -> bool:
    return True


def living(_run: str) -> bool:
    return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "journal.sqlite"


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def open_journal(path: Path, notices: list[str]) -> Iterator[OpenJournal]:
    """`open_journal(run)`: a journal of the same file, closed after the test."""
    opened: list[Journal] = []

    def make(run: str, role: str = "test", **options: Any) -> Journal:
        opened.append(Journal(path, run=run, role=role, notice=notices.append, **options))
        return opened[-1]

    yield make
    for journal in opened:
        journal.close()


def sent(journal: Journal, target: int, *files: Record) -> None:
    journal.sent(target, [(f.id, f.size, f.mtime_ns, f"file {f.id}", "00") for f in files])


# --- what is to be sent ---------------------------------------------------------------------------

NAMES = ["a", "a b", "照片😀", "two\nlines", "caf\udce9", "x" * 255, "sub/folder/", "'; DROP TABLE"]


def test_files_get_ids_and_are_there_after_a_start(open_journal: OpenJournal) -> None:
    first = open_journal("first")
    target = first.target(URL, None)
    files = [record(f"/drop/{name}", number, name=name) for number, name in enumerate(NAMES)]
    admission = first.admit(target, files, known=False)
    assert [file.id for file in admission.waiting] == list(range(1, len(NAMES) + 1))
    first.close()
    second = open_journal("second")
    jobs, drops = second.take_over(target, URL, over)
    assert (list(jobs), drops) == ([file.id for file in files], [])
    assert second.records(jobs) == files


def test_what_a_living_run_has_is_not_taken_over(open_journal: OpenJournal) -> None:
    first, second = open_journal("first"), open_journal("second")
    target = first.target(URL, None)
    first.admit(target, [record("/a")], known=False)
    assert second.take_over(target, URL, living) == ([], [])


def test_what_another_kind_of_program_left_is_not_taken_over(open_journal: OpenJournal) -> None:
    first = open_journal("first", "sender")
    target = first.target(URL, None)
    first.admit(target, [record("/a")], known=False)
    first.close()
    assert open_journal("second", "window").take_over(target, URL, over) == ([], [])


def test_a_program_of_no_kind_has_no_heirs(open_journal: OpenJournal) -> None:
    first = open_journal("first", "")
    target = first.target(URL, None)
    first.admit(target, [record("/a")], known=False)
    first.close()
    assert open_journal("second", "").take_over(target, URL, over) == ([], [])
    (found,) = open_journal("third", "").admit(target, [record("/a")], known=False).waiting
    assert found.id == 1  # but it is the same file


def test_only_what_is_taken_over_now_is_told(open_journal: OpenJournal) -> None:
    journal = open_journal("first")
    target = journal.target(URL, None)
    journal.admit(target, [record("/a")], known=False)
    journal.drop(target, [("/a", "/a")])
    assert journal.take_over(target, URL, over) == ([], [])


def test_the_same_file_again(open_journal: OpenJournal) -> None:
    journal = open_journal("first")
    target = journal.target(URL, "me")
    (file,) = journal.admit(target, [record("/a")], known=True).waiting
    assert journal.admit(target, [record("/a")], known=True) == module.Admission()  # in the line
    changed = journal.admit(target, [record("/a", 2)], known=True)
    assert (changed.waiting, changed.changed) == ([], [file.id])
    sent(journal, target, file)
    again = journal.admit(target, [record("/a")], known=True)
    assert [(f.id, f.file_id) for f in again.sent] == [(file.id, f"file {file.id}")]
    assert journal.is_sent(target, record("/a"))
    # Another size, another time, another name, and a target that is not known for certain.
    for other, known in [
        (record("/a", 2), True),
        (record("/a", 1, 2), True),
        (record("/a"), False),
    ]:
        assert [f.id for f in journal.admit(target, [other], known=known).waiting] == [file.id]
        assert not journal.is_sent(target, record("/a"))
        sent(journal, target, file)
    (renamed,) = journal.admit(target, [record("/a", name="b/a")], known=True).waiting
    assert renamed.id != file.id


def test_a_file_of_a_run_that_is_over_is_taken_over_when_it_is_found_again(
    open_journal: OpenJournal,
) -> None:
    first = open_journal("first", "sender")
    target = first.target(URL, None)
    same, other = record("/same"), record("/other")
    first.admit(target, [same, other], known=False)
    for file in (same, other):
        first.checkpoint(file.id, f"{URL}/tus/{file.id}", "digest")
    first.close()
    second = open_journal("second", "sender")
    found = second.admit(target, [record("/same"), record("/other", 9)], known=False).waiting
    assert [(f.id, f.resume, f.content) for f in found] == [
        (same.id, f"{URL}/tus/{same.id}", "digest"),
        (other.id, "", ""),  # it is another file now
    ]


def test_a_failed_file_joins_again(open_journal: OpenJournal) -> None:
    journal = open_journal("first")
    target = journal.target(URL, None)
    (file,) = journal.admit(target, [record("/a")], known=False).waiting
    journal.failed([(file.id, 5, "It is a brick.")])
    (kept,) = journal.records([file.id])
    assert (kept.state, kept.attempts, kept.reason) == (State.FAILED, 5, "It is a brick.")
    journal.waiting([file.id])
    (kept,) = journal.records([file.id])
    assert (kept.state, kept.attempts, kept.reason) == (State.WAITING, 0, "")
    journal.failed([(file.id, 1, "No.")])
    assert [f.id for f in journal.admit(target, [record("/a")], known=False).waiting] == [file.id]


def test_what_the_user_decided_is_kept(open_journal: OpenJournal) -> None:
    journal = open_journal("first")
    target = journal.target(URL, None)
    files = journal.admit(target, [record(f"/{n}") for n in range(4)], known=False).waiting
    journal.held([files[0].id], True)
    journal.prioritised([files[1].id, files[2].id], 1)
    journal.retried(files[2].id, 2, "Busy.")
    journal.cancelled([files[3].id])
    journal.close()
    again = open_journal("second")
    jobs, _ = again.take_over(target, URL, over)
    assert [(f.held, f.priority, f.attempts, f.reason) for f in again.records(jobs)] == [
        (True, 0, 0, ""), (False, 1, 0, ""), (False, 1, 2, "Busy."),
    ]  # fmt: skip
    again.held([files[0].id], False)
    assert not again.records([files[0].id])[0].held


def test_sent_files_can_be_sent_again(open_journal: OpenJournal) -> None:
    journal = open_journal("first")
    target = journal.target(URL, "me")
    files = journal.admit(target, [record("/a"), record("/b")], known=True).waiting
    sent(journal, target, *files)
    (again,) = journal.again([files[0].id, 999])
    assert (again.id, again.state, again.file_id) == (files[0].id, State.WAITING, "")


# --- walks that did not end -----------------------------------------------------------------------


def test_a_walk_that_did_not_end_goes_on(open_journal: OpenJournal) -> None:
    first = open_journal("first")
    target = first.target(URL, None)
    roots = (("/photos", "/photos"), ("/tmp/caf\udce9", "/spool/caf\udce9"))
    number = first.drop(target, roots)
    first.walked(first.drop(target, [("/done", "/done")]))
    assert first.sources() == ["/spool/caf\udce9"]
    first.close()
    second = open_journal("second")
    assert second.take_over(target, URL, over) == ([], [module.Drop(number, roots)])
    second.walked(number)
    assert second.sources() == []


def test_held_sources_are_needed_until_their_files_are_sent(open_journal: OpenJournal) -> None:
    journal = open_journal("first")
    target = journal.target(URL, None)
    held = Record("/tmp/a", "/spool/a", "a", 1, 1)
    journal.admit(target, [held, record("/b")], known=False)
    assert journal.sources() == ["/spool/a"]
    assert journal.records([held.id])[0].source == "/spool/a"
    sent(journal, target, held)
    assert journal.sources() == []


# --- targets --------------------------------------------------------------------------------------


def test_a_target_is_known_by_what_it_calls_itself(open_journal: OpenJournal) -> None:
    journal = open_journal("first")
    unknown = journal.target(URL, None)
    assert not journal.knows(URL)
    mine = journal.target(URL, "me")
    assert mine == unknown  # it was down when it got its number
    assert journal.knows(URL)
    assert journal.target("http://127.0.0.1:8766", "me") == mine  # at another port
    other = journal.target(URL, "somebody else")
    assert other != mine
    assert journal.target(URL, None) == other
    assert journal.target("http://127.0.0.1:8766", None) == mine


def test_what_was_meant_for_a_target_that_was_down_is_taken_over(
    open_journal: OpenJournal,
) -> None:
    first = open_journal("first")
    known = first.target(URL, "me")
    journal = open_journal("other")
    journal.target("http://elsewhere", "me")  # moved, and then back, unasked
    waiting = first.target(URL, None)
    assert waiting != known
    (file,) = first.admit(waiting, [record("/a")], known=False).waiting
    first.close()
    second = open_journal("second")
    jobs, _ = second.take_over(second.target(URL, "me"), URL, over)
    assert list(jobs) == [file.id]


# --- what is forgotten ----------------------------------------------------------------------------


def test_old_rows_are_forgotten(open_journal: OpenJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1e9]
    journal = open_journal("first", clock=lambda: now[0])
    target = journal.target(URL, "me")
    files = journal.admit(target, [record(f"/{n}") for n in range(6)], known=True).waiting
    sent(journal, target, files[0])
    now[0] += module.KEEP_DAYS * 86_400 - 1
    sent(journal, target, *files[1:5])
    journal.trim()
    assert len(journal.records(range(10))) == 6
    now[0] += 2
    journal.trim()
    assert [f.id for f in journal.records(range(10))] == [f.id for f in files[1:]]
    monkeypatch.setattr(module, "KEEP_ROWS", 2)
    journal.trim()
    left = journal.records(range(10))
    assert [f.state for f in left] == [State.SENT, State.SENT, State.WAITING]


def test_runs_that_left_nothing_are_forgotten(open_journal: OpenJournal, path: Path) -> None:
    for number in range(20):
        journal = open_journal(f"run {number}")
        target = journal.target(URL, "me")
        journal.take_over(target, URL, over)
        sent(journal, target, *journal.admit(target, [record(f"/{number}")], known=True).waiting)
        journal.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (1,)


# --- several programs, many files -----------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from dropline.journal import Journal, Record

path, run, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
journal = Journal(path, run=run, role="test", notice=print)
target = journal.target("http://127.0.0.1:8765", None)
for number in range(count):
    file = f"/{run}/{number}"
    journal.admit(target, [Record(file, file, file, 1, 1)], known=False)
journal.close()
"""


def test_programs_share_a_journal(open_journal: OpenJournal, path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, f"run {number}", "50"])
        for number in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    journal = open_journal("reader")
    jobs, _ = journal.take_over(journal.target(URL, None), URL, over)
    assert len(set(jobs)) == 150
    assert len({file.path for file in journal.records(jobs)}) == 150


def test_a_batch_costs_few_statements(open_journal: OpenJournal) -> None:
    """A thousand files are one transaction, and a handful of statements beside their rows."""
    journal = open_journal("first")
    target = journal.target(URL, "me")
    statements: list[str] = []
    journal._connection.set_trace_callback(statements.append)
    journal.admit(target, [record(f"/{n}") for n in range(1000)], known=True)
    assert sum("BEGIN" in statement for statement in statements) == 1
    assert len([s for s in statements if not s.startswith("INSERT INTO jobs")]) <= 8


def test_a_folder_that_is_taken_in_changes_few_pages(open_journal: OpenJournal) -> None:
    journal = open_journal("first")
    target = journal.target(URL, None)
    changed = []
    for folder in range(40):
        files = [record(f"/{folder}/{number}") for number in range(500)]
        journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        journal.admit(target, files, known=False)
        changed.append(journal._connection.execute("PRAGMA wal_checkpoint").fetchone()[1])
    assert max(changed) < 2 * changed[0]


# --- a journal that is no good --------------------------------------------------------------------


def fill(open_journal: OpenJournal, count: int = 3000) -> None:
    journal = open_journal("first")
    target = journal.target(URL, None)
    journal.admit(target, [record(f"/folder/{n:04}", n) for n in range(count)], known=False)
    journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()


@pytest.mark.parametrize("damage", ["middle", "header", "half", "nothing left", "another database"])
def test_a_damaged_journal_is_set_aside_and_what_can_be_read_is_kept(
    open_journal: OpenJournal, path: Path, notices: list[str], damage: str
) -> None:
    fill(open_journal)
    size = path.stat().st_size
    with path.open("r+b") as file:
        match damage:
            case "middle":
                file.seek(size // 2)
                file.write(os.urandom(8192))
            case "header":
                file.write(os.urandom(200))
            case "half":
                file.truncate(size // 2)
            case "nothing left":
                file.truncate(100)
    if damage == "another database":
        path.unlink()
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, song TEXT)")
            db.execute("PRAGMA user_version=1")
    journal = open_journal("second")
    (notice,) = notices
    (aside,) = path.parent.glob("journal.damaged-*.sqlite")
    assert notice.startswith("The journal was damaged (")
    assert str(aside) in notice
    assert "nothing is stored twice" in notice
    jobs, _ = journal.take_over(journal.target(URL, None), URL, over)
    kept = journal.records(jobs)
    assert f"{len(kept)} files" in notice
    assert all(file.path == f"/folder/{file.size:04}" for file in kept)
    if damage == "middle":
        assert 1500 < len(kept) < 3000
    journal.admit(journal.target(URL, None), [record("/new")], known=False)  # it goes on


@pytest.mark.parametrize("damaged", [False, True])
def test_what_an_older_version_sent_is_found_again(
    open_journal: OpenJournal, path: Path, notices: list[str], damaged: bool
) -> None:
    count = 3000
    fill(open_journal, count)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE jobs SET hash = random(), state = 1")  # as if it had another hash
        db.execute("PRAGMA user_version=1")
        db.commit()
    if damaged:
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(os.urandom(8192))
    journal = open_journal("second")
    assert len(notices) == damaged
    files = [record(f"/folder/{n:04}", n) for n in range(count)]
    admission = journal.admit(journal.target(URL, None), files, known=True)
    assert len(admission.sent) + len(admission.waiting) == count
    assert len(admission.sent) > count // 2 if damaged else len(admission.sent) == count


def test_a_newer_journal_is_left_alone(
    open_journal: OpenJournal, path: Path, notices: list[str]
) -> None:
    fill(open_journal, 3)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    before = path.read_bytes()
    journal = open_journal("second")
    assert path.read_bytes() == before
    (notice,) = notices
    assert "was written by a newer Dropline: update this one" in notice
    assert "nothing is remembered" in notice
    assert journal.admit(journal.target(URL, None), [record("/a")], known=False).waiting


def test_a_folder_that_cannot_be_written_leaves_a_journal_in_memory(
    path: Path, notices: list[str], unprivileged: Callable[[], Path]
) -> None:
    folder = unprivileged()
    folder.chmod(0o500)
    journal = Journal(folder / "journal.sqlite", run="a", role="test", notice=notices.append)
    assert "cannot be used" in notices[0]
    assert journal.admit(journal.target(URL, None), [record("/a")], known=False).waiting
    journal.close()


def test_a_full_disk_is_told_and_nothing_is_half_written(
    small_disk: Callable[[int], Path], notices: list[str]
) -> None:
    path = small_disk(1 << 20) / "journal.sqlite"
    journal = Journal(path, run="first", role="test", notice=notices.append)
    target = journal.target(URL, None)
    admitted: list[int] = []

    def fill_up() -> None:
        for batch in range(1000):
            files = [record(f"/{batch}/{n}" + "x" * 200) for n in range(500)]
            admitted.extend(f.id for f in journal.admit(target, files, known=False).waiting)

    with pytest.raises(JournalError, match="free some space"):
        fill_up()
    assert admitted
    journal.close()
    path.with_name("journal.sqlite-wal").unlink(missing_ok=True)
    again = Journal(path, run="second", role="test", notice=notices.append)
    jobs, _ = again.take_over(target, URL, over)
    assert set(jobs) <= set(admitted)
    assert len(jobs) % 500 == 0
    again.close()


# --- any sequence ---------------------------------------------------------------------------------


class Story(RuleBasedStateMachine):
    """Whatever happens, a journal that is opened again tells the same as a plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, tuple[State, int, int]] = {}
        self.ids: dict[str, int] = {}
        self.runs = 0

    @initialize()
    def begin(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.open()

    def open(self) -> None:
        """A new run on the same database, handed over in memory."""
        self.runs += 1
        self.journal = Journal(
            Path("/dev/null/no folder"), run=f"{self.runs}", role="test", notice=lambda _text: None
        )
        if self.runs > 1:
            self.connection.backup(self.journal._connection)
            self.journal.run = self.journal._connection.execute(
                "INSERT INTO runs (name, role, started) VALUES (?, 'test', 0) RETURNING id",
                (f"{self.runs}",),
            ).fetchone()[0]
        self.target = self.journal.target(URL, "me")

    @rule(number=st.integers(0, 8), size=st.integers(0, 2), known=st.booleans())
    def found(self, number: int, size: int, known: bool) -> None:
        path = f"/{number}"
        before = self.model.get(path)
        admission = self.journal.admit(self.target, [record(path, size)], known=known)
        if before is None or before[0] is State.FAILED:
            (file,) = admission.waiting
        elif before[0] is State.WAITING:
            assert not admission.waiting
            assert not admission.sent
            assert bool(admission.changed) == (before[1] != size)
            return
        elif known and before[1] == size:
            (file,) = admission.sent
            assert file.id == self.ids[path]
            return
        else:
            (file,) = admission.waiting
        assert self.ids.setdefault(path, file.id) == file.id
        self.model[path] = State.WAITING, size, 0

    def pick(self, number: int, state: State) -> str | None:
        paths = sorted(path for path, (is_now, _, _) in self.model.items() if is_now is state)
        return paths[number % len(paths)] if paths else None

    @rule(number=st.integers(0, 8))
    def is_sent(self, number: int) -> None:
        path = self.pick(number, State.WAITING)
        if path is not None:
            size = self.model[path][1]
            self.journal.sent(self.target, [(self.ids[path], size, 1, "id", "00")])
            self.model[path] = State.SENT, size, self.model[path][2]

    @rule(number=st.integers(0, 8), attempts=st.integers(1, 5))
    def fails(self, number: int, attempts: int) -> None:
        path = self.pick(number, State.WAITING)
        if path is not None:
            self.journal.failed([(self.ids[path], attempts, "No.")])
            self.model[path] = State.FAILED, self.model[path][1], attempts

    @rule(number=st.integers(0, 8))
    def joins_again(self, number: int) -> None:
        path = self.pick(number, State.FAILED)
        if path is not None:
            self.journal.waiting([self.ids[path]])
            self.model[path] = State.WAITING, self.model[path][1], 0

    @rule(number=st.integers(0, 8))
    def is_cancelled(self, number: int) -> None:
        path = self.pick(number, State.WAITING)
        if path is not None:
            self.journal.cancelled([self.ids.pop(path)])
            del self.model[path]

    @rule()
    def starts_again(self) -> None:
        copy = sqlite3.connect(":memory:")
        self.journal._connection.backup(copy)
        self.journal.close()
        self.connection.close()
        self.connection = copy
        self.open()
        jobs, _ = self.journal.take_over(self.target, URL, over)
        unsent = {self.ids[p] for p, (state, _, _) in self.model.items() if state != State.SENT}
        assert set(jobs) == unsent

    @invariant()
    def tells_the_same(self) -> None:
        if not self.runs:
            return
        told = {
            file.path: (file.state, file.size, file.attempts)
            for file in self.journal.records(self.ids.values())
        }
        assert told == self.model

    def teardown(self) -> None:
        if self.runs:
            self.journal.close()
            self.connection.close()


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=40, stateful_step_count=30)
