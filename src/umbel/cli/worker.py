"""`umbel worker`: start a worker, in the terminal or in the background."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from umbel import guise, log, signals
from umbel.cli import complete, daemon, early
from umbel.cli.anew import Anew
from umbel.cli.command import Seconds, command, names, option, some_names
from umbel.cli.failure import FAILED, INTERRUPTED, Failure, note
from umbel.cli.scope import Scope
from umbel.cli.service import level, log_prints, octal, set_up_log, settle_down, show, take_schedule
from umbel.cli.words import POOLS as OTHER_POOLS
from umbel.client.app import Umbel
from umbel.pools import child
from umbel.wire.node import fill_path, node_name
from umbel.worker.worker import HEARTBEAT, Worker

if TYPE_CHECKING:
    from umbel.cli.embedded import EmbeddedBeat

POOLS = ("prefork", "processes", "threads", "asyncio", "solo")

WITHOUT_EFFECT = {
    "without_gossip": "workers do not gossip",
    "without_mingle": "workers do not mingle at start",
    "disable_prefetch": "a worker holds only what its pool has room for",
    "statedb": "there is no state to keep between runs yet",
    "pool_start_method": "processes are always forked from a small nursery",
    "executable": "it runs with the Python that umbel was started with",
    "optimization": "jobs always go to whichever process is free, which is what `fair` means",
}
"""What Celery's options would change, and why nothing needs to: each is told, and the worker starts all the same."""


def how_many(text: str) -> int:
    """A whole number from 1, or `auto`: one for each core."""
    if text == "auto":
        return os.cpu_count() or 1
    if not text.isdigit() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is no number from 1, nor auto")
    return int(text)


class Pool(click.Choice[str]):
    """One of the pools; those of Celery's that are none are told with what to take."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The pool's name."""
        if value in OTHER_POOLS:
            self.fail(f"{value!r} is no pool of umbel's; take {OTHER_POOLS[value]}", param, ctx)
        return super().convert(value, param, ctx)


def bounds(text: str) -> tuple[int, int]:
    """The most and the least: `10,3`, or `10` for `10,0`, of which one is left."""
    most, _, least = text.partition(",")
    if not most.strip().isdigit() or not (least.strip() or "0").isdigit():
        raise click.BadParameter(f"{text!r} is not two numbers: write 10,3 for at most 10 and at least 3")
    pair = int(most), max(int(least or 0), 1)
    if pair[0] < pair[1]:
        raise click.BadParameter(f"{text!r}: the first is the most, the second the least")
    return pair


COUNT, SECONDS = click.IntRange(1), Seconds()


@command("worker")
@option("-n", "--hostname", metavar="NAME", help="Its name: w1@%h. %h is the host, %n the host without domain, %d the domain.")
@option("-c", "--concurrency", type=how_many, metavar="N", help="How many tasks run at once. [default: one for each core]")
@option("-P", "--pool", type=Pool(POOLS), help="How they run: in processes, threads, on one event loop, one by one.")
@option("--autoscale", type=bounds, metavar="MAX,MIN", help="Run up to MAX at once while there is more to do, and at least MIN.")
@option(
    "-Q",
    "--queues",
    type=some_names,
    shell_complete=complete.queues,
    metavar="NAMES",
    help="Serve only these queues, with commas between.",
)
@option("-X", "--exclude-queues", "exclude", type=names, default="", metavar="NAMES", help="Serve all queues but these.")
@option("-I", "--include", type=names, default="", metavar="MODULES", help="Import these modules, too.")
@option(
    "-l",
    "--loglevel",
    type=level,
    default="WARNING",
    shell_complete=complete.levels,
    metavar="LEVEL",
    help="DEBUG, INFO, WARNING, ERROR or CRITICAL.",
)
@option(
    "-f",
    "--logfile",
    shell_complete=complete.files,
    metavar="FILE",
    help="Log there. %n is the worker's name, %h its host, %i or %I the process's number.",
)
@option("--prefetch-multiplier", type=click.IntRange(0), metavar="N", help="Hold at most N tasks for each one that can run.")
@option("--max-tasks-per-child", type=COUNT, metavar="N", help="Renew a process after N tasks.")
@option("--max-memory-per-child", type=COUNT, metavar="KIB", help="Renew a process that has grown beyond this.")
@option("--time-limit", type=SECONDS, metavar="SECONDS", help="End a task that runs longer.")
@option("--soft-time-limit", type=SECONDS, metavar="SECONDS", help="Raise SoftTimeLimitExceeded in a task that runs longer.")
@option("-E", "--task-events", "--events", is_flag=True, help="Tell those who watch what becomes of tasks.")
@option("--heartbeat-interval", type=SECONDS, metavar="SECONDS", help="Tell so often that it is there. [default: 2]")
@option("--without-heartbeat", is_flag=True, help="Do not tell that it is there.")
@option("-B", "--beat", is_flag=True, help="Send periodic work, too. Of all beats, wherever they run, one sends.")
@option("--scheduler", metavar="CLASS", help="With -B: a scheduler of your own.")
@option("--purge", "--discard", is_flag=True, help="Delete all that waits in its queues before it starts.")
@option("-D", "--detach", is_flag=True, help="Run in the background.")
@option(
    "--pidfile",
    shell_complete=complete.files,
    metavar="FILE",
    help="Keep its pid there; while it lives, no other worker starts with this file.",
)
@option("--uid", metavar="USER", help="Run as this user (root only).")
@option("--gid", metavar="GROUP", help="Run as this group (root only).")
@option("--umask", type=octal, metavar="OCTAL", help="Rights that files it makes do not get.")
@option("-O", "--optimization", type=click.Choice(["default", "fair"]), hidden=True)
@option("-s", "--schedule", metavar="URL", hidden=True)
@option("-S", "--statedb", hidden=True)
@option("--executable", hidden=True)
@option("--disable-prefetch", is_flag=True, hidden=True)
@option("--pool-start-method", hidden=True)
@option("--without-gossip", is_flag=True, hidden=True)
@option("--without-mingle", is_flag=True, hidden=True)
@click.pass_obj
def worker(scope: Scope, /, **given: Any) -> int:
    """Run tasks until told to stop.

    Ctrl-C (or SIGTERM) finishes what runs and stops; a second one gives it back to the queue and stops at once.
    SIGHUP finishes what runs and starts anew, with the same arguments and the code as it is then.
    Each option can come from the environment: UMBEL_WORKER_CONCURRENCY=4.

    \b
    umbel -A proj worker -l INFO
    umbel -A proj worker -n mail@%h -Q mail -c 8 -P threads
    umbel -A proj worker -D --pidfile /run/umbel/%n.pid -f /var/log/umbel/%n%I.log
    """
    anew = Anew()
    early.listen({signal.SIGTERM: 0, signal.SIGINT: INTERRUPTED, signal.SIGQUIT: FAILED})  # there is nothing to finish yet
    early.remember(signal.SIGHUP)
    if not anew.is_second:
        _refuse_and_tell(scope, given)
    if given["hostname"] is not None and not given["hostname"].strip():
        raise click.UsageError(
            "-n: a worker's name must not be empty; leave it out for the usual one", click.get_current_context()
        )
    node = node_name(given["hostname"])
    birth = daemon.detach(f"worker {node}", quiet=scope.quiet) if given["detach"] and not anew.is_second else None
    daemon.become(given["uid"], given["gid"])
    scope.include = tuple(given["include"])
    scope.is_for_worker = True
    app = scope.required_app("worker")
    scope.take_user_options(given)
    beat = _beat(app, given) if given["beat"] else None
    pidfile = settle_down(app, given, node, what="worker", quiet=scope.quiet or anew.is_second)
    _refuse_pickle_as_root(app.conf.accept_content)
    logfile = fill_path(given["logfile"], node, keep_index=True) if given["logfile"] else None
    made = _make(scope, given, node, birth, logfile, beat)
    if not (given["detach"] or scope.quiet or anew.is_second):
        told = partial(scope.show_worker, made, tasks=given["loglevel"] <= 20)
        show(scope, told, "Ctrl-C finishes what runs, twice stops at once.")
    log_prints(scope)
    signals.worker_process_init.connect(_name_child)
    if birth:
        signals.worker_process_init.connect(partial(_print_to, logfile), weak=False)
    early.answer()
    try:
        code = made.run()
        if made.restart:
            anew.arm(keeping=pidfile)
        return code
    finally:
        if beat is not None:
            beat.stop()
        log.restore()


