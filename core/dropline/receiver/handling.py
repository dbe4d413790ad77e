"""The *handle* station: what handlers do with each stored file, by a queue and workers of its own.

An errand is in the database before it arrives here and leaves it when it is done, so a killed
receiver goes on with what is left; what was under way is done again. The uploads never wait: a
thread of its own notes the errands of what the bus says is stored.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
import time
from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.exc import SQLAlchemyError

from dropline.bus import EventBus
from dropline.events import FileStored
from dropline.handlers import Handler
from dropline.meter import Meter
from dropline.receiver.database import StoredFile
from dropline.receiver.errands import Errand, Errands
from dropline.receiver.store import Store
from dropline.station import (
    Attempt,
    Backoff,
    Instruments,
    Job,
    PermanentError,
    Sampler,
    Station,
    TransientError,
)

_log = logging.getLogger(__name__)

#: Workers, unless somebody says otherwise.
WORKERS = 2
#: Seconds after which the database is asked again, when it did not answer.
_AGAIN = 5.0
#: Seconds that the figures are taken over.
_WINDOW = 10.0


class _File:
    """A stored file as a handler sees it; see `handlers.StoredFile`."""

    def __init__(self, store: Store, file: StoredFile) -> None:
        self.file_id, self.name, self.size, self.sha256 = file[:4]
        self.media_type, self.stored_at = file.media_type, file.stored_at
        self._store = store
        self._file = file

    def open(self) -> BinaryIO:
        source = self._store.find(self._file)
        return source if isinstance(source, BytesIO) else Path(source).open("rb")

    def note(self, facts: Mapping[str, object], thumbnail: bytes | None = None) -> None:
        told = json.dumps(dict(facts), ensure_ascii=False)
        self._store.files.note(self.file_id, told, thumbnail)


class _Worker:
    """Calls handlers, coroutines on an event loop of its own."""

    def __init__(self, store: Store, handlers: Mapping[str, Handler]) -> None:
        self._store = store
        self._handlers = handlers
        self._runner = asyncio.Runner()

    def serve(self, item: Errand, attempt: Attempt) -> None:
        """Raises TransientError when the handler raised, PermanentError when it gave up."""
        attempt.check()
        if self._store.files.get(item.file.file_id) is None:
            return  # it was deleted meanwhile
        file = _File(self._store, item.file)
        try:
            result = self._handlers[item.handler].call(file)
            if inspect.isawaitable(result):
                self._runner.run(_awaited(result))
        except PermanentError:
            raise
        except Exception as error:
            _log.warning("%s failed on %r", item.handler, item.file.name, exc_info=error)
            raise TransientError(repr(error), at_source=True) from error

    def close(self) -> None:
        """End the loop."""
        self._runner.close()


class Handling:
    """Handlers at work on the files of a store."""

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        handlers: Sequence[Handler],
        *,
        workers: int = WORKERS,
        backoff: Backoff | None = None,
    ) -> None:
        """Go on with what an earlier run left. Raises OSError."""
        self._handlers = {each.name: each for each in handlers}
        self._errands = Errands(store.files)
        self._errands.begin(self._handlers)
        self.station: Station[Errand, None] = Station(
            "handle",
            lambda: _Worker(store, self._handlers),
            _Notes(self._errands),
            backoff=backoff,
            fetch=lambda numbers: [_job(errand) for errand in self._errands.get(numbers)],
        )
        meter = Meter(time.monotonic())
        self.station.watch(meter.observe_all)
        self._sampler = Sampler(self.station, meter, lambda _reading: None)
        self.station.admit_failed(map(_job, self._errands.letters(self._handlers)))
        self.station.admit([_job(errand) for errand in self._errands.waiting(self._handlers)])
        self._came = threading.Event()
        self._came.set()
        self._closed = False
        self._subscription = bus.subscribe(
            FileStored, lambda _batch: self._came.set(), batches=True
        )
        self._thread = threading.Thread(target=self._note, name="receiver errands", daemon=True)
        self._thread.start()
        self.station.resize(workers)

    def close(self) -> None:
        """Begin nothing more; what is not done is done by the next run."""
        self._subscription.cancel()
        self._closed = True
        self._came.set()
        self._thread.join()
        self.station.close()

    def instruments(self) -> Instruments:
        """The station's figures now."""
        return self._sampler.instruments(_WINDOW)

    def letters(self) -> list[Errand]:
        """The dead letters, oldest first."""
        return self._errands.letters(self._handlers)

    def replay(self, numbers: Collection[int] | None = None) -> None:
        """Let dead letters, these or all, be handled again."""
        self.station.retry(numbers)

    def _note(self) -> None:
        while True:
            self._came.wait()
            self._came.clear()
            try:
                for handler in self._handlers:
                    while not self._closed and (errands := self._errands.note(handler)):
                        self.station.admit([_job(errand) for errand in errands])
            except (OSError, SQLAlchemyError):
                _log.exception("what handlers have to do could not be noted; trying again")
                threading.Timer(_AGAIN, self._came.set).start()
            if self._closed:
                return


class _Notes:
    """Writes down what became of errands."""

    def __init__(self, errands: Errands) -> None:
        self._errands = errands

    def finished(self, served: Sequence[tuple[Job[Errand], None]], seconds: float) -> None:  # noqa: ARG002
        with _noting():
            self._errands.done([job.id for job, _ in served])

    def failed(self, jobs: Sequence[tuple[Job[Errand], str]]) -> None:
        with _noting():
            self._errands.failed({job.id: (reason, job.attempts) for job, reason in jobs})

    def rejoined(self, jobs: Sequence[Job[Errand]]) -> None:
        with _noting():
            self._errands.again([job.id for job in jobs])

    def retried(self, job: Job[Errand], reason: str, delay: float) -> None: ...
    def arrived(self, jobs: Sequence[Job[Errand]]) -> None: ...
    def started(self, jobs: Sequence[Job[Errand]], worker: int) -> None: ...
    def progressed(self, job: Job[Errand], done: int) -> None: ...
    def checkpointed(self, job: Job[Errand]) -> None: ...
    def cancelled(self, jobs: Sequence[Job[Errand]]) -> None: ...
    def held(self, jobs: Sequence[Job[Errand]], held: bool) -> None: ...
    def prioritised(self, jobs: Sequence[Job[Errand]]) -> None: ...
    def resized(self, before: int, wanted: int) -> None: ...
    def paused(self, paused: bool) -> None: ...
    def ordered(self, order: object) -> None: ...
    def target_went(self, down: bool, reason: str) -> None: ...
    def drained(self, finished: int, failed: int, cancelled: int) -> None: ...


@contextmanager
def _noting() -> Iterator[None]:
    """What could not be noted is done again by the next run."""
    try:
        yield
    except OSError:
        _log.exception("what became of a handler's work could not be noted")


def _job(errand: Errand) -> Job[Errand]:
    return Job(errand.number, errand, errand.file.size)


async def _awaited(result: Awaitable[None]) -> None:
    await result
