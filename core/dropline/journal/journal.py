"""What is to be sent and what was sent, so that a killed program goes on where it was.

One row stands for one path, sent under one name to one target, and its id is the job's id: a file
that is dropped again is the same row. A row belongs to the *run* of the program that works on it.
Rows of a run that is over can be taken over; the sent ones say what need not be sent again.

Every method is one transaction and may be called from any thread, but not from the window's: it
waits for the disk, and for other programs on the same journal. Each raises JournalError when
nothing of it was written.

Sent rows are kept for `KEEP_DAYS`, at most `KEEP_ROWS` of them, the latest; what was cancelled is
forgotten at once, and what a run left that nobody took over for as long, too. All else stays until
it is sent or cancelled.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
import threading
import time
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from dropline.journal.storage import (
    JournalError,
    join_journal,
    open_in_memory,
    open_journal,
    row_hash,
)
from dropline.sql import tables

KEEP_DAYS = 90
KEEP_ROWS = 2_000_000
#: Finished files between two looks at what is to be forgotten.
TRIM_EVERY = 100_000
#: `os.fsencode` and `os.fsdecode` ask for them at every call.
_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()


class State(IntEnum):
    """What has become of a file, as the journal knows it."""

    WAITING = 0
    SENT = 1
    FAILED = 2


_STATES = tuple(State)


@dataclass(slots=True)
class Record:
    """A file in the journal. `source` is where it is read; `id` is its job's, 0 while it has none.

    `content` and `resume` are the target's notes, see `Upload`; `ended` is in seconds since 1970.
    """

    path: str
    source: str
    name: str
    size: int
    mtime_ns: int
    id: int = 0
    content: str = ""
    resume: str = ""
    state: State = State.WAITING
    attempts: int = 0
    priority: int = 0
    held: bool = False
    reason: str = ""
    file_id: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """A drop whose walk did not end: pairs of path and source."""

    id: int
    roots: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Admission:
    """What became of files that were found: to be sent, or sent already.

    Those that are in this run's line already are neither; of these, `changed` has the jobs of those
    whose content is another by now. `failed` has the id, attempts and reason of those to be sent
    that had failed.
    """

    waiting: list[Record] = field(default_factory=list)
    sent: list[Record] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    failed: list[tuple[int, int, str]] = field(default_factory=list)


_LISTED = "(SELECT value FROM json_each(?))"
_UNKNOWN: tuple[int, None] = (0, None)
_FIELDS = (
    "id, path, source, name, size, mtime_ns, content, resume, state, attempts, priority, held, "
    "reason, file_id, sha256"
)


class Journal:
    """The journal of one data folder, as one run of one program has it open."""

    def __init__(
        self,
        path: Path,
        *,
        run: str | int,
        role: str = "",
        notice: Callable[[str], object] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`run` is this run's name, `role` what kind of program it is, "" for one without heirs.

        `notice` gets a sentence when the file was damaged, or when it cannot be used at all: then
        the journal is kept in memory. A `run` that another process has begun goes by its number;
        then a file that cannot be used raises JournalError.
        """
        #: Where it is kept, None while that is memory alone.
        self.path: Path | None = path
        self._clock = clock
        self._role = role
        self._lock = threading.Lock()
        self._until_trim = TRIM_EVERY
        #: The number of this run.
        self.run = run if isinstance(run, int) else 0
        if self.run:
            self._connection = join_journal(path)
            return
        try:
            self._connection = open_journal(path, notice)
        except JournalError as error:
            notice(f"{error} Until then nothing is remembered when the program ends.")
            self._connection = open_in_memory()
            self.path = None
        with self._write() as db:
            self.run = db.execute(
                "INSERT INTO runs (name, role, started) VALUES (?, ?, ?) RETURNING id",
                (run, role, clock()),
            ).fetchone()[0]
        self.trim()

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._connection.close()

    # --- targets and runs -------------------------------------------------------------------

    def target(self, url: str, identity: str | None) -> int:
        """The number of a target, by what it calls itself or, where that is not known, its URL."""
        with self._write() as db:
            if identity is None:
                found = db.execute(
                    "SELECT id FROM targets WHERE url = ? ORDER BY id DESC", (url,)
                ).fetchone()
            else:
                found = db.execute(
                    "SELECT id FROM targets WHERE identity = ?", (identity,)
                ).fetchone()
            if found is None and identity is not None:  # one that was down when it got its number
                found = db.execute(
                    "SELECT id FROM targets WHERE url = ? AND identity IS NULL", (url,)
                ).fetchone()
            if found is None:
                return int(
                    db.execute(
                        "INSERT INTO targets (url, identity) VALUES (?, ?) RETURNING id",
                        (url, identity),
                    ).fetchone()[0]
                )
            db.execute(
                "UPDATE targets SET url = ?, identity = coalesce(?, identity) WHERE id = ?",
                (url, identity, found[0]),
            )
            return int(found[0])

    def knows(self, url: str) -> bool:
        """Whether something was sent to a target at this URL before."""
        with self._read() as db:
            found = db.execute(
                "SELECT 1 FROM targets WHERE url = ? AND identity IS NOT NULL", (url,)
            ).fetchone()
        return found is not None

    def sources(self) -> list[str]:
        """Where files that are not sent yet are read, if not at their own paths."""
        with self._read() as db:
            rows = db.execute(
                "SELECT source FROM jobs WHERE state <> 1 AND source IS NOT NULL"
            ).fetchall()
            roots = db.execute("SELECT roots FROM drops").fetchall()
        held = [os.fsdecode(source) for (source,) in rows]
        for (text,) in roots:
            held += [source for path, source in _roots(text) if source != path]
        return held

    def take_over(
        self, target: int, url: str, is_over: Callable[[str], bool]
    ) -> tuple[Sequence[int], list[Drop]]:
        """Make our own what runs of this role have left: files that are not sent, unended walks.

        That is what they left for this target, or for whatever had its URL. `is_over` tells of a
        run's name whether that run has ended.
        """
        ours = (
            "SET run = ?, target = ? WHERE run = ? AND "
            "target IN (SELECT id FROM targets WHERE id = ? OR url = ?)"
        )
        jobs, drops = array("q"), []
        with self._write() as db:
            for run, name, role, started in db.execute("SELECT * FROM runs").fetchall():
                if run == self.run or not is_over(name):
                    continue
                if role and role == self._role:
                    values = (self.run, target, run, target, url)
                    found = db.execute(f"UPDATE jobs {ours} AND state <> 1 RETURNING id", values)
                    jobs.extend(job for (job,) in found)
                    found = db.execute(f"UPDATE drops {ours} RETURNING id, roots", values)
                    drops += [Drop(number, tuple(_roots(text))) for number, text in found]
                if started < self._clock() - KEEP_DAYS * 86_400:
                    db.execute("DELETE FROM jobs WHERE state <> 1 AND run = ?", (run,))
                    db.execute("DELETE FROM drops WHERE run = ?", (run,))
                db.execute(
                    "DELETE FROM runs WHERE id = ? AND id NOT IN "
                    "(SELECT run FROM jobs WHERE state <> 1 UNION SELECT run FROM drops)",
                    (run,),
                )
        return sorted(jobs), drops

    # --- what is to be sent -----------------------------------------------------------------

    def drop(self, target: int, roots: Sequence[tuple[str, str]]) -> int:
        """A walk of these paths and sources begins; the drop's number."""
        text = json.dumps([[os.fsencode(p).hex(), os.fsencode(s).hex()] for p, s in roots])
        with self._write() as db:
            return int(
                db.execute(
                    "INSERT INTO drops (run, target, roots) VALUES (?, ?, ?) RETURNING id",
                    (self.run, target, text),
                ).fetchone()[0]
            )

    def walked(self, drop: int) -> None:
        """The walk is over: everything that it found is here."""
        with self._write() as db:
            db.execute("DELETE FROM drops WHERE id = ?", (drop,))

    def admit(
        self,
        target: int,
        files: Sequence[Record],
        *,
        known: bool,
        almost: Callable[[Admission], object] = lambda _: None,
    ) -> Admission:
        """Take files that were found into the line, and give them their ids.

        Those that are unchanged since they were sent are told apart when `known` is true; those
        that this run has in its line already are left out. `almost` gets what is returned just
        before it is committed.
        """
        admission = Admission()
        rows = list(map(_row, files))
        with self._write() as db:
            before = self._by_hash(db, target, [row[0] for row in rows])
            top = db.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()[0]
            fresh: list[tuple[Any, ...]] = []
            again: list[tuple[Any, ...]] = []
            for file, row in zip(files, rows, strict=True):
                run, old = before.get((file.path, file.name), _UNKNOWN)
                same = old is not None and (old.size, old.mtime_ns) == (file.size, file.mtime_ns)
                if old is None:
                    top += 1
                    file.id = top
                    fresh.append((top, *row))
                elif old.state is State.SENT and same and known:
                    admission.sent.append(old)
                    continue
                elif old.state is State.WAITING and run == self.run:
                    if not same:
                        admission.changed.append(old.id)
                    continue
                else:
                    file.id = old.id
                    if old.state is State.FAILED:
                        admission.failed.append((old.id, old.attempts, old.reason))
                    if same and old.state is not State.SENT:
                        file.content, file.resume = old.content, old.resume
                    again.append((self.run, *row[1:], file.content, file.resume, file.id))
                before[file.path, file.name] = self.run, file
                admission.waiting.append(file)
            for values, marks in tables(fresh, f"{self.run}, {target}, 0"):
                db.execute(
                    "INSERT INTO jobs (run, target, state, id, hash, path, source, name, size, "
                    f"mtime_ns) VALUES {marks}",
                    values,
                )
            db.executemany(
                "UPDATE jobs SET run = ?, path = ?, source = ?, name = ?, size = ?, mtime_ns = ?, "
                "content = ?, resume = ?, state = 0, attempts = 0, reason = '', file_id = '', "
                "sha256 = '', ended = NULL WHERE id = ?",
                again,
            )
            almost(admission)
        return admission

    def is_sent(self, target: int, file: Record) -> bool:
        """Whether the file was sent and is unchanged since."""
        with self._read() as db:
            known = self._by_hash(db, target, [_row(file)[0]])
        _, old = known.get((file.path, file.name), _UNKNOWN)
        return (
            old is not None
            and old.state is State.SENT
            and (old.size, old.mtime_ns) == (file.size, file.mtime_ns)
        )

    def again(self, jobs: Collection[int]) -> list[Record]:
        """Let sent or failed files wait once more."""
        with self._write() as db:
            db.execute(
                "UPDATE jobs SET state = 0, run = ?, attempts = 0, reason = '', file_id = '', "
                f"sha256 = '', ended = NULL WHERE id IN {_LISTED}",
                (self.run, _list(jobs)),
            )
        return self.records(jobs)

    def records(self, jobs: Collection[int]) -> list[Record]:
        """The files of these ids, as far as they are known, in the order of their ids."""
        if not jobs:
            return []
        with self._read() as db:
            rows = db.execute(
                f"SELECT {_FIELDS} FROM jobs WHERE id IN {_LISTED} ORDER BY id", (_list(jobs),)
            )
            return list(map(_record, rows))

    # --- what becomes of it -----------------------------------------------------------------

    def checkpoint(self, job: int, resume: str, content: str) -> None:
        """Keep how an upload that is under way can be gone on with."""
        with self._write() as db:
            db.execute(
                "UPDATE jobs SET resume = ?, content = ? WHERE id = ?", (resume, content, job)
            )

    def sent(self, target: int, files: Iterable[tuple[int, int, int, str, str]]) -> None:
        """Files are verifiably at a target: id, size, mtime_ns, file id and SHA-256 of each."""
        now = self._clock()
        rows = list(files)
        with self._write() as db:
            for values, marks in tables(rows):
                db.execute(
                    "UPDATE jobs SET state = 1, target = ?, ended = ?, size = sent.column2, "
                    "mtime_ns = sent.column3, file_id = sent.column4, sha256 = sent.column5, "
                    f"resume = '', reason = '', source = NULL FROM (VALUES {marks}) AS sent "
                    "WHERE jobs.id = sent.column1",
                    [target, now, *values],
                )
        self._until_trim -= len(rows)
        if self._until_trim <= 0:
            self.trim()

    def retried(self, job: int, attempts: int, reason: str) -> None:
        """An attempt failed in passing."""
        with self._write() as db:
            db.execute(
                "UPDATE jobs SET attempts = ?, reason = ? WHERE id = ?", (attempts, reason, job)
            )

    def failed(self, files: Iterable[tuple[int, int, str]]) -> None:
        """Files failed for good: id, attempts and reason of each."""
        now = self._clock()
        rows = [(attempts, reason, now, job) for job, attempts, reason in files]
        with self._write() as db:
            db.executemany(
                "UPDATE jobs SET state = 2, attempts = ?, reason = ?, ended = ? WHERE id = ?", rows
            )

    def waiting(self, jobs: Collection[int]) -> None:
        """Failed files join the line again."""
        self._set("state = 0, attempts = 0, reason = '', ended = NULL", (), jobs)

    def cancelled(self, jobs: Collection[int]) -> None:
        """The user took files out of the line: they are forgotten."""
        with self._write() as db:
            db.execute(f"DELETE FROM jobs WHERE id IN {_LISTED}", (_list(jobs),))

    def held(self, jobs: Collection[int], held: bool) -> None:
        """Files are held, or released."""
        self._set("held = ?", (int(held),), jobs)

    def prioritised(self, jobs: Collection[int], priority: int) -> None:
        """Files have another priority."""
        self._set("priority = ?", (priority,), jobs)

    def trim(self) -> None:
        """Forget what the policy says; see the module."""
        self._until_trim = TRIM_EVERY
        with self._write() as db:
            db.execute(
                "DELETE FROM jobs WHERE state = 1 AND ended < ?",
                (self._clock() - KEEP_DAYS * 86_400,),
            )
            (sent,) = db.execute("SELECT count(*) FROM jobs WHERE state = 1").fetchone()
            if sent > KEEP_ROWS:
                db.execute(
                    "DELETE FROM jobs WHERE id IN "
                    "(SELECT id FROM jobs WHERE state = 1 ORDER BY ended LIMIT ?)",
                    (sent - KEEP_ROWS,),
                )

    # --- how it is done ---------------------------------------------------------------------

    def _set(self, what: str, values: tuple[Any, ...], jobs: Collection[int]) -> None:
        with self._write() as db:
            db.execute(f"UPDATE jobs SET {what} WHERE id IN {_LISTED}", (*values, _list(jobs)))

    def _by_hash(
        self, db: sqlite3.Connection, target: int, hashes: Sequence[int]
    ) -> dict[tuple[str, str], tuple[int, Record]]:
        """The rows that these hashes lead to, by path and name, each with its run."""
        found: dict[tuple[str, str], tuple[int, Record]] = {}
        rows = db.execute(
            f"SELECT {_FIELDS}, run FROM jobs WHERE target = ? AND hash IN {_LISTED}",
            (target, _list(hashes)),
        )
        for *values, run in rows:
            record = _record(values)
            found[record.path, record.name] = run, record
        return found

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                with self._connection:
                    yield self._connection
            except sqlite3.Error as error:
                raise _trouble(error) from error

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise _trouble(error) from error


