"""The worker: builds its parts, starts them, and stops them in one ordered story."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any

from umbel import clock, guise, shown, signals
from umbel.client import current
from umbel.client.app import Umbel
from umbel.client.reloading import load
from umbel.client.task import Task
from umbel.errors import BrokerDown, BrokerError, ImproperlyConfigured, WorkerError
from umbel.execution.execute import Executor
from umbel.follow.executor import make_executor
from umbel.follow.join import Joiner
from umbel.messages.options import queue_name
from umbel.pools.pool import Pool
from umbel.stores.backend import ResultBackend
from umbel.stores.broker import Broker
from umbel.wire.encoding import accept_types
from umbel.wire.result import Result
from umbel.worker.autoscale import Autoscale
from umbel.worker.book import Book
from umbel.worker.control.remote import Remote
from umbel.worker.control.state import State
from umbel.worker.fetch import Fetch
from umbel.worker.herald import Herald
from umbel.worker.join import Join
from umbel.worker.judge import Judge, Rules
from umbel.worker.later import wait_for
from umbel.worker.lease import Lease
from umbel.worker.ratelimit import RateLimits
from umbel.worker.reap import Reap
from umbel.worker.revoked import Revoked
from umbel.worker.settle import Settle
from umbel.worker.steps import Steps
from umbel.worker.ticket import Ticket
from umbel.worker.watch import Watch, Watcher

log = guise.logger("umbel.worker")

RETRY = 1.0
"""Seconds between attempts to reach a store that is away at the start."""
HEARTBEAT = 2.0
"""Seconds between heartbeats; those who watch take a worker for gone after twice as many."""
AT_ONCE = 0.1
"""Seconds within which signals that ask for a stop are one wish; what a busy machine may take to hand on the second one."""
TRIED = 2.0
"""Seconds for which a worker that could begin waits until it can also be asked."""
LAST_WORDS = 5.0
"""Seconds that a stop waits for a store that does not answer, or for processes that were killed."""
SWITCH = 0.0005
"""Seconds after which a thread that waits for the interpreter gets it.

