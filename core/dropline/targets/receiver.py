"""Send to a Dropline receiver, by `POST /upload` for all but large files, verified by its answer.

Small files are read whole first, so that their digest goes ahead of them and the receiver refuses
what arrives damaged; where many wait they travel many to a request, each with its own digest and
outcome. A larger file is hashed in the same pass as it is sent, and the digest that the receiver
answers decides; one that takes long goes by `pieces`, so that it need not begin anew.
"""

from __future__ import annotations

import base64
import contextlib
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import quote

import requests

from dropline.events import Proof
from dropline.station import (
    Aborted,
    Attempt,
    PermanentError,
    Room,
    TransientError,
    Unreached,
    Worker,
)
from dropline.targets.access import Access
from dropline.targets.body import Body, Readable
from dropline.targets.bundles import Bundles
from dropline.targets.failures import (
    CUT_SHORT,
    FAILURES,
    MAX_DETAIL,
    detail,
    is_address,
    json_object,
    may_pass,
    refused,
    retry_after,
    unreachable,
)
from dropline.targets.http import BLOCK, TIMEOUTS, StoppableSession, Timeouts
from dropline.targets.multipart import disposition
from dropline.targets.pieces import LARGE, NotOfferedError, Pieces
from dropline.targets.resume import note, noted, outdated
from dropline.targets.source import Source
from dropline.targets.target import Receipt, Upload
from dropline.value import value

#: Up to this many bytes a file is read whole before it is sent.
SMALL = 1 << 20
#: An answer longer than this is not one of ours: 256 names of 4,096 bytes may take six each.
MAX_ANSWER = 8 << 20
#: Seconds for connecting and for the answer when a receiver is asked who it is.
IDENTIFY_TIMEOUTS: Timeouts = (2.0, 2.0)
#: The header in which a receiver says its id.
IDENTITY_HEADER = "Dropline-Receiver"
#: An answer without any of these lasts until the end of the connection.
LENGTHS = ("Content-Length", "Transfer-Encoding")
_BOUNDARY = "dropline-7c1f2b9e4a5d4a0c9c38a1f6e0d2b374"


