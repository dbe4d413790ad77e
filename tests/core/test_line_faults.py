"""The line through a network that fails: when the fault is gone, every file is stored just once."""

from __future__ import annotations

import math
import os
import random
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dropline.events import (
    FileCancelled,
    FileFailed,
    FileQueued,
    FileRefused,
    FileRetried,
    FileUploaded,
    StationPaused,
)
from dropline.line import Line
from dropline.receiver import Receiver
from dropline.station import Backoff

from .faults import (
    ADDRESS,
    SHA256,
    SIZE,
    Cut,
    Delay,
    Direction,
    Fault,
    Finish,
    HangUp,
    Instead,
    Lie,
    Proxy,
    Repeat,
    Stall,
    refusal,
)

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="there is no 127.0.0.2")

Until = Callable[..., None]
MakeLine = Callable[..., Line]
MakeProxy = Callable[..., Proxy]

KB = 1 << 10
MB = 1 << 20
#: Sizes of a tree of files: none, small ones, and some that are hashed while they are sent.
SIZES = [*[0, 1, 100, 5 * KB, 70 * KB, 300 * KB] * 3, MB + 1, 2 * MB]
#: Tries again soon and for as long as a fault can last.
PATIENT = Backoff(attempts=1000, base=0.01, cap=0.02)
#: Seconds after which a stalled connection is given up.
TIMEOUTS = (1.0, 0.4)


@pytest.fixture
def make_proxy() -> Iterator[MakeProxy]:
    """`make_proxy(url)`: a proxy in front of that server."""
    made: list[Proxy] = []

    def make(url: str, tls: ssl.SSLContext | None = None) -> Proxy:
        made.append(Proxy(url, tls))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture
def proxy(receiver: Receiver, make_proxy: MakeProxy) -> Proxy:
    """A proxy in front of the receiver."""
    return make_proxy(receiver.url)


@pytest.fixture
def line(proxy: Proxy, make_line: MakeLine) -> Line:
    """A line that sends through the proxy and doesn't give up."""
    return make_line(proxy.url, backoff=PATIENT, patience=math.inf, timeouts=TIMEOUTS, pause=0.001)


def plant(folder: Path, sizes: list[int] = SIZES) -> dict[str, str]:
    """Make a folder of files, no two the same; the digest of each by the name it is sent under."""
    folder.mkdir(parents=True)
    numbers = random.Random(folder.name)
    digests = {}
    for number, size in enumerate(sizes):
        content = numbers.randbytes(size)
        (folder / f"{number}.bin").write_bytes(content)
        digests[f"{folder.name}/{number}.bin"] = sha256(content).hexdigest()
    return digests


def finish(line: Line, heard: Any, until: Until, seconds: float = 60) -> None:
    """Wait until the line has dealt with everything, and all of that was heard."""
    until(lambda: not line.scanning, seconds)
    assert line.station.wait_drained(seconds), line.station.counts()
    assert heard.bus.flush()


def check_whole(line: Line, heard: Any, stored: Any, expected: dict[str, str]) -> None:
    """Everything is stored once, as it was sent, and nobody says otherwise."""
    names = {event.job: event.name for event in heard.of(FileQueued)}
    assert [event.reason for event in heard.of(FileFailed)] == []
    outcomes = Counter(event.job for event in heard.of(FileUploaded, FileFailed, FileCancelled))
    assert outcomes == Counter(dict.fromkeys(names, 1))
    told = {names[event.job]: event for event in heard.of(FileUploaded)}
    assert {name: event.sha256 for name, event in told.items()} == expected
    assert stored.digests() == expected
    held = {file["file_id"]: file["name"] for file in stored.files()}
    assert {event.file_id: name for name, event in told.items()} == held
    check_figures(line)


