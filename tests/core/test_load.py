"""Loads by laws: what is drawn, what a simulated target does, and a real station under one."""

from __future__ import annotations

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline import theory
from dropline.bus import MemoryBus
from dropline.events import RecordingEnded, StationDrained, WorkersChanged
from dropline.intake import Spool
from dropline.load import (
    Arrivals,
    Batch,
    Even,
    Expected,
    Exponential,
    Files,
    Fixed,
    Law,
    Listed,
    Load,
    LoadLine,
    LogNormal,
    Poisson,
    Ramp,
    Recorded,
    Service,
    SimulatedTarget,
    expect,
    scv,
)
from dropline.load.items import FOLDER
from dropline.load.replicas import replicate
from dropline.meter import Entry, Kind
from dropline.station import Aborted, Attempt, Reading
from dropline.targets import Upload
from dropline.theory.validity import Verdict, assess
from dropline.tuning.observed import Observed
from dropline.whatif.trace import read_trace

Until = Callable[..., None]
MakeLoad = Callable[..., LoadLine]
DRAWS = 40_000
RATES = st.floats(0, 1e6)


def draw(law: Law, count: int = DRAWS) -> list[float]:
    source = random.Random(7)
    return [law.draw(source) for _ in range(count)]


def times(arrivals: Arrivals, count: int, seed: int = 7) -> list[float]:
    return list(itertools.islice(arrivals.times(random.Random(seed)), count))


# --- laws -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "law",
    [
        Fixed(0.3),
        Exponential(0.3),
        LogNormal(0.3, 0.25),
        LogNormal(0.3, 2.0),
        LogNormal(0.3, 0.0),
        Listed([1.0, 1.0, 4.0]),
        Listed([0.0]),
    ],
    ids=lambda law: type(law).__name__,
)
def test_a_law_draws_values_of_its_mean_and_variability(law: Law) -> None:
    values = draw(law)
    assert min(values) >= 0
    error = math.sqrt(law.scv / DRAWS)  # of the mean, relative
    assert sum(values) / DRAWS == pytest.approx(law.mean, rel=4 * error + 1e-9)
    assert scv(values) == pytest.approx(law.scv, rel=0.15, abs=1e-9)


def test_a_list_of_values_has_their_mean_and_variability() -> None:
    law = Listed([1.0, 1.0, 4.0])
    assert law.mean == 2.0
    assert law.scv == pytest.approx(0.5)  # variance 2, mean 2
    assert set(draw(law, 100)) == {1.0, 4.0}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fixed(-1),
        lambda: Fixed(1, 2),
        lambda: Exponential(math.inf),
        lambda: LogNormal(1, -0.1),
        lambda: LogNormal(math.nan, 1),
        lambda: Listed([]),
        lambda: Listed([1, -1]),
        lambda: Poisson(0),
        lambda: Even(-3),
        lambda: Batch(0),
        lambda: Batch(1_000_000_000),
        lambda: Ramp(-1, 2, 3),
        lambda: Ramp(0, 0, 3),
        lambda: Ramp(1, 2, 0),
        lambda: Recorded([1.0]),
        lambda: Service(Fixed(1), contention=1.1),
        lambda: Service(Fixed(1), coherency=-1),
        lambda: Service(Fixed(1), per_byte=math.nan),
        lambda: expect(Poisson(1), Fixed(0), Service(Fixed(0)), 1),
        lambda: expect(Poisson(1), Fixed(0), Service(Fixed(1)), 0),
    ],
)
def test_what_is_no_law_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()


# --- arrivals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrivals", [Poisson(20), Even(20)], ids=["poisson", "even"])
def test_settled_arrivals_have_their_rate_and_variability(arrivals: Arrivals) -> None:
    came = times(arrivals, DRAWS)
    gaps = [after - before for before, after in itertools.pairwise(came)]
    assert DRAWS / came[-1] == pytest.approx(arrivals.rate, rel=0.02)
    assert scv(gaps) == pytest.approx(arrivals.scv, abs=0.05)


