"""The parts that need no window: receiver, line and control server, started off the GUI thread.

Starting takes half a second, most of it imports; meanwhile the window is there already, and what
it asks of the line is kept until there is one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dropline.bus import EventBus
from dropline.events import (
    Event,
    FileStored,
    HandlerFailed,
    Message,
    ReceiverStarted,
    ReceiverStopped,
)
from dropline.home import Home

if TYPE_CHECKING:
    from dropline.control import ControlServer
    from dropline.history import Keeper, Past
    from dropline.line import Line
    from dropline.receiver import Receiver
    from dropline.station import Instruments
    from dropline.targets import Target
    from dropline_desktop.settings.profile import Profile

_log = logging.getLogger(__name__)

#: What the window hears of the receiver; the rest is its own affair.
FORWARDED: tuple[type[Event], ...] = (
    ReceiverStarted,
    ReceiverStopped,
    FileStored,
    HandlerFailed,
)
#: What the embedded receiver is called in idempotency keys, whichever port is free.
EMBEDDED = "embedded"
#: Seconds that the figures which the receiver tells are taken over.
SHOWN_TO_OTHERS = 10.0


class Engine:
    """Receives, sends and answers other programs, from `start` to `close`."""

    def __init__(
        self,
        home: Home,
        bus: EventBus,
        *,
        workers: int,
        failed: Callable[[str], None],
        noticed: Callable[[str], None],
        kept: Callable[[Past], None],
        shown: Callable[[], None],
        give_way: Callable[[], None],
        port: int,
        target: Profile | None = None,
    ) -> None:
        """`failed` gets a sentence when the engine cannot start, `noticed` one on what goes wrong
        beside it; `kept` gets where the history of the line is read, once it can be; `shown` is
        called when another start of the program wants the window to show. All are called in other
        threads; `give_way` by those that work, between two files.
        Without a `target` it is the receiver inside.
        """
        self._home = home
        self._bus = bus
        self._workers = workers
        self._failed = failed
        self._noticed = noticed
        self._kept = kept
        self._shown = shown
        self._give_way = give_way
        self._port = port
        self._target = target
        self._receiver: Receiver | None = None
        self._line: Line | None = None
        self._keeper: Keeper | None = None
        self._control: ControlServer | None = None
        self._early: list[Callable[[Line], object]] = []
        #: Why nothing can be sent, as a sentence; empty while all is well.
        self.failure = ""
        self._closing = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._start, name="engine start", daemon=True)

    def start(self) -> None:
        """Begin to start, and return at once."""
        self._thread.start()

    def do(self, command: Callable[[Line], object]) -> None:
        """Ask something of the line: now, or as soon as there is one. Safe from any thread."""
        with self._lock:
            if self._closing:
                return
            if self._line is None:
                self._early.append(command)
                return
            line = self._line
        command(line)

    def drop(self, paths: Sequence[str]) -> None:
        """Take paths in; without any, only show the window. Safe from any thread."""
        if paths:
            self.do(lambda line: line.drop(paths))
        self._shown()

    def share(self, told: Callable[[str, str], None]) -> None:
        """Let other devices in; `told` gets the address, or "" and why not, in another thread."""

        def begin() -> None:
            from dropline.receiver import ReceiverError

            assert self._receiver is not None
            try:
                told(self._receiver.share(), "")
            except ReceiverError as error:
                told("", str(error))

        self.do(lambda _line: threading.Thread(target=begin, daemon=True).start())

    def unshare(self) -> None:
        """Let nobody else in any more."""
        if self._receiver is not None:
            threading.Thread(target=self._receiver.unshare, daemon=True).start()

    def status(self) -> dict[str, Any]:
        """What `dropline status` says; not for the GUI thread."""
        from dropline.control import line_status

        receiver, line = self._receiver, self._line
        url = receiver.url if receiver is not None else None
        return line_status(line, url) if line is not None else {"receiver": url, "stations": {}}

    def close(self) -> None:
        """Stop uploads, then the receiver. Takes up to 2 seconds: not for the GUI thread."""
        with self._lock:
            self._closing = True
        if self._thread.ident is not None:
            self._thread.join()
        if self._control is not None:  # first nobody asks for more,
            self._control.close()
        if self._line is not None:  # then nothing is sent,
            self._line.close()
        if self._keeper is not None:
            self._keeper.close()
        if self._receiver is not None:  # then nothing comes in
            self._receiver.stop()

    def _start(self) -> None:
        try:
            self._start_all()
        except Exception as error:  # noqa: BLE001 - whatever it is, the user is told
            _log.exception("the engine did not start")
            self.failure = str(error) or repr(error)
            self._failed(self.failure)

    def _start_all(self) -> None:
        from dropline.announcer import STATION
        from dropline.control import ControlServer, line_metrics
        from dropline.history import Keeper, Store
        from dropline.line import Line
        from dropline.receiver import Receiver

        receiver = self._receiver = Receiver(
            self._home.receiver_data,
            port=self._port,
            give_way=self._give_way,
            stations=self._stations,
        )
        for topic in FORWARDED:
            receiver.bus.subscribe(topic, self._forward, batches=True)
        receiver.start()
        target = self._open_target(receiver)
        line = Line(
            target,
            self._bus,
            home=self._home,
            role="window",
            workers=self._workers,
            walk_here=2000,  # beside receiver and window a walk takes ten times as long as alone
            give_way=self._give_way,
        )
        store = Store(self._home.history, STATION)
        keeper = self._keeper = Keeper(
            store, line.meter, self._noticed, opened=lambda: self._kept(store)
        )
        keeper.listen(self._bus)
        keeper.start()
        line.tuner.start(self._home.ledger)
        line.start()
        control = ControlServer(
            self._home, status=self.status, drop=self.drop, metrics=lambda: line_metrics(line)
        )
        control.start(receiver=receiver.url, target=target.url)
        self._control = control
        with self._lock:
            self._line = line
            for command in self._early:  # inside the lock: what is asked next comes after them
                command(line)
            self._early.clear()

    def _open_target(self, receiver: Receiver) -> Target:
        from dropline.targets import ReceiverTarget
        from dropline.targets.chosen import Chosen

        installation = self._home.installation()
        if self._target is not None:
            return Chosen(self._target.url, self._target.user).open(installation)
        return ReceiverTarget(
            receiver.url, installation=installation, alias=EMBEDDED, identity=receiver.identity
        )

    def _stations(self) -> list[Instruments]:
        """The figures of the line's station, for the receiver's page and /metrics."""
        line = self._line
        return [] if line is None else [line.instruments(SHOWN_TO_OTHERS)]

    def _forward(self, messages: list[Message]) -> None:
        self._bus.post(*(message.data for message in messages))
