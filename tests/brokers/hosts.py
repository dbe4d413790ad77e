"""A host of its own beside this one: a network namespace, and a cable that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest


class FarHost:
    """A network of its own, joined to ours by a pair of virtual interfaces."""

    def __init__(self, ip: str) -> None:
        """Raises CalledProcessError where that is not allowed."""
        self._ip = ip
        self.name = f"dropline{os.getpid()}"
        near, far = f"dl{os.getpid()}a", f"dl{os.getpid()}b"
        net = f"169.254.{os.getpid() % 250 + 1}"
        self.address = f"{net}.1"
        """Ours, as it is seen from there."""
        self._far = far
        self._run("netns", "add", self.name)
        try:
            self._run("link", "add", near, "type", "veth", "peer", "name", far)
            self._run("link", "set", far, "netns", self.name)
            self._run("address", "add", f"{self.address}/30", "dev", near)
            self._run("link", "set", near, "up")
            self._there("address", "add", f"{net}.2/30", "dev", far)
            self._there("link", "set", "lo", "up")
            self.mend()
        except BaseException:
            self.close()
            raise

    def command(self, *command: str) -> list[str]:
        """The command as it is run there."""
        return [self._ip, "netns", "exec", self.name, *command]

    def cut(self) -> None:
        """Cut the cable: nobody is told."""
        self._there("link", "set", self._far, "down")

    def mend(self) -> None:
        """Mend it."""
        self._there("link", "set", self._far, "up")

    def close(self) -> None:
        """Take it down; the interfaces go with it."""
        self._run("netns", "delete", self.name)

    def _there(self, *words: str) -> None:
        self._run("-n", self.name, *words)

    def _run(self, *words: str) -> None:
        subprocess.run([self._ip, *words], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def far_host(ip: str) -> Iterator[FarHost]:
    """A host, or the test is skipped: containers often may not make one."""
    try:
        host = FarHost(ip)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"iproute2 may not make network namespaces here: {error.stderr.strip()}")
    try:
        yield host
    finally:
        host.close()


@contextlib.contextmanager
def forwarded(address: str, port: int) -> Iterator[int]:
    """A port of `address` whose connections are handed on to a loopback `port`."""
    ends: set[asyncio.StreamWriter] = set()
    listening: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def pipe(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        ends.add(to)
        with contextlib.suppress(OSError):
            while block := await source.read(65536):
                to.write(block)
                await to.drain()
        to.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.add(writer)
        with contextlib.suppress(OSError):
            inner, outer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(pipe(reader, outer), pipe(inner, writer))

    async def serve() -> None:
        done = asyncio.Event()
        server = await asyncio.start_server(meet, address)
        own: int = server.sockets[0].getsockname()[1]
        listening.set_result((own, asyncio.get_running_loop(), done))
        await done.wait()
        server.close()
        for end in ends:
            end.transport.abort()
        await asyncio.sleep(0.1)  # they are closed by the loop, and those that read see it

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="forward")
    thread.start()
    own, loop, done = listening.result(10)
    try:
        yield own
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
