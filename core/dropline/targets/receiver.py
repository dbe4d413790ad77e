"""Send to a Dropline receiver: one file a request, `POST /upload`, verified by its answer.

Small files are read whole first, so that their digest goes ahead of them and the receiver refuses
what arrives damaged. A larger file is hashed in the same pass as it is sent, and the digest that
the receiver answers decides.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import mimetypes
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import requests
import urllib3

from dropline.station import Attempt, PermanentError, TransientError, Worker
from dropline.targets.http import BLOCK, TIMEOUTS, StoppableSession, Timeouts
from dropline.targets.source import Source
from dropline.targets.target import Receipt, Upload

#: Up to this many bytes a file is read whole before it is sent.
SMALL = 1 << 20
#: Statuses besides 5xx that may pass.
PASSING = frozenset({408, 425, 429})
#: The type of the problem that the connection broke off, for one when a receiver is stopped.
CUT_SHORT = "urn:dropline:problem:cut-short"
#: An answer longer than this is not one of ours.
MAX_ANSWER = 1 << 20
#: An answer without any of these lasts until the end of the connection.
LENGTHS = ("Content-Length", "Transfer-Encoding")
#: What a request raises when the other side or the way there fails.
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
#: Seconds that a `Retry-After` can make a file wait at most.
MAX_RETRY_AFTER = 3600.0
#: Characters of a foreign answer that are shown.
MAX_DETAIL = 300
#: The media type of a part that stands for an empty folder.
FOLDER_TYPE = "application/x-directory"
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
    ) -> None:
        """Raises ValueError with a sentence if `url` is not an http or https address."""
        if not _is_address(url):
            raise ValueError(f"“{url}” is no address of a receiver: use http://host:port")
        self._url = url.rstrip("/")
        self._installation = installation
        self._token = token
        self._timeouts = timeouts

    @property
    def url(self) -> str:
        """The receiver's address."""
        return self._url

    def connect(self) -> Worker[Upload, Receipt]:
        """A sender with a connection of its own."""
        return _Sender(self._url, self._installation, self._token, self._timeouts)


class _Sender:
    """One worker's connection to the receiver."""

    def __init__(self, url: str, installation: str, token: str | None, timeouts: Timeouts) -> None:
        self._url = url
        self._timeouts = timeouts
        self._installation = installation
        self._session = StoppableSession(url)
        self._last: Receipt | None = None
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

    def _serve(self, item: Upload, attempt: Attempt) -> Receipt:
        attempt.check()
        if item.is_folder:
            return self._send(item, attempt, io.BytesIO(), sha256())
        with Source(item) as source:
            if item.size > SMALL:
                return self._send(item, attempt, source, source.hash)
            data = b"".join(iter(lambda: source.read(SMALL), b""))
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
        key = item.key(self._installation, self._url)
        head = _part_head(item, key, digest.digest() if ahead else None)
        body = _Body(head, content, item.size, attempt)
        try:
            with self._session.post(
                f"{self._url}/upload",
                data=body,
                headers={"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"},
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = response.raw.read(MAX_ANSWER, decode_content=True)
            if not answer and not any(response.headers.get(name) for name in LENGTHS):
                raise ConnectionError("the connection broke in the head of the answer")
        except FAILURES as error:
            attempt.check()
            raise TransientError(self._unreachable(error)) from error
        return self._judge(item, response, _json(answer), digest.hexdigest())

    def _judge(
        self, item: Upload, response: requests.Response, answer: dict[str, Any], sent: str
    ) -> Receipt:
        """Turn the answer into a receipt, or into the error that it means."""
        status = response.status_code
        if status not in {200, 201}:
            raise self._refusal(item, response, answer, sent)
        try:
            stored = answer["files"][0]
            receipt = Receipt(
                file_id=str(stored["file_id"]),
                size=int(stored["size"]),
                sha256=str(stored["sha256"]),
                duplicate=bool(stored.get("duplicate", False)),
            )
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise PermanentError(
                f"{self._url} answered {status} but not as a Dropline receiver does: "
                "check the address."
            ) from error
        whole = (receipt.size, receipt.sha256) == (item.size, sent)
        foreign = not receipt.duplicate and stored.get("name", item.wire_name) != item.wire_name
        if foreign or (not whole and receipt == self._last):
            # An answer that came twice is read as that to the next request: what it names is
            # stored, and not to be forgotten. On a new connection nothing is left over.
            self._session.close()
            self._last = None
            raise TransientError(f"{self._url} answered for another file than was sent.")
        if whole:
            self._last = receipt
            return receipt
        if receipt.duplicate and not item.content:
            item.content = sent  # the same path, size and time, but the bytes are new ones
        elif not self._discard(receipt):
            item.content += sent  # a copy that may go any moment must not be taken for this one
        raise TransientError(
            f"{self._url} holds other bytes than were sent "
            f"({receipt.size} bytes, SHA-256 {receipt.sha256[:12]}… "
            f"instead of {item.size} bytes, {sent[:12]}…)."
        )

    def _discard(self, receipt: Receipt) -> bool:
        """Have the receiver forget a copy that is not right; whether it surely did.

        Such a copy was never announced as done.
        """
        with contextlib.suppress(*FAILURES):
            response = self._session.delete(
                f"{self._url}/files/{quote(receipt.file_id, safe='')}",
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )
            response.close()
            return response.status_code in {204, 404}
        return False

    def _refusal(
        self, item: Upload, response: requests.Response, answer: dict[str, Any], sent: str
    ) -> Exception:
        status = response.status_code
        detail = answer.get("detail") or answer.get("title")
        if isinstance(detail, str):
            sentence = f"{self._url} answered {status}: {' '.join(detail.split())[:MAX_DETAIL]}"
        else:
            sentence = (
                f"{self._url} answered {status} {response.reason[:MAX_DETAIL]}, "
                "not as a Dropline receiver does: check the address."
            )
        if status == 422 and not item.content:
            item.content = sent  # damaged on the way, or an old key: once more, under a new one
            return TransientError(sentence)
        passing = status in PASSING or (status >= 500 and status != 507)
        if passing or answer.get("type") == CUT_SHORT:
            return TransientError(sentence, _retry_after(response))
        return PermanentError(sentence)

    def _unreachable(self, error: Exception) -> str:
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
            return f"{self._url} did not answer in time: is it overloaded or gone?"
        if isinstance(error, requests.exceptions.SSLError):
            return f"{self._url} has no certificate that this machine trusts: {error}"
        return f"{self._url} cannot be reached or broke off: is the receiver running?"


class Digest(Protocol):
    """A hash that grows with what is read."""

    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


class Readable(Protocol):
    """What a body's content offers."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


class _Body:
    """A request body of one part, of known length, read as it is sent."""

    def __init__(self, head: bytes, content: Readable, size: int, attempt: Attempt) -> None:
        self._head = head
        self._content = content
        self._attempt = attempt
        self._left = size
        self._tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
        self._length = len(head) + size + len(self._tail)
        self._pieces = self._read_on()

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        # requests takes a body for a stream if it has __iter__; urllib3 then calls read.
        return self._pieces

    def read(self, _size: int = -1) -> bytes:
        """The next piece; none at the end."""
        return next(self._pieces, b"")

    def _read_on(self) -> Iterator[bytes]:
        piece = self._head  # leaves together with the first bytes of the file
        while self._left:
            self._attempt.check()
            data = self._content.read(min(BLOCK, self._left))
            self._left -= len(data)
            self._attempt.progressed(len(data))
            piece += data
            if self._left:
                yield piece
                piece = b""
        self._attempt.check()
        yield piece + self._tail


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