SQLite gives it up at every row, and with Python's own 5 ms the loop and the store's threads wait for each other: 256 messages
reserved and concluded took 50 ms beside a busy thread, and take 6 with this.
"""
POOLS = {"prefork": "processes", "processes": "processes", "threads": "threads", "asyncio": "asyncio", "solo": "solo"}


class Worker:
    """One worker node: reserves messages, runs their tasks in a pool, and settles what became of them.

    The constructor only looks at settings and tasks, and raises ImproperlyConfigured with all that is wrong with them.
    """

    def __init__(
        self,
        app: Umbel,
        *,
        hostname: str,
        queues: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        pool: str = "prefork",
        concurrency: int | None = None,
        prefetch_multiplier: int | None = None,
        max_tasks_per_child: int | None = None,
        max_memory_per_child: int | None = None,
        time_limit: float | None = None,
        soft_time_limit: float | None = None,
        purge: bool = False,
        autoscale: tuple[int, int] | None = None,
        task_events: bool | None = None,
        heartbeat: float | None = HEARTBEAT,
        options: Mapping[str, Any] | None = None,
        ready: Callable[[Worker], None] | None = None,
        set_up: Callable[[], None] | None = None,
        given: Mapping[str, Any] | None = None,
        waiting: Callable[[str], None] | None = None,
    ):
        """`options` are for the steps of users, who get them as keywords, `given` for receivers of `celeryd_init`.

        `set_up` is called once they and those of `worker_init` were told.
        """
        conf = app.conf
        self.services: list[Callable[[], Awaitable[None]]] = []
        """What runs beside each other on the loop until it stops, and begins anew if it fails: its own, and those that a receiver
        of `celeryd_after_setup` or a step's constructor adds."""
        self.watchers: dict[str, Callable[[Ticket], Watcher]] = {}
        """What makes an object for each call of the task of that name, to be told what becomes of it; receivers of `worker_init`
        may add to it."""
        self.options = dict(options or {})
        self.parent: Any = None
        """What a face shows in its place to steps."""
        app.set_default()  # shared tasks in the pool's threads and processes mean this app
        self.app = app
        self.hostname = hostname
        app.finalize(auto=True)
        if not app.loader.worker_initialized:
            app.loader.init_worker()
        if app.has_more_to_import:  # it has been a worker before
            app.import_task_modules()
        within = copy_context()
        within.run(current.enter, app)
        words = {"hostname": hostname, "queues": queues, "pool": pool, "concurrency": concurrency, **(given or {})}
        within.run(signals.celeryd_init.send, hostname, instance=self, conf=conf, options=words)  # may change any setting
        within.run(signals.worker_init.send, self)
        if set_up is not None:
            set_up()
        if pool == "solo":  # this process is that in which tasks run
            within.run(signals.worker_process_init.send, hostname)
        self.pool_name = pool
        self.concurrency = 1 if pool == "solo" else concurrency or slots(conf.worker_concurrency)
        self.async_concurrency = coroutines(app, concurrency if pool == "asyncio" else None)
        if autoscale and pool == "solo":
            raise ImproperlyConfigured("the solo pool runs one task at a time: it does not scale; choose another with --pool")
        self._bounds = autoscale
        """At most and at least so many at once, if it scales by itself."""
        if autoscale:
            self.concurrency = autoscale[1]
        self.autoscale: Autoscale | None = None
        self.most_held: int | None = None
        self.began = clock.monotonic()
        self.exitcode = 0
        self._wishes: list[str] = []
        """How it was asked to stop, in order."""
        self._asking: asyncio.TimerHandle | None = None
        """The warm stop that the first signal has asked for."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self.restart = False
        """True if it was asked to begin anew once it has stopped; whoever runs it does that."""
        self._purge = purge
        self._ready = ready
        self._waiting = waiting
        """Told once what it waits for, if the store is away when it begins."""
        self._soft_stop: asyncio.TimerHandle | None = None
        self._prefetch = 1 if conf.worker_disable_prefetch else prefetch_multiplier or conf.worker_prefetch_multiplier
        self._max_tasks = max_tasks_per_child or conf.worker_max_tasks_per_child
        self._max_memory = max_memory_per_child or conf.worker_max_memory_per_child
        self._soft = soft_time_limit or conf.task_soft_time_limit
        self._hard = time_limit or conf.task_time_limit
        self._heartbeat = heartbeat
        self.tells_of_tasks: bool = bool(conf.worker_send_task_events if task_events is None else task_events)
        """True if it tells of tasks from its start."""
        problems = app.problems()
        if problems:
            raise ImproperlyConfigured("\n".join(problems))
        self.tasks: Mapping[str, Task[..., Any]] = app.tasks
        self.limits = rate_limits(app)
        self.queues = served(app, queues, exclude)
        if conf.worker_direct:
            self.queues = [*self.queues, f"{hostname}.dq"]
        self.accept = accept_types(conf.accept_content)
        signals.celeryd_after_setup.send(hostname, instance=self, conf=conf)  # may change `queues`
        self.queues = app.to_serve(self.queues)
        app.tell_loader_of_runs()

    # -- starting -------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Work until told to stop, and give the exit code: 0 after a warm stop, else 1.

        In another thread than the main one it obeys no signals, and leaves the app's stores open, which others use there.
        """
        for line in (*self.app.conf.idle(), *self._doubts()):
            log.warning("%s", line)
        return copy_context().run(self._run)

    def _run(self) -> int:
        """In a context of its own, in which its app is the current one: pools copy it for threads, processes and coroutines."""
        current.enter(self.app)
        asyncio.run(self._main())
        signals.worker_shutdown.send(self)
        return self.exitcode

    def _doubts(self) -> Iterator[str]:
        """What whoever starts it may not have meant."""
        if self._is_alone and self.app.broker_url.startswith("memory:"):
            yield "memory:// is in this process alone: nobody else can send to this worker"
        if all(name.startswith("celery.") for name in self.tasks):
            yield "this worker knows no task: name their modules with include (or -I), or call app.autodiscover_tasks()"

    def stop(self, how: str = "warm") -> None:
        """Begin a `warm` stop (finish what runs, give back the rest) or a `cold` one (give back what runs, too).

        From any thread, and at any time: a worker that does not run yet ends as soon as it does.
        """
        self._wishes.append(how)
        if how == "cold":
            self.exitcode = 1
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._heed)

    def shut_down(self, who: str) -> None:
        """Begin a warm stop because somebody asked for it from afar, unless one has begun; on the loop."""
        if not self._wishes:
            signals.worker_shutting_down.send(self.hostname, sig=None, how="Warm", exitcode=0)
            log.warning("Warm stop, asked for by %s: finishing %d tasks", who, len(self.book))
            self.stop("warm")

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of a worker that runs."""
        assert self._loop is not None  # `run` sets it first
        return self._loop

    async def resize(self, slots: int) -> None:
        """Let so many tasks run at once; what runs beyond that ends first. ValueError where that is not possible."""
        await self.pool.resize(slots)
        self.concurrency = slots
        if self._prefetch:
            self.most_held = self._prefetch * slots
            self.fetch.most_held = self.most_held

    def look_settings(self) -> dict[str, Any]:
        """Its limits: what its command line says, else what the settings say."""
        sizes = {"max_tasks_per_child": self._max_tasks, "max_memory_per_child": self._max_memory}
        return {**sizes, "soft_time_limit": self._soft, "time_limit": self._hard}

    def _heed(self) -> None:
        if self._wishes:
            self._stopping.set()
        if "cold" in self._wishes:
            self._cold.set()

    async def _main(self) -> None:
        self._stopping, self._cold = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._heed()
        self._build()
        if self._is_alone:
            self._obey_signals()
        before = sys.getswitchinterval()
        try:
            if await self._staff() and await self._open():
                await self._begin(self._steps)
                await self._work()
        finally:
            self._tell_loader()
            await self._steps.stop(how="terminate" if self.exitcode else "stop")
            await self.pool.stop(at_once=self.exitcode != 0)
            sys.setswitchinterval(before)
            if self._is_alone:
                self._close()

    def _tell_loader(self) -> None:
        try:
            self.app.loader.shutdown_worker()
        except Exception:
            log.exception("The loader's shutdown_worker failed")
            self.exitcode = 1

    @property
    def _is_alone(self) -> bool:
        """True if it is what this process is there for."""
        return threading.current_thread() is threading.main_thread()

    def _build(self) -> None:
        app, conf = self.app, self.app.conf
        self.broker: Broker = app.broker
        self.backend: ResultBackend | None = app.result_store
        executor = make_executor(
            self.tasks,
            relay=app.relay,
            hostname=self.hostname,
            accept=self.accept,
            result_serializer=conf.result_serializer,
            result_extended=conf.result_extended,
            result_facts=self.backend is not None and self.backend.wants_facts,
        )
        executor.entered = app.after_fork
        if self.backend is not None and not self.backend.is_atomic:
            executor.begun = self._tell_started
        self.pool = self._make_pool(executor)
        self.book = Book()
        self.events = Herald(
            app.events.of_node(self.hostname),
            self.pool,
            self.book,
            every=self._heartbeat or None,
            on=self.tells_of_tasks,
            accept=self.accept,
            sent=conf.task_send_sent_event,
        )
        self.settle = Settle(self.broker, self.backend)
        self.reap = Reap(
            self.pool,
            self.book,
            self.settle,
            executor,
            tasks=self.tasks,
            accept=self.accept,
            hostname=self.hostname,
            serializer=conf.result_serializer,
            max_deliveries=conf.task_max_deliveries,
            watch=Watch(self.accept, conf.result_serializer, self.watchers),
            herald=self.events,
        )
        self.join = Join(
            self.settle,
            executor,
            self.backend,
            stumbled=self.reap.stumbled,
            max_deliveries=conf.task_max_deliveries,
            groups=conf.task_shared_with_celery,
        )
        self.reap.order = self.join.take
        rules = Rules(self.accept, self._soft, self._hard, conf.task_unknown_ttl)
        self.judge = Judge(self.tasks, rules, self.limits)
        self.most_held = self._prefetch * self.concurrency if self._prefetch else None
        self.fetch = Fetch(
            self.broker,
            self.pool,
            self.judge,
            self.book,
            self.settle,
            queues=[*self.queues, *([orders] if (orders := app.writer.rules.orders) else [])],
            most_held=self.most_held,
            other=self.reap.refuse,
            stumbled=self.reap.stumbled,
            herald=self.events,
        )
        self.settle.next = self.fetch
        sweep = partial(self.broker.sweep, most=conf.task_dead_limit, seconds=conf.task_dead_ttl)
        self.lease = Lease(self.broker, conf.broker_lease, stranded=self.reap.stranded, lost=self._take_back, sweep=sweep)
        self.revoked = Revoked(self.broker, self.pool, self.book, self.fetch.later, self.judge)
        self.remote = Remote(State(self), refuses=conf.worker_refused_commands) if conf.worker_enable_remote_control else None
        if self._bounds:
            most, least = self._bounds
            self.autoscale = Autoscale(self.pool, self.book, self.broker, self.fetch, self.resize, most=most, least=least)
        self.services = [
            self.settle.run,  # outcomes -> store
            self.reap.run,  # pool -> settle
            self.reap.mourn,  # ended from outside -> settle
            self.join.run,  # orders -> settle
            self.fetch.later.run,  # rate-limited -> pool
            self.lease.run,  # keeps what is held
            self.revoked.run,  # what is held and was revoked -> out of the pool
            self.events.run,  # tells that this worker is there
            self.events.look,  # what runs for long -> told as started, if anybody wants that
            *self.services,
        ]
        if self.remote is not None:
            self.services.append(self.remote.run)  # what it is asked and told from afar
        if self.autoscale is not None:
            self.services.append(self.autoscale.run)  # what waits -> size of the pool
        self._steps = self._make_steps("worker")
        self._consumer_steps = self._make_steps("consumer")

    def _make_steps(self, kind: str) -> Steps:
        """The user's steps, made before there are child processes: what they set up is there in these, too."""
        classes = self.app.steps.get(kind) or ()
        return Steps(classes, self.app.step_parent(self, kind) if classes else self, self.options)

    def _tell_started(self, document: Result) -> None:
        """Called where a task runs, which may be a child: with the store that its own `update_state` writes to."""
        if (store := self.app.result_store) is not None:
            store.store([document])

    def _make_pool(self, executor: Executor[Joiner]) -> Pool:
        kind = POOLS.get(self.pool_name)
        if kind == "processes":
            from umbel.pools.process import ProcessPool  # each pool is loaded only where it is used: it costs start-up

            return ProcessPool(
                executor,
                slots=self.concurrency,
                async_slots=self.async_concurrency,
                max_tasks_per_child=self._max_tasks,
                max_memory_per_child=self._max_memory,
                names=guise.worn().child.format,
                load=partial(load, self.app),
            )
        if kind == "threads":
            from umbel.pools.thread import ThreadPool

            return ThreadPool(executor, slots=self.concurrency, async_slots=self.async_concurrency)
        if kind == "asyncio":
            from umbel.pools.loop import LoopPool

            return LoopPool(executor, slots=self.concurrency, async_slots=self.async_concurrency)
        if kind == "solo":
            from umbel.pools.solo import SoloPool

            return SoloPool(executor)
        raise ImproperlyConfigured(f"there is no pool {self.pool_name!r}; choose one of {', '.join(sorted(POOLS))}")

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        faulthandler.register(signal.SIGUSR1)
        cold = signal.SIGQUIT if os.environ.get("REMAP_SIGTERM") == "SIGQUIT" else None
        loop.add_signal_handler(signal.SIGINT, self._asked, signal.SIGINT, None)
        loop.add_signal_handler(signal.SIGTERM, self._asked, signal.SIGTERM, cold)
        loop.add_signal_handler(signal.SIGQUIT, self._asked, signal.SIGQUIT, signal.SIGQUIT)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
            loop.add_signal_handler(signal.SIGHUP, self.hang_up)

    def hang_up(self) -> None:
        """What SIGHUP asks for: of one in a terminal, which is gone, a warm stop; of any other to stop so and begin anew."""
        if self._asking is not None or self._stopping.is_set():
            return  # as from what ends a service with SIGTERM, and with SIGHUP for the shells in it
        self.restart = not os.isatty(0)
        self._asked(signal.SIGHUP, None)

    def _asked(self, number: signal.Signals, cold: signal.Signals | None) -> None:
        if self.restart and number != signal.SIGHUP:
            self.restart = False
            if not cold:
                log.warning("Not beginning anew: this is a warm stop")
                return
        if not (cold or self._wishes):
            if self._asking is None:  # else one wish: whoever sends it to a group of processes, and to the worker as well
                self._asking = asyncio.get_running_loop().call_later(AT_ONCE, self._wish, number, "warm")
            return
        patience = self.app.conf.worker_soft_shutdown_timeout or 0.0
        if patience and self.book and not self._soft_stop:
            self._soft_stop = asyncio.get_running_loop().call_later(patience, self._end_patience)
            log.warning("Soft stop: %gs to finish %s. The same signal again gives back", patience, self._what_runs())
            self.stop()
            return
        self._wish(number, "cold")

    def _wish(self, number: signal.Signals, how: str) -> None:
        if how == "warm" and self._wishes:
            return  # somebody has asked for another stop meanwhile
        signals.worker_shutting_down.send(self.hostname, sig=number.name, how=how.title(), exitcode=int(how == "cold"))
        if how == "warm":
            log.warning("Warm stop: finishing %s. The same signal again gives back at once", self._what_runs())
        else:
            log.warning("Cold stop: giving back %s", self._what_runs())
        self.stop(how)

    def _what_runs(self) -> str:
        return shown.count(len(self.book), "task")

    def _end_patience(self) -> None:
        if self.book:
            log.warning("Cold stop: giving back %s", self._what_runs())
            self.stop("cold")

    # -- working --------------------------------------------------------------------------------------------------

    async def _staff(self) -> bool:
        """Start the pool; False if told to stop meanwhile."""
        starting, stopping = asyncio.ensure_future(self.pool.start()), asyncio.ensure_future(self._stopping.wait())
        done, _ = await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        for each in (starting, stopping):
            each.cancel()
        if starting not in done:
            return False
        starting.result()
        sys.setswitchinterval(SWITCH)
        return True

    async def _open(self) -> bool:
        """Touch the store, so that what cannot work is said now; wait for one that is away. False if told to stop meanwhile."""
        is_away = False
        while not self._stopping.is_set():
            try:
                await self._touch()
            except BrokerDown as error:
                if not self._waits_at_start():
                    raise
                if not is_away:
                    log.error("Cannot begin: %s. Trying again until it works", error)
                    if self._waiting is not None:
                        self._waiting(str(error))
                is_away = True
                await wait_for(self._stopping.wait(), RETRY)
            else:
                if is_away:
                    log.warning("The store is there: beginning")
                log.info("Connected to %s", self.broker.url)
                return True
        return False

    async def _touch(self) -> None:
        """Register with the store; purge if that was asked for."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.broker.renew, self.app.conf.broker_lease)
        for doubt in await loop.run_in_executor(None, self.broker.doubts):
            log.error("%s", doubt)
        if self._purge:
            counts = [await loop.run_in_executor(None, self.broker.purge, queue) for queue in self.queues]
            log.warning("Purged %s", shown.count(sum(counts), "message"))

    def _waits_at_start(self) -> bool:
        conf = self.app.conf
        asked = conf.broker_connection_retry_on_startup
        return bool(conf.broker_connection_retry if asked is None else asked)

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as house:
            services = [house.create_task(self._watch(service)) for service in self.services]
            fetching = house.create_task(self._watch(self.fetch.run))  # broker -> pool, as long as there is room
            await self._begin(self._consumer_steps)
            if self.remote is not None:
                await wait_for(self.remote.tried.wait(), TRIED)
            self._tell_ready()
            await self._stopping.wait()
            await self._steps.call("close")
            await self._consumer_steps.stop()
            await self._drain(fetching)
            await self._consumer_steps.call("shutdown")
            await self.events.leave()
            for service in services:
                service.cancel()

    async def _begin(self, steps: Steps) -> None:
        """Start a user's steps; a worker without one of them stops."""
        try:
            await steps.start()
        except WorkerError:
            self.stop("cold")

    async def _watch(self, service: Callable[[], Awaitable[None]]) -> None:
        """Run a service. If the pool is at its end, begin a stop; whatever else befalls it, it begins anew."""
        while True:
            try:
                return await service()
            except WorkerError as error:
                log.critical("The worker cannot go on: %s", error)
                return self.stop("cold")
            except Exception:
                log.critical("A part of this worker has failed, and begins anew", exc_info=True)
            await asyncio.sleep(RETRY)

    def _tell_ready(self) -> None:
        log.info("%s ready.", self.hostname)
        signals.worker_ready.send(self)
        if self._ready is not None:
            self._ready(self)

    # -- stopping -------------------------------------------------------------------------------------------------

    async def _drain(self, fetching: asyncio.Task[None]) -> None:
        """Stop fetching, finish what runs, settle all, give back the rest."""
        self.fetch.stop(fetching)
        await asyncio.wait([fetching])
        self._take_back()
        await self._finish()
        if self.book:
            await self._break_off()
        if not await wait_for(self._settled(), LAST_WORDS):
            log.error("The store does not answer; what is not settled comes back when the lease ends")
            self.settle.abandon()

    async def _settled(self) -> None:
        await self.reap.mourned()
        await self.join.idle()
        await self.settle.settled()

    def _take_back(self) -> None:
        """Let all that has not begun go back to the store."""
        for delivery in self.fetch.later.take_back():
            self.settle.release(delivery)
        self.pool.take_back()

    async def _finish(self) -> None:
        """Wait until all that runs has ended, the time for it is over, or a cold stop is asked for."""
        limit = self.app.conf.worker_warm_stop_timeout
        ends = [asyncio.ensure_future(self.book.empty()), asyncio.ensure_future(self._cold.wait())]
        await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()

    async def _break_off(self) -> None:
        """End what still runs by force; by what was promised for each, it goes back or is told as lost."""
        log.warning("Ending %s", self._what_runs())
        self.reap.leaving = True
        await self.pool.stop(at_once=True)
        with suppress(WorkerError):
            await self.reap.run()  # the last news, also of a pool that could not go on
        await wait_for(self.book.empty(), LAST_WORDS)
        for ticket in self.book.values():  # never begun, and the pool could not say so any more
            self.settle.release(ticket.delivery)

    def _close(self) -> None:
        for part in (self.broker, self.backend):
            try:
                if part is not None:
                    part.close()
            except BrokerError as error:
                log.error("Cannot leave the store in order: %s", error)


