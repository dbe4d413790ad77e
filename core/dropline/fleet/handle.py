"""The handle station as a Celery application: what is done with a file that the receiver stores.

A task names a file. Its worker fetches the bytes from the receiver, checks size and SHA-256, calls
the handler, and keeps the outcome; only then does it acknowledge the task. So a worker that is
killed loses nothing: the broker delivers its task again, and a file that has an outcome is not
handled twice. Killed between the handler's end and the outcome, a handler runs again: what it does
should be the same when done twice. A file whose handler fails, or kills its worker, `TRIES` times
is given up and named; a receiver that is away is waited for.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from dropline.extras import load
from dropline.fleet.outcomes import Dead, Outcomes
from dropline.fleet.remote import FleetError

_log = logging.getLogger(__name__)

TASK = "dropline.handle"
#: Bytes fetched at a time.
CHUNK = 256 * 1024
#: Seconds to connect to the receiver, and to wait for its next bytes.
TIMEOUT = (5, 60)
#: Files on a page of the receiver's list.
PAGE = 200
#: Seconds between two looks for new files.
LOOK_EVERY = 1.0
#: A file is handled so often before it is given up, with so many seconds in between at most.
TRIES, BACKOFF = 4, 60
#: Seconds after twice which RabbitMQ and a worker that hear nothing of each other part.
HEARTBEAT = 10
#: On Redis a dead worker's task comes back after this many seconds; one that takes longer is run
#: again beside the first.
VISIBLE = 600


class WrongBytesError(Exception):
    """A file came with other bytes than the receiver says it has."""


class AwayError(Exception):
    """The receiver does not answer for now."""


class GivenUpError(Exception):
    """A file is not handled any more; the text is a sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class File:
    """One that the receiver has stored."""

    file_id: str
    name: str
    size: int
    sha256: str


#: Takes where the bytes lie while it runs, and what file it is; returns what JSON can hold.
Handler = Callable[[Path, File], Any]


