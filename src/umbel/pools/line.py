"""The descriptors between a pool and one child process, and the frames that travel on them.

    pool                                    child
    socket   frames of jobs      ────────▶  read when it has nothing left to do
             bells (1 byte)      ◀────────  "look at the reports", "ready", "leaving"
    tokens   4 bytes per job     ────────▶  one read before each job begins
             read back           ◀╌╌╌╌╌╌╌╌  (the pool holds both ends)
    reports  Begun, Outcome      ◀────────  written at once, so that nothing finished is lost or hidden
    alarms   8 bytes per cancel  ────────▶  read in the signal handler

A token bears the generation of the frame that its job came in. Whoever reads a token owns the job: the child begins it,
or the pool has taken it back. The kernel hands each token to one of the two, so no job runs twice and none is forgotten.
After taking back, the pool starts a new generation, and the child drops what it still has of an older one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import sys
import termios
from collections.abc import Sequence

import msgspec

from umbel import clock
from umbel.execution.outcome import Begun, Job, Kind, Outcome
from umbel.wire.brief import encodable, told
from umbel.wire.envelope import Envelope

NEWS, READY, LEAVING = b"n", b"r", b"l"

_LENGTH = struct.Struct("<I")
UNREADABLE = ""
"""The task of a job that came to a child in a form that is none; its body tells why."""
_REPORT = struct.Struct("<Ifq")  # length; seconds that the job took, or negative if it has just begun; the job's number
_NUMBER = struct.Struct("<q")
_TOKEN = 4
_PIPE = 1 << 18  # reports that wait for the pool
_CHUNK = 1 << 16  # read at once: memory for more than 128 KiB comes from the system each time, which takes longer than the read


class Frame(msgspec.Struct, array_like=True, gc=False):
    """What the pool tells a child."""

    generation: int = 0
    jobs: list[Job] = []
    stop: bool = False
    """End in order, once what runs has ended."""
    cancel: list[tuple[int, str]] = []
    """(number, how) of async jobs that are to end."""


FAULTS = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)
"""What encoding raises at something that cannot travel."""


def fault_of(job: Job) -> Exception | None:
    """Why this job cannot be handed out, if it cannot."""
    try:
        msgspec.msgpack.encode(job)
    except FAULTS as fault:
        return fault
    return None


def untold(number: int, error: Exception) -> Outcome:
    """What is told of a job in the place of what cannot be carried."""
    return Outcome(number, Kind.UNTOLD, text=encodable(told(error)))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Outcome).decode


def carried(outcome: Outcome) -> Outcome:
    """An outcome as it would be after a way between processes, for pools in which it has none."""
    try:
        return _decode(_encode(outcome))
    except FAULTS as error:
        return untold(outcome.number, error)


def _by_parts(raw: bytearray) -> Frame:
    """A frame with jobs in it that are none; these alone have no envelope, which their run tells."""
    generation, jobs, stop, cancel = msgspec.msgpack.decode(raw)
    return Frame(generation, [_job(*fields) for fields in jobs], stop, cancel)


def _job(number: int, task: str, *rest: object) -> Job:
    try:
        return msgspec.convert([number, task, *rest], Job)
    except msgspec.ValidationError as error:
        return Job(number, UNREADABLE, Envelope("", "", b"", str(error).encode()))


def token(generation: int) -> bytes:
    """What stands for a job of this generation."""
    return generation.to_bytes(_TOKEN, "little")


class PoolEnds(msgspec.Struct, frozen=True):
    """The pool's descriptors of a line, in the order in which they are handed over."""

    socket: int
    tokens_in: int
    tokens_out: int
    reports: int
    alarms: int

    def close(self) -> None:
        for fd in msgspec.structs.astuple(self):
            os.close(fd)


class ChildEnds(msgspec.Struct, frozen=True):
    """The child's descriptors of a line; `tokens` is the pool's `tokens_in` too."""

    socket: int
    tokens: int
    reports: int
    alarms: int

    def close(self) -> None:
        for fd in (self.socket, self.reports, self.alarms):
            with contextlib.suppress(OSError):  # the socket may belong to an object that has closed it
                os.close(fd)


