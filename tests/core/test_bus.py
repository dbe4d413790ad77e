"""The bus: everyone hears what they asked for, in order, whatever the other handlers do."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.bus import LoopThread, MemoryBus, Topic
from dropline.events import (
    FileCancelled,
    FileProgressed,
    FileQueued,
    HandlerFailed,
    Message,
    ScanProgressed,
    StationPaused,
)

Until = Callable[..., None]


def queued(job: int) -> FileQueued:
    return FileQueued(job, f"/tmp/{job}", str(job), job)


def jobs(messages: list[Message]) -> list[int]:
    return [message.data.job for message in messages]  # type: ignore[attr-defined]


def test_publish_returns_what_the_handlers_returned(bus: MemoryBus) -> None:
    bus.subscribe(FileQueued, lambda message: message.data.job)
    bus.subscribe(FileQueued, lambda messages: len(messages), batches=True)
    bus.subscribe(FileCancelled, lambda message: "not asked")
    delivery = bus.publish(queued(7))
    assert delivery.results == (7, 1)
    assert delivery.errors == ()
    assert delivery.message.subject == "7"


def test_post_delivers_in_the_bus_thread_in_order(bus: MemoryBus) -> None:
    heard: list[Message] = []
    threads: set[str] = set()
    bus.subscribe(FileQueued, heard.append)
    bus.subscribe("", lambda _: threads.add(threading.current_thread().name))
    bus.post(*map(queued, range(50)))
    for job in range(50, 100):
        bus.post(queued(job))
    assert bus.flush()
    assert jobs(heard) == list(range(100))
    assert threads == {"dropline/test bus"}


def test_each_poster_is_heard_in_its_own_order(bus: MemoryBus) -> None:
    one_by_one: defaultdict[int, list[int]] = defaultdict(list)
    in_batches: defaultdict[int, list[int]] = defaultdict(list)

    def hear(message: Message) -> None:
        one_by_one[message.data.job].append(message.data.sent)  # type: ignore[attr-defined]

    def hear_all(messages: list[Message]) -> None:
        for message in messages:
            in_batches[message.data.job].append(message.data.sent)  # type: ignore[attr-defined]

    bus.subscribe(FileProgressed, hear)
    bus.subscribe(FileProgressed, hear_all, batches=True)

    def post(poster: int) -> None:
        for number in range(0, 500, 2):
            bus.post(FileProgressed(poster, number), FileProgressed(poster, number + 1))

    posters = [threading.Thread(target=post, args=(poster,)) for poster in range(8)]
    for thread in posters:
        thread.start()
    for thread in posters:
        thread.join()
    assert bus.flush()
    expected = {poster: list(range(500)) for poster in range(8)}
    assert one_by_one == expected
    assert in_batches == expected


@pytest.mark.parametrize(
    ("topic", "heard"),
    [
        ("", ["queued", "cancelled", "scan", "paused"]),
        ("dropline.", ["queued", "cancelled", "scan", "paused"]),
        ("dropline.file.", ["queued", "cancelled"]),
        ("dropline.file.queued", ["queued"]),
        ("dropline.file", []),
        ("dropline.file.queue", []),
        (FileCancelled, ["cancelled"]),
        ("dropline.scan.", ["scan"]),
        ("other.", []),
    ],
)
def test_a_topic_is_a_class_a_type_or_a_prefix(
    bus: MemoryBus, topic: Topic, heard: list[str]
) -> None:
    events = {
        "queued": queued(1),
        "cancelled": FileCancelled(1),
        "scan": ScanProgressed("drop-1", 1, 1, 0),
        "paused": StationPaused("send"),
    }
    types: list[str] = []
    bus.subscribe(topic, lambda message: types.append(message.type))
    bus.post(*events.values())
    assert bus.flush()
    assert types == [events[name].type for name in heard]


def test_a_batch_handler_gets_what_waited_as_one_list(bus: MemoryBus) -> None:
    batches: list[list[int]] = []
    bus.subscribe(FileQueued, lambda messages: batches.append(jobs(messages)), batches=True)
    bus.post(queued(1), StationPaused("send"), queued(2), queued(3))
    assert bus.flush()
    assert batches == [[1, 2, 3]]


def test_async_handlers_run_on_one_loop_and_nobody_waits_for_them(
    bus: MemoryBus, until: Until
) -> None:
    go = asyncio.Event()
    heard: list[tuple[int, str]] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def hear(message: Message) -> None:
        loops.append(asyncio.get_running_loop())
        await go.wait()
        heard.append((message.data.job, threading.current_thread().name))  # type: ignore[attr-defined]

    bus.subscribe(FileQueued, hear)
    delivery = bus.publish(queued(0))
    assert delivery.results == ()  # it has not ended, so there is no result
    bus.post(*map(queued, range(1, 10)))
    assert bus.flush()
    until(lambda: len(loops) == 10)
    assert len(set(loops)) == 1
    assert heard == []
    loops[0].call_soon_threadsafe(go.set)
    until(lambda: len(heard) == 10)
    assert heard == [(job, "dropline/test async handlers") for job in range(10)]


async def fail_async(_: Any) -> None:
    raise LookupError("async")


def fail_sync(_: Any) -> None:
    raise LookupError("sync")


class FailingObject:
    def __call__(self, _: Any) -> None:
        raise LookupError("object")


@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("handler", [fail_sync, fail_async, FailingObject()])
def test_a_failing_handler_is_reported_and_the_others_still_run(
    bus: MemoryBus, until: Until, caplog: pytest.LogCaptureFixture, handler: Any, batches: bool
) -> None:
    heard: list[Message] = []
    failures: list[HandlerFailed] = []
    bus.subscribe(FileQueued, handler, batches=batches)
    bus.subscribe(FileQueued, heard.append)
    bus.subscribe(HandlerFailed, lambda message: failures.append(message.data))
    bus.post(queued(1))
    bus.post(queued(2))
    assert bus.flush()
    assert jobs(heard) == [1, 2]
    until(lambda: failures)
    assert failures[0].message_id == heard[0].id
    assert failures[0].message_type == FileQueued.type
    assert failures[0].error.startswith("LookupError: ")
    assert failures[0].handler.startswith(getattr(handler, "__name__", "<"))
    assert "LookupError" in caplog.text  # the traceback is in the log
    caplog.clear()


def test_publish_hands_the_errors_to_the_caller(bus: MemoryBus) -> None:
    bus.subscribe(FileQueued, fail_sync)
    bus.subscribe(FileQueued, lambda message: "well")
    delivery = bus.publish(queued(1))
    assert delivery.results == ("well",)
    assert [str(error) for error in delivery.errors] == ["sync"]


def test_one_bad_message_does_not_keep_a_handler_from_the_next(bus: MemoryBus) -> None:
    heard: list[int] = []

    def hear(message: Message) -> None:
        assert message.data.job != 2  # type: ignore[attr-defined]
        heard.append(message.data.job)  # type: ignore[attr-defined]

    bus.subscribe(FileQueued, hear)
    bus.post(queued(1), queued(2), queued(3))
    assert bus.flush()
    assert heard == [1, 3]


def test_a_handler_of_failures_that_fails_does_not_go_round_for_ever(
    bus: MemoryBus, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Message] = []

    def fail(message: Message) -> None:
        calls.append(message)
        raise LookupError

    bus.subscribe("", fail)
    bus.post(queued(1))
    assert bus.flush()
    bus.close()
    assert [message.type for message in calls] == [FileQueued.type, HandlerFailed.type]
    assert len([r for r in caplog.records if r.levelno == logging.ERROR]) == 2


def test_a_cancelled_handler_hears_nothing_more(bus: MemoryBus) -> None:
    heard: list[int] = []
    subscription = bus.subscribe(FileQueued, lambda message: heard.append(message.data.job))
    bus.publish(queued(1))
    subscription.cancel()
    subscription.cancel()
    bus.publish(queued(2))
    assert heard == [1]


def test_a_handler_may_cancel_itself_and_others_in_the_middle_of_a_delivery(
    bus: MemoryBus,
) -> None:
    heard: list[str] = []

    def once(message: Message) -> None:
        heard.append(f"once {message.data.job}")  # type: ignore[attr-defined]
        mine.cancel()
        other.cancel()

    mine = bus.subscribe(FileQueued, once)
    other = bus.subscribe(FileQueued, lambda message: heard.append("other"))
    last = bus.subscribe(FileQueued, lambda message: heard.append(f"last {message.data.job}"))
    bus.post(queued(1), queued(2))
    assert bus.flush()
    assert heard == ["once 1", "last 1", "last 2"]
    last.cancel()


def test_a_handler_may_subscribe_and_post(bus: MemoryBus, until: Until) -> None:
    heard: list[int] = []

    def hear(message: Message) -> None:
        job = message.data.job  # type: ignore[attr-defined]
        heard.append(job)
        if job < 5:
            bus.post(queued(job + 1))
        if job == 3:
            bus.subscribe(FileQueued, lambda message: heard.append(-message.data.job))

    bus.subscribe(FileQueued, hear)
    bus.post(queued(1))
    until(lambda: heard == [1, 2, 3, 4, -4, 5, -5])


def test_flush_waits_for_what_was_posted_before_it_and_not_for_more(bus: MemoryBus) -> None:
    heard: list[int] = []
    going = threading.Event()
    going.set()

    def hear(message: Message) -> None:
        heard.append(message.data.job)  # type: ignore[attr-defined]
        if going.is_set():
            bus.post(queued(len(heard) + 1))

    bus.subscribe(FileQueued, hear)
    bus.post(queued(1))
    try:
        assert bus.flush(timeout=5)
        assert heard
    finally:
        going.clear()


def test_flush_gives_up_in_time(bus: MemoryBus) -> None:
    gate = threading.Event()
    bus.subscribe(FileQueued, lambda _: gate.wait(60))
    bus.post(queued(1))
    assert not bus.flush(timeout=0.01)
    gate.set()
    assert bus.flush()


def test_close_delivers_the_rest_and_drops_what_comes_later(bus: MemoryBus) -> None:
    gate = threading.Event()
    heard: list[int] = []

    def hear(message: Message) -> None:
        gate.wait(60)
        heard.append(message.data.job)  # type: ignore[attr-defined]

    bus.subscribe(FileQueued, hear)
    for job in range(20):
        bus.post(queued(job))
    closing = threading.Thread(target=bus.close)
    closing.start()
    gate.set()
    closing.join()
    bus.post(queued(99))
    bus.close()
    assert heard == list(range(20))


def test_close_stops_async_handlers_that_do_not_end() -> None:
    loop = LoopThread("test loop")
    ends: list[str] = []

    async def quick() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        ends.append("quick")

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("stopped")

    assert loop.submit(quick())
    assert loop.submit(endless())
    loop.close(timeout=0.05)
    loop.close(timeout=0.05)
    assert ends == ["quick", "stopped"]
    assert not loop.submit(quick())


def test_close_waits_for_the_tasks_that_handlers_began() -> None:
    bus = MemoryBus()
    ends: list[str] = []
    kept: list[asyncio.Task[None]] = []

    async def later() -> None:
        for _ in range(2000):
            await asyncio.sleep(0)
        ends.append("later")

    async def begin(_: Message) -> None:
        await asyncio.sleep(0)
        kept.append(asyncio.create_task(later()))

    bus.subscribe(FileQueued, begin)
    bus.post(queued(1))
    bus.close()
    assert ends == ["later"]


def test_an_async_handler_after_the_close_is_dropped_without_a_warning() -> None:
    bus = MemoryBus()
    bus.subscribe(FileQueued, fail_async)
    bus.close()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bus.publish(queued(1))
    assert [str(warning.message) for warning in caught] == []


@given(
    posts=st.lists(
        st.tuples(st.sampled_from(["queued", "cancelled", "paused"]), st.booleans()), max_size=30
    )
)
def test_whoever_hears_in_batches_hears_the_same(posts: list[tuple[str, bool]]) -> None:
    makers = {
        "queued": lambda job: queued(job),
        "cancelled": lambda job: FileCancelled(job),
        "paused": lambda job: StationPaused(str(job)),
    }
    bus = MemoryBus()
    singly: list[Message] = []
    batched: list[Message] = []
    bus.subscribe("dropline.file.", singly.append)
    bus.subscribe("dropline.file.", batched.extend, batches=True)
    for number, (kind, flush) in enumerate(posts):
        bus.post(makers[kind](number))
        if flush:
            bus.flush()
    bus.close()
    assert singly == batched
    assert jobs(singly) == [n for n, (kind, _) in enumerate(posts) if kind != "paused"]
