"""Waking who waits for a queue, in whatever process of this machine, at no cost for those who send while nobody waits.

Beside the file lies a directory. In `flags`, which all map into their memory, a byte for each queue (by a hash of its name) says
that somebody waits. Who has committed something for the queue looks at it, clears it, and writes a byte into its pipe: one of
those who wait reads it, says again that there may be others, and looks. Who waits raises the flag before the last look, so
nothing falls in between; should anything go wrong all the same (a directory that was removed, two queues of the same hash), it is
found at the next look, half a second later.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import zlib
from collections.abc import Callable, Iterable, Sequence

PLACES = 4096
MOST_PIPES = 64
"""Queues that one waits for so: each takes an open file. Who waits for more asks the file again and again."""
_EXCLUSIVE = getattr(select, "EPOLLEXCLUSIVE", 0)


class Places(dict[str, int]):
    """Where the flag of each queue is."""

    def __missing__(self, queue: str) -> int:
        place = self[queue] = zlib.crc32(queue.encode()) % PLACES
        return place


class Bells:
    """The bells of one file. Any thread may use them; where the system has no pipes with names, they are silent."""

    def __init__(self, path: str):
        self._path = path
        self._directory = f"{path}-wake"
        self._pipes: dict[int, int] = {}
        self._is_open = False
        self.places = Places()
        self.flags: mmap.mmap | bytes = b"\1" * PLACES
        """Whether somebody may wait at each place; looked at by those who would rather not call anything."""

    def ring(self, queues: Iterable[str] | None = None) -> None:
        """Wake one of those who wait for each of these, or for each queue that there is."""
        flags = self._opened()
        if isinstance(flags, mmap.mmap):
            for place in range(PLACES) if queues is None else [self.places[queue] for queue in queues]:
                if flags[place]:
                    flags[place] = 0
                    with contextlib.suppress(OSError):  # it is full of rings, or the directory is gone
                        os.write(self._pipe(place), b"!")

    def listen(self, queues: Sequence[str]) -> list[int]:
        """Raise the flags of these: what is committed from now on rings. Gives the pipes to wait on; none if they are silent."""
        flags = self._opened()
        if not isinstance(flags, mmap.mmap) or len(queues) > MOST_PIPES:
            return []
        try:
            places = {self.places[queue] for queue in queues}
            pipes = [self._pipe(place) for place in places]
        except OSError:
            return []
        for place in places:
            flags[place] = 1
        return pipes

    def wait(self, pipes: Sequence[int], seconds: float) -> bool:
        """True as soon as it rings, which of all who wait on a pipe one hears; False after so many seconds."""
        heard = False
        with select.epoll() as poll:
            for pipe in pipes:
                poll.register(pipe, select.EPOLLIN | _EXCLUSIVE)
            for pipe, _ in poll.poll(seconds):
                with contextlib.suppress(BlockingIOError):  # another was faster
                    heard |= bool(os.read(pipe, 4096))
        return heard

    def _pipe(self, place: int) -> int:
        if (found := self._pipes.get(place)) is not None:
            return found
        name = f"{self._directory}/{place:03x}"
        if not os.path.exists(name):
            with contextlib.suppress(FileExistsError):
                os.mkfifo(name)
            self._share(name)
        opened = os.open(name, os.O_RDWR | os.O_NONBLOCK)
        kept = self._pipes.setdefault(place, opened)
        if kept != opened:  # another thread was faster
            os.close(opened)
        return kept

    def _opened(self) -> mmap.mmap | bytes:
        """The flags; none is ever raised where there can be no bells, which is tried once."""
        if not self._is_open:
            self._is_open = True
            self.flags = bytes(PLACES)
            if hasattr(os, "mkfifo") and hasattr(select, "epoll"):
                with contextlib.suppress(OSError):
                    self._open()
        return self.flags

    def _open(self) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._directory)
            self._share(self._directory, also=0o111)
        number = os.open(f"{self._directory}/flags", os.O_RDWR | os.O_CREAT)
        try:
            self._share(f"{self._directory}/flags")
            os.ftruncate(number, PLACES)
            self.flags = mmap.mmap(number, PLACES)
        finally:
            os.close(number)

    def _share(self, name: str, *, also: int = 0) -> None:
        """Let those have it who have the file."""
        with contextlib.suppress(OSError):  # it is another's, who has done so
            os.chmod(name, os.stat(self._path).st_mode & 0o666 | also)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # modules are empty when the interpreter ends
        for pipe in self._pipes.values():  # not earlier: a thread may still wait for it, and would read what gets its number
            close(pipe)