def check_figures(line: Line) -> None:
    """The meter and the station tell the same, and both add up."""
    reading = line.read(3600)
    figures = reading.figures
    gone = figures.finished + figures.failed + figures.cancelled
    assert figures.arrivals == gone + reading.in_system
    assert figures.finished == reading.finished
    # What never began and is given up is a failure to the station, and unserved in the log.
    assert figures.failed + figures.cancelled == reading.failed + reading.cancelled
    assert (reading.waiting, reading.busy) == (0, 0)
    counts = line.station.counts()
    assert counts.bytes_left == 0
    assert reading.little.error == 0


# --- each fault by itself -------------------------------------------------------------------------

HTML = "<html><h1>502 Bad Gateway</h1></html>"
FAULTS: dict[str, Fault] = {
    "accept and close": HangUp(),
    "accept and reset": HangUp(reset=True),
    "reset before the request": Cut("request"),
    "reset in its head": Cut("request", 100),
    "reset in its body": Cut("request", 40 * KB),
    "reset in a large body": Cut("request", MB),
    "reset before the answer": Cut("answer"),
    "reset in the head of the answer": Cut("answer", 20),
    "reset in the body of the answer": Cut("answer", 300),
    "end of the request in its head": Finish("request", 100),
    "end of the request in its body": Finish("request", 40 * KB),
    "end of the answer before it began": Finish("answer"),
    "end of the answer in its head": Finish("answer", 20),
    "end of the answer in its body": Finish("answer", 300),
    "delay of the request": Delay("request", 40 * KB),
    "delay of the answer": Delay("answer", 20),
    "delay of the answer until it is given up": Delay("answer", 0, 0.6),
    "stall before the request": Stall("request"),
    "stall in its body": Stall("request", 40 * KB),
    "stall before the answer": Stall("answer"),
    "stall in the answer": Stall("answer", 300),
    "garbage": Instead(b"\x00\xff\x13 garbage \r\n\r\n"),
    "garbage instead of the answer": Instead(b"\x00\xff\x13 garbage \r\n\r\n", "answer"),
    "another protocol": Instead(b"SSH-2.0-OpenSSH_9.2\r\n", "request", 40 * KB),
    "an answer twice": Repeat(),
    "an answer again to the next request": Repeat(late=True),
    "429": Instead(refusal("429 Too Many Requests")),
    "500": Instead(refusal("500 Oops")),
    "500 in the body": Instead(refusal("500 Oops"), "request", MB),
    "500 instead of the answer": Instead(refusal("500 Oops"), "answer"),
    "502 as a web page": Instead(
        refusal("502 Bad Gateway", "Content-Type: text/html", body=HTML), "request", 40 * KB
    ),
    "503 at once": Instead(refusal("503 Busy", "Retry-After: 0")),
    "a wrong digest": Lie(SHA256),
    "a wrong size": Lie(SIZE),
}
#: Those that no file needs to be sent again for.
HARMLESS = {"delay of the request", "delay of the answer", "an answer twice"}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_costs_another_try_and_nothing_else(
    proxy: Proxy, line: Line, stored: Any, heard: Any, until: Until, tmp_path: Path, name: str
) -> None:
    expected = plant(tmp_path / "tree")
    proxy.meet(*[FAULTS[name]] * 4)
    line.drop([str(tmp_path / "tree")])
    finish(line, heard, until)
    assert proxy.left == 0
    check_whole(line, heard, stored, expected)
    assert heard.of(FileRetried) or name in HARMLESS


@pytest.mark.parametrize("of", ["request", "answer"])
def test_a_connection_may_end_at_any_byte(
    proxy: Proxy,
    line: Line,
    stored: Any,
    heard: Any,
    until: Until,
    tmp_path: Path,
    of: Direction,
) -> None:
    expected = plant(tmp_path / "tree", [0, 1, 100, 200, 300, 400])
    proxy.meet(*(Finish(of, after) for after in range(600)))
    line.drop([str(tmp_path / "tree")])
    until(lambda: proxy.left < 600)
    finish(line, heard, until)
    check_whole(line, heard, stored, expected)


