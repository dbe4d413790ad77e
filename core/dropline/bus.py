"""The event bus: who publishes does not know who handles.

Words used here. A *handler* is a callable that takes a message, or a list of them (*batches*).
*Publish* delivers to the synchronous handlers before it returns; *post* returns at once and
delivers soon after, in order. A coroutine function is a handler too: it runs on the bus's asyncio
loop thread, and nobody waits for it.

`EventBus` is the interface, `Router` the part that all buses share (who gets what, and errors kept
apart), `MemoryBus` the bus inside one process without Qt.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from dropline.events import Event, HandlerFailed, Message
from dropline.value import value

_log = logging.getLogger(__name__)

#: Takes one message, or with `batches=True` a list of messages; may be a coroutine function.
Handler = Callable[[Any], Any]
#: What to hear: an event class, a type, a prefix that ends in ".", or "" for everything.
Topic = type[Event] | str


@value
class Delivery:
    """What a `publish` led to: what the synchronous handlers returned, and what they raised."""

    message: Message
    results: tuple[Any, ...]
    errors: tuple[Exception, ...]


@dataclass(eq=False, slots=True)
class Subscription:
    """A handler's place on a bus; `cancel` ends it."""

    topic: str
    handler: Handler
    batches: bool
    router: Router = field(repr=False)
    active: bool = field(default=True, init=False)

    def matches(self, message_type: str) -> bool:
        """Whether messages of this type are heard."""
        if not self.topic or self.topic.endswith("."):
            return message_type.startswith(self.topic)
        return message_type == self.topic

    def cancel(self) -> None:
        """Hear nothing more, not even the rest of a delivery. Safe to call twice."""
        self.active = False
        self.router.remove(self)


class EventBus(Protocol):
    """What publishers and handlers may rely on, whatever carries the messages.

    Messages posted by one thread reach each handler in the order in which they were posted.
    """

    def subscribe(self, topic: Topic, handler: Handler, *, batches: bool = False) -> Subscription:
        """Call `handler` for each message of the topic; with `batches`, for each list of them."""
        ...

    def publish(self, event: Event) -> Delivery:
        """Deliver to the synchronous handlers, then return what they returned or raised."""
        ...

    def post(self, *events: Event) -> None:
        """Return at once; the handlers are called soon, in order. Safe from any thread."""
        ...

    def close(self) -> None:
        """Deliver what was posted, then stop. Later posts are dropped."""
        ...


