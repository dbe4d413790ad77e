"""What it means when a request failed or was refused: may it pass, and what is to be done.

Errors that may pass become a `TransientError`, the others a `PermanentError`; the text of both is
a sentence for the user, with the remedy.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from dropline.station import PermanentError, TransientError

#: What a request raises when the other side or the way there fails.
FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
#: The type of a receiver's problem that the connection broke off, for one when it is stopped.
CUT_SHORT = "urn:dropline:problem:cut-short"
#: Statuses besides 5xx that may pass.
PASSING = frozenset({408, 423, 425, 429})
#: Statuses of 5xx that will not: not implemented, no room left.
LASTING = frozenset({501, 505, 507})
#: Statuses that tell of the target, not of what was sent to it.
DOWN = frozenset({429, 502, 503, 504})
#: Seconds that a `Retry-After` can make a file wait at most.
MAX_RETRY_AFTER = 3600.0
#: Characters of a foreign answer that are shown.
MAX_DETAIL = 300

_REMEDIES = {
    400: "check the address and the kind of target.",
    401: "check the user and password, or the token.",
    403: "you may not write there: ask for permission, or choose another folder.",
    404: "nothing is there: check the address.",
    405: "it takes no files this way: check the address and the kind of target.",
    407: "the proxy wants to know who you are: set HTTPS_PROXY to http://user:password@proxy.",
    409: "something else is in the way there: check the address.",
    410: "what was there is gone: check the address.",
    411: "it takes no files this way: check the address and the kind of target.",
    412: "it takes no files this way: check the kind of target.",
    413: "the file is larger than it takes: raise its limit, or send it elsewhere.",
    414: "the name is longer than it takes: shorten it.",
    415: "it takes no such files: check the kind of target.",
    501: "it takes no files this way: check the address and the kind of target.",
    507: "its disk is full: free some space there, then retry.",
}

Failure = TransientError | PermanentError


def refused(status: int, sentence: str, headers: Mapping[str, str]) -> Failure:
    """The error that an HTTP answer of this status means; `sentence` says what to tell."""
    if may_pass(status):
        return TransientError(sentence, retry_after(headers), target_down=status in DOWN)
    return PermanentError(sentence)


def may_pass(status: int) -> bool:
    """Whether what an HTTP answer of this status means may be over at another attempt."""
    return status in PASSING or (status >= 500 and status not in LASTING)


def refusal(
    url: str, status: int, reason: str, headers: Mapping[str, str], answer: bytes
) -> Failure:
    """The error that the answer of a server of any make means, with a sentence made of it."""
    said = detail(json_object(answer)) or reason[:MAX_DETAIL]
    sentence = f"{url} answered {status}{f' ({said})' if said else ''}"
    if 300 <= status < 400:
        where = _without_secrets(headers.get("Location", ""))
        remedy = f"it points to {where or 'another place'}: check that, and use it as the address."
    else:
        passes = isinstance(refused(status, "", {}), TransientError)
        remedy = _REMEDIES.get(status, "it may pass." if passes else "check the address.")
    return refused(status, f"{sentence}: {remedy}", headers)


def detail(answer: Mapping[str, Any]) -> str:
    """What problem JSON (RFC 9457) says for people, on one line; "" when it says nothing."""
    said = answer.get("detail") or answer.get("title")
    return " ".join(said.split())[:MAX_DETAIL] if isinstance(said, str) else ""


def unreachable(url: str, error: Exception, *, who: str = "server") -> Failure:
    """The error that a failed request (one of `FAILURES`) means; `who` is to answer at `url`."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return PermanentError(
                f"{url} has no certificate that this machine trusts ({cause.verify_message}): "
                "check the address, or name the file of the authority that signed it."
            )
        if isinstance(cause, ssl.SSLError) and "ALERT" in (cause.reason or ""):
            alert = cause.reason.partition("ALERT_")[2].replace("_", " ").lower()
            return PermanentError(
                f"{url} refused the secure connection ({alert}): "
                "give a client certificate, and its key, that it trusts."
            )
        if isinstance(cause, ssl.SSLEOFError):  # with TLS 1.3 also the end of who shows no paper
            return TransientError(
                f"{url} broke off the secure connection: is the {who} running, and does it want "
                "a client certificate?",
                target_down=True,
            )
    if isinstance(error, requests.exceptions.ProxyError):
        return TransientError(
            f"{url} cannot be reached through the proxy: is the proxy's address right?",
            target_down=True,
        )
    if any(isinstance(cause, requests.Timeout | TimeoutError) for cause in causes):
        text = f"{url} did not answer in time: is it overloaded or gone?"
    elif isinstance(error, requests.exceptions.SSLError):
        text = f"{url} speaks no TLS that this machine understands: {error}"
    else:
        text = f"{url} cannot be reached or broke off: is the {who} running?"
    return TransientError(text, target_down=True)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, given as seconds or as a date (RFC 9110 §10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return min(float(value), MAX_RETRY_AFTER)
    with contextlib.suppress(ValueError):
        date = parsedate_to_datetime(value)
        wait = date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)
        return min(max(0.0, wait.total_seconds()), MAX_RETRY_AFTER)
    return None


def json_object(answer: bytes) -> dict[str, Any]:
    """The JSON object that an answer is; an empty one when it is none."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def is_address(url: str, *, query: bool = False) -> bool:
    """Whether this is an http address without secrets: a user or password in it would be shown.

    `query`: whether it may have one, "?a=b".
    """
    try:
        parts = urlsplit(url)
        return bool(
            parts.scheme in {"http", "https"}
            and parts.hostname
            and parts.port != 0
            and not ("@" in parts.netloc or parts.fragment or url != url.strip())
            and (query or not parts.query)
        )
    except ValueError:  # a port that is no number
        return False


def _without_secrets(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()[:MAX_DETAIL]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it wraps: `requests` and `urllib3` hide the first in several ways."""
    seen: set[int] = set()
    rest: list[object] = [error]
    while rest:
        cause = rest.pop()
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            rest += [*cause.args, getattr(cause, "reason", None)]
            rest += [cause.__cause__, cause.__context__]