def test_an_answer_that_comes_twice_costs_no_file_of_the_same_name(
    proxy: Proxy, make_line: MakeLine, stored: Any, heard: Any, until: Until, tmp_path: Path
) -> None:
    size = MB + 1  # too large to travel with another
    expected = {*plant(tmp_path / "a", [size]).values(), *plant(tmp_path / "b", [size]).values()}
    line = make_line(proxy.url, workers=1, backoff=PATIENT, patience=math.inf, timeouts=TIMEOUTS)
    proxy.meet(Repeat(late=True))
    line.drop([str(tmp_path / "a" / "0.bin"), str(tmp_path / "b" / "0.bin")])
    finish(line, heard, until)
    assert heard.of(FileRetried)
    assert {event.sha256 for event in heard.of(FileUploaded)} == expected
    assert {file["sha256"] for file in stored.files()} == expected
    check_figures(line)


@pytest.mark.parametrize("sizes", [[100], [100] * 5, [300 * KB]], ids=["one", "bundle", "large"])
def test_a_copy_that_was_not_right_is_forgotten_however_often_that_fails(
    proxy: Proxy,
    line: Line,
    stored: Any,
    heard: Any,
    until: Until,
    tmp_path: Path,
    sizes: list[int],
) -> None:
    expected = plant(tmp_path / "tree", sizes)
    line.pause()
    until(lambda: heard.of(StationPaused))
    line.drop([str(tmp_path / "tree")])
    until(lambda: not line.scanning)
    proxy.drop()
    proxy.meet(Lie(SHA256, last=True), *[HangUp()] * 12)
    line.resume()
    finish(line, heard, until)
    assert proxy.left == 0
    check_whole(line, heard, stored, expected)


# --- several faults, in any order -----------------------------------------------------------------


def at(*most: int) -> st.SearchStrategy[int]:
    """Some bytes on: near the start, in a head, in a body."""
    return st.one_of(*(st.integers(0, bound) for bound in most))


REQUESTS = at(20, 700, 80 * KB, 2 * MB)
ANSWERS = at(20, 500)
SEQUENCES = st.lists(
    st.one_of(
        st.none(),
        st.builds(HangUp, st.booleans()),
        st.builds(Cut, st.just("request"), REQUESTS),
        st.builds(Cut, st.just("answer"), ANSWERS),
        st.builds(Finish, st.just("request"), REQUESTS),
        st.builds(Finish, st.just("answer"), ANSWERS),
        st.builds(Delay, st.just("request"), REQUESTS),
        st.builds(Delay, st.just("answer"), ANSWERS, st.sampled_from([0.05, 0.6])),
        st.builds(Stall, st.just("request"), REQUESTS),
        st.builds(Stall, st.just("answer"), ANSWERS),
        st.builds(
            Instead,
            st.sampled_from(
                [refusal("500 Oops"), refusal("429 Slow down", "Retry-After: 0"), b"?"]
            ),
            st.just("request"),
            REQUESTS,
        ),
        st.builds(Instead, st.just(refusal("502 Bad Gateway", body=HTML)), st.just("answer")),
        st.builds(Repeat, st.booleans()),
        # of a file that the receiver had already, a lie is believed: it may have changed since
        st.builds(Lie, st.sampled_from([SHA256, SIZE]), st.just(True)),
    ),
    min_size=4,
    max_size=16,
)


@settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],  # to shrink would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(faults=SEQUENCES)
def test_faults_in_any_order_lose_and_double_nothing(
    proxy: Proxy,
    line: Line,
    stored: Any,
    heard: Any,
    until: Until,
    tmp_path: Path,
    faults: list[Fault | None],
) -> None:
    # One line for all examples: what one leaves behind must not trouble the next.
    stored.clear()
    heard.messages.clear()
    number = len(list(tmp_path.glob("tree*")))
    expected = plant(tmp_path / f"tree{number}")
    proxy.meet(*faults)
    proxy.drop()
    line.drop([str(tmp_path / f"tree{number}")])
    finish(line, heard, until)
    proxy.meet()
    check_whole(line, heard, stored, expected)


