"""Events and the message that carries one.

An *event* is a typed fact in the past tense (`FileQueued`, `FileStored`). A *message* is what a bus
carries: the event as `data` in an envelope with CloudEvents 1.0 attribute names.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self, get_args, get_origin, get_type_hints

from dropline.value import value


class Event:
    """Base of all events, each a `value`. `type` is the CloudEvents type."""

    __slots__ = ()

    type: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def subject(self) -> str:
        """The thing the event is about: its first field (a job, a drop, a station, a file id)."""
        return str(getattr(self, _first_field(type(self))))  # type: ignore[arg-type]  # hashable


@functools.cache
def _first_field(kind: type) -> str:
    return dataclasses.fields(kind)[0].name


# --- intake -------------------------------------------------------------------------------------


@value
class FilesDropped(Event):
    """Paths were handed to the program, by a drop, the dialog, paste, or the command line."""

    type: ClassVar[str] = "dropline.drop.received"
    drop: str
    paths: tuple[str, ...]


@value
class ScanProgressed(Event):
    """The walk of a drop has found this much so far."""

    type: ClassVar[str] = "dropline.scan.progressed"
    drop: str
    found: int
    size: int
    refused: int


@value
class ScanFinished(Event):
    """The walk of a drop is over, at its end or because it was cancelled."""

    type: ClassVar[str] = "dropline.scan.finished"
    drop: str
    found: int
    size: int
    refused: int
    cancelled: bool


@value
class FileRefused(Event):
    """Something in a drop cannot be sent; `reason` is a sentence with the remedy."""

    type: ClassVar[str] = "dropline.file.refused"
    path: str
    drop: str
    reason: str


@value
class FolderWatched(Event):
    """What comes to rest in the folder is sent from now on.

    `note` says so when the system does not tell of all changes in it, so that it is looked through
    every few seconds instead; the event comes again when that turns out later.
    """

    type: ClassVar[str] = "dropline.folder.watched"
    folder: str
    note: str = ""


@value
class FolderLost(Event):
    """A watched folder cannot be read; it is looked for. `reason` is a sentence with the remedy."""

    type: ClassVar[str] = "dropline.folder.lost"
    folder: str
    reason: str


@value
class FolderReturned(Event):
    """A watched folder that was lost can be read, and is watched again."""

    type: ClassVar[str] = "dropline.folder.returned"
    folder: str


@value
class FolderUnwatched(Event):
    """The folder is not watched any more, as asked; what was found in it stays in the line."""

    type: ClassVar[str] = "dropline.folder.unwatched"
    folder: str


# --- the send station ---------------------------------------------------------------------------


@value
class FileQueued(Event):
    """A file arrived in the queue (an arrival, counted in λ).

    Its priority is the usual one, unless FilePrioritised follows.
    """

    type: ClassVar[str] = "dropline.file.queued"
    job: int
    path: str
    name: str
    size: int


@value
class FileStarted(Event):
    """A worker began an attempt to send the file. Attempts count from 1."""

    type: ClassVar[str] = "dropline.file.started"
    job: int
    attempt: int
    worker: int


@value
class FileProgressed(Event):
    """Bytes of a running attempt handed to the network so far (a few times a second at most)."""

    type: ClassVar[str] = "dropline.file.progressed"
    job: int
    sent: int


class Proof(StrEnum):
    """How a target showed that it holds the bytes that were sent."""

    #: Its digest of the stored bytes equals ours.
    DIGEST = "digest"
    #: It says the same size.
    SIZE = "size"
    #: It only said that it worked.
    NONE = "none"


@value
class FileUploaded(Event):
    """The target holds the file, called `file_id` there; `proof` (a `Proof`) is how that is known.

    `sha256` is that of the bytes that were sent.
    """

    type: ClassVar[str] = "dropline.file.uploaded"
    job: int
    file_id: str
    size: int
    sha256: str
    duplicate: bool
    seconds: float
    proof: str = Proof.DIGEST


@value
class FileRetried(Event):
    """An attempt failed in passing; the file waits `delay` seconds and is tried again."""

    type: ClassVar[str] = "dropline.file.retried"
    job: int
    attempt: int
    reason: str
    delay: float


@value
class FileFailed(Event):
    """The file could not be sent; `reason` is a sentence with the remedy."""

    type: ClassVar[str] = "dropline.file.failed"
    job: int
    attempt: int
    reason: str


@value
class FileSkipped(Event):
    """The file is unchanged since the target verifiably got it, so it is not sent again."""

    type: ClassVar[str] = "dropline.file.skipped"
    job: int
    path: str
    name: str
    size: int
    file_id: str
    sha256: str


@value
class FileHeld(Event):
    """The user lets the file wait until it is released."""

    type: ClassVar[str] = "dropline.file.held"
    job: int


@value
class FileReleased(Event):
    """A held file takes its turn again."""

    type: ClassVar[str] = "dropline.file.released"
    job: int


@value
class FilePrioritised(Event):
    """The file goes before those of lower priority; 0 is the usual one."""

    type: ClassVar[str] = "dropline.file.prioritised"
    job: int
    priority: int


@value
class FileCancelled(Event):
    """The user took the file out of the line."""

    type: ClassVar[str] = "dropline.file.cancelled"
    job: int


@value
class WorkersChanged(Event):
    """The wanted number of workers of a station changed."""

    type: ClassVar[str] = "dropline.station.workers"
    station: str
    before: int
    wanted: int


@value
class StationPaused(Event):
    """The station takes no new job until it is resumed; running ones end."""

    type: ClassVar[str] = "dropline.station.paused"
    station: str


@value
class StationResumed(Event):
    """The station takes jobs again."""

    type: ClassVar[str] = "dropline.station.resumed"
    station: str


@value
class OrderChanged(Event):
    """The station serves what waits in another order; see `dropline.station.Order`."""

    type: ClassVar[str] = "dropline.station.order"
    station: str
    order: str


@value
class TargetDown(Event):
    """The target cannot be reached, or takes nothing now: one probe at a time until it does."""

    type: ClassVar[str] = "dropline.target.down"
    target: str
    reason: str


@value
class TargetUp(Event):
    """The target answers again."""

    type: ClassVar[str] = "dropline.target.up"
    target: str


@value
class JournalTroubled(Event):
    """The journal was damaged, or cannot be written; `reason` is a sentence with the remedy."""

    type: ClassVar[str] = "dropline.journal.troubled"
    path: str
    reason: str


@value
class StationDrained(Event):
    """Nothing waits or runs any more; counts of the jobs since the line last was empty."""

    type: ClassVar[str] = "dropline.station.drained"
    station: str
    finished: int
    failed: int
    cancelled: int


@value
class RecordingStarted(Event):
    """The station's log goes to a file from now on."""

    type: ClassVar[str] = "dropline.recording.started"
    path: str


