"""One thread that makes received files stored files.

Whatever waits when it looks is a *group*, and shares one sync of the folder and one transaction
(group commit). Being the only one that adds rows, it also keeps equal idempotency keys apart.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue

from dropline.events import FileReceived
from dropline.receiver.database import Database, KeyTakenError, StoredFile, UncertainError
from dropline.receiver.folder import Folder
from dropline.receiver.ids import FileIds
from dropline.receiver.problems import INTERNAL, KEY_REUSED, FileProblem, storage_problem
from dropline.value import value

_log = logging.getLogger(__name__)

#: Most files in one group.
MAX_GROUP = 512
#: Attempts at a transaction that another process on the same database may spoil.
_ATTEMPTS = 3


@value
class Kept:
    """What became of a received file: its row, and whether an earlier upload had made it."""

    file: StoredFile
    duplicate: bool


@dataclass(eq=False, slots=True)
class Pending:
    """A received file on its way; `path` is where its bytes are now, `row` what it becomes.

    It has no path when its content is kept in the database.
    """

    event: FileReceived
    path: str | None
    # One for all files: a `Future` each would bring a lock and a condition of its own.
    _settled: threading.Condition
    row: StoredFile = field(init=False)
    duplicate: bool = False
    outcome: Kept | FileProblem | None = None

    def result(self) -> Kept:
        """Wait until the file is stored. Raises FileProblem when it cannot be."""
        if self.outcome is None:
            with self._settled:
                while self.outcome is None:
                    self._settled.wait()
        if isinstance(self.outcome, FileProblem):
            raise self.outcome
        return self.outcome

    @property
    def key(self) -> tuple[str, int] | None:
        key = self.event.idempotency_key
        return None if key is None else (key, self.event.part)

    @property
    def conflicts(self) -> bool:
        """Whether it was announced as content other than what its key stands for."""
        return self.duplicate and self.event.announced and self.event.sha256 != self.row.sha256


class Writer:
    """The storing thread of a folder and its database."""

    def __init__(
        self,
        folder: Folder,
        database: Database,
        stored: Callable[[list[StoredFile]], None],
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the thread; it calls `stored` with the newly stored files of each group, and
        `give_way` between its steps."""
        self._folder = folder
        self._database = database
        self._stored = stored
        self._give_way = give_way
        self._new_id = FileIds(database.last_id())
        self._queue: SimpleQueue[Pending | None] = SimpleQueue()
        self._settled = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="receiver writer", daemon=True)
        self._thread.start()

    def store(self, event: FileReceived) -> Pending:
        """Store the file; its temporary is the writer's from now on. May end in FileProblem."""
        path = event.temporary if event.content is None else None
        pending = Pending(event, path, self._settled)
        self._queue.put(pending)
        return pending

    def close(self) -> None:
        """Store all that waits, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        going_on = True
        while going_on:
            group: list[Pending] = []
            going_on = self._gather(group)
            self._give_way()
            try:
                self._settle(group)
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
                _log.exception("%d files were not stored", len(group))
                self._fail(group, error)

    def _gather(self, group: list[Pending]) -> bool:
        """Wait for the first, take what else is there; False at the end."""
        try:
            while len(group) < MAX_GROUP:
                pending = self._queue.get(block=not group)
                if pending is None:
                    return False
                group.append(pending)
        except Empty:
            pass
        return True

    def _settle(self, group: Sequence[Pending]) -> None:
        """Store a group and answer everybody in it."""
        try:
            self._commit(group)
        except UncertainError as error:  # the next start decides, by the rows, on the bytes
            self._fail(group, error)
        except OSError as error:
            if len(group) > 1 and error.errno not in (errno.EBUSY, errno.ECONNREFUSED):
                for pending in group:  # one file's trouble is not another's
                    self._settle([pending])
            else:
                _discard(group)
                self._fail(group, error)
        else:
            self._answer(group)

    def _commit(self, group: Sequence[Pending]) -> None:
        """Give every file of the group its row. Raises OSError, then nothing is stored."""
        known: Mapping[tuple[str, int], StoredFile] = {}
        for _ in range(_ATTEMPTS):
            self._assign(group, known)
            fresh = [pending for pending in group if not pending.duplicate]
            if not fresh:
                return
            contents = {}
            for pending in fresh:
                if pending.path is not None:
                    pending.path = self._folder.name(pending.path, pending.row.file_id)
                elif pending.event.content is not None:
                    contents[pending.row.file_id] = pending.event.content
            if len(contents) < len(fresh):
                self._folder.sync()
            self._give_way()
            try:
                self._database.add([p.row for p in fresh], contents, self._give_way)
                return
            except KeyTakenError:  # rare, so looked up only now
                known = self._database.by_keys(p.key for p in group if p.key is not None)
        raise OSError(errno.EBUSY, "others write the same files to the database")

    def _assign(
        self, group: Sequence[Pending], known: Mapping[tuple[str, int], StoredFile]
    ) -> None:
        """The row of each file: that of its key when there is one already, else a new one."""
        rows = dict(known)
        now = datetime.now(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
        for pending in group:
            key = pending.key
            pending.duplicate = key in rows
            if key is None:
                pending.row = self._new_row(pending.event, now)
            else:
                if not pending.duplicate:
                    rows[key] = self._new_row(pending.event, now)
                pending.row = rows[key]

    def _new_row(self, event: FileReceived, now: str) -> StoredFile:
        return StoredFile(
            file_id=self._new_id(),
            name=event.name,
            size=event.size,
            sha256=event.sha256,
            media_type=event.media_type,
            stored_at=now,
            idempotency_key=event.idempotency_key,
            part=event.part,
        )

    def _answer(self, group: Sequence[Pending]) -> None:
        """The rows are committed: bring the bytes home and tell everybody."""
        self._give_way()
        fresh = [pending for pending in group if not pending.duplicate]
        for pending in fresh:
            if pending.path is not None:
                self._folder.bring_home(pending.row.file_id)
        _discard([pending for pending in group if pending.duplicate])
        self._stored([pending.row for pending in fresh])
        with self._settled:
            for pending in group:
                pending.outcome = _outcome(pending)
            self._settled.notify_all()

    def _fail(self, group: Sequence[Pending], error: Exception) -> None:
        """Give the error to everybody who has no answer yet."""
        with self._settled:
            for pending in group:
                if pending.outcome is None:
                    pending.outcome = _problem(pending, error)
            self._settled.notify_all()


def _outcome(pending: Pending) -> Kept | FileProblem:
    """The answer to who sent a file whose row is committed."""
    if pending.conflicts:
        return FileProblem(
            KEY_REUSED,
            f"The idempotency key of {pending.event.name!r} was used before, for other content. "
            "Send it again with a new key.",
        )
    return Kept(pending.row, pending.duplicate)


def _problem(pending: Pending, error: Exception) -> FileProblem:
    what = repr(pending.event.name)
    if isinstance(error, OSError):
        return storage_problem(error, what)
    return FileProblem(
        INTERNAL, f"{what} was not stored; the receiver's log says why. Send it again."
    )


def _discard(group: Sequence[Pending]) -> None:
    for pending in group:
        if pending.path is not None:
            with suppress(OSError):  # what stays in transit is removed at the next start
                os.unlink(pending.path)
