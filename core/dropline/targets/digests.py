"""The digests that servers tell of what they store, and ours to compare them with.

There are many ways to tell one: `Repr-Digest` (RFC 9530), `Digest` (RFC 3230), `Content-MD5`, and
headers of single makes of server. An `ETag` may be the MD5 of the bytes, or anything else that
looks like one: it can confirm, but not contradict.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping

from dropline.targets.source import Source

#: Asks for a digest, in the words of both standards; SHA-256 rather than MD5.
WANTED = {
    "Want-Repr-Digest": "sha-256=10, sha=3, md5=1",
    "Want-Digest": "sha-256;q=1, sha;q=0.3, md5;q=0.1",
}
_ALGORITHMS = {"sha-256": "sha256", "sha256": "sha256", "sha": "sha1", "sha1": "sha1", "md5": "md5"}


class Digested:
    """A source as it is read, with the digests that servers tell: SHA-256, SHA-1 and MD5."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._md5 = hashlib.md5(usedforsecurity=False)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none at the end; raises as the source does."""
        data = self._source.read(size)
        self._sha1.update(data)
        self._md5.update(data)
        return data

    def digests(self) -> dict[str, bytes]:
        """The digests of what was read so far, by the names of `hashlib`."""
        return {
            "sha256": self._source.hash.digest(),
            "sha1": self._sha1.digest(),
            "md5": self._md5.digest(),
        }


def confirmed(headers: Mapping[str, str], ours: Mapping[str, bytes]) -> bool | None:
    """Whether the digests told in `headers` are ours; None when none can be compared."""
    told = [(name, value) for name, value in _told(headers) if name in ours]
    if told:
        return all(value == ours[name] for name, value in told)
    tag = re.fullmatch(r'"?([0-9a-fA-F]{32})"?', headers.get("ETag", ""))
    return True if tag and bytes.fromhex(tag[1]) == ours["md5"] else None


def _told(headers: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Every digest told: its name as in `hashlib`, and its bytes."""
    pairs = [
        *re.findall(r"([\w-]+)=:([\w+/=]*):", headers.get("Repr-Digest", "")),
        *re.findall(r"([\w-]+)=([\w+/=]+)", headers.get("Digest", "")),
        *re.findall(r"([\w-]+)=([\w+/=]+)", headers.get("X-Goog-Hash", "")),
        *re.findall(r"(\w+):(\w+)", headers.get("OC-Checksum", "")),
        ("md5", headers.get("Content-MD5", "")),
        *((name, headers.get(f"X-Checksum-{name}", "")) for name in ("Sha256", "Sha1", "Md5")),
    ]
    for said, text in pairs:
        name = _ALGORITHMS.get(said.lower())
        value = _bytes(text, hashlib.new(name).digest_size) if name and text else None
        if name and value is not None:
            yield name, value


def _bytes(text: str, size: int) -> bytes | None:
    """A digest of `size` bytes, given in hexadecimal or base 64; None when it is neither."""
    if len(text) == 2 * size:
        try:
            return bytes.fromhex(text)
        except ValueError:
            return None
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return value if len(value) == size else None
