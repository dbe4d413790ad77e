"""The log: entries to JSON and back, what a reader refuses, and the recorder's promises."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.meter import Entry, Kind, LogError, Recorder, read_log

times = st.floats(-1e15, 1e15)
jobs = st.text(max_size=20) | st.integers()
nothing = st.none()
workers = nothing | st.integers()
sizes = st.integers(0)
entries = st.one_of(
    st.builds(
        Entry, times, st.sampled_from(list(Kind)[:-1]), jobs, nothing, workers, nothing | sizes
    ),
    st.builds(Entry, times, st.just(Kind.WORKERS), nothing, st.integers(0, 1000), nothing, nothing),
)

ARRIVE = '{"t": 1, "kind": "arrive", "job": 1}\n'


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(lines), encoding="utf-8")
    return path


@given(entries)
def test_an_entry_survives_json(entry: Entry) -> None:
    line = entry.to_json()
    assert "\n" not in line
    assert Entry.from_json(line) == entry
    assert json.loads(line)["kind"] == entry.kind


@pytest.mark.parametrize("t", [float("nan"), float("inf"), -float("inf")])
def test_an_entry_without_a_time_has_no_json(t: float) -> None:
    with pytest.raises(ValueError, match="not a time"):
        Entry(t, Kind.ARRIVE, 1).to_json()


def test_keys_of_later_versions_are_left_alone() -> None:
    line = '{"t": 1, "kind": "start", "job": "a", "bytes": 7}'
    assert Entry.from_json(line) == Entry(1.0, Kind.START, "a")


def test_a_start_may_say_who_serves_the_job() -> None:
    """Logs of before workers had numbers read as they did."""
    entry = Entry(1.0, Kind.START, "a", worker=3)
    assert entry.to_json() == '{"t":1.0,"kind":"start","job":"a","worker":3}'
    assert Entry(1.0, Kind.START, "a").to_json() == '{"t":1.0,"kind":"start","job":"a"}'
    for line in ('{"t": 1, "kind": "start", "job": "a"}', entry.to_json().replace("3", "null")):
        assert Entry.from_json(line) == Entry(1.0, Kind.START, "a", worker=None)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("arrive\n", "not JSON"),
        ("[" * 60_000 + "\n", "not JSON"),
        ("[1, 2]\n", "not a JSON object but a list"),
        ("[" * 900 + "]" * 900 + "\n", "not a JSON object but a list|not JSON"),
        ("7\n", "not a JSON object but 7"),
        ('{"kind": "arrive", "job": 1}\n', "t must be a number of seconds, not missing"),
        ('{"t": "1", "kind": "arrive", "job": 1}\n', 'seconds, not "1"'),
        ('{"t": true, "kind": "arrive", "job": 1}\n', "seconds, not true"),
        ('{"t": NaN, "kind": "arrive", "job": 1}\n', "seconds, not NaN"),
        ('{"t": Infinity, "kind": "arrive", "job": 1}\n', "seconds, not Infinity"),
        ('{"t": 1e300, "kind": "arrive", "job": 1}\n', "seconds, not 1e"),
        ('{"t": 1' + "0" * 400 + ', "kind": "arrive", "job": 1}\n', "seconds, not 10"),
        ('{"t": 1' + "0" * 5000 + ', "kind": "arrive", "job": 1}\n', "not JSON"),
        ('{"t": 1, "kind": "arive", "job": 1}\n', 'kind must be one of arrive.*"arive"'),
        ('{"t": 1, "kind": [], "job": 1}\n', "kind must be one of .* not a list"),
        ('{"t": 1, "kind": "start", "job": {}}\n', "job must be .* not an object"),
        ('{"t": 1, "job": 1}\n', "kind must be one of .* not missing"),
        ('{"t": 1, "kind": "start"}\n', "job must be .* not missing"),
        ('{"t": 1, "kind": "start", "job": 1.5}\n', "job must be .* not 1.5"),
        ('{"t": 1, "kind": "workers"}\n', "workers must be .* not missing"),
        ('{"t": 1, "kind": "workers", "workers": -1}\n', "workers must be .* not -1"),
        ('{"t": 1, "kind": "workers", "workers": 2.0}\n', "workers must be .* not 2.0"),
        ('{"t": 1, "kind": "start", "job": 1, "worker": "1"}\n', 'worker must be .* not "1"'),
        ('{"t": 1, "kind": "start", "job": 1, "worker": true}\n', "worker must be .* not true"),
        ('{"t": 1, "kind": "start", "job": 1, "worker": 1.5}\n', "worker must be .* not 1.5"),
        ('{"t": 0.5, "kind": "arrive", "job": 2}\n', "goes back from 1.0 to 0.5"),
        # Whole JSON is no line cut short, though its line feed is missing.
        ('{"t": 0.5, "kind": "arrive", "job": 2}', "goes back"),
        ('{"t": 2, "kind": "arive", "job": 2}', "kind must be"),
        ("x" * 70_000, "this is not a log"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, wrong: str) -> None:
    path = write(tmp_path / "a.jsonl", ARRIVE, line)
    with pytest.raises(LogError, match=wrong) as caught:
        list(read_log(path))
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert len(str(caught.value)) < len(str(path)) + 250


def test_bytes_that_are_not_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(LogError, match="line 1: not UTF-8 text"):
        list(read_log(path))


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_log_that_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(LogError, match="can't be read: "):
        list(read_log(tmp_path / name))


def test_blank_lines_line_ends_and_a_missing_last_one_do_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "\n", ARRIVE.replace("\n", "\r\n"), "  \n", ARRIVE.strip())
    assert list(read_log(path)) == [Entry(1.0, Kind.ARRIVE, 1)] * 2


@pytest.mark.parametrize("kept", range(1, len(ARRIVE) - 1))
def test_a_last_line_cut_short_is_left_out_and_noticed(tmp_path: Path, kept: int) -> None:
    path = write(tmp_path / "a.jsonl", ARRIVE, ARRIVE[:kept])
    notices: list[str] = []
    assert list(read_log(path, notices.append)) == [Entry(1.0, Kind.ARRIVE, 1)]
    assert notices == [f"{path}, line 2: cut short, so it is left out."]


def test_without_a_notice_the_program_log_says_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert list(read_log(write(tmp_path / "100%.jsonl", '{"t": 1, "ki'))) == []
    assert "cut short" in caplog.text


@given(st.lists(entries, max_size=30))
def test_what_is_recorded_reads_back_in_order_of_time(
    tmp_path_factory: pytest.TempPathFactory, recorded: list[Entry]
) -> None:
    path = tmp_path_factory.mktemp("log") / "a.jsonl"
    with Recorder(path) as recorder:
        recorder.record(recorded[:10])
        recorder.record(iter(recorded[10:]))
    latest = -float("inf")
    expected = []
    for entry in recorded:
        latest = max(latest, entry.t)
        expected.append(entry._replace(t=latest))
    assert list(read_log(path)) == expected
    assert recorder.error is None


def test_several_threads_record_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path) as recorder:

        def record(n: int) -> None:
            for i in range(500):
                recorder.record([Entry(time.monotonic(), Kind.ARRIVE, f"{n}-{i}")])

        threads = [threading.Thread(target=record, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    read = [entry.job for entry in read_log(path)]
    for n in range(4):
        mine = [job for job in read if str(job).startswith(f"{n}-")]
        assert mine == [f"{n}-{i}" for i in range(500)]


def test_a_recording_replaces_an_older_one_and_ends_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ARRIVE * 3)
    recorder = Recorder(path)
    recorder.record([Entry(5.0, Kind.WORKERS, workers=2)])
    recorder.close()
    recorder.close()
    recorder.record([Entry(6.0, Kind.WORKERS, workers=3)])
    assert list(read_log(path)) == [Entry(5.0, Kind.WORKERS, workers=2)]


def test_recorded_lines_reach_the_file_while_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with Recorder(path) as recorder:
        recorder.record([Entry(1.0, Kind.ARRIVE, 1)])
        wait_for(lambda: path.exists() and path.stat().st_size > 0)
        assert list(read_log(path)) == [Entry(1.0, Kind.ARRIVE, 1)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_never_raised() -> None:
    recorder = Recorder("/dev/full")
    recorder.record([Entry(1.0, Kind.ARRIVE, 1)])
    wait_for(lambda: recorder.error is not None)
    recorder.record([Entry(2.0, Kind.ARRIVE, 2)])
    recorder.close()
    assert recorder.error == (
        "Recording to /dev/full stopped: No space left on device."
        " Free some space or choose another place, then record again."
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_disk_that_fills_up_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    program = (
        "import resource, sys\n"
        "from dropline.meter import Entry, Kind, Recorder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with Recorder(sys.argv[1]) as recorder:\n"
        "    recorder.record([Entry(float(n), Kind.ARRIVE, n) for n in range(1000)])\n"
        "print(recorder.error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"Recording to {path} stopped: File too large. Free some space")
    assert path.stat().st_size == 1000
    read = list(read_log(path, lambda _: None))
    assert read == [Entry(float(n), Kind.ARRIVE, n) for n in range(len(read))]
    assert len(read) > 20


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with Recorder(tmp_path / "nowhere" / "a.jsonl") as recorder:
        recorder.record([Entry(1.0, Kind.ARRIVE, 1)])
    assert "nowhere" in str(recorder.error)
    assert "No such file" in str(recorder.error)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe")
def test_a_disk_that_hangs_ends_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dropline.meter.log.BACKLOG_LIMIT", 10)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # its writer waits until someone reads
    recorder = Recorder(pipe)
    recorder.record([Entry(1.0, Kind.ARRIVE, i) for i in range(11)])
    assert "too slow" in str(recorder.error)
    with open(pipe, "rb"):
        recorder.close()


def test_an_entry_that_no_log_can_hold_ends_the_recording(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a.jsonl") as recorder:
        recorder.record([Entry(float("nan"), Kind.ARRIVE, 1)])
    assert "t is nan" in str(recorder.error)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_program_leaves_a_log_that_opens(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    program = (
        "import itertools, sys\n"
        "from dropline.meter import Entry, Kind, Recorder\n"
        "recorder = Recorder(sys.argv[1])\n"
        "for n in itertools.count():\n"
        "    recorder.record([Entry(float(n), Kind.ARRIVE, i) for i in range(10)])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)])
    try:
        wait_for(lambda: path.exists() and path.stat().st_size > 100_000)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    read = list(read_log(path, lambda _: None))
    assert len(read) > 1000
    assert read == [Entry(float(k // 10), Kind.ARRIVE, k % 10) for k in range(len(read))]


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.005)
