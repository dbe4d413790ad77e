"""What can go wrong, said in the form of RFC 9457 (problem details) with a sentence to act on."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The media type of a problem (RFC 9457).
MEDIA_TYPE = "application/problem+json"

_DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of problems: its name in the `type` URN, its HTTP status, its title."""

    name: str
    status: int
    title: str


MALFORMED = Kind("malformed", 400, "The request could not be understood")
NO_FILE = Kind("no-file", 400, "The request holds no file")
CUT_SHORT = Kind("cut-short", 400, "The request ended early")
UNAUTHORISED = Kind("unauthorised", 401, "A token is needed")
FORBIDDEN = Kind("forbidden", 403, "The request comes from elsewhere")
NOT_FOUND = Kind("not-found", 404, "Not found")
METHOD = Kind("method-not-allowed", 405, "Method not allowed")
TOO_SLOW = Kind("too-slow", 408, "The request came too slowly")
CONFLICT = Kind("offset-differs", 409, "The upload has another offset")
GONE = Kind("expired", 410, "The upload has expired")
VERSION = Kind("version", 412, "Another version of tus is needed")
TOO_LARGE = Kind("too-large", 413, "Too large")
MEDIA = Kind("media-type", 415, "Another Content-Type is needed")
DIGEST = Kind("digest-mismatch", 422, "The bytes are not those that were announced")
KEY_REUSED = Kind("key-reused", 422, "The idempotency key belongs to other content")
LOCKED = Kind("locked", 423, "Another request has the upload")
TOO_MANY = Kind("too-many", 429, "Too many requests")
CHECKSUM = Kind("checksum-mismatch", 460, "The bytes do not have their checksum")
INTERNAL = Kind("internal", 500, "The receiver failed")
BUSY = Kind("busy", 503, "The receiver is busy")
DISK_FULL = Kind("disk-full", 507, "The disk is full")
NOT_WRITABLE = Kind("not-writable", 507, "The receiver could not write")


@dataclass(eq=False)
class Problem(Exception):
    """A problem of a request, or of one file in it; `detail` is a sentence to act on."""

    kind: Kind
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.detail)

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self.kind.status

    def to_dict(self) -> dict[str, Any]:
        """The members of RFC 9457."""
        return {
            "type": f"urn:dropline:problem:{self.kind.name}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }


class FileProblem(Problem):
    """A problem of one file; the others of its request do not suffer."""


def storage_problem(error: OSError, what: str) -> FileProblem:
    """The answer to a failed write to disk or database; `what` names what was not stored."""
    if error.errno in _DISK_FULL:
        return FileProblem(
            DISK_FULL,
            f"The receiver's disk is full, so {what} was not stored. "
            "Free some space there and send it again.",
        )
    if error.errno == errno.EBUSY:
        return FileProblem(
            BUSY,
            f"Another program holds the receiver's database, so {what} was not stored. "
            "Send it again shortly.",
            {"Retry-After": "2"},
        )
    if error.errno == errno.ECONNREFUSED:
        return FileProblem(
            BUSY,
            f"The receiver's database does not answer, so {what} was not stored. "
            "Send it again shortly.",
            {"Retry-After": "5"},
        )
    return FileProblem(
        NOT_WRITABLE,
        f"The receiver could not write ({error.strerror or error}), so {what} was not stored. "
        "Check its disk and its database, then send it again.",
    )
