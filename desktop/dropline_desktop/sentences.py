"""What an event means, as a sentence for the log, and which kind it is of."""

from __future__ import annotations

import os
from enum import Enum, auto

from PySide6.QtCore import QCoreApplication

from dropline.events import (
    Event,
    FileCancelled,
    FileFailed,
    FileHeld,
    FilePrioritised,
    FileQueued,
    FileRefused,
    FileReleased,
    FileRetried,
    FilesDropped,
    FileSkipped,
    FileStarted,
    FileStored,
    FileUploaded,
    FleetRecovered,
    FleetTroubled,
    FolderLost,
    FolderReturned,
    FolderUnwatched,
    FolderWatched,
    HandlerFailed,
    JournalTroubled,
    NetworkDown,
    NetworkUp,
    OrderChanged,
    Proof,
    ReceiverStarted,
    ReceiverStopped,
    RecordingEnded,
    RecordingStarted,
    ScanFinished,
    ScanProgressed,
    StationDrained,
    StationPaused,
    StationResumed,
    TargetDown,
    TargetUp,
    WorkersChanged,
)
from dropline.station import Order
from dropline.tuning import (
    AutopilotChanged,
    AutopilotMoved,
    Bottleneck,
    Check,
    ProbeChanged,
    Recommendation,
    words,
)
from dropline_desktop import format
from dropline_desktop.spoken import spoken
from dropline_desktop.text import printable

translate = QCoreApplication.translate


class counted:
    """Sentences that count: `lupdate` finds plural forms in calls of a method `tr` alone."""

    @staticmethod
    def tr(text: str, comment: str, n: int) -> str:
        """The sentence with the form for n, which stands for %Ln."""
        return translate("counted", text, comment, n)


class Kind(Enum):
    """What an event is about."""

    FILES = auto()
    DROPS = auto()
    WORKERS = auto()
    RECEIVER = auto()
    TROUBLE = auto()
    OTHER = auto()

    @property
    def text(self) -> str:
        """The kind in a word."""
        return {
            Kind.FILES: translate("Event", "Files"),
            Kind.DROPS: translate("Event", "Drops"),
            Kind.WORKERS: translate("Event", "Workers"),
            Kind.RECEIVER: translate("Event", "Receiver"),
            Kind.TROUBLE: translate("Event", "Trouble"),
            Kind.OTHER: translate("Event", "Other"),
        }[self]


_KINDS: tuple[tuple[Kind, tuple[type[Event], ...]], ...] = (
    (
        Kind.TROUBLE,
        (
            FileFailed,
            FileRetried,
            FileRefused,
            FolderLost,
            TargetDown,
            NetworkDown,
            JournalTroubled,
            HandlerFailed,
            FleetTroubled,
        ),
    ),
    (
        Kind.FILES,
        (
            FileQueued,
            FileStarted,
            FileUploaded,
            FileSkipped,
            FileHeld,
            FileReleased,
            FilePrioritised,
            FileCancelled,
        ),
    ),
    (
        Kind.DROPS,
        (
            FilesDropped,
            ScanProgressed,
            ScanFinished,
            FolderWatched,
            FolderReturned,
            FolderUnwatched,
        ),
    ),
    (
        Kind.WORKERS,
        (
            WorkersChanged,
            OrderChanged,
            StationPaused,
            StationResumed,
            StationDrained,
            AutopilotChanged,
            AutopilotMoved,
            ProbeChanged,
            FleetRecovered,
        ),
    ),
    (Kind.RECEIVER, (ReceiverStarted, ReceiverStopped, FileStored, TargetUp, NetworkUp)),
)


def kind_of(event: Event) -> Kind:
    """What an event is about."""
    return next((kind for kind, types in _KINDS if isinstance(event, types)), Kind.OTHER)


def sentence(event: Event, name: str = "") -> str:
    """The event in words; `name` is that of its file, where it is about one."""
    return printable(_sentence(event, name))


