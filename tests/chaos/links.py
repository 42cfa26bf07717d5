"""TCP connections between a service and its sidecar, which can be cut, slowed down or silenced."""

import asyncio
import contextlib
import socket
import threading
from typing import Final, Literal

from orderflow_tools.ports import LOOPBACK

SLOW_SECONDS: Final = 0.2
"""How long each piece of data is held back."""
PIECE: Final = 65_536

State = Literal["open", "cut", "slow", "silent"]


class Link:
    """Passes connections on from one port to another, in a thread of its own."""

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self._state: State = "open"
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._pass_on, LOOPBACK, port)
        )
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def set(self, state: State) -> None:
        """Change what becomes of the data; connections are closed if the link is cut."""
        self._state = state
        if state == "cut":
            self._loop.call_soon_threadsafe(self._close_all)

    def _close_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection until either end closes it."""
        with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
            self._open(writer, opened)
            if self._state == "cut":
                return
            there = await asyncio.open_connection(LOOPBACK, self._target)
            self._open(there[1], opened)
            ways = self._pump(reader, there[1]), self._pump(there[0], writer)
            await asyncio.wait(map(asyncio.ensure_future, ways), return_when="FIRST_COMPLETED")

    def _open(self, writer: asyncio.StreamWriter, opened: contextlib.ExitStack) -> None:
        self._writers.add(writer)
        opened.callback(self._writers.discard, writer)
        opened.callback(writer.close)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(PIECE):
                if self._state == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
                while self._state == "silent":
                    await asyncio.sleep(SLOW_SECONDS)
                writer.write(data)
                await writer.drain()


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        port: int = found.getsockname()[1]
        return port