class Source:
    """A receiver, from which files are listed and fetched; any thread may use it."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._threads = threading.local()

    @property
    def _session(self) -> requests.Session:
        """The connection of this thread."""
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = requests.Session()
            session.trust_env = False
            if self._token:
                session.headers["Authorization"] = f"Bearer {self._token}"
        return session

    def files(self, after: str) -> list[File]:
        """The next files behind the id `after`, in the order in which they were stored."""
        query: dict[str, str | int] = {"limit": PAGE, **({"after": after} if after else {})}
        answer = self._session.get(f"{self.url}/files", params=query, timeout=TIMEOUT)
        answer.raise_for_status()
        listed = answer.json()["files"]
        return [File(f["file_id"], f["name"], f["size"], f["sha256"]) for f in listed]

    def fetch(self, file: File, path: Path) -> bool:
        """Write a file's bytes to `path`; False when the receiver has it no more.

        Raises WrongBytesError when the bytes are others than it says.
        """
        address = f"{self.url}/files/{file.file_id}"
        with self._session.get(address, timeout=TIMEOUT, stream=True) as answer:
            if answer.status_code == requests.codes.not_found:
                return False
            answer.raise_for_status()
            digest, size = hashlib.sha256(), 0
            with path.open("wb") as out:
                for chunk in answer.iter_content(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    out.write(chunk)
        if (size, digest.hexdigest()) != (file.size, file.sha256):
            raise WrongBytesError(f"{file.name} has other bytes than the receiver says")
        return True


def handler_named(name: str) -> Handler:
    """The function that `module:function` names; raises FleetError with a sentence."""
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, ValueError, AttributeError) as error:
        raise FleetError(f"“{name}” is no handler: name it module:function ({error})") from error
    if not callable(found):
        raise FleetError(f"“{name}” is no handler: it can't be called")
    return found  # type: ignore[no-any-return]


def only_verify(path: Path, file: File) -> Any:
    """The handler that does nothing: the bytes were checked when they came."""
    return {"size": path.stat().st_size, "sha256": file.sha256}


def handle(file: File, source: Source, handler: Handler, outcomes: Outcomes, worker: str) -> str:
    """Handle a file unless it has been; what became of it: `handled`, `again` or `gone`.

    Raises GivenUpError after `TRIES` times, and what the handler raises before; AwayError while the
    receiver doesn't answer, which counts for nothing.
    """
    if outcomes.get(file.file_id) is not None:
        return "again"
    with tempfile.TemporaryDirectory(prefix="dropline-") as folder:
        path = Path(folder, Path(file.name).name or "file")
        wrong: WrongBytesError | None = None
        try:
            if not source.fetch(file, path):
                _log.warning("%s has no file %s (%s)", source.url, file.file_id, file.name)
                outcomes.add(file.file_id, file.sha256, None, worker)
                return "gone"
        except WrongBytesError as error:
            wrong = error
        except requests.RequestException as error:
            raise AwayError(f"{source.url} does not answer: {error}") from error
        times = outcomes.begin(file.file_id)
        if times > TRIES:
            raise _give_up(file, outcomes, "its worker died each time")
        try:
            if wrong is not None:
                raise wrong
            result = handler(path, file)
        except Exception as error:
            if times < TRIES:
                raise
            raise _give_up(file, outcomes, f"at last {type(error).__name__}: {error}") from error
    return "handled" if outcomes.add(file.file_id, file.sha256, result, worker) else "again"


def _give_up(file: File, outcomes: Outcomes, why: str) -> GivenUpError:
    reason = f"{file.name} ({file.file_id}) was handled {TRIES} times and never to its end, {why}"
    at = datetime.now(UTC).isoformat()
    outcomes.bury(Dead(file.file_id, file.name, file.size, file.sha256, reason, at))
    return GivenUpError(f"{reason}: mend the handler, then start a worker with --again")


def make_app(broker: str, queue: str, *, visible: int = VISIBLE) -> Any:
    """The Celery application; its tasks wait in `queue`, and its settings let nothing be lost.

    Raises MissingExtraError without Celery.
    """
    celery = load("celery", "celery", "a fleet worker")
    app = celery.Celery("dropline", broker=broker, set_as_current=False)
    # By default a dead worker's tasks are looked for only every 100 s.
    restore = {"unacked_restore_interval": 2, "unacked_restore_throttle": 1}
    redis = {"visibility_timeout": visible, **restore}
    app.conf.update(
        task_default_queue=queue,
        task_ignore_result=True,  # outcomes are kept where they can be verified
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        broker_heartbeat=HEARTBEAT,
        task_send_sent_event=True,
        worker_send_task_events=True,
        broker_connection_retry_on_startup=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        broker_transport_options=(
            redis if broker.startswith(("redis", "rediss")) else {"confirm_publish": True}
        ),
    )
    return app


def add_task(app: Any, source: Source, handler: Handler, outcomes: Outcomes) -> Any:
    """Give the application its one task."""

    def task(self: Any, file_id: str, name: str, size: int, sha256: str) -> str:
        file = File(file_id, name, size, sha256)
        return handle(file, source, handler, outcomes, str(self.request.hostname))

    return app.task(
        task,
        name=TASK,
        bind=True,
        autoretry_for=(Exception,),
        dont_autoretry_for=(GivenUpError,),
        max_retries=None,  # those that count are counted here
        retry_backoff=1,
        retry_backoff_max=BACKOFF,
        retry_jitter=True,
    )


def send_tasks(app: Any, files: list[File]) -> None:
    """Hand files to the application's workers, as tasks."""
    for file in files:
        arguments = (file.file_id, file.name, file.size, file.sha256)
        app.send_task(TASK, arguments, task_id=file.file_id, retry=False)


class Feeder:
    """Sends each file that the receiver stores, from where it was left the last time.

    The receiver's list is the outbox: a file stands in it once it is stored, and the place is noted
    only once the broker has taken it. While receiver or broker are down it waits; several feeders
    send a file twice at most, which is then handled once.
    """

    def __init__(
        self, send: Callable[[list[File]], object], source: Source, outcomes: Outcomes
    ) -> None:
        """`send` hands files to the broker, and raises unless it has them."""
        self._send = send
        self._source = source
        self._outcomes = outcomes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def feed(self) -> int:
        """Send what is new, a page at most; how many files that were."""
        files = self._source.files(self._outcomes.fed(self._source.url))
        if files:
            self._send(files)
            self._outcomes.set_fed(self._source.url, files[-1].file_id)
        return len(files)

    def feed_dead(self) -> int:
        """Send what was given up once more; how many files that were."""
        dead = self._outcomes.dead()
        for each in dead:
            self._outcomes.revive(each.file_id)
        self._send([File(each.file_id, each.name, each.size, each.sha256) for each in dead])
        return len(dead)

    def _run(self) -> None:
        quiet = False
        while not self._stop.is_set():
            try:
                if self.feed() == PAGE:
                    continue
                quiet = False
            except Exception as error:  # noqa: BLE001 - receiver, broker or database is down
                if not quiet:
                    _log.warning("new files are not sent for now, and will be: %s", error)
                quiet = True
            self._stop.wait(LOOK_EVERY)
