"""The log: what happened on the line, one JSON object a line, in order of time.

A log is enough to compute every figure again, so the window can record one and open one.
"""

import json
import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from io import FileIO
from json.encoder import encode_basestring_ascii
from os import PathLike
from typing import IO, NamedTuple, Self

LINE_LIMIT = 65_536
"""Longest line of a log in bytes; a longer one shows that the file is something else."""

T_LIMIT = 1e15
"""Largest |t| of a log in seconds: far beyond any clock, and still exact arithmetic."""

BLOCK = 65_536
"""Bytes of a log that are parsed in one go: its lines together take a third of the time."""

BATCH_SECONDS = 0.1
"""How long a recorder gathers entries before it writes them: what a kill may lose."""

BACKLOG_LIMIT = 1_000_000
"""Entries a recorder holds for a disk that doesn't keep up before it gives up."""

_REMEDY = "Free some space or choose another place, then record again."

warn = logging.getLogger(__name__).warning
"""Where a notice goes that nobody asked for: the program's own log."""


class LogError(ValueError):
    """A log can't be read; the message names the file, the line and what is wrong."""


class _NotJSONError(ValueError):
    """A line isn't even JSON: at the end of a file that means it was cut short."""


class Kind(StrEnum):
    """What happened: to a job, or (`WORKERS`) to the number of workers."""

    ARRIVE = "arrive"
    """The job joined the line and waits."""
    START = "start"
    """A worker began an attempt."""
    FINISH = "finish"
    """The attempt succeeded; the job left."""
    FAIL = "fail"
    """The attempt failed for good; the job left."""
    RETRY = "retry"
    """The attempt failed; the job waits again."""
    CANCEL = "cancel"
    """The job left unfinished, waiting or running."""
    WORKERS = "workers"
    """The number of workers became `Entry.workers`."""


_KINDS = {kind.value: kind for kind in Kind}


# A NamedTuple, because a line makes four of these a file at up to 10,000 files a second, and
# a frozen dataclass takes more than twice as long to create (515 ns against 221).
class Entry(NamedTuple):
    """One line of a log: at `t` seconds (any clock that doesn't go back) `kind` happened."""

    t: float
    kind: Kind
    job: str | int | None = None
    workers: int | None = None
    worker: int | None = None
    """Of a start: who serves the job. One that serves several jobs at a time is one busy worker."""
    size: int | None = None
    """Of a start: the job's size in bytes."""

    def to_json(self) -> str:
        """This entry as one line of JSON, without the line feed.

        Raises ValueError when `t` is not finite: JSON has no such number.
        """
        if not math.isfinite(self.t):
            raise ValueError(f"t is {self.t}, which is not a time")
        # Written out, because a JSON encoder takes more than twice as long (2.7 us against 1.1).
        text = f'{{"t":{self.t!r},"kind":"{self.kind}"'
        if self.job is not None:
            job = encode_basestring_ascii(self.job) if isinstance(self.job, str) else self.job
            text += f',"job":{job}'
        if self.workers is not None:
            text += f',"workers":{self.workers}'
        if self.worker is not None:
            text += f',"worker":{self.worker}'
        if self.size is not None:
            text += f',"size":{self.size}'
        return text + "}"

    @classmethod
    def from_json(cls, line: str | bytes) -> Self:
        """The entry that `line` holds; unknown keys are left for later versions.

        Raises ValueError saying what is wrong with the line.
        """
        return cls(*_values(_object(line)))


def read_log(path: str | PathLike[str], notice: Callable[[str], object] = warn) -> Iterator[Entry]:
    """The entries of the log at `path`, one at a time.

    A last line without its line feed that isn't whole is what a killed program leaves: it is
    skipped, and `notice` gets a sentence that says so. Blank lines mean nothing.

    Raises LogError when the file can't be read, a line isn't an entry, or `t` goes back.
    """
    latest = -math.inf
    number = 0
    try:
        with open(path, "rb") as file:
            for lines, whole in _blocks(file):
                for line, entry in zip(lines, _parse(lines), strict=True):
                    number += 1
                    try:
                        if entry is None:
                            if not line.strip():
                                continue
                            entry = Entry.from_json(_short(line))  # or it says what is wrong
                        if entry.t < latest:
                            raise ValueError(
                                f"t goes back from {latest} to {entry.t}; sort the log by t"
                            )
                    except ValueError as error:
                        if isinstance(error, _NotJSONError) and not whole:
                            notice(f"{path}, line {number}: cut short, so it is left out.")
                            return
                        raise LogError(f"{path}, line {number}: {error}") from error
                    latest = entry.t
                    yield entry
    except OSError as error:
        raise LogError(f"{path} can't be read: {error.strerror or error}") from error


