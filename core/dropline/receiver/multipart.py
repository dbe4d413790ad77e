"""A multipart/form-data body, read part by part as it arrives (RFC 7578).

The framing is left to `multipart.PushMultipartParser`; this module bounds it, decodes names, and
turns its events into parts whose bytes are iterated over once, in order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote_to_bytes

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    ParserLimitReached,
    PushMultipartParser,
)
from werkzeug.http import parse_options_header

from dropline.receiver.problems import MALFORMED, TOO_LARGE, Problem

#: Bytes asked of the body at a time.
CHUNK = 256 * 1024
#: Most parts in one request.
MAX_PARTS = 10_000
#: Longest header line of a part in bytes: a path of 4,096 bytes, every byte escaped, twice.
MAX_HEADER = 32 * 1024
#: Most headers of one part.
MAX_HEADERS = 16

_PARAMETER = re.compile(
    r""";\s*(?P<key>[^\s=;"]+)\s*=\s*
        (?: "(?P<quoted>.*?)"(?=\s*(?:;|$)) | (?P<token>[^\s;"]*) )\s*""",
    re.VERBOSE | re.DOTALL,
)
_EXTENDED = re.compile(r"(?P<charset>utf-8|iso-8859-1)'[\w-]*'(?P<value>.*)", re.I | re.DOTALL)

#: A part's headers by title-cased name, then its bytes in pieces, then None for its end.
_Event = dict[str, str] | bytes | None


class Part:
    """One part: its headers, the name of its field, its file name (None for a plain field).

    Iterating gives its bytes; what is not taken is skipped when the next part is asked for.
    """

    def __init__(self, headers: Mapping[str, str], events: Iterator[_Event]) -> None:
        """`headers` by title-cased name; raises Problem when the disposition is malformed."""
        self.headers = headers
        disposition = _parameters(headers.get("Content-Disposition", ""))
        self.field = _unescape(disposition.get("name", ""))
        self.filename = _filename(disposition)
        self._events = events
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        while not self._ended and isinstance(data := next(self._events), bytes):
            yield data
        self._ended = True


def read_parts(read: Callable[[int], bytes], content_type: str) -> Iterator[Part]:
    """The parts of the body that `read(size)` gives, which is read to its end.

    Raises Problem when the body is not multipart/form-data, ends early, or passes a bound.
    """
    media_type, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if media_type != "multipart/form-data" or not boundary:
        raise Problem(
            MALFORMED,
            "Send multipart/form-data with a boundary, as `curl -F file=@PATH` does; "
            f"the Content-Type was {content_type!r}.",
        )
    if not (len(boundary) <= 200 and boundary.isascii() and boundary.isprintable()):
        raise Problem(MALFORMED, "Send a boundary of at most 200 printable ASCII characters.")
    events = _events(read, boundary)
    for headers in events:
        assert isinstance(headers, dict)
        part = Part(headers, events)
        yield part
        for _ in part:
            pass


def _events(read: Callable[[int], bytes], boundary: str) -> Iterator[_Event]:
    parser = PushMultipartParser(
        boundary,
        max_header_size=MAX_HEADER,
        max_header_count=MAX_HEADERS,
        max_segment_count=MAX_PARTS,
        header_charset="latin-1",  # any byte decodes; `_text` makes UTF-8 of it
    )
    try:
        while data := read(CHUNK):
            for event in parser.parse(data):
                yield event if event is None or isinstance(event, bytes) else dict(event.headerlist)
        parser.close()
    except ParserLimitReached as error:
        raise Problem(
            TOO_LARGE,
            f"{error}. Send at most {MAX_PARTS:,} parts in one request and names of at most "
            "4,096 bytes.",
        ) from error
    except MultipartError as error:
        raise Problem(
            MALFORMED,
            f"The multipart body is malformed: {error}. Nothing of this request was stored; "
            "send it again, best with a library that builds the body.",
        ) from error


def _parameters(disposition: str) -> dict[str, str]:
    """The raw parameters of a Content-Disposition by lower-cased key."""
    found: dict[str, str] = {}
    position = disposition.find(";")
    while 0 <= position < len(disposition):
        match = _PARAMETER.match(disposition, position)
        if match is None:
            raise Problem(
                MALFORMED,
                f"A part's Content-Disposition is malformed: {disposition[:200]!r}.",
            )
        quoted, token = match["quoted"], match["token"]
        found[match["key"].lower()] = token if quoted is None else quoted
        position = match.end()
    return found


def _filename(disposition: Mapping[str, str]) -> str | None:
    """The exact name in `filename*` (RFC 5987), else `filename`."""
    if (extended := _EXTENDED.fullmatch(disposition.get("filename*", ""))) is not None:
        value = unquote_to_bytes(extended["value"].encode("latin-1"))
        return text(value, extended["charset"])
    plain = disposition.get("filename")
    return None if plain is None else _unescape(plain)


def _unescape(value: str) -> str:
    """Undo what browsers and curl do to a name (WHATWG), or else the older backslash quoting."""
    if '"' in value:  # a browser would have sent %22
        value = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
    else:
        value = value.replace("%22", '"').replace("%0A", "\n").replace("%0D", "\r")
    return text(value.encode("latin-1"))


def text(data: bytes, charset: str = "utf-8") -> str:
    """The bytes as text that a database can hold: what is no text becomes U+FFFD."""
    return data.decode(charset, "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
