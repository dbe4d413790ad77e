"""Real brokers for tests: processes of our own, on free loopback ports."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ports import free_port

#: A broker is up, or a process has ended, within this many seconds, however busy the machine is.
PATIENCE = 60.0


def wait_until(
    met: Callable[[], object], what: str, *, seconds: float = PATIENCE, pause: float = 0.02
) -> None:
    """Wait for a condition, or fail saying that `what` did not come."""
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {seconds:g} s")
        time.sleep(pause)


def listens(port: int) -> bool:
    """Whether something answers at a port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Daemon:
    """A process, and the port that it listens on; it can be killed and started again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self.port = port
        self._name = name
        self._command = [str(part) for part in command]
        self._folder = folder
        self._environment = {**os.environ, **(environment or {})}
        self._ready = ready or (lambda: port is not None and listens(port))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the process says."""
        return self._folder / f"{self._name}.log"

    def start(self) -> None:
        """Start the process and wait until it serves."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Start the process."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that what it starts ends with it
            )

    def wait(self) -> None:
        """Wait until it serves."""
        try:
            wait_until(self.serves, self._name, pause=0.05)
        except BaseException:
            self.kill()
            raise

    @property
    def ended(self) -> bool:
        """Whether it was started, and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def freeze(self) -> None:
        """Have it stand still, as one that hangs does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL, and all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # What it started dies by itself; until then its port would pass for the next one's.
        port = self.port
        if port is not None:
            wait_until(lambda: not listens(port), f"end of {self._name}")

    def serves(self) -> bool:
        """Whether it serves; it must have been started."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"{self._name} ended:\n{self.log.read_text()[-2000:]}")
        return self._ready()


@contextlib.contextmanager
def running(*daemons: Daemon) -> Iterator[None]:
    """Start daemons, and kill them in the end."""
    try:
        for daemon in daemons:
            daemon.begin()
        for daemon in daemons:
            daemon.wait()
        yield
    finally:
        for daemon in reversed(daemons):
            daemon.kill()


def redis(program: str, folder: Path) -> Daemon:
    """Redis; what it is told is kept."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    keep = ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
    return Daemon("redis", [program, *options, *keep], folder, port)


def rabbitmq(server: Path, epmd: str, folder: Path) -> tuple[Daemon, Daemon, int]:
    """The port mapper that RabbitMQ needs, RabbitMQ, and the port of its management interface.

    A node of its own: name, cookie, database and ports are no other's. The port mapper is started
    here because one that the node starts would outlive it.
    """
    port, mapper, distribution, management = (free_port() for _ in range(4))
    (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
    config = folder / "rabbitmq"  # without .conf: Debian's wrapper adds it
    config.with_suffix(".conf").write_text(
        f"listeners.tcp.default = 127.0.0.1:{port}\n"
        f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n"
        "loopback_users = none\nlog.console = true\nlog.console.level = warning\n"
        "log.file = false\ncollect_statistics_interval = 1000\n"
    )
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(mapper),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_NODENAME": f"dropline{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        # Two schedulers and no busy waiting: the tests share the machine with it.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
    }
    names = Daemon("epmd", [epmd, "-port", str(mapper)], folder, mapper, environment)
    node = Daemon(
        "rabbitmq",
        [server],
        folder,
        port,
        environment,
        ready=lambda: listens(port) and listens(management),
    )
    return names, node, management


def tansu(program: Path, folder: Path) -> Daemon:
    """A broker that speaks Kafka's protocol; it keeps nothing on disk."""
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    options = ["--listener-url", url, "--advertised-listener-url", url]
    storage = ["--storage-engine", "memory://tansu/"]
    return Daemon("tansu", [program, "broker", *options, *storage], folder, port)