def _refuse_and_tell(scope: Scope, given: dict[str, Any]) -> None:
    """Stop at what cannot be done; tell which options change nothing."""
    for name, reason in WITHOUT_EFFECT.items():
        if given[name] and not scope.quiet and given[name] not in ("default", "fair", sys.executable):
            note(f"--{name.replace('_', '-')} has no effect: {reason}")


def _refuse_pickle_as_root(accept: Sequence[str]) -> None:
    """Whoever can send to the broker could do anything on this machine."""
    pickle = {"pickle", "application/x-python-serialize"}.intersection(accept)
    if pickle and os.geteuid() == 0 and not os.environ.get("C_FORCE_ROOT"):
        raise Failure("as root a worker takes no pickle: any sender would own this machine; use --uid, or set C_FORCE_ROOT=1")


def _beat(app: Umbel, given: dict[str, Any]) -> EmbeddedBeat:
    """The beat that runs in the worker's process."""
    from umbel.cli.embedded import EmbeddedBeat  # loaded where it is asked for

    take_schedule(app, given["schedule"])
    return EmbeddedBeat(app, given["scheduler"])


def _make(
    scope: Scope, given: dict[str, Any], node: str, birth: daemon.Birth | None, logfile: str | None, beat: EmbeddedBeat | None
) -> Worker:
    app = scope.app
    sizes = ("prefetch_multiplier", "max_tasks_per_child", "max_memory_per_child")
    rest = ("time_limit", "soft_time_limit", "queues", "exclude", "purge", "autoscale")
    where = log.file_for(logfile) if logfile else None

    def ready(made: Worker) -> None:
        if birth:
            birth.ready(where)
        if beat:
            beat.start()
        if early.asked:
            made.hang_up()

    return Worker(
        app,
        hostname=node,
        concurrency=given["concurrency"],
        pool=given["pool"] or app.conf.worker_pool,
        options={**given, **scope.user_options},
        ready=ready,
        set_up=partial(set_up_log, scope, given["loglevel"], logfile, node),
        given=given,
        waiting=birth.waits if birth else None,
        task_events=given["task_events"] or None,
        heartbeat=None if given["without_heartbeat"] else given["heartbeat_interval"] or HEARTBEAT,
        **{name: given[name] for name in (*sizes, *rest)},
    )


def _print_to(logfile: str | None, **_: Any) -> None:
    """In a new child process of a worker in the background: the pipe to its terminal is nothing that tasks may keep."""
    daemon.print_to(log.file_for(logfile, child.index) if logfile else None)


def _name_child(**_: Any) -> None:
    """In a new child process: its lines bear its number, and go to a file of its own if the path asks for that."""
    if child.index:
        log.enter_child(guise.worn().child.format(child.index), child.index)
