"""Uploads in pieces: tus 1.0.0 with creation, creation-with-upload, creation-defer-length,
termination, checksum, expiration and concatenation.

    OPTIONS /tus/       204: what is offered
    POST    /tus/       201: a new upload at Location, of Upload-Length bytes
    HEAD    /tus/<id>   200: Upload-Offset, the number of bytes that are there
    PATCH   /tus/<id>   204: the body's bytes were added at Upload-Offset
    DELETE  /tus/<id>   204: the upload is forgotten; the file, if it is stored already, stays

An upload that is whole becomes a stored file as any other does. The answer that completes it, and
HEAD from then on, tell Dropline-File-Id, Dropline-Duplicate (whether another upload had made the
file) and the file's digest in Repr-Digest (RFC 9530). If the receiver ended between the last byte
and the storing, HEAD, or PATCH without bytes, stores it.

POST takes an Idempotency-Key: known, it answers with the upload it stands for, whole or not. An
upload is had by one request at a time; HEAD, PATCH and DELETE cut off the PATCH that still runs,
so what HEAD tells is where to go on. A PATCH that breaks off leaves what came, unless it has an
Upload-Checksum: what could not be checked does not count. Errors are problems like all others.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.http import http_date

from dropline.bus import EventBus
from dropline.events import FileReceived
from dropline.receiver.body import Wire
from dropline.receiver.multipart import CHUNK, text
from dropline.receiver.problems import (
    CHECKSUM,
    CONFLICT,
    CUT_SHORT,
    FORBIDDEN,
    KEY_REUSED,
    LOCKED,
    MALFORMED,
    MEDIA,
    TOO_LARGE,
    VERSION,
    Problem,
    storage_problem,
)
from dropline.receiver.store import Store
from dropline.receiver.unfinished import Record, Upload, own_key
from dropline.receiver.upload import checked_key, checked_name, media_type, publish

_VERSION = "1.0.0"
_EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration,"
    "concatenation"
)
_ALGORITHMS = ("sha1", "sha256", "md5")
_TYPE = "application/offset+octet-stream"
_NUMBER = re.compile(r"[0-9]{1,18}")


def tus_routes(store: Store, bus: EventBus, max_size: int | None) -> Blueprint:
    """The routes below /tus; `max_size` is the most bytes a file may have."""
    routes = Blueprint("tus", __name__, url_prefix="/tus")
    tus = _Tus(store, bus, max_size)

    @routes.after_app_request
    def name_version(response: Response) -> Response:
        if request.path == "/tus" or request.path.startswith("/tus/"):
            response.headers["Tus-Resumable"] = _VERSION
        return response

    @routes.route("/", methods=["OPTIONS", "POST", "GET"], strict_slashes=False)
    def uploads() -> Response:
        return _called({"OPTIONS": tus.offer, "POST": tus.create})

    @routes.route("/<upload_id>", methods=["OPTIONS", "GET", "PATCH", "DELETE", "POST"])
    def upload(upload_id: str) -> Response:
        return _called(
            {
                "OPTIONS": tus.offer,
                "HEAD": lambda: tus.tell(upload_id),
                "PATCH": lambda: tus.go_on(upload_id),
                "DELETE": lambda: tus.forget(upload_id),
            }
        )

    return routes


def _called(methods: Mapping[str, Callable[[], Response]]) -> Response:
    """Answer by the method that is meant: some clients and proxies know but GET and POST."""
    method = request.headers.get("X-HTTP-Method-Override", request.method).upper()
    if method not in methods:
        raise MethodNotAllowed(list(methods))
    if method != "OPTIONS" and request.headers.get("Tus-Resumable") != _VERSION:
        raise Problem(
            VERSION,
            f"Send the header Tus-Resumable: {_VERSION}, the version that this receiver speaks.",
            {"Tus-Version": _VERSION},
        )
    return methods[method]()


class _Tus:
    """What the requests do."""

    def __init__(self, store: Store, bus: EventBus, max_size: int | None) -> None:
        self._store = store
        self._bus = bus
        self._max_size = max_size

    def offer(self) -> Response:
        response = Response(status=204)
        response.headers["Tus-Version"] = _VERSION
        response.headers["Tus-Extension"] = _EXTENSIONS
        response.headers["Tus-Checksum-Algorithm"] = ",".join(_ALGORITHMS)
        if self._max_size is not None:
            response.headers["Tus-Max-Size"] = str(self._max_size)
        return response

    def create(self) -> Response:
        upload_id, record, given_key = self._announced()
        with self._taken(upload_id, record) as upload:
            try:
                self._settle(upload, record)
                if request.mimetype == _TYPE and upload.offset == 0:
                    self._receive(upload)
                self._complete(upload)
            except BaseException:
                if not given_key:  # nobody knows its address
                    upload.remove()
                raise
            response = _told(201, upload)
        response.headers["Location"] = f"/tus/{upload_id}"
        return response

    def tell(self, upload_id: str) -> Response:
        with self._taken(upload_id) as upload:
            self._complete(upload)
            response = _told(200, upload)
        record = upload.record
        if record.length is None:
            response.headers["Upload-Defer-Length"] = "1"
        else:
            response.headers["Upload-Length"] = str(record.length)
        if record.metadata:
            response.headers["Upload-Metadata"] = record.metadata
        if record.partial:
            response.headers["Upload-Concat"] = "partial"
        if record.parts:
            parts = " ".join(f"/tus/{part}" for part in record.parts)
            response.headers["Upload-Concat"] = f"final;{parts}"
        response.headers["Cache-Control"] = "no-store"
        return response

    def go_on(self, upload_id: str) -> Response:
        if request.mimetype != _TYPE:
            raise Problem(MEDIA, f"Send the bytes with the header Content-Type: {_TYPE}.")
        offset = _number("Upload-Offset")
        if offset is None:
            raise Problem(MALFORMED, "Send an Upload-Offset: where the bytes belong.")
        with self._taken(upload_id) as upload:
            if upload.record.parts:
                raise Problem(
                    FORBIDDEN, "This upload is joined from others; send more bytes to a new one."
                )
            if offset != upload.offset:
                raise Problem(
                    CONFLICT,
                    f"This upload has {upload.offset} bytes, and these are for offset {offset}. "
                    "Ask with HEAD where to go on.",
                )
            self._learn_length(upload)
            self._receive(upload)
            self._complete(upload)
            return _told(204, upload)

    def forget(self, upload_id: str) -> Response:
        with self._taken(upload_id) as upload:
            upload.remove()
        return Response(status=204)

    # --- an upload in hand ------------------------------------------------------------------

    @contextmanager
    def _taken(self, upload_id: str, new: Record | None = None) -> Iterator[Upload]:
        """Have an upload; what goes wrong becomes a problem that tells the offset."""
        with _storing(), self._store.unfinished.take(upload_id, new) as upload:
            try:
                with _storing():
                    yield upload
            except Problem as problem:
                problem.headers = {"Upload-Offset": str(upload.offset), **problem.headers}
                raise

    def _announced(self) -> tuple[str, Record, bool]:
        """What a POST asks for: the upload's id, its record, whether it has an Idempotency-Key.

        Equal keys lead to equal ids; so do equal lists of parts, which are joined once.
        """
        partial, parts = _concat(request.headers.get("Upload-Concat", ""))
        metadata = request.headers.get("Upload-Metadata", "")
        name = checked_name(_file_name(_metadata(metadata)))
        length = _number("Upload-Length")
        if parts:
            length = None
        elif (length is None) is (request.headers.get("Upload-Defer-Length") != "1"):
            raise Problem(MALFORMED, "Send either Upload-Length or Upload-Defer-Length: 1.")
        self._check_size(length)
        body = request.content_length or "Transfer-Encoding" in request.headers
        if body and request.mimetype != _TYPE:
            raise Problem(MEDIA, f"Send bytes along with the header Content-Type: {_TYPE}.")
        # a client that sends a file in parts gives each the file's key
        key = None if partial else checked_key(name, request.headers.get("Idempotency-Key"))
        if key is not None:
            upload_id = _digested("key", key)
        elif parts:
            upload_id = _digested("parts", *parts, metadata)
        else:
            upload_id = secrets.token_hex(16)
        record = Record(length, metadata, key or own_key(upload_id), partial, parts)
        return upload_id, record, key is not None

    def _settle(self, upload: Upload, asked: Record) -> None:
        """Bring an upload that may be an old one in line with what is stored under its key."""
        key = (asked.key, 0)
        file = None if asked.partial else self._store.files.by_keys([key]).get(key)
        if file is not None:
            if not upload.record.file_id:
                upload.record.length = file.size
                upload.finish(file.file_id, file.sha256, duplicate=True)
        elif upload.record.file_id:  # it was deleted
            upload.record = asked
            upload.start_over()
        if asked.length is not None and upload.record.length is None:
            self._set_length(upload, asked.length)
        elif asked.length not in (None, upload.record.length):
            raise Problem(
                KEY_REUSED,
                f"The idempotency key stands for an upload of {upload.record.length:,} bytes. "
                "Send this one with a new key.",
            )

    def _learn_length(self, upload: Upload) -> None:
        """A length that was deferred may come with any PATCH; it never changes."""
        length = _number("Upload-Length")
        if length is None or length == upload.record.length:
            return
        if upload.record.length is not None:
            raise Problem(
                MALFORMED, f"The Upload-Length was {upload.record.length:,}; it cannot change."
            )
        self._set_length(upload, length)

    def _set_length(self, upload: Upload, length: int) -> None:
        if length < upload.offset:
            raise Problem(
                MALFORMED,
                f"The Upload-Length cannot be {length:,}: {upload.offset:,} bytes have come.",
            )
        self._check_size(length)
        upload.record.length = length
        upload.save()

    def _check_size(self, size: int | None) -> None:
        if size is not None and self._max_size is not None and size > self._max_size:
            raise Problem(
                TOO_LARGE,
                f"The upload is larger than the {self._max_size:,} bytes that this receiver takes. "
                "Send a smaller file, or have its limit raised.",
            )

    def _receive(self, upload: Upload) -> None:
        """Add the body's bytes."""
        expected = _checksum(request.headers.get("Upload-Checksum"))
        most = self._max_size if upload.record.length is None else upload.record.length
        if most is not None and upload.offset + (request.content_length or 0) > most:
            raise _too_long(most)
        if expected is None or upload.record.file_id:
            self._append_body(upload, most)
            return
        algorithm, digest = expected
        computed = hashlib.new(algorithm, usedforsecurity=False)
        with upload.trial():
            self._append_body(upload, most, computed.update)
            if computed.digest() != digest:
                raise Problem(
                    CHECKSUM, "The bytes do not have their Upload-Checksum. Send them again."
                )

    def _append_body(
        self, upload: Upload, most: int | None, seen: Callable[[bytes], None] = lambda _: None
    ) -> None:
        wire: Wire = request.environ["dropline.wire"]
        try:
            with self._store.unfinished.interruptible(upload, wire.cut_off):
                while data := request.stream.read(CHUNK):
                    if most is not None and upload.offset + len(data) > most:
                        raise _too_long(most)
                    self._store.check_room()
                    seen(data)
                    upload.append(data)
        except Problem as problem:
            if problem.kind is CUT_SHORT and wire.is_cut_off:
                raise Problem(
                    LOCKED, "Another request goes on with this upload; let that one end."
                ) from problem
            raise

    # --- from an upload to a file -----------------------------------------------------------

    def _complete(self, upload: Upload) -> None:
        """Store the file if all of it is there. Whoever asks again gets the same result."""
        record = upload.record
        if record.file_id or record.partial:
            return
        if record.parts:
            self._join(upload)
        elif upload.is_whole:
            self._keep(upload)

    def _join(self, upload: Upload) -> None:
        """Make the upload of its parts, which are no longer needed once it is stored."""
        with ExitStack() as held:
            # always in one order, so that two that need the same ones cannot wait for each other
            parts = {
                part: held.enter_context(self._store.unfinished.take(part))
                for part in sorted(set(upload.record.parts))
            }
            for part in parts.values():
                if not (part.record.partial and part.is_whole):
                    raise Problem(
                        MALFORMED,
                        f"/tus/{part.upload_id} is no whole upload of the kind `partial`. "
                        "Send the rest of it first.",
                    )
            upload.record.length = sum(parts[part].offset for part in upload.record.parts)
            self._check_size(upload.record.length)
            upload.start_over()
            for part_id in upload.record.parts:
                for data in parts[part_id].read():
                    upload.append(data)
            self._keep(upload)
            for part in parts.values():
                part.remove()

    def _keep(self, upload: Upload) -> None:
        record = upload.record
        metadata = _metadata(record.metadata)
        sha256 = upload.seal()
        event = FileReceived(
            temporary=self._store.adopt(str(upload.path)),
            name=_file_name(metadata),
            size=upload.offset,
            sha256=sha256,
            media_type=media_type(metadata.get("filetype") or metadata.get("type", "")),
            announced=False,
            idempotency_key=record.key,
            part=0,
        )
        kept = publish(self._bus, event).result()
        # under a key of our own, what an earlier process stored was this upload
        duplicate = kept.duplicate and record.key != own_key(upload.upload_id)
        with suppress(OSError):  # stored it is; the next one who asks has it noted
            upload.finish(kept.file.file_id, kept.file.sha256, duplicate=duplicate)


