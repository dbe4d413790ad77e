"""A long walk goes on in a process of its own, which the threads of this one do not hold up.

Each look at a file lets go of the interpreter lock, and gets it back only behind the thread that
took it meanwhile. So beside a receiver and workers, all in one process, a walk took ten times as
long as alone.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from dropline.intake.walk import Batch, Found, Refused, Root, walk

#: Seconds that a walk goes on here: most have come to their end by then.
MOMENT = 0.1
#: The other process says at least so often, in seconds, that it is still walking.
PULSE = 0.1
#: The argument by which a bundled program, which brings no interpreter, runs `main`.
WALK = "--walk-apart"
# -P: nothing is imported from the folder that the program happens to run in.
_COMMAND = ("-P", "-c", "from dropline.intake.apart import main; main()")


def walk_apart(
    roots: Sequence[Root],
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Batch]:
    """Yield batches as `walk` does. Raises OSError when the other process is killed.

    Held sources are walked here to the end: they go as soon as they are sent, so that a second walk
    would miss folders that the first one saw.
    """
    begun = clock()
    here = walk(roots, stop, clock)
    if any(root.source != root.path for root in roots):
        yield from here
        return
    seen: set[str] = set()
    for batch in here:
        yield batch
        seen.update(item.path for item in batch.found)
        seen.update(item.path for item in batch.refused)
        if clock() - begun >= MOMENT:
            break
    else:
        return
    try:
        walker = _start()
    except OSError:
        yield from here
        return
    with walker:
        try:
            for batch in _received(walker, roots):
                if stop():
                    return
                batch.found = [item for item in batch.found if item.path not in seen]
                batch.refused = [item for item in batch.refused if item.path not in seen]
                if len(batch):
                    yield batch
        finally:
            walker.kill()


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *((WALK,) if getattr(sys, "frozen", False) else _COMMAND)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl+C is for this program, which ends the walk itself
    )


def _received(walker: subprocess.Popen[bytes], roots: Sequence[Root]) -> Iterator[Batch]:
    assert walker.stdin is not None
    assert walker.stdout is not None
    try:
        pickle.dump([(root.path, root.source) for root in roots], walker.stdin)
        walker.stdin.close()
        while (told := pickle.load(walker.stdout)) is not None:
            found, refused = told
            yield Batch([Found(*item) for item in found], [Refused(*item) for item in refused])
    except (BrokenPipeError, EOFError, pickle.UnpicklingError) as error:
        raise OSError("the process that walked the folders was ended") from error


def main() -> None:
    """Walk the roots that standard input names; the batches go to standard output."""
    roots = [Root(path, source) for path, source in pickle.load(sys.stdin.buffer)]
    try:
        _send(roots, sys.stdout.buffer)
    except BrokenPipeError:  # nobody wants to know any more
        sys.stderr.close()


def _send(roots: Sequence[Root], output: IO[bytes]) -> None:
    last = time.monotonic()

    def tell(what: object) -> None:
        nonlocal last
        pickle.dump(what, output, pickle.HIGHEST_PROTOCOL)
        output.flush()
        last = time.monotonic()

    def pulse() -> bool:
        if time.monotonic() - last >= PULSE:
            tell(([], []))
        return False

    for batch in walk(roots, pulse):
        tell((list(map(tuple, batch.found)), list(map(tuple, batch.refused))))
    tell(None)