@value
class RecordingEnded(Event):
    """The recorded file is complete, or says in `problem` why it is not."""

    type: ClassVar[str] = "dropline.recording.ended"
    path: str
    problem: str = ""


# --- the network --------------------------------------------------------------------------------


@value
class NetworkDown(Event):
    """This computer has no network, says `teller`, a part of the system."""

    type: ClassVar[str] = "dropline.network.down"
    teller: str


@value
class NetworkUp(Event):
    """This computer has a network again, says `teller`, a part of the system."""

    type: ClassVar[str] = "dropline.network.up"
    teller: str


# --- the receiver -------------------------------------------------------------------------------


@value
class ReceiverStarted(Event):
    """The receiver listens at `url`; `note` says so when that is not the port asked for."""

    type: ClassVar[str] = "dropline.receiver.started"
    url: str
    note: str = ""


@value
class ReceiverStopped(Event):
    """The receiver no longer listens."""

    type: ClassVar[str] = "dropline.receiver.stopped"
    url: str


@value
class FileReceived(Event):
    """The bytes of a file have come in whole and are not stored yet.

    They lie in a temporary file, or, those of a small one, in `content`. The storing handler
    returns an object whose `result()` waits for the outcome. `announced` says that the sender gave
    the digest and the bytes have it; `part` is the file's number in what `idempotency_key` covers.
    """

    type: ClassVar[str] = "dropline.file.received"
    temporary: str
    name: str
    size: int
    sha256: str
    media_type: str
    announced: bool
    idempotency_key: str | None
    part: int
    content: bytes | None = field(default=None, repr=False)