def _trouble(error: sqlite3.Error) -> JournalError:
    return JournalError(
        f"The journal cannot be written ({error}): free some space in the data folder."
    )


def _row(file: Record) -> tuple[int, bytes, bytes | None, bytes, int, int]:
    """The hash, path, source, name, size and time of a file that was found, as they are kept."""
    path = file.path.encode(_ENCODING, _ERRORS)
    name = file.name.encode("utf-8", "surrogateescape")
    source = None if file.source == file.path else os.fsencode(file.source)
    return row_hash(path, name), path, source, name, file.size, file.mtime_ns


def _record(row: Sequence[Any]) -> Record:
    (number, path, source, name, size, mtime_ns, content, resume, state, attempts, priority, held,
     reason, file_id, sha256) = row  # fmt: skip
    where = path.decode(_ENCODING, _ERRORS)
    where_read = where if source is None else source.decode(_ENCODING, _ERRORS)
    return Record(
        where, where_read, name.decode("utf-8", "surrogateescape"), size, mtime_ns, number, content,
        resume, _STATES[state], attempts, priority, bool(held), reason, file_id, sha256,
    )  # fmt: skip


def _roots(text: str) -> list[tuple[str, str]]:
    pairs = json.loads(text)
    return [(os.fsdecode(bytes.fromhex(p)), os.fsdecode(bytes.fromhex(s))) for p, s in pairs]


def _list(numbers: Collection[int]) -> str:
    """Numbers as one value, which a statement names as `_LISTED`, however many they are."""
    return json.dumps(list(numbers))