def open_line() -> tuple[PoolEnds, ChildEnds]:
    """A new line, both sides in this process until it forks."""
    ours, theirs = socket.socketpair()
    tokens_in, tokens_out = os.pipe()
    reports_in, reports_out = os.pipe()
    alarms_in, alarms_out = os.pipe()
    for fd in (tokens_in, tokens_out, reports_in, reports_out, alarms_in, alarms_out):
        os.set_blocking(fd, False)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # over this user's allowance: a smaller pipe only costs wake-ups
            fcntl.fcntl(reports_out, fcntl.F_SETPIPE_SZ, _PIPE)
    ours.setblocking(False)
    pool = PoolEnds(ours.detach(), tokens_in, tokens_out, reports_in, alarms_out)
    return pool, ChildEnds(theirs.detach(), tokens_in, reports_out, alarms_in)


class Line:
    """The pool's side of a line. Nothing here blocks, and nothing fails because the child is dead."""

    def __init__(self, ends: PoolEnds):
        self.socket = socket.socket(fileno=ends.socket)
        self.generation = 0
        self._ends = ends
        self._encoder = msgspec.msgpack.Encoder()
        self._begun = msgspec.msgpack.Decoder(Begun)
        self._outcome = msgspec.msgpack.Decoder(Outcome)
        self._unsent = bytearray()
        self._partial = bytearray()
        self._needed = 0

    def send(self, jobs: Sequence[Job] = (), *, cancel: Sequence[tuple[int, str]] = (), stop: bool = False) -> bool:
        """Give the child these jobs behind all it has, or tell it something; True if a part of the frame waits for `flush`.

        If there is anything in them that cannot be encoded, nothing is sent, and that error raised.
        """
        buffer = self._unsent
        start = len(buffer)
        body = start + _LENGTH.size
        try:
            self._encoder.encode_into((self.generation, jobs, stop, cancel), buffer, body)
        except BaseException:
            del buffer[start:]
            raise
        _LENGTH.pack_into(buffer, start, len(buffer) - body)
        if jobs:  # before the frame: a child that has it must find them, or it would think that the jobs were taken back
            os.write(self._ends.tokens_out, token(self.generation) * len(jobs))
        return True if start else self.flush()

    @property
    def unsent(self) -> int:
        """How many bytes wait for `flush`."""
        return len(self._unsent)

    def flush(self) -> bool:
        """Send more of what waits; True if some still does."""
        try:
            del self._unsent[: self.socket.send(self._unsent)]
        except BlockingIOError:
            return True
        except OSError:  # it is dead, which the nursery will tell
            self._unsent.clear()
        return bool(self._unsent)

    def take_back(self) -> int:
        """How many jobs, the last of those handed out, are the pool's again."""
        self.generation = (self.generation + 1) & 0xFFFFFFFF
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._ends.tokens_in, _CHUNK):
                taken += len(data)
        return taken // _TOKEN

    def unbegun(self) -> int:
        """How many of the jobs handed out the child has not begun."""
        waiting = fcntl.ioctl(self._ends.tokens_in, termios.FIONREAD, b"\0\0\0\0")
        return int.from_bytes(waiting, sys.byteorder) // _TOKEN

    def bells(self) -> bytes:
        """The bells since the last call; `b""` if the child has closed its end."""
        try:
            return self.socket.recv(4096)
        except BlockingIOError:
            return NEWS
        except OSError:
            return b""

    def reports(self) -> tuple[list[Begun], list[tuple[Outcome, float]]]:
        """What the child has reported since the last call: what began, and what ended with its duration."""
        begun: list[Begun] = []
        ended: list[tuple[Outcome, float]] = []
        size, unpack, decode = _REPORT.size, _REPORT.unpack_from, self._outcome.decode
        more = True
        while more:
            try:
                data = os.read(self._ends.reports, _CHUNK)
            except BlockingIOError:
                break
            more = len(data) == _CHUNK  # less was all there is; a bell tells of what comes after it
            if self._partial:
                self._partial += data
                if len(self._partial) < self._needed:
                    continue
                data = bytes(self._partial)
                self._partial.clear()
            view, at, end = memoryview(data), 0, len(data)
            self._needed = 0
            while end - at >= size:
                length, spent, number = unpack(data, at)
                body = at + size
                stop = body + length
                if stop > end:  # a large one, put together before it is looked at again
                    self._needed = stop - at
                    break
                at = stop
                try:
                    if spent >= 0:
                        ended.append((decode(view[body:stop]), spent))
                    else:
                        begun.append(self._begun.decode(view[body:stop]))
                except (msgspec.DecodeError, ValueError, RecursionError) as error:
                    if spent >= 0:
                        ended.append((untold(number, error), spent))
            if at < end:
                self._partial += view[at:]
        return begun, ended

    def alarm(self, number: int) -> None:
        """Leave the number of the job that the next SIGUSR1 is meant for."""
        with contextlib.suppress(OSError):  # full or dead: either way the child has enough to read
            os.write(self._ends.alarms, _NUMBER.pack(number))

    def close(self) -> None:
        """Close all; the child, if it lives, ends after its job."""
        self.socket.close()
        for fd in msgspec.structs.astuple(self._ends)[1:]:
            os.close(fd)