def test_a_receiver_out_of_reach_for_a_while_gets_everything(
    proxy: Proxy, line: Line, stored: Any, heard: Any, until: Until, tmp_path: Path
) -> None:
    expected = plant(tmp_path / "tree")
    proxy.refuse()
    line.drop([str(tmp_path / "tree")])
    until(lambda: len(heard.of(FileRetried)) >= 8)
    assert not heard.of(FileUploaded)
    proxy.listen()
    until(lambda: len(heard.of(FileUploaded)) >= 4)
    proxy.refuse()
    proxy.drop()
    before = len(heard.of(FileRetried))
    until(lambda: len(heard.of(FileRetried)) >= before + 4)
    proxy.listen()
    finish(line, heard, until)
    check_whole(line, heard, stored, expected)


# --- Retry-After ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["503 Busy", "429 Too Many Requests"])
@pytest.mark.parametrize("as_date", [False, True])
def test_the_wait_that_is_asked_for_is_kept(
    proxy: Proxy,
    line: Line,
    heard: Any,
    until: Until,
    tmp_path: Path,
    status: str,
    as_date: bool,
) -> None:
    expected = plant(tmp_path / "tree", [10, 70 * KB, MB + 1])
    now = datetime.now(UTC).replace(microsecond=0)
    header = format_datetime(now + timedelta(seconds=30), usegmt=True) if as_date else "30"
    proxy.meet(*[Instead(refusal(status, f"Retry-After: {header}"))] * len(expected))
    line.drop([str(tmp_path / "tree")])
    # A file whose turn comes after the first answer waits without having asked.
    until(lambda: line.station.counts().waiting == len(expected) and heard.of(FileRetried))
    for event in heard.of(FileRetried):
        assert (15 if as_date else 30) <= event.delay <= 31
        assert f"answered {status}" in event.reason
    counts = line.station.counts()
    assert (counts.waiting, counts.busy) == (len(expected), 0)
    line.cancel()
    finish(line, heard, until)
    assert len(heard.of(FileCancelled)) == len(expected)
    check_figures(line)


def test_after_the_wait_it_is_sent(
    proxy: Proxy, line: Line, stored: Any, heard: Any, until: Until, tmp_path: Path
) -> None:
    expected = plant(tmp_path / "tree")
    proxy.meet(*[Instead(refusal("503 Busy", "Retry-After: 1"))] * 4)
    line.drop([str(tmp_path / "tree")])
    finish(line, heard, until)
    told = [event.delay for event in heard.of(FileRetried) if "answered 503" in event.reason]
    assert len(told) >= 4  # several files at a time
    assert min(told) >= 1
    check_whole(line, heard, stored, expected)


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts."""
    return trustme.CA()


def context(authority: trustme.CA, **options: Any) -> ssl.SSLContext:
    """What a server at the proxy's address needs."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(ADDRESS, **options).configure_cert(made)
    return made


UNTRUSTED = {
    "untrusted": {},
    "expired": {"not_after": datetime(2020, 1, 2, tzinfo=UTC)},
}


@pytest.mark.parametrize("case", UNTRUSTED)
def test_a_certificate_that_nobody_trusts_is_told(
    receiver: Receiver,
    make_proxy: MakeProxy,
    make_line: MakeLine,
    authority: trustme.CA,
    stored: Any,
    heard: Any,
    until: Until,
    tmp_path: Path,
    case: str,
) -> None:
    expected = plant(tmp_path / "tree", [10, MB + 1])
    proxy = make_proxy(receiver.url, context(authority, **UNTRUSTED[case]))
    line = make_line(proxy.url, backoff=Backoff(attempts=2, base=0.01), timeouts=TIMEOUTS)
    line.drop([str(tmp_path / "tree")])
    finish(line, heard, until)
    assert len(heard.of(FileFailed)) == len(expected)
    for event in heard.of(FileFailed):
        assert f"{proxy.url} has no certificate that this machine trusts" in event.reason
    assert stored.files() == []
    check_figures(line)