@contextmanager
def _storing() -> Iterator[None]:
    """Say what the disk or the database could not do; the client's trouble passes through."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise
    except OSError as error:
        raise storage_problem(error, "the rest of this upload") from error


def _told(status: int, upload: Upload) -> Response:
    """An answer with what every answer about an upload tells."""
    response = Response(status=status)
    response.headers["Upload-Offset"] = str(upload.offset)
    response.headers["Upload-Expires"] = http_date(upload.expires)
    record = upload.record
    if record.file_id:
        digest = base64.b64encode(bytes.fromhex(record.sha256)).decode()
        response.headers["Dropline-File-Id"] = record.file_id
        response.headers["Dropline-Duplicate"] = str(record.duplicate).lower()
        response.headers["Repr-Digest"] = f"sha-256=:{digest}:"
    return response


def _too_long(most: int) -> Problem:
    return Problem(
        TOO_LARGE, f"These bytes would make the upload longer than its {most:,} bytes. Send fewer."
    )


def _digested(*words: str) -> str:
    """An id for what these words stand for."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]


# --- headers ------------------------------------------------------------------------------------


def _number(name: str) -> int | None:
    value = request.headers.get(name)
    if value is None:
        return None
    if not _NUMBER.fullmatch(value):
        raise Problem(MALFORMED, f"{name} must be a number of bytes; it was {value!r}.")
    return int(value)


