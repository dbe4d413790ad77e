"""Send by HTTP PUT, to WebDAV folders (RFC 4918) and to plain servers that take files so.

The path is the name, so that the same file again overwrites itself. What was stored is verified by
reading back what the server says of it: a digest where it tells one, else the size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from urllib.parse import quote
from xml.etree import ElementTree

from dropline.events import Proof
from dropline.station import Attempt, PermanentError, TransientError, Worker
from dropline.targets.access import Access
from dropline.targets.body import Body
from dropline.targets.client import Answer, Client
from dropline.targets.digests import WANTED, Digested, confirmed
from dropline.targets.failures import is_address
from dropline.targets.http import TIMEOUTS, Timeouts
from dropline.targets.source import Source
from dropline.targets.target import Receipt, Upload, UrlIdentity

#: A file larger than this is announced before it is sent, so that a refusal costs no transfer.
LARGE = 1 << 20
_PROPFIND = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<propfind xmlns="DAV:"><prop><getcontentlength/><resourcetype/></prop></propfind>'
)


class WebDavTarget(UrlIdentity):
    """A folder at a URL; files keep their paths below it."""

    def __init__(
        self, url: str, *, access: Access | None = None, timeouts: Timeouts = TIMEOUTS
    ) -> None:
        """Raises ValueError with a sentence if `url` is not an http or https address."""
        if not is_address(url):
            raise ValueError(f"“{url}” is no address of a folder: use https://host/path")
        self._url = url.rstrip("/")
        self._access = access or Access()
        self._timeouts = timeouts

    @property
    def url(self) -> str:
        """The folder's address."""
        return f"webdav+{self._url}"

    def connect(self) -> Worker[Upload, Receipt]:
        """A sender with a connection of its own."""
        return _Sender(self._url, self._access, self._timeouts)


class _Sender:
    """One worker's connection to the folder."""

    def __init__(self, url: str, access: Access, timeouts: Timeouts) -> None:
        self._url = url
        self._client = Client(url, access, timeouts)
        self._folders: set[str] = set()  # paths that are known to be there

    def close(self) -> None:
        self._client.close()

    def serve(self, item: Upload, attempt: Attempt) -> Receipt:
        names = item.wire_name.rstrip("/").split("/")
        if not {"", ".", ".."}.isdisjoint(names):
            raise PermanentError(
                f"“{item.path}” cannot have the name “{item.wire_name}” there: rename it."
            )
        path = "/".join(quote(name, safe="") for name in names)
        with self._client.serving(attempt):
            if item.is_folder:
                return self._make_folder(path, attempt)
            self._have_folder(path.rpartition("/")[0], attempt)
            return self._put(item, path, attempt)

    # --- folders ----------------------------------------------------------------------------

    def _make_folder(self, path: str, attempt: Attempt) -> Receipt:
        self._have_folder(path, attempt)
        where = f"{self._url}/{path}/"
        answer = self._properties(where, attempt)
        proof = Proof.NONE
        if answer.status == 207:
            if _property(answer, "resourcetype/{DAV:}collection") is None:
                raise PermanentError(f"{where} is not a folder: move what is there out of the way.")
            proof = Proof.SIZE
        return Receipt(where, 0, hashlib.sha256().hexdigest(), duplicate=False, proof=proof)

    def _have_folder(self, path: str, attempt: Attempt) -> None:
        """Make a folder, and those above it, unless it is there or the server makes them itself."""
        if path in self._folders:
            return
        where = f"{self._url}/{path}/" if path else f"{self._url}/"
        answer = self._client.request(attempt, "MKCOL", where)
        if answer.status in {404, 409} and path:  # the one above it is missing
            self._have_folder(path.rpartition("/")[0], attempt)
            answer = self._client.request(attempt, "MKCOL", where)
        if answer.status in {404, 409}:
            raise PermanentError(
                f"{where} is not there and cannot be made: make the folder above it first, "
                "or check the address."
            )
        # 405: it is there already, or this is a server without folders; 403, 501: the same, said
        # by others. The PUT that follows shows whether that was wrong.
        if answer.status not in {201, 403, 405, 501}:
            raise answer.refusal(where)
        self._folders.add(path)

    # --- files ------------------------------------------------------------------------------

    def _put(self, item: Upload, path: str, attempt: Attempt) -> Receipt:
        where = f"{self._url}/{path}"
        with Source(item, attempt) as source:
            if item.size > LARGE:
                answer = self._client.request(attempt, "HEAD", where)
                if answer.status in {401, 403, 407}:
                    raise answer.refusal(where)
            content = Digested(source)
            body = Body(content, item.size, attempt)
            headers = {"Content-Type": item.media_type}
            answer = self._client.request(attempt, "PUT", where, body, headers)
        if answer.status not in {200, 201, 202, 204}:
            self._folders.clear()  # somebody may have removed one meanwhile
            if answer.status in {404, 409}:
                raise TransientError(str(answer.refusal(where)))
            raise answer.refusal(where)
        proof = self._verify(where, item.size, content.digests(), attempt)
        return Receipt(where, item.size, source.hash.hexdigest(), duplicate=False, proof=proof)

    def _verify(self, where: str, size: int, ours: Mapping[str, bytes], attempt: Attempt) -> Proof:
        """How the server shows that it holds what was sent. Raises when it holds something else."""
        head = self._client.request(
            attempt, "HEAD", where, headers={**WANTED, "Accept-Encoding": "identity"}
        )
        there = head.status == 200
        told = confirmed(head.headers, ours) if there else None
        stored = head.headers.get("Content-Length") if there else None
        if stored is None:
            answer = self._properties(where, attempt)
            if answer.status == 207:
                stored = _property(answer, "getcontentlength")
            elif head.status == answer.status == 404:
                raise TransientError(f"{where} took the file, but does not have it.")
        if stored is not None and stored.strip() != str(size):
            raise TransientError(f"{where} holds {stored} bytes instead of the {size} sent.")
        if told is False:
            raise TransientError(f"{where} holds other bytes than were sent: the digests differ.")
        if told:
            return Proof.DIGEST
        return Proof.NONE if stored is None else Proof.SIZE

    def _properties(self, where: str, attempt: Attempt) -> Answer:
        headers = {"Depth": "0", "Content-Type": "application/xml; charset=utf-8"}
        return self._client.request(attempt, "PROPFIND", where, _PROPFIND, headers)


def _property(answer: Answer, name: str) -> str | None:
    """What a multi-status answer tells of a property; None when it does not have it."""
    try:
        tree = ElementTree.fromstring(answer.body)
    except ElementTree.ParseError:
        return None
    for found in tree.iterfind(f"{{DAV:}}response/{{DAV:}}propstat/{{DAV:}}prop/{{DAV:}}{name}"):
        return found.text or ""
    return None
