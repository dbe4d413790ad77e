"""What handlers have to do, in the receiver's database: noted before it is done, gone after."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Row, Select, func, select

from dropline.receiver.database import Database, StoredFile
from dropline.receiver.schema import ERRANDS, FILES, MARKS

#: Files whose errands are noted in one transaction.
_PAGE = 500


class Errand(NamedTuple):
    """A handler's work on a file. A dead letter has an `error` and the time when it failed."""

    number: int
    handler: str
    file: StoredFile
    attempts: int
    error: str | None
    failed_at: str | None


class Errands:
    """The tables of errands and marks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: The last number given: those of errands that are gone are not given again.
        self._last = 0

    def begin(self, handlers: Iterable[str]) -> None:
        """A handler that is new begins with the files that are stored from now on."""
        last = self._database.last_id() or str(uuid.UUID(int=0))
        with self._database.transaction() as connection:
            known = set(connection.execute(select(MARKS.c.handler)).scalars())
            fresh = [{"handler": name, "file_id": last} for name in handlers if name not in known]
            if fresh:
                connection.execute(MARKS.insert(), fresh)

    def note(self, handler: str) -> list[Errand]:
        """Note the errands of a page of files that have come since; none when all are noted."""
        with self._database.transaction() as connection:
            mark = select(MARKS.c.file_id).where(MARKS.c.handler == handler)
            after = connection.execute(mark).scalar_one()
            files = self._database.page(_PAGE, after)
            if not files:
                return []
            greatest = connection.execute(select(func.max(ERRANDS.c.number))).scalar() or 0
            errands = [
                Errand(number, handler, file, 0, None, None)
                for number, file in enumerate(files, max(greatest, self._last) + 1)
            ]
            rows = [
                {"number": e.number, "handler": handler, "file_id": e.file.file_id, "attempts": 0}
                for e in errands
            ]
            connection.execute(ERRANDS.insert(), rows)
            moved = MARKS.update().where(MARKS.c.handler == handler)
            connection.execute(moved.values(file_id=files[-1].file_id))
            self._last = errands[-1].number
        return errands

    def waiting(self, handlers: Collection[str]) -> list[Errand]:
        """What an earlier run left to be done by these handlers, in order."""
        return self._read(_joined().where(ERRANDS.c.error.is_(None)), handlers)

    def letters(self, handlers: Collection[str]) -> list[Errand]:
        """The dead letters of these handlers, oldest first."""
        return self._read(_joined().where(ERRANDS.c.error.is_not(None)), handlers)

    def get(self, numbers: Collection[int]) -> list[Errand]:
        """The errands that there are of these."""
        with self._database.transaction() as connection:
            query = _joined().where(ERRANDS.c.number.in_(list(numbers)))
            return [_errand(row) for row in connection.execute(query)]

    def done(self, numbers: Sequence[int]) -> None:
        """These are done."""
        with self._database.transaction() as connection:
            connection.execute(ERRANDS.delete().where(ERRANDS.c.number.in_(numbers)))

    def failed(self, reasons: Mapping[int, tuple[str, int]]) -> None:
        """These are dead letters: for a reason, after so many attempts."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        with self._database.transaction() as connection:
            for number, (reason, attempts) in reasons.items():
                row = ERRANDS.update().where(ERRANDS.c.number == number)
                connection.execute(row.values(error=reason, attempts=attempts, failed_at=now))

    def again(self, numbers: Sequence[int]) -> None:
        """These are to be done again."""
        with self._database.transaction() as connection:
            rows = ERRANDS.update().where(ERRANDS.c.number.in_(numbers))
            connection.execute(rows.values(error=None, attempts=0, failed_at=None))

    def _read(self, query: Select[tuple[object, ...]], handlers: Collection[str]) -> list[Errand]:
        query = query.where(ERRANDS.c.handler.in_(list(handlers))).order_by(ERRANDS.c.number)
        with self._database.transaction() as connection:
            return [_errand(row) for row in connection.execute(query)]


def _joined() -> Select[tuple[object, ...]]:
    return select(ERRANDS, FILES).join(FILES, FILES.c.file_id == ERRANDS.c.file_id)


def _errand(row: Row[tuple[object, ...]]) -> Errand:
    values = tuple(row)
    number, handler, _, attempts, error, failed_at = values[: len(ERRANDS.c)]
    file = StoredFile(*values[len(ERRANDS.c) :])  # type: ignore[arg-type]
    return Errand(number, handler, file, attempts, error, failed_at)  # type: ignore[arg-type]
