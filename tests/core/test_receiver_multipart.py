"""Multipart bodies: any split of the bytes gives the same parts, any name comes through."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dropline.receiver import multipart
from dropline.receiver.multipart import read_parts
from dropline.receiver.problems import MALFORMED, TOO_LARGE, Problem

BOUNDARY = "b0undary"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"

#: What a name may hold; a NUL cannot be kept by every database.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
#: Bytes that look like the framing, and others; a sender sees to it that they are not the framing.
CONTENTS = (
    st.lists(
        st.sampled_from([b"\r\n", b"--", BOUNDARY.encode(), b"\r", b"\n", b"-", b"x"]) | st.binary()
    )
    .map(b"".join)
    .filter(lambda content: f"\r\n--{BOUNDARY}".encode() not in b"\r\n" + content)
)


@dataclass
class Sent:
    """A part as a sender makes it."""

    name: str
    content: bytes

    def encode(self) -> bytes:
        """As the desktop sends it: the name as a browser escapes it, and exactly."""
        exact = quote(self.name, safe="")
        return part(
            f'form-data; name="file"; filename="{whatwg(self.name)}"; filename*=UTF-8\'\'{exact}',
            self.content,
        )


def whatwg(name: str) -> str:
    """The name as browsers, curl and urllib3 escape it."""
    return name.replace('"', "%22").replace("\n", "%0A").replace("\r", "%0D")


def part(disposition: str, content: bytes = b"", *headers: str) -> bytes:
    """The bytes of one part."""
    lines = [f"--{BOUNDARY}", f"Content-Disposition: {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    """A whole body."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def reader(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """The bytes in pieces that end at the cuts."""
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {len(data)})
    begin = 0
    for end in ends:
        if piece := data[begin:end]:
            yield piece
        begin = end


def read_all(data: bytes, cuts: list[int] | None = None) -> list[tuple[str, str | None, bytes]]:
    """Field, file name and content of each part."""
    pieces = reader(data, cuts or [])
    return [
        (part.field, part.filename, b"".join(part))
        for part in read_parts(lambda _size: next(pieces, b""), CONTENT_TYPE)
    ]


def names_of(disposition: str) -> tuple[str, str | None]:
    """Field and file name that a disposition says."""
    [(field, filename, _)] = read_all(body(part(disposition)))
    return field, filename


@given(
    st.lists(st.builds(Sent, NAMES, CONTENTS), max_size=4),
    st.lists(st.integers(0, 10_000), max_size=30),
)
def test_any_split_of_the_body_gives_the_same_parts(sent: list[Sent], cuts: list[int]) -> None:
    data = body(*(each.encode() for each in sent))
    assert read_all(data, cuts) == [("file", each.name, each.content) for each in sent]


@given(NAMES)
@example('a"b\\c\r\nd')
@example("folder/")
def test_a_browsers_escapes_are_undone(name: str) -> None:
    # a name that holds an escape itself cannot be told apart; only `filename*` carries it
    if any(escape in name for escape in ("%22", "%0A", "%0D")):
        return
    assert names_of(f'form-data; name="file"; filename="{whatwg(name)}"') == ("file", name)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('form-data; name="file"; filename="a\\b"', "a\\b"),
        ('form-data; name="file"; filename="C:\\dir\\a.txt"', "C:\\dir\\a.txt"),
        ('form-data; name="file"; filename="ends in \\"', "ends in \\"),
        ('form-data; name="file"; filename="a\\"b\\\\c"', 'a"b\\c'),  # the older quoting
        ('form-data; name="file"; filename="100%25 %41"', "100%25 %41"),
        ("form-data; name=file; filename=plain.txt", "plain.txt"),
        ('FORM-DATA; NAME="file"; FILENAME="x"', "x"),
        ('form-data; name="file"; filename="a;b=c.txt"', "a;b=c.txt"),
        ('form-data; name="file"; filename="?"; filename*=utf-8\'de\'%C3%A4', "ä"),
        ('form-data; name="file"; filename="x"; filename*=iso-8859-1\'\'%E4', "ä"),
        ('form-data; name="file"; filename="x"; filename*=klingon\'\'%E4', "x"),
        ("form-data; name=\"file\"; filename*=UTF-8''%FF%00a", "\ufffd\ufffda"),
        ('form-data; name="file"; filename=""', ""),
        ('form-data; name="file"', None),
    ],
)
def test_names_are_read_as_they_were_meant(disposition: str, name: str | None) -> None:
    assert names_of(disposition) == ("file", name)


def test_a_name_in_no_known_encoding_is_not_lost() -> None:
    head = b'--b0undary\r\nContent-Disposition: form-data; name="file"; filename="\xe4"\r\n\r\n'
    assert read_all(head + b"x\r\n--b0undary--\r\n") == [("file", "\ufffd", b"x")]


def test_each_part_keeps_its_own_headers() -> None:
    data = body(
        part('form-data; name="file"; filename="a"', b"", "content-type: image/png", "X-Y: 1"),
        part('form-data; name="file"; filename="b"', b"", "Idempotency-Key:  k "),
    )
    first, second = (part.headers for part in read_parts(io.BytesIO(data).read, CONTENT_TYPE))
    assert (first["Content-Type"], first["X-Y"]) == ("image/png", "1")
    assert second["Idempotency-Key"].strip() == "k"
    assert "X-Y" not in second


def test_what_is_left_of_a_part_is_skipped() -> None:
    data = body(part('form-data; name="a"', b"1" * 1000), part('form-data; name="b"', b"2"))
    pieces = reader(data, list(range(0, 2000, 100)))
    parts = read_parts(lambda _size: next(pieces, b""), CONTENT_TYPE)
    assert next(iter(next(parts)))  # one piece of the first part, no more
    second = next(parts)
    assert (second.field, b"".join(second)) == ("b", b"2")


def test_no_parts_at_all() -> None:
    assert read_all(b"--b0undary--\r\n") == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no multipart at all",
        b"--b0undary\r\n",
        body(part('form-data; name="file"; filename="a"', b"abc"))[:-6],
        part('form-data; name="file"; filename="a"', b"abc"),
        b"--b0undary\r\nContent-Type: text/plain\r\n\r\nno disposition\r\n--b0undary--\r\n",
        body(part("attachment; filename=x")),
        body(part('form-data; name="file"; filename="a')),
        body(part('form-data; name="file";; filename="a"')),
        b"--b0undary\r\nno colon\r\n\r\n\r\n--b0undary--\r\n",
    ],
)
def test_a_malformed_body_is_refused(data: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read_all(data)
    assert refused.value.kind is MALFORMED


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "multipart/mixed; boundary=x",
        "multipart/form-data",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "x" * 201,
    ],
)
def test_another_type_of_body_is_refused_unread(content_type: str) -> None:
    def read(_size: int) -> bytes:
        raise AssertionError("read")

    with pytest.raises(Problem) as refused:
        list(read_parts(read, content_type))
    assert refused.value.kind is MALFORMED


def endless(head: bytes, again: bytes) -> Iterator[bytes]:
    yield head
    while True:
        yield again


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (b"--b0undary\r\nContent-Disposition: ", b"x" * 1000),
        (b"--b0undary\r\n", b"X-Header: x\r\n"),
        (part('form-data; name="x"'), part('form-data; name="x"')),
    ],
    ids=["header line", "headers", "parts"],
)
def test_what_would_fill_the_memory_is_refused(head: bytes, again: bytes) -> None:
    pieces = endless(head, again)
    with pytest.raises(Problem) as refused:
        for _ in read_parts(lambda _size: next(pieces), CONTENT_TYPE):
            pass
    assert refused.value.kind is TOO_LARGE


def test_the_longest_name_of_a_file_system_comes_through() -> None:
    name = "\n" * 4096  # three bytes for each, twice
    assert read_all(body(Sent(name, b"x").encode())) == [("file", name, b"x")]


def test_a_hostile_disposition_takes_no_time() -> None:
    """Quotes that never close must not make the pattern try every pair of them."""
    disposition = "form-data" + '; a="x' * ((multipart.MAX_HEADER - 100) // 6)
    with pytest.raises(Problem):
        read_all(body(part(disposition)))
