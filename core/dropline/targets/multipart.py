"""Send to any endpoint that takes a form with a file, as a web page does: one file a request.

Such an endpoint only says whether it worked. Where it is a Dropline receiver, `ReceiverTarget`
verifies what it stored.
"""

from __future__ import annotations

import hashlib
import io
import re
import secrets
from collections.abc import Mapping
from urllib.parse import quote, urljoin

from dropline.events import Proof
from dropline.station import Attempt, Worker
from dropline.targets.access import Access
from dropline.targets.body import Body, Readable
from dropline.targets.client import Answer, Client
from dropline.targets.failures import is_address, json_object
from dropline.targets.http import TIMEOUTS, Timeouts
from dropline.targets.source import Source
from dropline.targets.target import Receipt, Upload, UrlIdentity

#: Where the JSON answers of such endpoints tell what they call the file.
_NAMES = ("file_id", "id", "url")
#: A name that every reader of a form takes as it is.
_PLAIN = re.compile(r"[ !#$&-\[\]-~]+")


class MultipartTarget(UrlIdentity):
    """An endpoint at a URL that takes `multipart/form-data`."""

    def __init__(
        self,
        url: str,
        *,
        installation: str,
        field: str = "file",
        fields: Mapping[str, str] | None = None,
        access: Access | None = None,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        """`field`: the form's field for the file; `fields`: others, and what they hold.

        Raises ValueError with a sentence if `url` is not an http or https address.
        """
        if not is_address(url, query=True):
            raise ValueError(f"“{url}” is no address of a form: use http://host/path")
        self._url = url
        self._installation = installation
        self._field = field
        self._fields = dict(fields or {})
        self._access = access or Access()
        self._timeouts = timeouts

    @property
    def url(self) -> str:
        """The form's address, without its query, which may hold a secret."""
        return f"multipart+{self._url.partition('?')[0]}"

    def connect(self) -> Worker[Upload, Receipt]:
        """A sender with a connection of its own."""
        return _Sender(
            self._url, self._installation, self._field, self._fields, self._access, self._timeouts
        )


class _Sender:
    """One worker's connection to the endpoint."""

    def __init__(
        self,
        url: str,
        installation: str,
        field: str,
        fields: Mapping[str, str],
        access: Access,
        timeouts: Timeouts,
    ) -> None:
        self._url = url
        self._shown = url.partition("?")[0]
        self._installation = installation
        self._field = field
        self._fields = fields
        self._client = Client(url, access, timeouts, shown=self._shown)

    def close(self) -> None:
        self._client.close()

    def serve(self, item: Upload, attempt: Attempt) -> Receipt:
        with self._client.serving(attempt):
            if item.is_folder:
                answer = self._send(item, io.BytesIO(), attempt)
                digest = hashlib.sha256()
            else:
                with Source(item, attempt) as source:
                    answer = self._send(item, source, attempt)
                digest = source.hash
        file_id = self._name(answer) or item.wire_name
        return Receipt(file_id, item.size, digest.hexdigest(), duplicate=False, proof=Proof.NONE)

    def _send(self, item: Upload, content: Readable, attempt: Attempt) -> Answer:
        boundary = f"dropline-{secrets.token_hex(16)}"
        parts = [_field_part(boundary, name, value) for name, value in self._fields.items()]
        head = "".join([*parts, _file_part(boundary, self._field, item)]).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        answer = self._client.request(
            attempt,
            "POST",
            self._url,
            Body(content, item.size, attempt, head=head, tail=tail),
            {
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                # Where it is understood, a repeated request stores nothing twice.
                "Idempotency-Key": item.key(self._installation, self._shown),
            },
        )
        if not 200 <= answer.status < 300:
            raise answer.refusal(self._shown)
        return answer

    def _name(self, answer: Answer) -> str:
        """What the endpoint calls the file, where it says so in a usual way."""
        if where := answer.headers.get("Location"):
            return urljoin(self._shown, where)
        told = json_object(answer.body)
        names = (told.get(name) for name in _NAMES)
        return next((str(name) for name in names if isinstance(name, str | int)), "")


def _escaped(text: str) -> str:
    """A name inside quotes, as browsers write it (WHATWG form data)."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _field_part(boundary: str, name: str, value: str) -> str:
    return (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{_escaped(name)}"\r\n\r\n'
        f"{value}\r\n"
    )


def _file_part(boundary: str, field: str, item: Upload) -> str:
    return (
        f"--{boundary}\r\n"
        f"Content-Disposition: {disposition(field, item.wire_name)}\r\n"
        f"Content-Type: {item.media_type}\r\n\r\n"
    )


def disposition(field: str, name: str) -> str:
    """The Content-Disposition of a file in a form.

    `filename` is escaped as browsers do (WHATWG form data); where that is not the name as it is,
    `filename*` (RFC 5987) is exact.
    """
    text = f'form-data; name="{_escaped(field)}"; filename="{_escaped(name)}"'
    return text if _PLAIN.fullmatch(name) else f"{text}; filename*=UTF-8''{quote(name, safe='')}"
