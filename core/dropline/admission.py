"""What was dropped gets into the journal: here at first, a long walk in a process of its own.

Each look at a file and each statement lets go of the interpreter lock, and gets it back only behind
the thread that took it meanwhile. So beside a receiver and workers, all in one process, a walk took
ten times as long as alone. The other process also writes what it finds into the journal, ahead of
the line, which takes it from there: a million files are safe long before the last of them is told.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import IO, NamedTuple

from dropline.compact import compact
from dropline.intake import Batch, Refused, Root, walk
from dropline.journal import Admission, Journal, JournalError, Record, State

#: Files that a walk takes in here: to start the other process takes as long as for ten thousand.
HERE = 20_000
#: The other process says at least so often, in seconds, that it is still walking.
PULSE = 0.1
#: Files in a step of what is done with a batch here, so that a window beside it soon has its turn.
STEP = 250
#: How much the other process leaves to who waits for a processor, as `nice` has it.
NICE = 3
#: The argument by which a bundled program, which brings no interpreter, runs `main`.
APART = "--admit-apart"
# -P: nothing is imported from the folder that the program happens to run in.
_COMMAND = ("-P", "-c", "from dropline.admission import main; main()")


@dataclass(slots=True)
class Taken:
    """What became of a batch: `found` files of `size` bytes in all are in the journal.

    `unneeded` are the sources of those that are not to be sent.
    """

    found: int = 0
    size: int = 0
    refused: Sequence[Refused] = ()
    admission: Admission = field(default_factory=Admission)
    unneeded: Sequence[str] = ()


def take_in(
    batch: Batch,
    journal: Journal,
    target: int,
    *,
    known: bool,
    tell: Callable[[Taken], object] = lambda _: None,
) -> Taken:
    """Take a batch into the journal; `target` and `known` are as `Journal.admit` has them.

    `tell` gets what is returned just before it is kept. What cannot be kept is refused.
    """
    records = [Record(*item) for item in batch.found]
    taken = Taken(len(records), sum(record.size for record in records), batch.refused)

    def almost(admission: Admission) -> None:
        taken.admission = admission
        tell(taken)

    try:
        journal.admit(target, records, known=known, almost=almost)
    except JournalError as error:
        lost = [Refused(record.path, str(error)) for record in records]
        return Taken(refused=[*batch.refused, *lost])
    taken.unneeded = [record.source for record in records if not record.id]
    return taken


def walk_in(
    roots: Sequence[Root],
    journal: Journal,
    target: int,
    *,
    known: bool,
    here: int = HERE,
    stop: Callable[[], bool] = lambda: False,
    keep: Callable[[], bool] = lambda: False,
    between: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Taken]:
    """Take in what the roots hold, batch by batch, until `stop()` is true.

    After `here` files the other process goes on with it. What that wrote ahead of a stop is
    forgotten, or has failed as before, unless `keep()` is true. `between` is called between two
    steps of a batch. Raises OSError when the process is killed. Held sources are walked here to the
    end: they go as soon as they are sent, so that a second walk would miss folders that the first
    one saw.
    """
    batches = walk(roots, stop, clock)
    held = any(root.source != root.path for root in roots)
    seen: set[str] = set()
    for batch in batches:
        yield take_in(batch, journal, target, known=known)
        if held or journal.path is None:
            continue
        seen.update(item.path for item in batch.found)
        seen.update(item.path for item in batch.refused)
        if len(seen) >= here:
            break
    else:
        return
    try:
        ahead = _Ahead(_Order(roots, seen, journal.path, journal.run, target, known), stop)
    except OSError:
        for batch in batches:
            yield take_in(batch, journal, target, known=known)
        return
    try:
        for told in ahead:
            if told != _PULSE:
                waiting = []
                for at in range(0, len(told.waiting), STEP):
                    between()
                    waiting += journal.records(told.waiting[at : at + STEP])
                # What the end of the other process came before is not there.
                waiting = [record for record in waiting if record.state is State.WAITING]
                admission = Admission(waiting, journal.records(told.sent), [*told.changed])
                yield Taken(told.found, told.size, told.refused, admission)
    finally:
        left = ahead.close()
        if not keep():
            for told in left:
                again = {job for job, _, _ in told.failed}
                journal.cancelled([job for job in told.waiting if job not in again])
                journal.failed(told.failed)  # as they had before


class _Order(NamedTuple):
    """What the other process is to do; the paths in `seen` are taken in already."""

    roots: Sequence[Root]
    seen: Collection[str]
    journal: Path
    run: int
    target: int
    known: bool


class _Told(NamedTuple):
    """A `Taken` as it comes from the other process: the numbers of the rows, not the rows."""

    found: int = 0
    size: int = 0
    refused: Sequence[Refused] = ()
    waiting: Sequence[int] = ()
    sent: Collection[int] = ()
    changed: Sequence[int] = ()
    failed: Sequence[tuple[int, int, str]] = ()


#: Nothing new: it is still walking.
_PULSE = _Told()
#: What was told is in the journal. It is told before, so that nothing is there that nobody knows.
_KEPT = True
_END = None


class _Ahead:
    """The other process, and what it has told and nobody has taken yet: an iterator of `_Told`."""

    def __init__(self, order: _Order, stop: Callable[[], bool]) -> None:
        """Once `stop()` is true, nothing more comes. Raises OSError when it cannot be started."""
        self._stop = stop
        self._process = subprocess.Popen(
            [sys.executable, *((APART,) if getattr(sys, "frozen", False) else _COMMAND)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl+C is for this program, which ends the walk itself. Not a session of its own: to
            # each of these Linux gives the same share, and a window waited longer for a processor.
            process_group=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            with self._process.stdin as orders:
                pickle.dump(order, orders)
        except OSError:
            self._process.kill()
            self._process.stdout.close()
            self._process.wait()
            raise
        self._told: SimpleQueue[_Told | None] = SimpleQueue()
        self._broken = False
        # A pipe holds little: were it read when the line has time, the process would wait for it.
        self._reader = threading.Thread(target=self._read, name="scan ahead", daemon=True)
        self._reader.start()

    def __iter__(self) -> Iterator[_Told]:
        """Raises OSError where the process ended before it was at its end."""
        while not self._stop():
            told = self._told.get()
            if told is _END:
                if self._broken:
                    raise OSError("the process that walked the folders was ended")
                return
            yield told

    def close(self) -> Sequence[_Told]:
        """End the process; return what it has told and nobody has taken."""
        self._process.kill()
        self._reader.join()
        self._process.wait()
        left = [self._told.get() for _ in range(self._told.qsize())]
        return [told for told in left if told is not _END]

    def _read(self) -> None:
        assert self._process.stdout is not None
        told = _PULSE
        with self._process.stdout as messages:
            try:
                while (message := pickle.load(messages)) is not _END:
                    if message is _KEPT:
                        self._told.put(told)
                        told = _PULSE
                    else:
                        told = message
            except (EOFError, OSError, pickle.UnpicklingError):
                self._broken = True
                self._told.put(told)
        self._told.put(_END)


def main() -> None:
    """Do what standard input orders; what is taken in goes to standard output."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    order: _Order = pickle.load(sys.stdin.buffer)
    try:
        _take_in_all(order, sys.stdout.buffer)
    except BrokenPipeError:  # nobody wants to know any more, and nothing more is kept
        sys.stderr.close()