class LoopThread:
    """One asyncio loop in one thread, started when first needed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, coroutine: Coroutine[Any, Any, None]) -> bool:
        """Run the coroutine on the loop; False, and dropped, when the loop thread is closed."""
        with self._lock:
            if self._closed:
                coroutine.close()
                return False
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name=self._name, daemon=True
                )
                self._thread.start()
            asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            return True

    def close(self, timeout: float) -> None:
        """Let running coroutines end for up to `timeout` seconds, cancel the rest, join."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return

        async def finish() -> None:
            deadline = loop.time() + timeout
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                _, late = await asyncio.wait(others, timeout=max(0.0, deadline - loop.time()))
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(finish(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Router:
    """Subscriptions, envelopes and error-isolated delivery: the part every bus shares."""

    def __init__(self, source: str, report: Callable[[Event], None]) -> None:
        """`report` gets a `HandlerFailed` whenever a handler raises; usually the bus's `post`."""
        self._source = source
        self._report = report
        self._run = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()
        self._loop = LoopThread(f"{source} async handlers")

    def envelope(self, event: Event) -> Message:
        """Wrap an event: a new id, this bus's source, the time now."""
        return self.envelopes((event,))[0]

    def heard(self, events: Sequence[Event]) -> list[Event]:
        """Those of the events that somebody hears now."""
        topics = {event.type for event in events}
        heard = {t for t in topics if any(s.matches(t) for s in self._subscriptions)}
        return [event for event in events if event.type in heard]

    def envelopes(self, events: Iterable[Event]) -> list[Message]:
        """Wrap events that are posted together: a new id each, and one time for all."""
        now = datetime.now(UTC)
        return [
            Message(
                f"{self._run}-{next(self._numbers)}",
                event.type,
                self._source,
                event.subject,
                now,
                event,
            )
            for event in events
        ]

    def add(self, topic: Topic, handler: Handler, batches: bool) -> Subscription:
        """Register a handler; handlers are called in the order in which they were added."""
        name = topic if isinstance(topic, str) else topic.type
        subscription = Subscription(name, handler, batches, self)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Forget a handler."""
        with self._lock:
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)

    def deliver(self, messages: Sequence[Message]) -> tuple[list[Any], list[Exception]]:
        """Call every handler that hears any of the messages; none can stop the others."""
        results: list[Any] = []
        errors: list[Exception] = []
        types = {message.type for message in messages}
        for subscription in self._subscriptions:
            wanted = {each for each in types if subscription.matches(each)}
            if not wanted:
                continue
            heard = [message for message in messages if message.type in wanted]
            for argument in [heard] if subscription.batches else heard:
                if not subscription.active:  # an earlier handler cancelled it, or itself
                    break
                try:
                    result = subscription.handler(argument)
                except Exception as error:  # noqa: BLE001 - a handler may raise anything
                    self._failed(subscription.handler, heard[0], error)
                    errors.append(error)
                else:
                    if inspect.iscoroutine(result):
                        if not self._loop.submit(
                            self._guard(subscription.handler, heard[0], result)
                        ):
                            result.close()
                    else:
                        results.append(result)
        return results, errors

    def close(self) -> None:
        """Let the coroutine handlers end."""
        self._loop.close(timeout=2.0)

    async def _guard(
        self, handler: Handler, message: Message, coroutine: Coroutine[Any, Any, Any]
    ) -> None:
        try:
            await coroutine
        except Exception as error:  # noqa: BLE001 - a handler may raise anything
            self._failed(handler, message, error)

    def _failed(self, handler: Handler, message: Message, error: Exception) -> None:
        name = getattr(handler, "__qualname__", repr(handler))
        _log.error("handler %s failed on %s", name, message.type, exc_info=error)
        if not isinstance(message.data, HandlerFailed):  # or it could go round for ever
            self._report(
                HandlerFailed(name, message.id, message.type, f"{type(error).__name__}: {error}")
            )


class MemoryBus:
    """The bus inside one process: `publish` in the caller's thread, `post` by one bus thread."""

    def __init__(self, source: str = "dropline") -> None:
        self._router = Router(source, self.post)
        self._posted: deque[Message] = deque()
        self._wake = threading.Condition()
        self._accepted = 0
        self._delivered = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        self._name = f"{source} bus"

    def subscribe(self, topic: Topic, handler: Handler, *, batches: bool = False) -> Subscription:
        """See `EventBus.subscribe`."""
        return self._router.add(topic, handler, batches)

    def publish(self, event: Event) -> Delivery:
        """Deliver in this thread, now; messages posted earlier may still be on their way."""
        message = self._router.envelope(event)
        results, errors = self._router.deliver([message])
        return Delivery(message, tuple(results), tuple(errors))

    def post(self, *events: Event) -> None:
        """See `EventBus.post`; many events at once cost one wake-up."""
        # What nobody hears costs nothing: most of what a receiver by itself has to tell.
        messages = self._router.envelopes(self._router.heard(events))
        with self._wake:
            if self._closed or not messages:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._posted.extend(messages)
            self._accepted += len(messages)
            self._wake.notify_all()

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything posted so far is delivered; False when that took too long."""
        with self._wake:
            accepted = self._accepted
            return self._wake.wait_for(lambda: self._delivered >= accepted, timeout)

    def close(self) -> None:
        """See `EventBus.close`."""
        with self._wake:
            self._closed = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._router.close()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._posted or self._closed)
                if not self._posted:
                    return
                batch = list(self._posted)
                self._posted.clear()
            self._router.deliver(batch)
            with self._wake:
                self._delivered += len(batch)
                self._wake.notify_all()