def served(app: Umbel, queues: Sequence[str] | None, exclude: Sequence[str]) -> list[str]:
    """The queues to serve: those named, or all that the settings name, less `exclude`. Raises ImproperlyConfigured."""
    known = app.queues()
    names = list(queues or known)
    unknown = [name for name in [*names, *exclude] if name not in known]
    if unknown and not app.conf.task_create_missing_queues:
        raise ImproperlyConfigured(f"queue {unknown[0]!r} is not in task_queues; add it, or set task_create_missing_queues")
    for name in names:
        try:
            queue_name(name)
        except (TypeError, ValueError) as problem:
            raise ImproperlyConfigured(f"a queue to serve {problem}") from None
    left = [name for name in dict.fromkeys(names) if name not in exclude]
    if not left:
        raise ImproperlyConfigured("no queue is left to serve; leave one out of --exclude-queues")
    return left


def slots(setting: int | str | None) -> int:
    """How many jobs run at once by `worker_concurrency`; unset or "auto": one for each processor."""
    return setting if isinstance(setting, int) else os.cpu_count() or 1


def coroutines(app: Umbel, asked: int | None) -> int:
    """How many async jobs run at once: as the setting says, or, of a worker on an event loop, as was asked for with `-c`."""
    of_settings: int = app.conf.worker_async_concurrency
    return of_settings if asked is None or app.conf.value_set_for("worker_async_concurrency") else asked


def rate_limits(app: Umbel) -> RateLimits:
    """The rate limits of all tasks. Raises ImproperlyConfigured naming all that are none."""
    limits = RateLimits(default=app.conf.task_default_rate_limit, disabled=app.conf.worker_disable_rate_limits)
    wrong = []
    for task in app.tasks.values():
        try:
            limits.set(task.name, task.rate_limit)
        except ImproperlyConfigured as error:
            wrong.append(f"{task.name}: {error}")
    if wrong:
        raise ImproperlyConfigured("\n".join(wrong))
    return limits