class ReceiverTarget:
    """A Dropline receiver at a URL."""

    def __init__(
        self,
        url: str,
        *,
        installation: str,
        token: str | None = None,
        access: Access | None = None,
        timeouts: Timeouts = TIMEOUTS,
        alias: str = "",
        identity: str | None = None,
    ) -> None:
        """`token` is short for an `access` with that token and nothing else.

        Raises ValueError with a sentence if `url` is not an http or https address. `alias` stands
        for the URL in idempotency keys, where the same receiver may be at another port next time;
        `identity` is the receiver's id if it is known already.
        """
        if not is_address(url):
            raise ValueError(f"“{url}” is no address of a receiver: use http://host:port")
        self._url = url.rstrip("/")
        self._name = alias or self._url
        self._installation = installation
        self._access = access or Access(token=token or None)
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
        with StoppableSession(self._url, self._access) as session:
            try:
                response = session.get(
                    f"{self._url}/healthz",
                    timeout=IDENTIFY_TIMEOUTS,
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    answer = json_object(response.raw.read(MAX_ANSWER, decode_content=True))
            except FAILURES:
                return None
        receiver = answer.get("receiver")
        return receiver if isinstance(receiver, str) else self._url

    def connect(self) -> Worker[Upload, Receipt]:
        """A sender with a connection of its own."""
        return _Sender(
            self._url, self._name, self._installation, self._access, self._timeouts, self._bundles
        )


@value
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
        access: Access,
        timeouts: Timeouts,
        bundles: Bundles,
    ) -> None:
        self._url = url
        self._name = name
        self._timeouts = timeouts
        self._installation = installation
        self._bundles = bundles
        self._session = StoppableSession(url, access)
        self._pieces: Pieces | None = Pieces(url, self._session, timeouts)
        self._last: Sequence[Receipt] = ()  # what the last answer told

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
        self._discard(item, attempt)
        if item.is_folder:
            return self._send(item, attempt, io.BytesIO(), sha256())
        if item.size > LARGE and self._pieces is not None:
            with contextlib.suppress(NotOfferedError), Source(item, attempt) as source:
                return self._send_large(item, source, attempt, self._pieces)
            self._pieces = None
        with Source(item, attempt) as source:
            if item.size > SMALL:
                return self._send(item, attempt, source, source.hash)
            data = source.read_all()
            return self._send(item, attempt, io.BytesIO(data), source.hash, ahead=True)

    def _send_large(
        self, item: Upload, source: Source, attempt: Attempt, pieces: Pieces
    ) -> Receipt:
        key = item.key(self._installation, self._name)
        response, stored = pieces.send(item, source, attempt, key)
        sent = source.hash.hexdigest()
        return self._judge_one(item, attempt, response, {"files": [stored]}, sent)

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
        body = Body(content, item.size, attempt, head=head, tail=_TAIL)
        try:
            response, answer = self._post(body)
        except FAILURES as error:
            attempt.check()
            raise unreachable(self._url, error, who="receiver") from error
        sent = digest.hexdigest()
        if response.status_code not in {200, 201}:
            raise self._refusal(item, Answer.of(response, answer), sent)
        return self._judge_one(item, attempt, response, answer, sent)

    def _judge_one(
        self,
        item: Upload,
        attempt: Attempt,
        response: requests.Response,
        answer: dict[str, Any],
        sent: str,
    ) -> Receipt:
        try:
            receipt = self._judge(item, attempt, answer["files"][0], sent, _identity(response))
        except (LookupError, TypeError) as error:
            raise self._foreign(response) from error
        self._last = (receipt,)
        return receipt

    def _serve_bundle(
        self, items: Sequence[Upload], attempts: Sequence[Attempt]
    ) -> Sequence[Receipt | Exception]:
        outcomes: list[Receipt | Exception] = [Unreached() for _ in items]
        parts: list[_Part] = []
        with self._bundles.turn() as turn:
            for number, (item, attempt) in enumerate(zip(items, attempts, strict=True)):
                try:
                    attempt.check()
                    parts.append(self._part(number, item, attempt, first=not parts))
                except (Aborted, TransientError, PermanentError) as error:
                    outcomes[number] = error  # it stays behind, the others go
                turn.next_file()
        if not parts:
            return outcomes
        began = time.monotonic()
        try:
            response, answer = self._post(_Bundle(parts))
        except FAILURES as error:
            if not all(part.attempt.aborted for part in parts):
                self._bundles.broke()
            failure = unreachable(self._url, error, who="receiver")
            for part in parts:
                outcomes[part.number] = Aborted() if part.attempt.aborted else failure
            return outcomes
        for part, outcome in zip(parts, self._judge_all(parts, response, answer), strict=False):
            outcomes[part.number] = outcome
        if response.ok and not any(isinstance(outcome, Unreached) for outcome in outcomes):
            self._bundles.went(len(parts), time.monotonic() - began)
        return outcomes

    def _part(self, number: int, item: Upload, attempt: Attempt, *, first: bool) -> _Part:
        self._discard(item, attempt)
        if item.is_folder:
            data, digest = b"", sha256()
        else:
            with Source(item, attempt) as source:
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
            outcomes = [self._judge_part(part, file, whole, target) for part, file in pairs]
            self._last = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
            return outcomes
        if may_pass(status) or answer.get("type") == CUT_SHORT:
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
                    part.item, Answer(status, whole.reason, error, whole.headers), part.sent
                )
            return self._judge(part.item, part.attempt, file, part.sent, target)
        except (Aborted, TransientError, PermanentError) as problem:
            return problem
        except (LookupError, TypeError):
            return PermanentError(f"{self._url} did not say what became of “{part.item.path}”.")

    def _head(self, item: Upload, digest: bytes | None) -> bytes:
        return _part_head(item, item.key(self._installation, self._name), digest)

    def _post(self, body: Body | _Bundle) -> tuple[requests.Response, dict[str, Any]]:
        """Send a request; its response, and what that says as JSON."""
        with self._session.post(
            f"{self._url}/upload",
            data=body,
            headers={"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"},
            timeout=self._timeouts,
            allow_redirects=False,
            stream=True,
        ) as response:
            content = response.raw.read(MAX_ANSWER, decode_content=True)
        if not content and not any(response.headers.get(name) for name in LENGTHS):
            raise ConnectionError("the connection broke in the head of the answer")
        return response, json_object(content)

    def _judge(
        self, item: Upload, attempt: Attempt, stored: dict[str, Any], sent: str, target: str
    ) -> Receipt:
        """Turn what the receiver says of a stored file into a receipt, if it is what was sent.

        Raises LookupError or TypeError when it says no such thing.
        """
        try:
            receipt = Receipt(
                file_id=str(stored["file_id"]),
                size=int(stored["size"]),
                sha256=str(stored["sha256"]),
                duplicate=bool(stored.get("duplicate", False)),
                proof=Proof.DIGEST,
                target=target,
            )
        except (AttributeError, ValueError, OverflowError) as error:
            raise TypeError(stored) from error
        whole = (receipt.size, receipt.sha256) == (item.size, sent)
        name = item.wire_name
        foreign = not receipt.duplicate and stored.get("name", name) != name
        if foreign or (not whole and receipt in self._last):
            # An answer that came twice is read as that to the next request: what it names is
            # stored, and not to be forgotten. On a new connection nothing is left over.
            self._session.close()
            raise TransientError(f"{self._url} answered for another file than was sent.")
        if whole:
            return receipt
        if receipt.duplicate and not item.content:
            item.content = sent  # the same path, size and time, but the bytes are new ones
        else:
            note(item, self._name, receipt.file_id)
            attempt.checkpoint()
            self._discard(item, attempt)
        raise TransientError(
            f"{self._url} holds other bytes than were sent "
            f"({receipt.size} bytes, SHA-256 {receipt.sha256[:12]}… "
            f"instead of {item.size} bytes, {sent[:12]}…)."
        )

    def _discard(self, item: Upload, attempt: Attempt) -> None:
        """Have the receiver forget the copy that was noted as not right, if there is one.

        Nobody was told of it. Raises when it is not sure to be gone: before that nothing is sent,
        for a copy that may go any moment must not be taken for a right one.
        """
        wrong = noted(item, self._name) or outdated(item, self._name)
        if not wrong:
            return
        try:
            response = self._session.delete(
                f"{self._url}/files/{quote(wrong, safe='')}",
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            )
            response.close()
        except FAILURES as error:
            attempt.check()
            raise unreachable(self._url, error, who="receiver") from error
        if may_pass(response.status_code):
            raise TransientError(
                f"{self._url} answered {response.status_code} instead of forgetting a wrong copy."
            )
        item.resume = ""

    def _refusal(self, item: Upload, answer: Answer, sent: str) -> Exception:
        """The error that an answer means for a file."""
        if said := detail(answer.problem):
            sentence = f"{self._url} answered {answer.status}: {said}"
        else:
            sentence = (
                f"{self._url} answered {answer.status} {answer.reason[:MAX_DETAIL]}, "
                "not as a Dropline receiver does: check the address."
            )
        if answer.status == 422 and not item.content:
            item.content = sent  # damaged on the way, or an old key: once more, under a new one
            return TransientError(sentence)
        if answer.problem.get("type") == CUT_SHORT:
            return TransientError(sentence, retry_after(answer.headers))
        return refused(answer.status, sentence, answer.headers)

    def _foreign(self, response: requests.Response) -> PermanentError:
        return PermanentError(
            f"{self._url} answered {response.status_code} but not as a Dropline receiver does: "
            "check the address."
        )


