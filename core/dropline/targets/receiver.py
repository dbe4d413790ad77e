"""Send to a Dropline receiver by `POST /upload`, verified by its answer.

Small files are read whole first, so that their digest goes ahead of them and the receiver refuses
what arrives damaged; where many wait they travel many to a request, each with its own digest and
outcome. A larger file is hashed in the same pass as it is sent, and the digest that the receiver
answers decides.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import mimetypes
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import requests
import urllib3

from dropline.station import (
    Aborted,
    Attempt,
    PermanentError,
    Room,
    TransientError,
    Unreached,
    Worker,
)
from dropline.targets.bundles import Bundles
from dropline.targets.http import BLOCK, TIMEOUTS, StoppableSession, Timeouts
from dropline.targets.source import Source
from dropline.targets.target import Receipt, Upload

#: Up to this many bytes a file is read whole before it is sent.
SMALL = 1 << 20
#: Statuses besides 5xx that may pass.
PASSING = frozenset({408, 425, 429})
#: The type of the problem that the connection broke off, for one when a receiver is stopped.
CUT_SHORT = "urn:dropline:problem:cut-short"
#: An answer longer than this is not one of ours: 256 names of 4,096 bytes may take six each.
MAX_ANSWER = 8 << 20
#: What a request raises when the other side or the way there fails.
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
#: Statuses that tell of the target, not of what was sent to it.
DOWN = frozenset({429, 502, 503, 504})
#: Seconds for connecting and for the answer when a receiver is asked who it is.
IDENTIFY_TIMEOUTS: Timeouts = (2.0, 2.0)
#: Seconds that a `Retry-After` can make a file wait at most.
MAX_RETRY_AFTER = 3600.0
#: Characters of a foreign answer that are shown.
MAX_DETAIL = 300
#: The media type of a part that stands for an empty folder.
FOLDER_TYPE = "application/x-directory"
#: The header in which a receiver says its id.
IDENTITY_HEADER = "Dropline-Receiver"
_BOUNDARY = "dropline-7c1f2b9e4a5d4a0c9c38a1f6e0d2b374"


class ReceiverTarget:
    """A Dropline receiver at a URL."""

    def __init__(
        self,
        url: str,
        *,
        installation: str,
        token: str | None = None,
        timeouts: Timeouts = TIMEOUTS,
        alias: str = "",
        identity: str | None = None,
    ) -> None:
        """Raises ValueError with a sentence if `url` is not an http or https address.

        `alias` stands for the URL in idempotency keys, where the same receiver may be at another
        port next time; `identity` is the receiver's id if it is known already.
        """
        if not _is_address(url):
            raise ValueError(f"“{url}” is no address of a receiver: use http://host:port")
        self._url = url.rstrip("/")
        self._name = alias or self._url
        self._installation = installation
        self._token = token
        self._timeouts = timeouts
        self._bundles = Bundles()
        self._identity = identity

    @property
    def url(self) -> str:
        """The receiver's address."""
        return self._url

    @property
    def identity(self) -> str | None:
        """The id that the receiver keeps in its data folder; the URL for one that has none."""
        return self._identity

    def identify(self) -> str | None:
        """See `Target.identify`."""
        if self._identity is None:
            self._identity = self._ask()
        return self._identity

    def _ask(self) -> str | None:
        with StoppableSession(self._url) as session:
            try:
                response = session.get(
                    f"{self._url}/healthz",
                    timeout=IDENTIFY_TIMEOUTS,
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    answer = _json(response.raw.read(MAX_ANSWER, decode_content=True))
            except FAILURES:
                return None
        receiver = answer.get("receiver")
        return receiver if isinstance(receiver, str) else self._url

    def connect(self) -> Worker[Upload, Receipt]:
        """A sender with a connection of its own."""
        return _Sender(
            self._url, self._name, self._installation, self._token, self._timeouts, self._bundles
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """A file in a request; `number` is its place in the bundle."""

    number: int
    item: Upload
    attempt: Attempt
    head: bytes
    data: bytes
    sent: str


class _Sender:
    """One worker's connection to the receiver."""

    def __init__(
        self,
        url: str,
        name: str,
        installation: str,
        token: str | None,
        timeouts: Timeouts,
        bundles: Bundles,
    ) -> None:
        self._url = url
        self._name = name
        self._timeouts = timeouts
        self._installation = installation
        self._bundles = bundles
        self._session = StoppableSession(url)
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        self._session.close()

    def serve(self, item: Upload, attempt: Attempt) -> Receipt:
        self._session.ready()
        attempt.on_abort(self._session.stop)
        try:
            return self._serve(item, attempt)
        finally:
            attempt.on_abort(_nothing)  # an abort that comes late must not stop the next attempt

    def room(self) -> Room:
        return self._bundles.room()

    def serve_bundle(
        self, items: Sequence[Upload], attempts: Sequence[Attempt]
    ) -> Sequence[Receipt | Exception]:
        self._session.ready()

        def stop() -> None:
            # The others of the bundle go on: what was to be cancelled is a small file.
            if all(attempt.aborted for attempt in attempts):
                self._session.stop()

        for attempt in attempts:
            attempt.on_abort(stop)
        try:
            return self._serve_bundle(items, attempts)
        finally:
            for attempt in attempts:
                attempt.on_abort(_nothing)

    def _serve(self, item: Upload, attempt: Attempt) -> Receipt:
        attempt.check()
        if item.is_folder:
            return self._send(item, attempt, io.BytesIO(), sha256())
        with Source(item) as source:
            if item.size > SMALL:
                return self._send(item, attempt, source, source.hash)
            data = source.read_all()
            return self._send(item, attempt, io.BytesIO(data), source.hash, ahead=True)

    def _send(
        self,
        item: Upload,
        attempt: Attempt,
        content: Readable,
        digest: Digest,
        *,
        ahead: bool = False,
    ) -> Receipt:
        """Send one file. `ahead`: the digest is complete already and goes before the bytes."""
        head = self._head(item, digest.digest() if ahead else None)
        body = _Body(len(head) + item.size, _read_on(head, content, item.size, attempt))
        try:
            response, answer = self._post(body)
        except FAILURES as error:
            attempt.check()
            raise self._unreachable(error) from error
        sent = digest.hexdigest()
        if response.status_code not in {200, 201}:
            raise self._refusal(item, Answer.of(response, answer), sent)
        try:
            return self._judge(item, answer["files"][0], sent, _identity(response))
        except (LookupError, TypeError) as error:
            raise self._foreign(response) from error

    def _serve_bundle(
        self, items: Sequence[Upload], attempts: Sequence[Attempt]
    ) -> Sequence[Receipt | Exception]:
        outcomes: list[Receipt | Exception] = [Unreached() for _ in items]
        parts: list[_Part] = []
        for number, (item, attempt) in enumerate(zip(items, attempts, strict=True)):
            try:
                attempt.check()
                parts.append(self._part(number, item, attempt, first=not parts))
            except (Aborted, TransientError, PermanentError) as error:
                outcomes[number] = error  # it stays behind, the others go
        if not parts:
            return outcomes
        size = sum(len(part.head) + len(part.data) for part in parts)
        began = time.monotonic()
        try:
            response, answer = self._post(_Body(size, _read_parts(parts)))
        except FAILURES as error:
            if not all(part.attempt.aborted for part in parts):
                self._bundles.broke()
            failure = self._unreachable(error)
            for part in parts:
                outcomes[part.number] = Aborted() if part.attempt.aborted else failure
            return outcomes
        for part, outcome in zip(parts, self._judge_all(parts, response, answer), strict=False):
            outcomes[part.number] = outcome
        if response.ok and not any(isinstance(outcome, Unreached) for outcome in outcomes):
            self._bundles.went(len(parts), time.monotonic() - began)
        return outcomes

    def _part(self, number: int, item: Upload, attempt: Attempt, *, first: bool) -> _Part:
        if item.is_folder:
            data, digest = b"", sha256()
        else:
            with Source(item) as source:
                if item.size > SMALL:
                    raise TransientError(
                        f"“{item.path}” has grown: it is sent again alone.", at_source=True
                    )
                data, digest = source.read_all(), source.hash
        head = self._head(item, digest.digest())
        if not first:
            head = b"\r\n" + head  # the line that ends the part before
        return _Part(number, item, attempt, head, data, digest.hexdigest())

    def _judge_all(
        self, parts: Sequence[_Part], response: requests.Response, answer: dict[str, Any]
    ) -> list[Receipt | Exception]:
        """What became of each part; a list that is shorter than the parts leaves some unreached."""
        files = answer.get("files")
        status = response.status_code
        if isinstance(files, list) and all(isinstance(file, dict) for file in files):
            if len(files) < len(parts):
                self._bundles.broke()
            whole = Answer.of(response, answer)
            target = _identity(response)
            pairs = zip(parts, files, strict=False)
            return [self._judge_part(part, file, whole, target) for part, file in pairs]
        if _may_pass(status, answer):
            return [self._refusal(p.item, Answer.of(response, answer), p.sent) for p in parts]
        self._bundles.refused()
        return []

    def _judge_part(
        self, part: _Part, file: dict[str, Any], whole: Answer, target: str
    ) -> Receipt | Exception:
        error = file.get("error")
        try:
            if isinstance(error, dict):
                status = error.get("status")
                status = status if isinstance(status, int) else whole.status
                raise self._refusal(
                    part.item, Answer(status, whole.reason, error, whole.retry_after), part.sent
                )
            return self._judge(part.item, file, part.sent, target)
        except (TransientError, PermanentError) as problem:
            return problem
        except (LookupError, TypeError):
            return PermanentError(f"{self._url} did not say what became of “{part.item.path}”.")

    def _head(self, item: Upload, digest: bytes | None) -> bytes:
        return _part_head(item, item.key(self._installation, self._name), digest)

    def _post(self, body: _Body) -> tuple[requests.Response, dict[str, Any]]:
        """Send a request; its response, and what that says as JSON."""
        with self._session.post(
            f"{self._url}/upload",
            data=body,
            headers={"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"},
            timeout=self._timeouts,
            allow_redirects=False,
            stream=True,
        ) as response:
            return response, _json(response.raw.read(MAX_ANSWER, decode_content=True))

    def _judge(self, item: Upload, stored: dict[str, Any], sent: str, target: str) -> Receipt:
        """Turn what the receiver says of a stored file into a receipt, if it is what was sent.

        Raises LookupError or TypeError when it says no such thing.
        """
        try:
            receipt = Receipt(
                file_id=str(stored["file_id"]),
                size=int(stored["size"]),
                sha256=str(stored["sha256"]),
                duplicate=bool(stored.get("duplicate", False)),
                target=target,
            )
        except (AttributeError, ValueError, OverflowError) as error:
            raise TypeError(stored) from error
        if (receipt.size, receipt.sha256) == (item.size, sent):
            return receipt
        if receipt.duplicate and not item.content:
            item.content = sent  # the same path, size and time, but the bytes are new ones
        else:
            self._discard(receipt)
        raise TransientError(
            f"{self._url} holds other bytes than were sent "
            f"({receipt.size} bytes, SHA-256 {receipt.sha256[:12]}… "
            f"instead of {item.size} bytes, {sent[:12]}…)."
        )

    def _discard(self, receipt: Receipt) -> None:
        """Ask the receiver to forget a copy that is not right; it was never announced as done."""
        with contextlib.suppress(*FAILURES):
            self._session.delete(
                f"{self._url}/files/{quote(receipt.file_id, safe='')}",
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ).close()

    def _refusal(self, item: Upload, answer: Answer, sent: str) -> Exception:
        """The error that an answer means for a file."""
        detail = answer.problem.get("detail") or answer.problem.get("title")
        if isinstance(detail, str):
            text = " ".join(detail.split())[:MAX_DETAIL]
            sentence = f"{self._url} answered {answer.status}: {text}"
        else:
            sentence = (
                f"{self._url} answered {answer.status} {answer.reason[:MAX_DETAIL]}, "
                "not as a Dropline receiver does: check the address."
            )
        if answer.status == 422 and not item.content:
            item.content = sent  # damaged on the way, or an old key: once more, under a new one
            return TransientError(sentence)
        if _may_pass(answer.status, answer.problem):
            down = answer.status in DOWN
            return TransientError(sentence, answer.retry_after, target_down=down)
        return PermanentError(sentence)

    def _foreign(self, response: requests.Response) -> PermanentError:
        return PermanentError(
            f"{self._url} answered {response.status_code} but not as a Dropline receiver does: "
            "check the address."
        )

    def _unreachable(self, error: Exception) -> TransientError:
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
            text = f"{self._url} did not answer in time: is it overloaded or gone?"
        elif isinstance(error, requests.exceptions.SSLError):
            text = f"{self._url} has no certificate that this machine trusts: {error}"
        else:
            text = f"{self._url} cannot be reached or broke off: is the receiver running?"
        return TransientError(text, target_down=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver answered: status, reason phrase, problem (RFC 9457), seconds to wait."""

    status: int
    reason: str
    problem: dict[str, Any]
    retry_after: float | None

    @classmethod
    def of(cls, response: requests.Response, problem: dict[str, Any]) -> Answer:
        """Of a whole response."""
        return cls(response.status_code, response.reason or "", problem, _retry_after(response))


def _identity(response: requests.Response) -> str:
    return response.headers.get(IDENTITY_HEADER, "")


def _may_pass(status: int, problem: dict[str, Any]) -> bool:
    return (
        status in PASSING or (status >= 500 and status != 507) or problem.get("type") == CUT_SHORT
    )


class Digest(Protocol):
    """A hash that grows with what is read."""

    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


class Readable(Protocol):
    """What a body's content offers."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()


class _Body:
    """A request body of known length, read as it is sent; the last boundary is added."""

    def __init__(self, size: int, pieces: Iterable[bytes]) -> None:
        self._length = size + len(_TAIL)
        self._pieces = _end(pieces)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        # requests takes a body for a stream if it has __iter__; urllib3 then calls read.
        return self._pieces

    def read(self, _size: int = -1) -> bytes:
        """The next piece; none at the end."""
        return next(self._pieces, b"")


def _end(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, the last of them together with the last boundary."""
    before = b""
    for piece in pieces:
        if before:
            yield before
        before = piece
    yield before + _TAIL


def _read_on(head: bytes, content: Readable, size: int, attempt: Attempt) -> Iterator[bytes]:
    """A part's bytes as they are read; the head leaves together with the first of them."""
    piece, left = head, size
    while left:
        attempt.check()
        data = content.read(min(BLOCK, left))
        left -= len(data)
        attempt.progressed(len(data))
        yield piece + data
        piece = b""
    attempt.check()
    yield piece


def _read_parts(parts: Sequence[_Part]) -> Iterator[bytes]:
    """The bytes of several parts, in blocks."""
    pieces: list[bytes] = []
    size = 0
    for part in parts:
        pieces += (part.head, part.data)
        size += len(part.head) + len(part.data)
        part.attempt.progressed(len(part.data))
        if size >= BLOCK:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join(pieces)


def _part_head(item: Upload, key: str, digest: bytes | None) -> bytes:
    """The part's header lines.

    `filename` is escaped as browsers do (WHATWG form data), `filename*` (RFC 5987) is exact.
    """
    name = item.wire_name
    escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    exact = f"filename*=UTF-8''{quote(name, safe='')}"
    kind = FOLDER_TYPE if item.is_folder else mimetypes.guess_type(name)[0]
    lines = [
        f"--{_BOUNDARY}",
        f'Content-Disposition: form-data; name="file"; filename="{escaped}"; {exact}',
        f"Content-Type: {kind or 'application/octet-stream'}",
        f"Idempotency-Key: {key}",
    ]
    if digest is not None:
        lines.append(f"Content-Digest: sha-256=:{base64.b64encode(digest).decode()}:")
    return "\r\n".join([*lines, "", ""]).encode()


def _json(answer: bytes) -> dict[str, Any]:
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _retry_after(response: requests.Response) -> float | None:
    """The seconds that `Retry-After` asks for, given as seconds or as a date (RFC 9110 §10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return min(float(value), MAX_RETRY_AFTER)
    with contextlib.suppress(ValueError):
        date = parsedate_to_datetime(value)
        wait = date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)
        return min(max(0.0, wait.total_seconds()), MAX_RETRY_AFTER)
    return None


def _is_address(url: str) -> bool:
    """Whether the URL is one of a receiver; a user or a password in it would be shown."""
    try:
        parts = urlsplit(url)
        return bool(
            parts.scheme in {"http", "https"}
            and parts.hostname
            and parts.port != 0
            and not ("@" in parts.netloc or parts.query or parts.fragment or url != url.strip())
        )
    except ValueError:  # a port that is no number
        return False


def _nothing() -> None:
    pass
