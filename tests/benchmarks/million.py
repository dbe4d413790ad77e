"""Listing and searching a million stored files over HTTP: is the time flat in their number?"""

from __future__ import annotations

import contextlib
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import requests
from grounds import Grounds, receiver
from report import Section, Table, progress

from dropline.receiver.database import Database, StoredFile
from dropline.receiver.ids import FileIds

#: Rows added by one statement.
AT_ONCE = 10_000
#: Of how many requests the median is taken, and of how many rows a page is.
REQUESTS, PAGE = 9, 100
#: In names all over the list, in one alone near its end, and in none.
COMMON, RARE, ABSENT = "holiday", "needle", "nowhere-to-be-found"


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """10,000 rows and 1,000,000, a tenth of that when quick, with SQLite and with PostgreSQL."""
    counts = (1_000, 100_000) if quick else (10_000, 1_000_000)
    columns = ["request, ms"]
    figures: list[list[float]] = []
    for count in counts:
        columns.append(f"SQLite, {count:,}")
        with grounds.fresh() as folder:
            (folder / "data").mkdir()
            figures.append(_measure(folder / "data", None, count))
    parts: list[Table | str] = []
    if shutil.which("pg_ctlcluster") is None:
        parts.append("PostgreSQL: –, needs Debian’s postgresql.")
    else:
        with _postgres() as new_database:
            for count in counts:
                columns.append(f"PostgreSQL, {count:,}")
                with grounds.fresh() as folder:
                    (folder / "data").mkdir()
                    figures.append(_measure(folder / "data", new_database(), count))
    table = Table(columns)
    for name, values in zip(_requests("", ""), zip(*figures, strict=True), strict=True):
        table.rows.append([name, *(f"{value:.1f}" for value in values)])
    return Section(
        f"{counts[-1]:,} stored files",
        f"`GET /files?limit={PAGE}` of `dropline serve`, median of {REQUESTS} over one kept "
        "connection; rows only, for a list reads no byte of a file.",
        [table, *parts],
    )


def _requests(middle: str, end: str) -> dict[str, dict[str, str]]:
    """The requests by what they are; `middle` and `end` are ids to go on after."""
    return {
        "first page": {},
        "middle page": {"after": middle},
        "last page": {"after": end},
        "newest first": {"order": "newest"},
        "search, found all over": {"q": COMMON},
        "search, one file near the end": {"q": RARE},
        "search, found nowhere": {"q": ABSENT},
    }


def _measure(data: Path, url: str | None, count: int) -> list[float]:
    """The median of each in milliseconds: of the longest request, where one page takes several."""
    ids = _fill(data, url, count)
    options = [] if url is None else ["--database", url]
    times = []
    with receiver(data, *options) as server, requests.Session() as session:
        for name, query in _requests(ids[count // 2], ids[-PAGE - 1]).items():
            taken = []
            for _ in range(REQUESTS):
                found, longest = _page(session, server.url, query)
                taken.append(longest * 1000)
            _check(name, found)
            times.append(statistics.median(taken))
            progress(f"{count:,} rows, {name}: {times[-1]:.1f} ms")
    return times


def _page(session: requests.Session, url: str, query: dict[str, str]) -> tuple[int, float]:
    """How many rows a page has, and the seconds of the longest of the requests for it."""
    found, longest, after = 0, 0.0, query.get("after")
    while True:
        params = {**query, "limit": str(PAGE), **({"after": after} if after else {})}
        began = time.perf_counter()
        answer = session.get(f"{url}/files", params=params, timeout=60)
        longest = max(longest, time.perf_counter() - began)
        answer.raise_for_status()
        told = answer.json()
        found, after = found + len(told["files"]), told["next"]
        if after is None or found >= PAGE:
            return found, longest


def _check(name: str, found: int) -> None:
    """Raise RuntimeError when a request gave another number of rows than it must."""
    wanted = {"search, one file near the end": 1, "search, found nowhere": 0}.get(name, PAGE)
    if found != wanted:
        raise RuntimeError(f"{name}: {found} rows, not {wanted}")


def _fill(data: Path, url: str | None, count: int) -> list[str]:
    """Add the rows by the receiver's own statements; returns their ids."""
    numbers, new_id = random.Random(count), FileIds()
    stored_at = datetime.now(UTC).isoformat()
    ids = [new_id() for _ in range(count)]
    database = Database(url, data)
    for first in range(0, count, AT_ONCE):
        rows = []
        for number, file_id in enumerate(ids[first : first + AT_ONCE], first):
            word = COMMON if number % 10 == 0 else RARE if number == count - 5 else "work"
            name = f"{word}/{number // 500:04d}/{number:07d}.jpg"
            digest = numbers.randbytes(32).hex()
            rows.append(StoredFile(file_id, name, 4096, digest, "image/jpeg", stored_at, None, 0))
        database.add(rows, {})
    database.close()
    return ids


@contextlib.contextmanager
def _postgres() -> Iterator[Callable[[], str]]:
    """A PostgreSQL server of our own, the tests' one; calls make a database and give its URL."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "core"))
    from postgres import Postgres

    server = Postgres(lambda program, _package: program)
    try:
        yield server.database
    finally:
        server.close()