def test_a_plain_server_behind_an_https_address_is_told(
    receiver: Receiver,
    make_proxy: MakeProxy,
    make_line: MakeLine,
    stored: Any,
    heard: Any,
    until: Until,
    tmp_path: Path,
) -> None:
    expected = plant(tmp_path / "tree", [10, MB + 1])
    url = make_proxy(receiver.url).url.replace("http:", "https:")
    line = make_line(url, backoff=Backoff(attempts=2, base=0.01), timeouts=TIMEOUTS)
    line.drop([str(tmp_path / "tree")])
    finish(line, heard, until)
    assert len(heard.of(FileFailed)) == len(expected)
    assert all(event.reason.startswith(url) for event in heard.of(FileFailed))
    assert stored.files() == []
    check_figures(line)


def test_a_server_that_speaks_tls_at_a_plain_address_is_told_and_used_once_it_does_not(
    receiver: Receiver,
    make_proxy: MakeProxy,
    make_line: MakeLine,
    authority: trustme.CA,
    stored: Any,
    heard: Any,
    until: Until,
    tmp_path: Path,
) -> None:
    expected = plant(tmp_path / "tree", [10, MB + 1])
    secure = make_proxy(receiver.url, context(authority))
    url = secure.url.replace("https:", "http:")
    line = make_line(url, backoff=PATIENT, patience=math.inf, timeouts=TIMEOUTS)
    line.drop([str(tmp_path / "tree")])
    until(lambda: len(heard.of(FileRetried)) >= len(expected))
    secure.refuse()
    make_proxy(receiver.url)
    finish(line, heard, until)
    check_whole(line, heard, stored, expected)


# --- sources and receivers that fail too ----------------------------------------------------------


def test_what_cannot_be_sent_is_told_and_the_rest_arrives_through_faults(
    proxy: Proxy,
    make_line: MakeLine,
    stored: Any,
    heard: Any,
    until: Until,
    other_disk: Path,
    appender: Callable[[Path], Any],
) -> None:
    tree = other_disk / "tree"
    expected = plant(tree)
    os.mkfifo(tree / "pipe")
    (tree / "device").symlink_to("/dev/zero")
    (tree / "gone").write_bytes(b"gone")
    (tree / "replaced").write_bytes(b"replaced")
    (tree / "growing").write_bytes(b"x" * 8 * MB)
    line = make_line(proxy.url, backoff=PATIENT, patience=math.inf, timeouts=TIMEOUTS)
    line.pause()
    until(lambda: heard.of(StationPaused))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "socket"))
        line.drop([str(tree)])
        until(lambda: not line.scanning)
    assert heard.bus.flush()
    refused = {Path(event.path).name for event in heard.of(FileRefused)}
    assert refused == {"pipe", "socket", "device"}
    (tree / "gone").unlink()
    (tree / "replaced").unlink()
    os.mkfifo(tree / "replaced")
    growth = appender(tree / "growing")
    proxy.meet(*[Cut("request", 40 * KB), Stall("answer"), HangUp(), Cut("answer", 300)] * 2)
    line.resume()
    until(lambda: any("changed while it was read" in e.reason for e in heard.of(FileRetried)))
    growth.rest()
    finish(line, heard, until)
    expected["tree/growing"] = sha256((tree / "growing").read_bytes()).hexdigest()
    names = {event.job: event.name for event in heard.of(FileQueued)}
    failed = {names[event.job]: event.reason for event in heard.of(FileFailed)}
    assert set(failed) == {"tree/gone", "tree/replaced"}
    assert "is not there any more" in failed["tree/gone"]
    assert "is no longer a file" in failed["tree/replaced"]
    assert {names[event.job] for event in heard.of(FileUploaded)} == set(expected)
    assert len(heard.of(FileUploaded)) == len(expected)
    assert stored.digests() == expected
    check_figures(line)