def _metadata(header: str) -> dict[str, str]:
    """The values by key; none in an empty header, which the protocol forbids and clients send."""
    found: dict[str, str] = {}
    for pair in header.split(","):
        key, _, value = pair.strip().partition(" ")
        try:
            found[key] = text(base64.b64decode(value, validate=True))
        except ValueError as error:
            raise Problem(
                MALFORMED,
                f"Upload-Metadata must be keys with values in Base64; that of {key!r} is not.",
            ) from error
    return found


def _file_name(metadata: Mapping[str, str]) -> str:
    """The file's name, with the folders that Uppy tells; it writes "null" where there are none."""
    name = metadata.get("filename") or metadata.get("name") or "unnamed"
    path = metadata.get("relativePath", "null")
    if path in ("", "null"):
        return name
    return path + name if path.endswith("/") else path


def _checksum(header: str | None) -> tuple[str, bytes] | None:
    """An algorithm and the digest that the body's bytes should have by it."""
    if header is None:
        return None
    algorithm, _, value = header.partition(" ")
    if algorithm not in _ALGORITHMS or not value:
        raise Problem(
            MALFORMED,
            f"Upload-Checksum is the name of one of {', '.join(_ALGORITHMS)} and a digest in "
            f"Base64; it was {header!r}.",
        )
    try:
        return algorithm, base64.b64decode(value, validate=True)
    except ValueError as error:
        raise Problem(MALFORMED, f"Upload-Checksum {header!r} is not in Base64.") from error


def _concat(header: str) -> tuple[bool, list[str]]:
    """Whether an upload is a part, and the ids of its parts if it is joined from some."""
    if header in ("", "partial"):
        return header == "partial", []
    kind, _, addresses = header.partition(";")
    parts = [urlsplit(address).path.rpartition("/")[2] for address in addresses.split()]
    if kind != "final" or not parts:
        raise Problem(
            MALFORMED,
            f"Upload-Concat must be `partial` or `final;` and addresses; it was {header!r}.",
        )
    return False, parts
