"""A network between clients and a server that does what networks do: stall, lose replies, cut, refuse."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from enum import Enum
from typing import Any, TypeVar

from umbel.testing.waiting import patience

T = TypeVar("T")

CUT = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing sends RST."""


class Mode(Enum):
    """What becomes of bytes."""

    PASS = "pass"
    HOLD = "hold"
    """They stay here until they may pass; none is lost."""
    MUTE = "mute"
    """Requests pass, replies are lost."""


class Road:
    """One connection of a client's, and the one to the server that belongs to it. Belongs to the proxy's loop."""

    def __init__(self, mode: Mode, client: asyncio.StreamWriter, server: asyncio.StreamWriter, rate: float):
        self.mode = mode
        self.rate = rate
        self.changed = asyncio.Event()
        self._writers = (client, server)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, are_replies: bool) -> None:
        """Bring bytes from one end to the other until there are no more."""
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                while self.mode is Mode.HOLD:
                    self.changed.clear()
                    await self.changed.wait()
                if not (are_replies and self.mode is Mode.MUTE):
                    await asyncio.sleep(len(data) / self.rate)
                    writer.write(data)
                    await writer.drain()
        writer.close()

    def let(self, mode: Mode) -> None:
        """Let this become of bytes from now on."""
        self.mode = mode
        self.changed.set()

    def cut(self) -> None:
        """Reset both connections."""
        for writer in self._writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CUT)
            writer.transport.abort()


class Proxy:
    """Stands before the server on `target`, a port of this machine. Any thread may use it."""

    def __init__(self, target: int, rate: float = float("inf")):
        self.port = 0
        self._rate = rate
        self._target = target
        self._mode = Mode.PASS
        self._roads: set[Road] = set()
        self._door: socket.socket | None = None
        self._served: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        """Listen on a port that is free."""
        self._thread.start()
        self._do(self._open())

    def let(self, mode: Mode) -> None:
        """Let this become of all bytes from now on."""
        self._do(self._let(mode, also_present=True))

    def let_new(self, mode: Mode) -> None:
        """The same, on connections made from now on; the present ones stay as they are."""
        self._do(self._let(mode, also_present=False))

    def cut(self) -> None:
        """Reset all present connections."""
        self._do(self._cut())

    def refuse(self) -> None:
        """Let nobody connect any more; present connections are not touched."""
        self._do(self._close_door())

    def admit(self) -> None:
        """Let clients connect again."""
        self._do(self._open())

    def lead_to(self, target: int) -> None:
        """Connect new clients to the server on this port."""
        self._target = target

    def carry_at(self, rate: float) -> None:
        """Bring at most so many bytes a second over each connection from now on, each way."""
        self._do(self._carry_at(rate))

    def stop(self) -> None:
        """Cut all and end."""
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(patience())
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(patience())

    async def _open(self) -> None:
        # Not asyncio's own server: Python 3.11's loses whom it has let in but not greeted when it is closed.
        self._door = socket.create_server(("127.0.0.1", self.port), backlog=1000)
        self._door.setblocking(False)
        self.port = self._door.getsockname()[1]
        self._loop.add_reader(self._door, self._let_in, self._door)

    def _let_in(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):  # nobody is there any more
            client, _ = door.accept()
            client.setblocking(False)
            task = self._loop.create_task(self._serve(client))
            self._served.add(task)
            task.add_done_callback(self._served.discard)

    async def _serve(self, client: socket.socket) -> None:
        from_client, to_client = await asyncio.open_connection(sock=client)
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            to_client.transport.abort()
            return
        except asyncio.CancelledError:  # the proxy ends
            to_client.transport.abort()
            raise
        road = Road(self._mode, to_client, to_server, self._rate)
        self._roads.add(road)
        try:
            await asyncio.gather(
                road.carry(from_client, to_server, are_replies=False),
                road.carry(from_server, to_client, are_replies=True),
            )
        except asyncio.CancelledError:
            road.cut()  # the proxy ends
        finally:
            self._roads.discard(road)

    async def _let(self, mode: Mode, *, also_present: bool) -> None:
        self._mode = mode
        for road in self._roads if also_present else ():
            road.let(mode)

    async def _carry_at(self, rate: float) -> None:
        self._rate = rate
        for road in self._roads:
            road.rate = rate

    async def _cut(self) -> None:
        for road in self._roads:
            road.cut()
            road.let(Mode.PASS)  # whoever holds bytes for it may drop them

    async def _close_door(self) -> None:
        if self._door:
            self._loop.remove_reader(self._door)
            self._door.close()
            self._door = None

    async def _stop(self) -> None:
        await self._close_door()
        await self._cut()
        await asyncio.sleep(0)  # so that those who have just come in are among the tasks
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0)  # and what was cut is closed


@contextlib.contextmanager
def standing_before(target: int, *, rate: float = float("inf")) -> Iterator[Proxy]:
    """A proxy that stands before this port as long as the block runs; each connection carries so many bytes a second each way."""
    proxy = Proxy(target, rate)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
