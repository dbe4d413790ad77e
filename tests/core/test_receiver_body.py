"""Request bodies: whole or broken, never quietly short, at any split of the bytes."""

from __future__ import annotations

import io
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.receiver import body
from dropline.receiver.body import Body, ChunkedBody, SizedBody, Wire
from dropline.receiver.problems import CUT_SHORT, MALFORMED, Problem


def source(data: bytes) -> io.BufferedReader:
    """A connection on which these bytes arrive, then the end."""
    return io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]


def chunked(pieces: list[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    chunks = [b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces if piece]
    return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


def read_all(made: Body, sizes: list[int]) -> bytes:
    """Read with each of the sizes in turn."""
    data, turn = b"", 0
    while piece := made.read(sizes[turn % len(sizes)]):
        data += piece
        turn += 1
    return data


SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=5)


@given(st.binary(max_size=300), st.binary(max_size=20), SIZES)
def test_a_sized_body_ends_where_it_should(data: bytes, following: bytes, sizes: list[int]) -> None:
    made = SizedBody(connection := source(data + following), len(data))
    assert read_all(made, sizes) == data
    assert made.finished
    assert connection.read() == following  # the next request is untouched


@given(
    st.lists(st.binary(max_size=60), max_size=8),
    st.sampled_from([b"", b";name=value", b" ; a"]),
    st.sampled_from([b"", b"Digest: x\r\n", b"A: b\r\nC: d\r\n"]),
    st.binary(max_size=20),
    SIZES,
)
def test_a_chunked_body_is_joined(
    pieces: list[bytes], extension: bytes, trailer: bytes, following: bytes, sizes: list[int]
) -> None:
    connection = source(chunked(pieces, extension, trailer) + following)
    made = ChunkedBody(connection)
    assert read_all(made, sizes) == b"".join(pieces)
    assert made.finished
    assert connection.read() == following


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_body_that_ends_early_is_no_body(data: bytes, draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(data) - 1))
    with pytest.raises(Problem) as refused:
        read_all(SizedBody(source(data[:cut]), len(data)), [7])
    assert refused.value.kind is CUT_SHORT
    whole = chunked([data])
    with pytest.raises(Problem) as refused:
        read_all(ChunkedBody(source(whole[: cut % len(whole)])), [7])
    assert refused.value.kind in (CUT_SHORT, MALFORMED)


@pytest.mark.parametrize(
    "framing",
    [
        b"-1\r\nx\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\n",
        b"g\r\n",
        b"\r\n",
        b"5\nhello\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"1" * 16 + b"\r\n",
        b"5" + b" " * 5000 + b"\r\nhello\r\n",
        b"0\r\n" + b"A: b\r\n" * 40 + b"\r\n",
    ],
)
def test_malformed_chunks_are_refused(framing: bytes) -> None:
    """What two programs could read in two ways is how requests are smuggled."""
    with pytest.raises(Problem) as refused:
        read_all(ChunkedBody(source(framing)), [100])
    assert refused.value.kind is MALFORMED


def test_the_client_is_told_to_go_on_at_the_first_read_only() -> None:
    told: list[int] = []
    made = SizedBody(source(b"abcdef"), 6, lambda: told.append(1))
    assert not made.skip(1000)  # whoever waits to be told is not asked for the rest
    assert told == []
    assert made.read(3) + made.read(3) == b"abcdef"
    assert told == [1]


def test_a_short_rest_is_skipped_and_a_long_one_is_not() -> None:
    assert SizedBody(source(bytes(100)), 100).skip(100)
    assert not SizedBody(source(bytes(101)), 101).skip(100)
    assert ChunkedBody(source(chunked([bytes(50), bytes(40)]))).skip(100)
    assert SizedBody(source(b""), 0).skip(0)


def test_a_broken_body_is_not_read_on() -> None:
    made = ChunkedBody(connection := source(b"1\r\nxNO\r\n0\r\n\r\n"))
    with pytest.raises(Problem):
        made.read(10)
    assert not made.skip(1000)
    assert connection.read() == b"0\r\n\r\n"


def test_a_body_is_a_file() -> None:
    made = SizedBody(source(b"one\ntwo\n"), 8)
    assert made.readable()
    assert made.readlines() == [b"one\n", b"two\n"]
    assert SizedBody(source(b"all of it"), 9).read() == b"all of it"


def test_a_client_that_dribbles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "GRACE", 0.0)
    monkeypatch.setattr(body, "LEAST_RATE", 1e12)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, lambda: False)
        theirs.sendall(b"x")
        with pytest.raises(TimeoutError):
            wire.read(10)


def test_nothing_is_read_while_the_server_stops() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"more and more")
        assert Wire(ours, lambda: True).read(10) == b""
