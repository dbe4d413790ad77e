"""Send by tus 1.0 to a server of any make: what was half sent goes on from where it stopped.

The server names a place for each upload. It is noted in `Upload.resume` and kept before the first
byte leaves, so that a later attempt, also of another process, asks there how much has arrived.
Where the server checks checksums, the file goes in blocks, each with its own.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from dropline.events import Proof
from dropline.station import Attempt, PermanentError, TransientError, Worker
from dropline.targets.access import Access
from dropline.targets.body import Body
from dropline.targets.client import Answer, Client
from dropline.targets.failures import is_address
from dropline.targets.http import TIMEOUTS, Timeouts
from dropline.targets.resume import note, noted, outdated
from dropline.targets.source import Source
from dropline.targets.target import Receipt, Upload, UrlIdentity

#: Up to this many bytes a file is sent with its announcement, where the server allows it.
SMALL = 1 << 20
#: Bytes that are sent, and held in memory, with one checksum.
CHUNK = 4 << 20
#: The checksums that we can make, best first.
ALGORITHMS = ("sha256", "sha512", "sha1", "md5")

_VERSION = {"Tus-Resumable": "1.0.0"}
_BYTES = {"Content-Type": "application/offset+octet-stream"}
_MISMATCH = 460


class TusTarget(UrlIdentity):
    """A tus server, by the URL where uploads are created."""

    def __init__(
        self, url: str, *, access: Access | None = None, timeouts: Timeouts = TIMEOUTS
    ) -> None:
        """Raises ValueError with a sentence if `url` is not an http or https address."""
        if not is_address(url):
            raise ValueError(f"“{url}” is no address of a tus server: use https://host/path")
        self._url = url
        self._access = access or Access()
        self._timeouts = timeouts

    @property
    def url(self) -> str:
        """Where uploads are created."""
        return f"tus+{self._url}"

    def connect(self) -> Worker[Upload, Receipt]:
        """A sender with a connection of its own."""
        return _Sender(self._url, self._access, self._timeouts)


@dataclass(frozen=True, slots=True)
class _Server:
    """What a server says that it can do. `checksum`: the algorithm to use, "" for none."""

    max_size: int | None
    with_upload: bool
    termination: bool
    checksum: str

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> _Server:
        extensions = _list(headers, "Tus-Extension")
        algorithms = _list(headers, "Tus-Checksum-Algorithm") if "checksum" in extensions else ()
        size = headers.get("Tus-Max-Size", "").strip()
        return cls(
            max_size=int(size) if size.isdecimal() else None,
            with_upload="creation-with-upload" in extensions,
            termination="termination" in extensions,
            checksum=next((name for name in ALGORITHMS if name in algorithms), ""),
        )


class _Sender:
    """One worker's connection to the server."""

    def __init__(self, url: str, access: Access, timeouts: Timeouts) -> None:
        self._url = url
        self._client = Client(url, access, timeouts)
        self._server: _Server | None = None

    def close(self) -> None:
        self._client.close()

    def serve(self, item: Upload, attempt: Attempt) -> Receipt:
        with self._client.serving(attempt):
            if self._server is None:
                self._server = self._ask(attempt)
            if item.is_folder:
                where, _, _ = self._create(item, None, attempt)
                digest = hashlib.sha256().hexdigest()
                return Receipt(where, 0, digest, duplicate=False, proof=Proof.SIZE)
            with Source(item, attempt) as source:
                where, proof = self._send(item, source, attempt)
            item.resume = ""
            return Receipt(where, item.size, source.hash.hexdigest(), duplicate=False, proof=proof)

    def _ask(self, attempt: Attempt) -> _Server:
        """What the server can do; one that does not say is taken to do the least."""
        answer = self._client.request(attempt, "OPTIONS", self._url)
        if answer.status in {401, 403, 407} or (answer.status >= 500 and answer.status != 501):
            raise answer.refusal(self._url)
        return _Server.of(answer.headers if answer.status < 300 else {})

    # --- one file ---------------------------------------------------------------------------

    def _send(self, item: Upload, source: Source, attempt: Attempt) -> tuple[str, Proof]:
        """Send what is missing. Returns where the file is, and how that is known."""
        server = self._known
        if server.max_size is not None and item.size > server.max_size:
            raise PermanentError(
                f"“{item.path}” is larger than {self._url} takes ({server.max_size} bytes): "
                "send it elsewhere."
            )
        where, offset = self._resume(item, attempt)
        if where:
            source.skip(offset, attempt)
            # A server may keep a block that broke off, though nobody could check it.
            checked = bool(server.checksum) and offset % CHUNK == 0
        else:
            small = server.with_upload and 0 < item.size <= SMALL
            where, offset, checked = self._create(item, source if small else None, attempt)
            if offset < item.size:
                note(item, self._url, where)
                attempt.checkpoint()
                checked = bool(server.checksum)
        while offset < item.size:
            offset = self._send_on(item, source, where, offset, attempt)
        return where, Proof.DIGEST if checked else Proof.SIZE

    def _create(
        self, item: Upload, source: Source | None, attempt: Attempt
    ) -> tuple[str, int, bool]:
        """Announce a file, and send it along from `source` if that is given.

        Returns where it is to be sent, how much of it is there, and whether a checksum was used.
        """
        headers = {**_VERSION, "Upload-Length": str(item.size), "Upload-Metadata": metadata(item)}
        data = b""
        if source is not None:
            data = source.read_exactly(item.size)
            headers |= {**_BYTES, **self._checksum(data)}
        body = Body(io.BytesIO(data), len(data), attempt)
        answer = self._client.request(attempt, "POST", self._url, body, headers)
        if answer.status != 201 or "Location" not in answer.headers:
            raise self._refusal(self._url, answer)
        where = self._place(answer.headers["Location"])
        offset = _offset(answer) or 0
        if offset not in {0, len(data)}:
            raise TransientError(f"{self._url} took only a part of “{item.path}”.")
        if data and not offset:  # it only took the announcement: the bytes are read already
            answer = self._patch(where, 0, data, attempt)
            if _offset(answer) != len(data):
                raise self._wrong_offset(where, answer)
            offset = len(data)
        return where, offset, bool(data and self._known.checksum)

    def _resume(self, item: Upload, attempt: Attempt) -> tuple[str, int]:
        """Where an earlier attempt put bytes, and how many are there; ("", 0) to start anew."""
        if self._known.termination and (where := outdated(item, self._url)):
            with contextlib.suppress(TransientError, PermanentError):  # it expires by itself, too
                self._client.request(attempt, "DELETE", where, headers=_VERSION)
        where = noted(item, self._url)
        if not where:
            return "", 0
        answer = self._client.request(attempt, "HEAD", where, headers=_VERSION)
        if answer.status in {403, 404, 410}:  # it expired
            return "", 0
        if answer.status not in {200, 204}:
            raise self._refusal(where, answer)
        offset = _offset(answer)
        if answer.headers.get("Upload-Length", str(item.size)) != str(item.size):
            return "", 0
        return (where, offset) if offset is not None and offset <= item.size else ("", 0)

    def _send_on(
        self, item: Upload, source: Source, where: str, offset: int, attempt: Attempt
    ) -> int:
        """Send the next block, or all the rest; returns how much is there then."""
        rest = item.size - offset
        if self._known.checksum:
            rest = min(CHUNK, rest)
            answer = self._patch(where, offset, source.read_exactly(rest), attempt)
        else:
            body = Body(source, rest, attempt)
            headers = {**_VERSION, **_BYTES, "Upload-Offset": str(offset)}
            answer = self._client.request(attempt, "PATCH", where, body, headers)
        if answer.status in {403, 404, 410}:
            item.resume = ""
            attempt.checkpoint()
            raise TransientError(f"{where} is gone: “{item.path}” is sent anew.")
        if answer.status not in {200, 204}:
            raise self._refusal(where, answer)
        if _offset(answer) != offset + rest:
            raise self._wrong_offset(where, answer)
        return offset + rest

    def _patch(self, where: str, offset: int, data: bytes, attempt: Attempt) -> Answer:
        headers = {**_VERSION, **_BYTES, "Upload-Offset": str(offset), **self._checksum(data)}
        body = Body(io.BytesIO(data), len(data), attempt)
        return self._client.request(attempt, "PATCH", where, body, headers)

    # --- small matters ----------------------------------------------------------------------

    @property
    def _known(self) -> _Server:
        assert self._server is not None
        return self._server

    def _checksum(self, data: bytes) -> dict[str, str]:
        name = self._known.checksum
        if not name:
            return {}
        digest = base64.b64encode(hashlib.new(name, data, usedforsecurity=False).digest())
        return {"Upload-Checksum": f"{name} {digest.decode()}"}

    def _place(self, location: str) -> str:
        """The address that `Location` means: on the server that the user named, or on none.

        A server behind a proxy may think that it has another scheme or port.
        """
        here, there = urlsplit(self._url), urlsplit(urljoin(self._url, location))
        if there.hostname != here.hostname:
            raise PermanentError(
                f"{self._url} wants the file at another server, {there.hostname}: "
                "check that, and use that one's address."
            )
        return there._replace(scheme=here.scheme, netloc=here.netloc).geturl()

    def _refusal(self, where: str, answer: Answer) -> Exception:
        match answer.status:
            case 201 | 200 | 204:
                return PermanentError(
                    f"{where} answered {answer.status}, but not as a tus server does: "
                    "check the address."
                )
            case 409:
                return TransientError(f"{where} has another part of the file than was thought.")
            case 412:
                return PermanentError(
                    f"{where} speaks another version of tus than 1.0.0: choose another target."
                )
            case status if status == _MISMATCH:
                return TransientError(f"{where} got other bytes than were sent: checksums differ.")
        return answer.refusal(where)

    def _wrong_offset(self, where: str, answer: Answer) -> Exception:
        if answer.status not in {200, 204}:
            return self._refusal(where, answer)
        return TransientError(f"{where} did not take all that was sent.")


def _list(headers: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in headers.get(name, "").split(","))


def _offset(answer: Answer) -> int | None:
    text = answer.headers.get("Upload-Offset", "").strip()
    return int(text) if text.isdecimal() else None


def metadata(item: Upload) -> str:
    """The `Upload-Metadata` of a file."""
    told = {"filename": item.wire_name, "filetype": item.media_type}
    return ",".join(
        f"{key} {base64.b64encode(text.encode()).decode()}" for key, text in told.items()
    )
