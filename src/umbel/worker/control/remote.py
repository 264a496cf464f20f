"""Answers requests: one thread hears them, lets the loop look things up where it must, and sends the answers.

It waits without polling. Whatever comes, a request that is none is refused, told of once, and the worker goes on.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from umbel import guise
from umbel.client.remote.answer import answer, heed_clock
from umbel.client.remote.request import Request, read
from umbel.errors import BrokerError, DecodeError, EncodeError, ImproperlyConfigured, UmbelError
from umbel.stores.channel import Note, Subscription
from umbel.wire.brief import brief, told
from umbel.worker.control import answers
from umbel.worker.control.neighbours import greeting
from umbel.worker.control.panel import Command, refused
from umbel.worker.control.state import State

log = guise.logger("umbel.worker.control")

WAIT = 600.0
"""Seconds for which one wait for requests lasts; none costs anything."""
PAUSE, LONG_PAUSE = 1.0, 60.0
"""Seconds until listening is tried again at a store that is away, or that refuses."""
MOST_TOLD = 200
"""Kinds of wrong requests that are told of; whoever sends others means no good."""


class Remote:
    """Listens as long as `run` does. The thread owns the subscription."""

    def __init__(self, state: State, *, refuses: Iterable[str] = ()):
        """`refuses`: names of commands that this worker does not obey."""
        self._state = state
        self._app = state.app
        self._topic = f"{self._app.conf.control_exchange}.pidbox"
        self._boxes = f"reply.{self._topic}"
        self._refuses = frozenset(refuses)
        self._closing = threading.Event()
        self._told: set[str] = set()
        self._subscription: Subscription | None = None
        self._has_greeted = False
        self.tried = asyncio.Event()
        """Set once it listens, or cannot: who is told that the worker is ready may ask it at once."""
        self._lock = threading.Lock()

    async def run(self) -> None:
        """Listen and answer, until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._closing.clear()
        ended = asyncio.Event()
        thread = threading.Thread(target=self._listen, args=(ended,), name="umbel-control", daemon=True)
        thread.start()
        try:
            await ended.wait()
        finally:
            self._closing.set()
            with self._lock:
                subscription = self._subscription
            if subscription is not None:
                await self._loop.run_in_executor(None, subscription.close)

    # -- in the thread --------------------------------------------------------------------------------------------

    def _listen(self, ended: asyncio.Event) -> None:
        try:
            while not self._closing.is_set():
                pause = self._hear()
                if pause and self._closing.wait(pause):
                    break
        except ImproperlyConfigured as problem:
            log.warning("There is no remote control: %s", problem)
            return  # `run` waits on: there is nothing else to do
        except RuntimeError:  # the loop is closed
            return
        if not self._closing.is_set():
            self._loop.call_soon_threadsafe(ended.set)

    def _hear(self) -> float:
        """Hear some requests and answer them; gives for how long to leave the store alone then."""
        try:
            try:
                if self._subscription is None:
                    self._subscribe()
            finally:
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(self.tried.set)
            assert self._subscription is not None
            for note in self._subscription.receive(WAIT):
                self._answer(note)
        except ImproperlyConfigured:
            raise
        except BrokerError as error:
            if self._closing.is_set():
                return 0.0
            is_new = self._tell_once(f"store {type(error).__name__}", "Remote control cannot listen: %s. Trying again", error)
            if not is_new:
                log.debug("Remote control cannot listen: %s", error)
            return PAUSE if type(error).__name__ == "BrokerDown" else LONG_PAUSE
        except Exception:
            log.exception("Remote control has failed, and begins anew")
            return PAUSE
        self._told.discard("store BrokerDown")
        return 0.0

    def _subscribe(self) -> None:
        name = f"{self._state.hostname}.{self._topic}"
        subscription = self._app.channel.subscribe([self._topic], name=name)
        with self._lock:
            self._subscription = subscription
        if self._closing.is_set():
            subscription.close()
        elif not self._has_greeted:
            self._has_greeted = True
            words = greeting(self._state.hostname, self._state.worker.broker.owner)
            self._app.control.broadcast("hello", words, destination=[self._state.hostname])

    def _tell_once(self, what: str, text: str, *values: object) -> bool:
        if what in self._told or len(self._told) > MOST_TOLD:
            return False
        self._told.add(what)
        log.warning(text, *values)
        return True

    def _answer(self, note: Note) -> None:
        try:
            request = read(note, self._state.worker.accept)
            if not request.is_for(self._state.hostname):
                return
        except DecodeError as error:
            self._tell_once(f"{type(error).__name__} {str(error).split()[:1]}", "A request to all workers is refused: %s", error)
            return
        heed_clock(self._app, note)
        if request.exchange not in (None, self._boxes):  # or whoever asks could let answers go into any queue
            where = brief(request.exchange)
            self._tell_once("box", "An answer is refused: it is to go to %s, and answers go to %r", where, self._boxes)
            request.exchange = None
        command = answers.find(request.method)
        if command is None:
            name = brief(request.method, 100)
            self._tell_once(f"unknown {name}", "There is no remote command %s: nothing is done", name)
            if request.exchange is not None:
                self._reply(request, refused(f"KeyError({name})"))
            return
        is_answered, found = self._obey(request, command)
        if is_answered and request.exchange is not None:
            self._reply(request, found)

    def _obey(self, request: Request, command: Command) -> tuple[bool, Any]:
        """True and what the command gives."""
        if command.name in self._refuses or request.method in self._refuses:
            name = command.name
            self._tell_once(f"refused {name}", "The remote command %r is refused, as worker_refused_commands says", name)
            return True, refused(f"{name} is refused here, as worker_refused_commands says")
        log.debug("Remote command %s %s", request.method, brief(request.arguments, 200))
        try:
            if inspect.iscoroutinefunction(command.run):
                return True, self._on_loop(request, command)
            state = State(self._state.worker)
            state.request = request
            return True, command.run(state, **request.arguments)
        except answers.Silence:
            return False, None
        except (CancelledError, RuntimeError) as error:
            if self._closing.is_set():  # this worker ends just now
                return False, None
            return True, refused(brief(error))
        except SystemExit as wish:
            self._loop.call_soon_threadsafe(self._state.worker.shut_down, "a remote command")
            return True, refused(repr(wish))
        except BaseException as error:  # of a command of somebody's; it must not end this thread, or nobody is heard any more
            known = isinstance(error, (UmbelError, ValueError, TypeError, NotImplementedError))
            self._tell_once(
                f"failed {command.name} {type(error).__name__}",
                "The remote command %r has failed: %s",
                command.name,
                told(error) if known else brief(error),
            )
            if not known:
                log.debug("It was raised here", exc_info=True)
            return True, refused(brief(error) if not isinstance(error, UmbelError) else str(error))

    def _on_loop(self, request: Request, command: Command) -> Any:
        async def run() -> tuple[Any, BaseException | None]:
            state = State(self._state.worker)
            state.request = request
            try:
                return await command.run(state, **request.arguments), None
            except (SystemExit, KeyboardInterrupt) as error:  # raised here, they would end the loop
                return None, error

        found, error = asyncio.run_coroutine_threadsafe(run(), self._loop).result()
        if error is not None:
            raise error
        return found

    def _reply(self, request: Request, found: Any) -> None:
        node = self._state.hostname
        try:
            answer(self._app, request, {node: found})
        except EncodeError as error:
            self._tell_once(
                f"answer {request.method}", "The answer of the remote command %r cannot be sent: %s", request.method, error
            )
            answer(self._app, request, {node: refused(str(error))})
