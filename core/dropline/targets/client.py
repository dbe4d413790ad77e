"""One worker's HTTP connection to a server of any make.

A request ends as an `Answer`, or in the error that its failure means. None follows a redirect (the
file and the credentials go where the user said and nowhere else), and each ends within a second
when its attempt is told to stop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dropline.station import Attempt
from dropline.targets.access import Access
from dropline.targets.body import Body
from dropline.targets.failures import FAILURES, Failure, refusal, unreachable
from dropline.targets.http import StoppableSession, Timeouts

#: Bytes of an answer that are looked at.
MAX_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; header names in any case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    def refusal(self, url: str) -> Failure:
        """The error that this answer means, told of `url`."""
        return refusal(url, self.status, self.reason, self.headers, self.body)


class Client:
    """A connection for one thread, made when it is first used."""

    def __init__(
        self, url: str, access: Access, timeouts: Timeouts, *, shown: str | None = None
    ) -> None:
        """`url` is where requests will go, `shown` what errors name instead."""
        self._shown = shown or url
        self._timeouts = timeouts
        self._session = StoppableSession(url, access)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    @contextlib.contextmanager
    def serving(self, attempt: Attempt) -> Iterator[None]:
        """Let `attempt` stop what is requested within."""
        self._session.ready()
        attempt.on_abort(self._session.stop)
        try:
            attempt.check()
            yield
        finally:
            # An abort that comes late must not stop the next attempt.
            attempt.on_abort(_nothing)

    def request(
        self,
        attempt: Attempt,
        method: str,
        url: str,
        body: Body | bytes = b"",
        headers: Mapping[str, str | bytes] | None = None,
    ) -> Answer:
        """Ask, and return the answer whatever its status.

        Raises `Aborted`, and `TransientError` or `PermanentError` when there was no answer.
        """
        attempt.check()
        try:
            with self._session.request(
                method,
                url,
                data=body if len(body) else b"",
                headers=headers,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = response.raw.read(MAX_ANSWER, decode_content=True)
        except FAILURES as error:
            attempt.check()
            raise unreachable(self._shown, error) from error
        return Answer(response.status_code, response.reason or "", response.headers, content)


def _nothing() -> None:
    pass