class Recorder:
    """Writes entries to a new log at `path`, replacing what was there, off the caller's thread.

    Nothing here waits for the disk except `close`, and nothing raises: when the file can't be
    written, recording ends and `error` says why. Entries that come a little out of order, from
    several threads, get the time of the one before them, as the meter counts them too.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = path
        self.error: str | None = None
        """Why recording ended early, as a sentence; None while all is well."""
        self._pending: list[Entry] = []
        self._recording = True
        self._wake = threading.Condition()
        # A daemon, so that a recorder nobody closed can't keep the program from exiting.
        self._writer = threading.Thread(target=self._write, name="dropline-recorder", daemon=True)
        self._writer.start()

    def record(self, entries: Iterable[Entry]) -> None:
        """Take `entries` to be written, and return at once; after the end they are dropped."""
        with self._wake:
            if not self._recording:
                return
            idle = not self._pending
            self._pending.extend(entries)
            if len(self._pending) > BACKLOG_LIMIT:
                self._end(f"the disk is too slow. {_REMEDY}")
            elif idle:
                self._wake.notify()

    def close(self) -> None:
        """Write what is left and end; closing again does nothing."""
        with self._wake:
            self._recording = False
            self._wake.notify()
        self._writer.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self) -> None:
        """The writer thread: open the file, then append batches until the end."""
        latest = -math.inf
        try:
            with open(self.path, "wb", buffering=0) as file:
                while batch := self._next_batch():
                    lines = []
                    for entry in batch:
                        latest = max(latest, entry.t)
                        lines.append(entry._replace(t=latest) if entry.t < latest else entry)
                    _write_all(file, "".join(f"{e.to_json()}\n" for e in lines).encode())
        except OSError as error:
            with self._wake:
                self._end(f"{error.strerror or error}. {_REMEDY}")
        except ValueError as error:  # an entry that no log can hold
            with self._wake:
                self._end(f"{error}.")

    def _next_batch(self) -> list[Entry]:
        """Wait for entries; empty when recording has ended and all is written."""
        with self._wake:
            self._wake.wait_for(lambda: self._pending or not self._recording)
            self._wake.wait_for(lambda: not self._recording, timeout=BATCH_SECONDS)
            batch, self._pending = self._pending, []
            return batch

    def _end(self, reason: str) -> None:
        """Stop recording for `reason`; the lock is held."""
        self._recording = False
        self._pending = []
        self.error = f"Recording to {self.path} stopped: {reason}"
        self._wake.notify()


def _write_all(file: FileIO, data: bytes) -> None:
    # Unbuffered writes may be partial; a buffer instead would hold lines back from a kill.
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _blocks(file: IO[bytes]) -> Iterator[tuple[list[bytes], bool]]:
    """The lines of a file, many at a time, and whether each had its line feed.

    The first that is too long is the last: no foreign file can fill the memory with one line.
    """
    rest = b""
    while data := file.read(BLOCK):
        *lines, rest = (rest + data).split(b"\n")
        if lines:
            yield lines, True
        if len(rest) >= LINE_LIMIT:
            break
    if rest:
        yield [rest], False


def _parse(lines: list[bytes]) -> Iterable[Entry | None]:
    """The entries of lines, parsed together; None for each if one of them isn't an entry."""
    try:
        objects = json.loads(b"[%b]" % b",".join(lines))
        plain = all(type(fields) is dict for fields in objects)
        if plain and len(objects) == len(lines) and max(map(len, lines)) < LINE_LIMIT:
            return [Entry(*_values(fields)) for fields in objects]
    except (ValueError, RecursionError):
        pass
    return [None] * len(lines)


def _short(line: bytes) -> bytes:
    if len(line) < LINE_LIMIT:
        return line
    raise ValueError(f"longer than {LINE_LIMIT} bytes, so this is not a log")


# What JSON gives has exact types; comparing them keeps true and false from being numbers.
def _object(line: str | bytes) -> dict[str, object]:
    try:
        fields = json.loads(line if isinstance(line, str) else line.decode())
    except UnicodeDecodeError:
        raise _NotJSONError("not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        raise _NotJSONError(f"not JSON ({error})") from None
    if type(fields) is dict:
        return fields
    raise ValueError(f"not a JSON object but {_show(fields)}")


def _values(
    fields: dict[str, object],
) -> tuple[float, Kind, str | int | None, int | None, int | None, int | None]:
    """The values of an entry; raises ValueError saying what is wrong with one."""
    t, name, job = fields.get("t"), fields.get("kind"), fields.get("job")
    if type(t) is not float or not -T_LIMIT <= t <= T_LIMIT:
        t = _time(t)
    kind = _KINDS.get(name) if type(name) is str else None
    if kind is None:
        kind = _kind(name)
    if kind is Kind.WORKERS:
        return t, kind, None, _workers(fields.get("workers")), None, None
    if type(job) is not int and type(job) is not str:
        job = _job(job)
    worker, size = fields.get("worker"), fields.get("size")
    if worker is not None and type(worker) is not int:
        raise ValueError(f"worker must be a whole number, not {_show(worker)}")
    if size is not None and (type(size) is not int or size < 0):
        raise ValueError(f"size must be a whole number of bytes, not {_show(size)}")
    return t, kind, job, None, worker, size


def _time(t: object) -> float:
    if (type(t) is float or type(t) is int) and -T_LIMIT <= t <= T_LIMIT:
        return float(t)
    raise ValueError(f"t must be a number of seconds, not {_show(t)}")


def _kind(kind: object) -> Kind:
    try:
        return Kind(kind)  # type: ignore[arg-type]  # any other type is an unknown kind too
    except ValueError:
        names = ", ".join(Kind)
        raise ValueError(f"kind must be one of {names}, not {_show(kind)}") from None


def _job(job: object) -> str | int:
    if type(job) is str or type(job) is int:
        return job
    raise ValueError(f"job must be a string or a whole number, not {_show(job)}")


def _workers(workers: object) -> int:
    if type(workers) is int and workers >= 0:
        return workers
    raise ValueError(f"workers must be a whole number from 0 on, not {_show(workers)}")


def _show(value: object) -> str:
    """`value` as it stood in the log, fit for a sentence."""
    if value is None:
        return "missing"
    if isinstance(value, list | dict):  # not its content, which may be as deep as a line is long
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