def _take_in_all(order: _Order, output: IO[bytes]) -> None:
    last = time.monotonic()

    def tell(what: _Told | bool | None) -> None:
        nonlocal last
        pickle.dump(what, output, pickle.HIGHEST_PROTOCOL)
        output.flush()
        last = time.monotonic()

    def pulse() -> bool:
        if time.monotonic() - last >= PULSE:
            tell(_KEPT)
        return False

    try:
        journal = Journal(order.journal, run=order.run)
    except JournalError as error:
        tell(_Told(refused=[Refused(root.path, str(error)) for root in order.roots]))
        tell(_KEPT)
        tell(_END)
        return
    for batch in walk(order.roots, pulse):
        batch.found = [item for item in batch.found if item.path not in order.seen]
        batch.refused = [item for item in batch.refused if item.path not in order.seen]
        taken = take_in(
            batch,
            journal,
            order.target,
            known=order.known,
            tell=lambda taken: tell(_numbers(taken)),
        )
        if not taken.found:  # what was told could not be kept
            tell(_numbers(taken))
        tell(_KEPT)
    tell(_END)


def _numbers(taken: Taken) -> _Told:
    waiting, sent = (
        compact(record.id for record in records)
        for records in (taken.admission.waiting, taken.admission.sent)
    )
    changed, failed = taken.admission.changed, taken.admission.failed
    return _Told(taken.found, taken.size, taken.refused, waiting, sent, changed, failed)
