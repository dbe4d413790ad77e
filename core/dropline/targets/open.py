"""Open the target that a URL names: its scheme says how files are sent there."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from dropline.targets.access import Access
from dropline.targets.http import TIMEOUTS, Timeouts
from dropline.targets.multipart import MultipartTarget
from dropline.targets.receiver import ReceiverTarget
from dropline.targets.s3 import S3Target
from dropline.targets.target import Target
from dropline.targets.tus import TusTarget
from dropline.targets.webdav import WebDavTarget

#: The ways to send, as they stand before the "+" of a URL.
WAYS = ("receiver", "multipart", "webdav", "tus", "s3")


def way_of(url: str, via: str | None = None) -> tuple[str, str]:
    """The way that a URL asks for, or `via`, and the URL without it.

    `webdav+https://host/path` is ("webdav", "https://host/path"); plain http is a receiver's.
    Raises ValueError with a sentence when there is no such way, or the two differ.
    """
    way, plus, rest = url.partition("+")
    if not plus or "/" in way or ":" in way:
        way, rest = ("s3" if url.startswith("s3://") else ""), url
    if via and way and via != way:
        raise ValueError(f"“{url}” is to be sent to by {way}, not by {via}: leave one of them out")
    way = way or via or "receiver"
    if way not in WAYS:
        raise ValueError(f"“{url}” asks for {way}: use one of {', '.join(WAYS)}")
    return way, rest


def open_target(
    url: str,
    *,
    installation: str,
    via: str | None = None,
    access: Access | None = None,
    field: str = "file",
    fields: Mapping[str, str] | None = None,
    timeouts: Timeouts = TIMEOUTS,
) -> Target:
    """The target at a URL, such as `webdav+https://host/folder`, or `via` one of `WAYS`.

    A target's `url` opens it again. `s3://bucket/prefix` is AWS's store and
    `s3+https://host/bucket/prefix` another one. `installation` is part of every idempotency key;
    `field` and `fields` are for forms. Touches no network. Raises ValueError with a sentence.
    """
    way, address = way_of(url, via)
    match way:
        case "multipart":
            return MultipartTarget(
                address,
                installation=installation,
                field=field,
                fields=fields,
                access=access,
                timeouts=timeouts,
            )
        case "webdav":
            return WebDavTarget(address, access=access, timeouts=timeouts)
        case "tus":
            return TusTarget(address, access=access, timeouts=timeouts)
        case "s3":
            return _open_s3(address, access, timeouts)
    return ReceiverTarget(address, installation=installation, access=access, timeouts=timeouts)


def _open_s3(address: str, access: Access | None, timeouts: Timeouts) -> Target:
    parts = urlsplit(address)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("an address of S3 holds a bucket and a prefix only: s3://bucket/prefix")
    if parts.scheme == "s3":
        bucket, prefix, endpoint = parts.netloc, parts.path, None
    else:
        bucket, _, prefix = parts.path.strip("/").partition("/")
        endpoint = f"{parts.scheme}://{parts.netloc}"
    return S3Target(bucket, prefix, endpoint=endpoint, access=access, timeouts=timeouts)