def test_a_batch_comes_at_once() -> None:
    assert times(Batch(5), 100) == [0.0] * 5


def test_recorded_arrivals_come_as_they_came() -> None:
    arrivals = Recorded([12.0, 10.0, 16.0])
    assert times(arrivals, 100) == [0.0, 2.0, 6.0]
    assert arrivals.rate == pytest.approx(1 / 3)
    assert arrivals.scv == pytest.approx(1 / 9)  # gaps of 2 and 4


def test_recorded_arrivals_at_one_time_have_no_rate() -> None:
    assert (Recorded([3.0, 3.0]).rate, Recorded([3.0, 3.0]).scv) == (None, None)


def test_a_log_gives_its_arrivals(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    entries = [
        Entry(-1.0, Kind.ARRIVE, 1),
        Entry(0.0, Kind.START, 1),
        Entry(0.5, Kind.ARRIVE, 2),
        Entry(0.7, Kind.FINISH, 1),
    ]
    path.write_text("".join(f"{entry.to_json()}\n" for entry in entries))
    assert times(Recorded.of(path), 100) == [0.0, 1.5]
    path.write_text(entries[0].to_json())
    with pytest.raises(ValueError, match="1 arrivals"):
        Recorded.of(path)


@given(RATES, RATES, st.floats(1e-3, 1e4), st.integers())
def test_a_ramp_goes_forward_and_ends_only_at_rate_0(
    first: float, last: float, seconds: float, seed: int
) -> None:
    if not (first or last):
        return
    came = times(Ramp(first, last, seconds), 500, seed)
    assert came == sorted(came)
    assert all(t >= 0 for t in came)
    assert len(came) == 500 or last == 0
    assert last or all(t <= seconds for t in came)


def test_a_ramp_brings_what_the_rates_on_its_way_say() -> None:
    ramp = Ramp(10, 50, 100)
    came = [t for seed in range(20) for t in times(ramp, 8000, seed)]
    for until, expected in [(50, 1000), (100, 3000), (150, 5500)]:  # the area under the rate
        counted = sum(t <= until for t in came) / 20
        assert counted == pytest.approx(expected, abs=4 * math.sqrt(expected / 20))


def test_the_same_seed_brings_the_same_load() -> None:
    def loads(seed: int) -> list[float]:
        return list(Load(Poisson(5), jobs=50, seed=seed).times())

    assert loads(1) == loads(1)
    assert loads(1) != loads(2)


def test_a_load_ends_after_its_jobs_or_its_seconds() -> None:
    assert list(Load(Even(2), jobs=3).times()) == [0.5, 1.0, 1.5]
    assert list(Load(Even(2), seconds=1.2).times()) == [0.5, 1.0]
    assert list(Load(Even(2), jobs=1, seconds=1.2).times()) == [0.5]


# --- the simulated target -------------------------------------------------------------------------


def attempt() -> Attempt:
    return Attempt(lambda _size: None)


def upload(name: object, size: int = 0) -> Upload:
    return Upload(str(name), "", str(name), size, 0)


def test_a_file_takes_the_same_time_whoever_serves_it() -> None:
    service = Service(Exponential(1.0))
    target, again = SimulatedTarget(service, seed=3), SimulatedTarget(service, seed=3)
    files = [upload(number) for number in range(20)]
    works = [target.work_for(file) for file in files]
    assert [again.work_for(file) for file in reversed(files)] == works[::-1]
    assert len(set(works)) == 20
    assert SimulatedTarget(service, seed=4).work_for(files[0]) != works[0]


def test_bytes_take_their_time_on_top() -> None:
    target = SimulatedTarget(Service(Fixed(1.0), per_byte=1e-3))
    assert target.work_for(upload(1, 500)) == pytest.approx(1.5)


def test_workers_that_share_everything_do_no_more_than_one() -> None:
    target = SimulatedTarget(Service(Fixed(0.02), contention=1.0))
    began = time.monotonic()
    threads = [
        threading.Thread(
            target=lambda number=number: target.connect().serve(upload(number), attempt())
        )
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 4 * 0.02


def test_slowness_follows_the_universal_scalability_law() -> None:
    service = Service(Fixed(1.0), contention=0.1, coherency=0.01)
    assert [service.slowness(n) for n in (0, 1, 2, 10)] == pytest.approx([1, 1, 1.12, 2.8])


def test_an_attempt_is_stopped_at_once(until: Until) -> None:
    target = SimulatedTarget(Service(Fixed(3600.0)))
    running, ended = attempt(), []

    def serve() -> None:
        try:
            target.connect().serve(upload(1), running)
        except Aborted:
            ended.append("aborted")

    thread = threading.Thread(target=serve)
    thread.start()
    until(lambda: target._busy == 1)
    running.abort()
    thread.join(60)
    assert ended == ["aborted"]


# --- what is expected -----------------------------------------------------------------------------


def test_the_model_is_the_one_that_fits() -> None:
    def model(arrivals: Arrivals, service: Law, workers: int = 3) -> str:
        return expect(arrivals, Fixed(0), Service(service), workers).model

    assert model(Poisson(1), Exponential(1)) == "M/M/3"
    assert model(Poisson(1), Fixed(0.5), 1) == "M/D/1"
    assert model(Even(1), LogNormal(1, 2)) == "D/G/3"
    assert model(Recorded([0, 1, 3]), Exponential(1)) == "G/M/3"
    assert model(Batch(5), Exponential(1)) == "batch"
    assert model(Ramp(1, 2, 3), Exponential(1)) == ""


def test_expectations_are_those_of_the_formulas() -> None:
    found = expect(Poisson(30), Fixed(0), Service(Exponential(0.1)), 4)
    assert found.steady == theory.mmc(30, 10, 4)
    assert found.settling == theory.relaxation_time(30, 10, 4)
    found = expect(Poisson(8), Fixed(0), Service(LogNormal(0.1, 2)), 1)
    assert found.steady == theory.mg1(8, 10, 2)
    found = expect(Batch(40), Fixed(0), Service(Fixed(0.5)), 4)
    assert found.drain is not None
    assert found.drain.expected == pytest.approx(5.0)
    # sizes of 100 and 300 bytes at 1 ms a byte: mean 0.2, variance 0.01; with 0.1 s fixed 0.3 s
    found = expect(Poisson(1), Listed([100, 300]), Service(Fixed(0.1), per_byte=1e-3), 1)
    assert found.steady is not None
    assert found.steady.mean_wait == pytest.approx(theory.mg1(1, 1 / 0.3, 1 / 9).mean_wait)


def test_workers_that_wait_for_each_other_are_expected_to() -> None:
    def found(arrivals: Arrivals, law: Law, workers: int, contention: float) -> Expected:
        return expect(arrivals, Fixed(0), Service(law, contention=contention), workers)

    # all that n workers do is what one could: L is that of M/M/1
    alone = theory.mm1(5, 10)
    shared = found(Poisson(5), Exponential(0.1), 4, 1.0)
    assert shared.model == "M/M/4 with contention"
    assert shared.steady is not None
    assert shared.steady.mean_in_system == pytest.approx(alone.mean_in_system)
    assert shared.steady.mean_response == pytest.approx(alone.mean_response)
    assert shared.service_rate == pytest.approx(5 / (4 * shared.steady.utilisation))
    # hardly any contention is none
    little, none = (found(Poisson(30), LogNormal(0.1, 2), 4, alpha) for alpha in (1e-9, 0))
    assert little.steady is not None
    assert none.steady is not None
    assert little.steady.mean_wait == pytest.approx(none.steady.mean_wait, rel=1e-6)
    assert (none.enough, found(Poisson(30), Fixed(0.1), 4, 1.0).enough) == (4, None)
    assert found(Poisson(30), Fixed(0.1), 4, 1.0).is_unstable


def test_a_line_that_cannot_keep_up_settles_nowhere() -> None:
    found = expect(Poisson(50), Fixed(0), Service(Exponential(0.1)), 4)
    assert found.steady is not None
    assert (found.steady.growth, found.p95, found.settling) == (10, math.inf, 0.0)
    assert (found.is_unstable, found.enough) == (True, 6)


# --- what chance does -----------------------------------------------------------------------------


def test_where_nothing_is_left_to_chance_all_runs_are_alike() -> None:
    found = replicate(Load(Even(10), seconds=10.01), Service(Fixed(0.05)), 2, 0.5)
    expected = {
        "arrival_rate": 10,
        "service_rate": 20,
        "utilisation": 0.25,
        "throughput": 10,
        "mean_in_system": 0.5,
        "mean_waiting": 0,
        "mean_response": 0.05,
        "mean_wait": 0,
        "response_p95": 0.05,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx((value,) * 3, rel=0.03, abs=1e-9), name


def test_longer_runs_come_nearer_to_theory() -> None:
    theirs = theory.mmc(30, 10, 4).mean_response
    short, long = (
        replicate(Load(Poisson(30), seconds=seconds), Service(Exponential(0.1)), 4, 0.25)
        for seconds in (20, 300)
    )
    for runs in (short, long):
        assert runs["mean_response"].low < theirs < runs["mean_response"].high
    widths = [runs["mean_response"].high - runs["mean_response"].low for runs in (short, long)]
    assert widths[1] < widths[0]


def test_a_batch_is_watched_until_its_end() -> None:
    found = replicate(Load(Batch(40)), Service(Fixed(0.5)), 4, 0.0)
    assert found["arrival_rate"].expected == pytest.approx(8)  # 40 in 5 s
    assert found["utilisation"].expected == pytest.approx(1)


def test_what_cannot_be_replayed_is_not_told() -> None:
    service = Service(Fixed(0.1), contention=0.1)
    assert replicate(Load(Poisson(5), seconds=10), service, 2, 0.0) == {}
    assert replicate(Load(Poisson(1000), seconds=1000), Service(Fixed(0.1)), 2, 0.0) == {}
    assert replicate(Load(Poisson(0.001), seconds=0.001), Service(Fixed(0.1)), 2, 0.0) == {}


# --- a real station -------------------------------------------------------------------------------


@pytest.fixture
def make_load(bus: MemoryBus) -> Iterator[MakeLoad]:
    """`make_load(load, service)`: a line under a load that has started."""
    made: list[LoadLine] = []

    def make(
        load: Load,
        service: Service,
        observer: Callable[[Sequence[Entry]], None] = lambda _entries: None,
        log: Path | None = None,
        **options: object,
    ) -> LoadLine:
        line = LoadLine(load, SimulatedTarget(service, seed=load.seed), bus, **options)
        made.append(line)
        line.station.watch(observer)
        line.record(log)
        line.start()
        return line

    yield make
    for line in made:
        line.close()


def finish(line: LoadLine) -> None:
    assert line.wait_arrived(30)
    assert line.station.wait_drained(30)


def test_a_load_goes_through_a_real_station(
    make_load: MakeLoad, heard, tmp_path: Path, dropline_home: Path, until: Until
) -> None:
    entries: list[Entry] = []
    load = Load(Poisson(400), jobs=200, seed=5)
    service = Service(Exponential(0.004))
    line = make_load(load, service, entries.extend, tmp_path / "load.jsonl")
    finish(line)
    reading = line.read(60)
    assert (reading.station, reading.finished, reading.in_system) == ("load", 200, 0)
    assert reading.little.error == 0
    came = [entry.t for entry in entries if entry.kind is Kind.ARRIVE]
    assert line.began is not None
    assert all(at >= line.began + due for at, due in zip(came, load.times(), strict=True))

    line.record(None)
    until(lambda: heard.of(RecordingEnded))
    trace = read_trace(tmp_path / "load.jsonl")
    works = [line.target.work_for(upload(f"{FOLDER}/{n}")) for n in range(1, 201)]
    assert len(trace) == 200
    assert all(took >= work for took, work in zip(trace.services, works, strict=True))

    kinds = {type(message.data) for message in heard.messages}
    assert {WorkersChanged, Reading} <= kinds
    assert not [m for m in heard.messages if m.type.startswith("dropline.file.")]
    stations = {getattr(message.data, "station", "load") for message in heard.messages}
    assert stations == {"load"}
    until(lambda: heard.of(StationDrained))
    assert list(dropline_home.glob("*")) == []


def test_a_batch_arrives_at_one_time(make_load: MakeLoad) -> None:
    entries: list[Entry] = []
    line = make_load(Load(Batch(3000)), Service(Fixed(0.0)), entries.extend, workers=2)
    finish(line)
    came = [entry.t for entry in entries if entry.kind is Kind.ARRIVE]
    assert len(came) == 3000
    assert len(set(came)) == 1


def test_a_line_observes_itself_as_any_other(make_load: MakeLoad) -> None:
    observed = Observed(time.monotonic())
    line = make_load(Load(Poisson(500), jobs=300), Service(Exponential(0.004)), observed)
    finish(line)
    seen = observed.snapshot(time.monotonic())
    assert len(seen.gaps) == len(seen.services) == 300
    assert assess(seen.gaps, seen.services, 4).verdict in Verdict


def test_a_load_ends_at_once(make_load: MakeLoad, until: Until) -> None:
    line = make_load(Load(Poisson(1000)), Service(Fixed(3600.0)), workers=3)
    until(lambda: line.station.counts().busy == 3)
    assert line.arriving
    line.close()
    assert not line.arriving
    assert line.station.counts().running == 0


def test_a_load_that_never_began_ends(bus: MemoryBus) -> None:
    line = LoadLine(Load(Poisson(1)), SimulatedTarget(Service(Fixed(1.0))), bus)
    line.close()
    assert not line.arriving


def test_what_waits_can_be_cancelled_and_workers_resized(make_load: MakeLoad, until: Until) -> None:
    line = make_load(Load(Batch(50)), Service(Fixed(3600.0)), workers=1)
    until(lambda: line.station.counts().waiting == 49)
    line.resize(3)
    until(lambda: line.station.counts().busy == 3)
    line.cancel()
    assert line.station.wait_drained(60)
    assert line.station.counts().cancelled == 50


def test_a_load_goes_on_for_its_seconds_without_jobs(make_load: MakeLoad) -> None:
    line = make_load(Load(Batch(1), seconds=0.05), Service(Fixed(0.0)))
    assert line.wait_arrived(10)
    assert line.began is not None
    assert time.monotonic() - line.began >= 0.05


# --- real files -----------------------------------------------------------------------------------


def test_files_are_there_until_they_are_released(tmp_path: Path) -> None:
    files = Files(Spool(tmp_path))
    made = [files.make(size) for size in (0, 1, 5000, 3 << 20, 5000)]
    assert [Path(item.source).stat().st_size for item in made] == [0, 1, 5000, 3 << 20, 5000]
    assert Path(made[2].source).read_bytes() != Path(made[4].source).read_bytes()
    assert len({item.name for item in made}) == 5
    files.release(made[0])
    files.release(made[0])
    assert not Path(made[0].source).exists()
    files.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_made_ends_the_load(
    bus: MemoryBus, tmp_path: Path, make_load: MakeLoad
) -> None:
    files = Files(Spool(tmp_path))
    files.close()
    line = make_load(Load(Batch(3)), Service(Fixed(0.0)), items=files)
    assert line.wait_arrived(10)
    assert line.problem.startswith("The load ended early: a file cannot be made (")