@value
class Answer:
    """What a receiver answered: status, reason phrase, problem (RFC 9457), headers."""

    status: int
    reason: str
    problem: dict[str, Any]
    headers: Mapping[str, str]

    @classmethod
    def of(cls, response: requests.Response, problem: dict[str, Any]) -> Answer:
        """Of a whole response."""
        return cls(response.status_code, response.reason or "", problem, response.headers)


def _identity(response: requests.Response) -> str:
    return response.headers.get(IDENTITY_HEADER, "")


class Digest(Protocol):
    """A hash that grows with what is read."""

    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()


class _Bundle:
    """A request body of several parts, of known length."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._length = sum(len(part.head) + len(part.data) for part in parts) + len(_TAIL)
        self._blocks = _blocks(parts)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks

    def read(self, _size: int = -1) -> bytes:
        """The next block; none at the end."""
        return next(self._blocks, b"")


def _blocks(parts: Sequence[_Part]) -> Iterator[bytes]:
    pieces: list[bytes] = []
    size = 0
    for part in parts:
        try:
            part.attempt.allow_all(len(part.data))
        except Aborted:  # one of several: it is small, and goes on with the others
            if all(other.attempt.aborted for other in parts):
                raise
        pieces += (part.head, part.data)
        size += len(part.head) + len(part.data)
        part.attempt.progressed(len(part.data))
        if size >= BLOCK:
            yield from part.attempt.handing_over(b"".join(pieces))
            pieces, size = [], 0
    yield from parts[-1].attempt.handing_over(b"".join([*pieces, _TAIL]))


def _part_head(item: Upload, key: str, digest: bytes | None) -> bytes:
    """The part's header lines."""
    lines = [
        f"--{_BOUNDARY}",
        f"Content-Disposition: {disposition('file', item.wire_name)}",
        f"Content-Type: {item.media_type}",
        f"Idempotency-Key: {key}",
    ]
    if digest is not None:
        lines.append(f"Content-Digest: sha-256=:{base64.b64encode(digest).decode()}:")
    return "\r\n".join([*lines, "", ""]).encode()


def _nothing() -> None:
    pass
