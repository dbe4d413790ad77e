"""Large files to a Dropline receiver, by its tus server: what is half sent goes on from there.

The upload is created under the file's idempotency key, so a later attempt, also of another process
after a crash, gets the same upload and learns how much of it has arrived. The rest goes in one
request, and its answer tells the digest of the whole.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import Any

import requests

from dropline.station import Attempt, TransientError
from dropline.targets.body import Body
from dropline.targets.failures import (
    CUT_SHORT,
    FAILURES,
    detail,
    json_object,
    refused,
    unreachable,
)
from dropline.targets.http import StoppableSession, Timeouts
from dropline.targets.source import Source
from dropline.targets.target import Upload
from dropline.targets.tus import metadata

#: A file of more bytes than this is sent so.
LARGE = 8 << 20
#: An answer longer than this is not one of ours.
MAX_ANSWER = 1 << 20
_VERSION = {"Tus-Resumable": "1.0.0"}
_TYPE = {"Content-Type": "application/offset+octet-stream"}


class NotOfferedError(Exception):
    """The receiver has no tus server."""


class Pieces:
    """The way over one session to the tus server of the receiver at `url`."""

    def __init__(self, url: str, session: StoppableSession, timeouts: Timeouts) -> None:
        self._url = url
        self._session = session
        self._timeouts = timeouts

    def send(
        self, item: Upload, source: Source, attempt: Attempt, key: str
    ) -> tuple[requests.Response, dict[str, Any]]:
        """Send what the receiver has not got yet.

        Returns the answer that tells of the whole file, and what that says in the words of
        `POST /upload`. Raises `NotOfferedError`, `TransientError` and `PermanentError`.
        """
        answer = self._create(item, attempt, key)
        where = f"{self._url}/tus/{answer.headers.get('Location', '').rpartition('/')[2]}"
        offset = self._offset(answer, item)
        source.skip(offset, attempt)
        if offset < item.size:
            try:
                answer = self._patch(where, source, offset, item.size - offset, attempt)
            except TransientError as error:
                if error.at_source:  # the file is another one now, and starts anew
                    self._forget(where)
                raise
            if self._offset(answer, item) != item.size:
                raise TransientError(f"{self._url} did not take all of “{item.path}”.")
        else:  # an earlier attempt, whose answer was lost, or somebody else has stored it
            return answer, _stored(answer, item) | {"duplicate": True}
        return answer, _stored(answer, item)

    def _create(self, item: Upload, attempt: Attempt, key: str) -> requests.Response:
        headers = {
            **_VERSION,
            "Upload-Length": str(item.size),
            "Upload-Metadata": metadata(item),
            "Idempotency-Key": key,
        }
        answer = self._request("POST", f"{self._url}/tus/", attempt, headers)
        if answer.status_code in {404, 405}:
            raise NotOfferedError
        return self._accepted(answer, 201)

    def _patch(
        self, where: str, source: Source, offset: int, rest: int, attempt: Attempt
    ) -> requests.Response:
        headers = {**_VERSION, **_TYPE, "Upload-Offset": str(offset)}
        body = Body(source, rest, attempt)
        return self._accepted(self._request("PATCH", where, attempt, headers, body), 204)

    def _forget(self, where: str) -> None:
        with contextlib.suppress(*FAILURES):  # it expires by itself, too
            self._session.delete(where, headers=_VERSION, timeout=self._timeouts).close()

    def _request(
        self,
        method: str,
        url: str,
        attempt: Attempt,
        headers: dict[str, str],
        body: Body | None = None,
    ) -> requests.Response:
        attempt.check()
        try:
            with self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                response._content = response.raw.read(MAX_ANSWER, decode_content=True)
                return response
        except FAILURES as error:
            attempt.check()
            raise unreachable(self._url, error, who="receiver") from error

    def _accepted(self, answer: requests.Response, wanted: int) -> requests.Response:
        if answer.status_code == wanted:
            return answer
        problem = json_object(answer.content)
        sentence = f"{self._url} answered {answer.status_code}: {detail(problem) or answer.reason}"
        # 409: another attempt at the same file was under way
        if answer.status_code == 409 or problem.get("type") == CUT_SHORT:
            raise TransientError(sentence)
        raise refused(answer.status_code, sentence, answer.headers)

    def _offset(self, answer: requests.Response, item: Upload) -> int:
        text = answer.headers.get("Upload-Offset", "")
        if text.isdecimal() and int(text) <= item.size:
            return int(text)
        raise TransientError(f"{self._url} did not say how much of “{item.path}” it has.")


def _stored(answer: requests.Response, item: Upload) -> dict[str, Any]:
    """What `POST /upload` would say of the file; empty when the answer does not tell."""
    digest = answer.headers.get("Repr-Digest", "").removeprefix("sha-256=:").removesuffix(":")
    try:
        sha256 = base64.b64decode(digest, validate=True).hex()
    except binascii.Error:
        return {}
    if "Dropline-File-Id" not in answer.headers:
        return {}
    return {
        "file_id": answer.headers["Dropline-File-Id"],
        "size": item.size,
        "sha256": sha256,
        "duplicate": answer.headers.get("Dropline-Duplicate") == "true",
    }