@value
class FileStored(Event):
    """The receiver holds the whole file: its bytes and a row in the database."""

    type: ClassVar[str] = "dropline.file.stored"
    file_id: str
    name: str
    size: int
    sha256: str
    media_type: str
    stored_at: str


@value
class FileDeleted(Event):
    """The receiver no longer holds the file, as somebody asked."""

    type: ClassVar[str] = "dropline.file.deleted"
    file_id: str


# --- fleets of others ---------------------------------------------------------------------------


@value
class FleetTroubled(Event):
    """Something is wrong with a fleet's broker, worker or task; `what` is a sentence with the
    remedy.
    """

    type: ClassVar[str] = "dropline.fleet.troubled"
    about: str
    what: str


@value
class FleetRecovered(Event):
    """A trouble of a fleet is over; `what` is a sentence."""

    type: ClassVar[str] = "dropline.fleet.recovered"
    about: str
    what: str


# --- the bus itself -----------------------------------------------------------------------------


@value
class HandlerFailed(Event):
    """A handler raised; the other handlers of the message still ran."""

    type: ClassVar[str] = "dropline.bus.handler-failed"
    handler: str
    message_id: str
    message_type: str
    error: str


def event_types() -> Mapping[str, type[Event]]:
    """Every event class by its CloudEvents type, the subclasses of other packages included."""
    return {cls.type: cls for cls in Event.__subclasses__()}


# A NamedTuple, because every event makes one of these, and a frozen dataclass takes three times as
# long to create (1.5 µs against 0.5).
class Message(NamedTuple):
    """An event in its envelope; the attribute names are those of CloudEvents 1.0.

    `time` is an aware UTC datetime. `source` and `id` together are unique.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: Event

    def to_cloudevent(self) -> dict[str, Any]:
        """The structured JSON form of CloudEvents 1.0 as a dictionary."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": self.source,
            **({"subject": self.subject} if self.subject else {}),  # it may be missing, not empty
            "time": self.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": dataclasses.asdict(self.data, dict_factory=_members),
        }

    @classmethod
    def from_cloudevent(cls, value: Mapping[str, Any]) -> Self:
        """Read the structured form.

        Raises ValueError naming what is missing, malformed or of an unknown type.
        """
        try:
            if value["specversion"] != "1.0":
                raise ValueError(f"specversion {value['specversion']!r} is not 1.0")
            event_class = event_types()[value["type"]]
            time = datetime.fromisoformat(_read(str, value["time"], "time"))
            if time.tzinfo is None:
                raise ValueError("time has no offset from UTC")
            return cls(
                id=_read(str, value["id"], "id"),
                type=value["type"],
                source=_read(str, value["source"], "source"),
                subject=_read(str, value.get("subject", ""), "subject"),
                time=time,
                data=_read(event_class, value["data"], "data"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a Dropline event: {error!r} in {value!r}") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An event's fields as JSON can hold them: bytes in base64."""
    return {
        key: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for key, value in pairs
    }


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, value: Any, name: str) -> Any:
    """What the JSON `value` stands for where an event has a `kind`; TypeError when for nothing."""
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        hints = _hints(kind)  # type: ignore[arg-type]  # a class, not an instance
        return kind(**{key: _read(hints[key], item, key) for key, item in value.items()})  # type: ignore[operator]
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_read(get_args(kind)[0], item, name) for item in value)
    if type(None) in get_args(kind):
        return None if value is None else _read(get_args(kind)[0], value, name)
    if kind is bytes and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if type(value) is kind or (kind is float and type(value) is int):
        return kind(value)
    raise TypeError(f"{name} cannot be {value!r}")