def _sentence(event: Event, name: str) -> str:
    match event:
        case FilesDropped(paths=paths) if len(paths) == 1:
            return translate("Event", "Dropped: {}").format(os.path.basename(paths[0]) or paths[0])
        case FilesDropped(paths=paths):
            first = os.path.basename(paths[0]) if paths else ""
            return translate("Event", "Dropped: {0} and {1} more").format(
                first, format.count(len(paths) - 1)
            )
        case ScanProgressed(found=found):
            return counted.tr("Scanning: %Ln file(s) found", "", found)
        case ScanFinished(found=found, size=size, refused=refused, cancelled=cancelled):
            text = (
                counted.tr("Scan stopped by you: %Ln file(s) found, {0}, {1} refused", "", found)
                if cancelled
                else counted.tr("Scan finished: %Ln file(s) found, {0}, {1} refused", "", found)
            )
            return text.format(format.size(size), format.count(refused))
        case FileRefused(reason=reason):
            return translate("Event", "Refused: {}").format(spoken(reason))
        case FolderWatched(folder=folder, note=""):
            return translate("Event", "Watching {}").format(folder)
        case FolderWatched(folder=folder, note=note):
            return translate("Event", "Watching {0}. {1}").format(folder, spoken(note))
        case FolderLost(reason=reason):
            return spoken(reason)
        case FolderReturned(folder=folder):
            return translate("Event", "Watching again: {}").format(folder)
        case FolderUnwatched(folder=folder):
            return translate("Event", "Not watching any more: {}").format(folder)
        case FileQueued(name=name, size=size):
            return translate("Event", "Queued: {0}, {1}").format(name, format.size(size))
        case FileStarted(attempt=attempt, worker=worker):
            return translate("Event", "Started: {0}, attempt {1}, worker {2}").format(
                name, attempt, worker
            )
        case FileUploaded(duplicate=True, seconds=seconds):
            return translate("Event", "Verified, was there already: {0}, in {1}").format(
                name, format.duration(seconds)
            )
        case FileUploaded(proof=Proof.SIZE, seconds=seconds):
            return translate("Event", "Sent, size checked: {0}, in {1}").format(
                name, format.duration(seconds)
            )
        case FileUploaded(proof=Proof.NONE, seconds=seconds):
            return translate("Event", "Sent, not verified by the server: {0}, in {1}").format(
                name, format.duration(seconds)
            )
        case FileUploaded(seconds=seconds):
            return translate("Event", "Sent and verified: {0}, in {1}").format(
                name, format.duration(seconds)
            )
        case FileRetried(reason=reason, delay=delay):
            return translate("Event", "Retry in {0}: {1}: {2}").format(
                format.duration(delay), name, spoken(reason)
            )
        case FileFailed(reason=reason):
            return translate("Event", "Failed: {0}: {1}").format(name, spoken(reason))
        case FileSkipped(name=name):
            return translate("Event", "Unchanged, sent there before: {}").format(name)
        case FileHeld():
            return translate("Event", "Paused: {}").format(name)
        case FileReleased():
            return translate("Event", "Resumed: {}").format(name)
        case FilePrioritised(priority=priority) if priority > 0:
            return translate("Event", "Sent before the others: {}").format(name)
        case FilePrioritised():
            return translate("Event", "In its usual turn: {}").format(name)
        case FileCancelled():
            return translate("Event", "Cancelled: {}").format(name)
        case WorkersChanged(before=before, wanted=wanted):
            return translate("Event", "Workers: {0} → {1}").format(before, wanted)
        case AutopilotMoved() | AutopilotChanged() | ProbeChanged():
            return tuning(event)
        case OrderChanged(order=order):
            return translate("Event", "Order: {}").format(order_name(Order(order)))
        case TargetDown(target=target, reason=reason):
            return translate("Event", "Target {0} is down: {1}").format(target, spoken(reason))
        case TargetUp(target=target):
            return translate("Event", "Target {} answers again").format(target)
        case NetworkDown():
            return translate("Event", "This computer has no network")
        case NetworkUp():
            return translate("Event", "This computer has a network again")
        case JournalTroubled(reason=reason):
            return spoken(reason)
        case FleetTroubled(what=what) | FleetRecovered(what=what):
            return spoken(what)
        case StationPaused():
            return translate("Event", "Paused")
        case StationResumed():
            return translate("Event", "Resumed")
        case StationDrained(finished=finished, failed=failed, cancelled=cancelled):
            return drained_sentence(finished, failed, cancelled)
        case ReceiverStarted(url=url, note=note):
            return " ".join(
                filter(
                    None, (translate("Event", "Receiver listens at {}").format(url), spoken(note))
                )
            )
        case ReceiverStopped(url=url):
            return translate("Event", "Receiver at {} stopped").format(url)
        case FileStored(name=stored, size=size):
            return translate("Event", "Stored at the receiver: {0}, {1}").format(
                stored, format.size(size)
            )
        case RecordingStarted(path=path):
            return translate("Event", "Recording the log to {}").format(path)
        case RecordingEnded(path=path, problem=""):
            return translate("Event", "Recorded: {}").format(path)
        case RecordingEnded(problem=problem):
            return spoken(problem)
        case HandlerFailed(handler=handler, error=error):
            return translate("Event", "Internal error in {0}: {1}").format(handler, error)
    return f"{event.type}: {event}"


def tuning(
    thing: Recommendation | Check | Bottleneck | AutopilotMoved | AutopilotChanged | ProbeChanged,
) -> str:
    """What the tuner says, in core's sentences."""

    def in_own_language(text: str) -> str:
        return translate("Tuning", text)

    match thing:
        case Recommendation():
            return words.recommendation(thing, in_own_language, format.duration)
        case Check():
            return words.check(thing, in_own_language, format.duration)
        case Bottleneck():
            return words.bottleneck(thing, in_own_language)
        case AutopilotMoved():
            return words.move(thing, in_own_language, format.duration)
        case AutopilotChanged():
            return words.autopilot(thing, in_own_language)
        case ProbeChanged():
            return words.probe(thing, in_own_language)


def order_name(order: Order) -> str:
    """What an order of the queue is called."""
    return {
        Order.FIFO: translate("Order", "First come, first served"),
        Order.SHORTEST: translate("Order", "Shortest first"),
        Order.SMALL_LANE: translate("Order", "Small files' lane"),
    }[order]


def drained_sentence(finished: int, failed: int, cancelled: int) -> str:
    """What became of the files, once none waits or runs: "500 files sent, 2 failed"."""
    parts = [counted.tr("%Ln file(s) sent", "", finished)]
    if failed:
        parts.append(translate("Event", "{} failed").format(format.count(failed)))
    if cancelled:
        parts.append(translate("Event", "{} cancelled").format(format.count(cancelled)))
    return translate("Event", ", ").join(parts)
