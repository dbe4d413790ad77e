"""What the buses over a broker share: outbox, handling once, and threads that never give up."""

from __future__ import annotations

import json
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from dropline.bus import Delivery, Handler, Router, Subscription, Topic
from dropline.events import Event, HandlerFailed, Message
from dropline.messaging.mailbox import Letter, Mailbox

_log = logging.getLogger(__name__)

#: Messages that are sent together.
BATCH = 200
#: Seconds before a broker that is away is tried again.
AGAIN_AFTER = 0.5
#: Times that a message is handled after the first, before it is dead.
RETRIES = 3
#: Seconds that closing waits for the broker to take what was posted; the rest is sent next time.
LAST_CALL = 2.0


class CarriedBus(ABC):
    """An `EventBus` whose messages go through a broker, also to the handlers of this process.

    `group` names those that share the work: of all processes of a group, one gets each event.
    `publish` and `post` both return when the event is in the outbox on disk, for nobody can say
    when the others will have handled it; so a broker that is down for an hour costs no event. A
    coroutine handler is started before the acknowledgement, and not waited for.
    """

    def __init__(self, source: str, group: str, mailbox: Path, handled: Path | None = None) -> None:
        """`mailbox` is a file of this process alone; `handled` one that all processes of the group
        share, so that what one of them handled before it was killed is known to the others. Without
        it each knows its own.
        """
        self.group = group
        self.duplicates = 0
        """Messages that came again after they had been handled."""
        self.dead = 0
        """Messages that were given up, and put among the dead letters."""
        self._router = Router(source, self._report)
        self._mailbox = Mailbox(mailbox)
        self._known = Mailbox(handled) if handled is not None else self._mailbox
        self._posted = threading.Event()
        self._emptied = threading.Condition()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._sender = threading.Thread(target=self._send_all, name="bus sender", daemon=True)
        self._receiver = threading.Thread(target=self._receive, name="bus receiver", daemon=True)

    def subscribe(self, topic: Topic, handler: Handler, *, batches: bool = False) -> Subscription:
        """See `EventBus.subscribe`. With the first one the group begins to get events."""
        subscription = self._router.add(topic, handler, batches)
        with self._lock:
            if self._receiver.ident is None:
                self._receiver.start()
        return subscription

    def publish(self, event: Event) -> Delivery:
        """Take the event for delivery; what remote handlers make of it isn't known."""
        (message,) = self._take((event,))
        return Delivery(message, (), ())

    def post(self, *events: Event) -> None:
        """See `EventBus.post`."""
        self._take(events)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the broker has everything that was posted; False when that took too long."""
        with self._emptied:
            return self._emptied.wait_for(lambda: not self._mailbox.unsent(1), timeout)

    def close(self) -> None:
        """See `EventBus.close`. What the broker doesn't take now stays in the outbox."""
        if self._sender.ident is not None:
            self.flush(LAST_CALL)
        self._stop.set()
        self._posted.set()
        for thread in (self._sender, self._receiver):
            if thread.ident is not None:
                thread.join()
        self._router.close()
        self._mailbox.close()
        self._known.close()

    # ------------------------------------------------------------------ for those that carry

    @abstractmethod
    def _connect_sender(self) -> None:
        """Connect anew to send."""

    @abstractmethod
    def _send(self, letters: Sequence[Letter]) -> list[int]:
        """Send, and return the numbers of those that the broker has confirmed."""

    @abstractmethod
    def _close_sender(self) -> None:
        """Let go of the sender's connection."""

    @abstractmethod
    def _consume(self) -> None:
        """Connect, and hand messages to `_handle` until `_stop` is set or the broker is away."""

    def _handle(self, body: str | bytes, *, again: bool) -> bool:
        """Deliver one message to the handlers; False when one of them raised.

        `again`: it may have been delivered before. Only such a one can be poison, and is counted
        as begun before it is handled, since it may kill this process, too. Raises ValueError when
        it is no event of ours, or was begun so often that it is given up.
        """
        message = Message.from_cloudevent(_object(body))
        key = f"{self.group}\n{message.source}\n{message.id}"
        if self._known.handled(key):
            self.duplicates += 1
            return True
        if again and self._known.begin(key) > RETRIES:
            why = (
                f"event {message.id} of {message.source} was handled {RETRIES} times or more and "
                "never to its end: it is among the dead letters; mend its handler, and send it anew"
            )
            _log.error("%s", why)
            self._report(HandlerFailed("", message.id, message.type, why))
            raise ValueError(why)
        _, errors = self._router.deliver([message])
        if not errors:
            self._known.note_handled(key)
        return not errors

    # ------------------------------------------------------------------ our own

    def _take(self, events: Sequence[Event]) -> list[Message]:
        messages = self._router.envelopes(events)
        self._mailbox.put(
            (each.type, each.source, json.dumps(each.to_cloudevent())) for each in messages
        )
        with self._lock:
            if self._sender.ident is None:
                self._sender.start()
        self._posted.set()
        return messages

    def _report(self, event: Event) -> None:
        """Tell this process of a handler that failed; the others have troubles of their own."""
        self._router.deliver([self._router.envelope(event)])

    def _send_all(self) -> None:
        connected = False
        while not self._stop.is_set():
            self._posted.clear()
            letters = self._mailbox.unsent(BATCH)
            if not letters:
                with self._emptied:
                    self._emptied.notify_all()
                self._posted.wait()
                continue
            try:
                if not connected:
                    self._connect_sender()
                    connected = True
                sent = self._send(letters)
            except Exception as error:  # noqa: BLE001 - whatever a client raises, it is tried again
                _log.warning("the broker takes no events for now: %s", error)
                connected, sent = False, []
            self._mailbox.sent(sent)
            if len(sent) < len(letters):
                self._stop.wait(AGAIN_AFTER)
        self._close_sender()

    def _receive(self) -> None:
        while not self._stop.is_set():
            try:
                self._consume()
            except Exception as error:  # noqa: BLE001 - as above
                _log.warning("the broker gives no events for now: %s", error)
                self._stop.wait(AGAIN_AFTER)


def _object(body: str | bytes) -> dict[str, object]:
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError("not a CloudEvent")  # noqa: TRY004 - as all else that is none
    return value