class Post:
    """The child's side of a line: it waits for frames, and may block to report."""

    def __init__(self, ends: ChildEnds):
        self.socket = socket.socket(fileno=ends.socket)
        self._ends = ends
        self._decoder = msgspec.msgpack.Decoder(Frame)
        self._encoder = msgspec.msgpack.Encoder()
        self._buffer = bytearray()
        self._received = bytearray()
        self.silent = False
        """True if there are reports that no bell has told of."""
        self.rung = 0.0
        """When the last bell rang."""
        self.left = False
        """True in a copy of this process: then nothing reaches the pool any more."""

    def leave(self) -> None:
        """Let go of the line, in a copy of the process whose it is: from here on it raises OSError."""
        self.left = True
        self.socket.close()
        self._ends.close()
        self._ends = ChildEnds(-1, -1, -1, -1)

    def receive(self) -> Frame | None:
        """The next frame, waited for; None if the pool is gone."""
        while (frame := self.parse()) is None:
            try:
                data = self.socket.recv(_CHUNK)
            except OSError:
                return None
            if not data:
                return None
            self._received += data
        return frame

    def fill(self) -> bool:
        """Read what there is, where the socket does not block; False if the pool is gone."""
        try:
            data = self.socket.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._received += data
        return bool(data)

    def parse(self) -> Frame | None:
        """The next frame of those already read."""
        received = self._received
        if len(received) < _LENGTH.size:
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(received)[0]
        if len(received) < end:
            return None
        raw = received[_LENGTH.size : end]
        del received[:end]
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError:
            return _by_parts(raw)

    def claim(self) -> bytes:
        """The token of the next job that is this child's to begin; empty if it has none."""
        try:
            return os.read(self._ends.tokens, _TOKEN)
        except BlockingIOError:
            return b""

    def report(self, news: Begun | Outcome, spent: float) -> None:
        """Tell how a job ended and the seconds it took, or, with a negative number, that it has just begun."""
        buffer = self._buffer
        try:
            self._encoder.encode_into(news, buffer, _REPORT.size)
        except Exception as error:  # whatever a task has put into what follows from it
            self._encoder.encode_into(untold(news.number, error), buffer, _REPORT.size)
        _REPORT.pack_into(buffer, 0, len(buffer) - _REPORT.size, spent, news.number)
        try:
            sent = os.write(self._ends.reports, buffer)
        except BlockingIOError:
            sent = 0
        if sent < len(buffer):
            self._report_rest(memoryview(bytes(buffer))[sent:])
            self._buffer = bytearray()
        self.silent = True  # now, since the rest rings before it is all written

    def _report_rest(self, rest: memoryview) -> None:
        """Write on as the pool makes room."""
        waiting = select.poll()
        waiting.register(self._ends.reports, select.POLLOUT)
        while rest:
            self.ring()
            waiting.poll()
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self._ends.reports, rest) :]

    def ring(self, bell: bytes = NEWS) -> None:
        """Make the pool look at the reports; what cannot be rung now is rung by those that wait."""
        self.silent = False
        self.rung = clock.monotonic()
        try:
            self.socket.send(bell, socket.MSG_DONTWAIT if bell == NEWS else 0)
        except OSError:  # full of bells, or the pool is gone
            return

    def alarms(self) -> set[int]:
        """The jobs that are to be interrupted."""
        try:
            data = os.read(self._ends.alarms, 4096)
        except BlockingIOError:
            return set()
        return {number for (number,) in _NUMBER.iter_unpack(data)}