def test_what_may_not_be_read_is_told_and_the_rest_arrives_through_faults(
    proxy: Proxy,
    make_proxy: MakeProxy,
    make_line: MakeLine,
    heard: Any,
    until: Until,
    unprivileged: Callable[[], Path],
    tmp_path: Path,
) -> None:
    # Once as the user who may read everything: from here on all modules are loaded.
    plant(tmp_path / "first", [1])
    line = make_line(proxy.url)
    line.drop([str(tmp_path / "first")])
    finish(line, heard, until)
    folder = unprivileged()
    theirs = Receiver(folder / "received", port=0)
    theirs.start()
    try:
        proxy = make_proxy(theirs.url)
        line = make_line(
            proxy.url, home=folder / "home", backoff=PATIENT, patience=math.inf, timeouts=TIMEOUTS
        )
        expected = plant(folder / "tree")
        (folder / "tree" / "3.bin").chmod(0o000)
        heard.messages.clear()
        proxy.meet(*[Cut("answer", 20), HangUp(), Instead(refusal("500 Oops"))] * 2)
        line.drop([str(folder / "tree")])
        finish(line, heard, until)
        [failed] = heard.of(FileFailed)
        assert "give yourself permission to, then retry" in failed.reason
        assert len(heard.of(FileUploaded)) == len(expected) - 1
        (folder / "tree" / "3.bin").chmod(0o600)
        line.retry()
        until(lambda: len(heard.of(FileUploaded)) == len(expected))
        assert {event.sha256 for event in heard.of(FileUploaded)} == set(expected.values())
        line.close()
    finally:
        theirs.stop()


def test_a_receiver_that_is_started_again_and_again_gets_everything_once(
    make_proxy: MakeProxy,
    make_line: MakeLine,
    stored_by: Callable[[Receiver], Any],
    heard: Any,
    until: Until,
    tmp_path: Path,
) -> None:
    receiver = Receiver(tmp_path / "received", port=0)
    receiver.start()
    proxy = make_proxy(receiver.url)
    line = make_line(proxy.url, backoff=PATIENT, patience=math.inf, timeouts=TIMEOUTS)
    expected = plant(tmp_path / "tree", SIZES * 2)
    proxy.meet(*[Cut("answer", 300), None, Finish("request", 40 * KB), Stall("answer")] * 3)
    try:
        line.drop([str(tmp_path / "tree")])
        for count in (3, 6, 9):
            until(lambda count=count: len(heard.of(FileUploaded)) >= count)
            port = int(receiver.url.rpartition(":")[2])
            receiver.stop()
            before = len(heard.of(FileRetried))
            # at once, for there are more files than a moment lets through
            until(lambda before=before: len(heard.of(FileRetried)) > before)
            receiver = Receiver(tmp_path / "received", port=port)
            receiver.start()
            assert not receiver.note
        finish(line, heard, until)
        check_whole(line, heard, stored_by(receiver), expected)
        line.close()
    finally:
        receiver.stop()


def test_a_full_disk_is_told_and_what_fits_arrives_through_faults(
    small_disk: Callable[[int], Path],
    make_proxy: MakeProxy,
    make_line: MakeLine,
    stored_by: Callable[[Receiver], Any],
    heard: Any,
    until: Until,
    tmp_path: Path,
) -> None:
    receiver = Receiver(small_disk(4 * MB) / "received", port=0)
    receiver.start()
    try:
        proxy = make_proxy(receiver.url)
        # one after the other: beside the large file nothing fits for a moment
        line = make_line(
            proxy.url, workers=1, backoff=PATIENT, patience=math.inf, timeouts=TIMEOUTS
        )
        proxy.meet(*[Cut("request", 40 * KB), Cut("answer", 20)] * 2)
        small = plant(tmp_path / "small", [10, 5 * KB, 70 * KB])
        plant(tmp_path / "large", [8 * MB])
        line.drop([str(tmp_path / "small"), str(tmp_path / "large")])
        finish(line, heard, until)
        [failed] = heard.of(FileFailed)
        assert "answered 507: " in failed.reason
        assert stored_by(receiver).digests() == small
        assert len(heard.of(FileUploaded)) == len(small)
        line.close()
    finally:
        receiver.stop()
