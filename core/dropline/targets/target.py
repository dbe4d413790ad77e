"""What a target takes, what it answers, and what it must offer."""

from __future__ import annotations

import functools
import hashlib
import mimetypes
from dataclasses import dataclass
from posixpath import splitext
from typing import Protocol

from dropline.events import Proof
from dropline.station import Worker
from dropline.value import value

#: The media type of what stands for an empty folder.
FOLDER_TYPE = "application/x-directory"


@dataclass(slots=True, eq=False)
class Upload:
    """A file to send: read from `source`, shown as `path`, stored under `name`.

    `name` uses "/" and may hold surrogate escapes; an empty folder's ends in "/". `size` in bytes
    and `mtime_ns` are as last seen. `content` is the digest that told this content apart from an
    older one of the same path, size and time, when the target knew that one. `resume` is what the
    next attempt begins with, as its target wrote it: the URL of a tus upload to go on with, say.
    """

    path: str
    source: str
    name: str
    size: int
    mtime_ns: int
    content: str = ""
    resume: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether this stands for an empty folder."""
        return self.name.endswith("/")

    @property
    def wire_name(self) -> str:
        r"""The name as text that UTF-8 can carry; a byte that is not UTF-8 becomes `\xNN`."""
        if self.name.isascii():
            return self.name
        return self.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

    @property
    def media_type(self) -> str:
        """The media type that the name's extension stands for."""
        return FOLDER_TYPE if self.is_folder else _by_extension(splitext(self.name)[1].lower())

    def key(self, installation: str, target: str) -> str:
        """The idempotency key: the same file, unchanged, to the same target is the same upload."""
        parts = (installation, target, self.path, str(self.size), str(self.mtime_ns), self.content)
        data = "\0".join(parts).encode("utf-8", "surrogateescape")
        return hashlib.sha256(data).hexdigest()[:40]


@functools.lru_cache
def _by_extension(extension: str) -> str:
    media_type, encoding = mimetypes.guess_type(f"x{extension}")
    return media_type if media_type and not encoding else "application/octet-stream"


@value
class Receipt:
    """What is known of a file that a target holds.

    `file_id` is what the target calls it (an id, a URL, a key). `size` in bytes and `sha256` are
    those of the bytes that were sent; `proof` tells how far the target confirmed them.
    `duplicate`: it was there already, and was not stored again.
    `target` is what it calls itself, see `Target.identify`; "" where it does not say.
    """

    file_id: str
    size: int
    sha256: str
    duplicate: bool
    proof: Proof
    target: str = ""


class Target(Protocol):
    """A place to send files to."""

    @property
    def url(self) -> str:
        """Where it is, for people to read; holds no secret."""
        ...

    @property
    def identity(self) -> str | None:
        """What the target is, wherever it is reached: another one at the same URL has another.

        None while that is not known.
        """
        ...

    def identify(self) -> str | None:
        """Ask for the identity, if need be; may wait for the network, for some seconds."""
        ...

    def connect(self) -> Worker[Upload, Receipt]:
        """A sender for one worker thread. Touches no network yet and does not fail."""
        ...


class UrlIdentity:
    """For targets that have no id of their own: they are what their URL says."""

    @property
    def url(self) -> str:
        """See `Target.url`."""
        raise NotImplementedError

    @property
    def identity(self) -> str | None:
        """See `Target.identity`."""
        return self.url

    def identify(self) -> str | None:
        """See `Target.identify`."""
        return self.url
