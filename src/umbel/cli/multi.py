"""`umbel multi`: starts and stops several workers in the background, each found again by its pidfile.

umbel multi start 3 -A proj -c:1-2 4 -Q:3 mail --pidfile=/run/umbel/%n.pid --logfile=/var/log/umbel/%n%I.log
            │     │         └ for nodes 1 and 2  └ for node 3
            what  nodes: names, or how many; all else goes to `umbel worker`
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from umbel import guise
from umbel.cli.command import COMMANDS
from umbel.cli.failure import FAILED
from umbel.cli.scope import Scope
from umbel.wire.host import host_name

USAGE = """\
usage: {0} multi start    NODES [options of the worker]
       {0} multi restart  NODES [-SIGNAL] [options of the worker]
       {0} multi stop     NODES [-SIGNAL]     SIGNAL is TERM if it is not said
       {0} multi stopwait NODES [-SIGNAL]     and wait until they have ended
       {0} multi kill     NODES

       {0} multi show     NODES [options]     the commands that start would run
       {0} multi get NAME NODES [options]     that of one node
       {0} multi names    NODES
       {0} multi expand TEMPLATE NODES

NODES are names (w1 w2@box) or how many there are to be (3: {0}1, {0}2, {0}3).
An option may be for some nodes: -c:1-3 10, -Q:w2 mail, --logfile:2=x.log.
In paths %n is the name, %h the whole name, %d its host.

-A, --app APP                        the app, as for the worker; so all that is not named here
--range-prefix, --prefix, --suffix   parts of names          --cmd, --append, --executable   what is run
--nosplash, -q/--quiet, --verbose, --no-color                what is told
"""

_OWN = ("--range-prefix", "--prefix", "--suffix", "--cmd", "--append", "--nosplash", "--quiet", "-q", "--verbose", "--no-color")
_WITH_VALUE = (
    *_OWN[:5],
    "--pidfile",
    "--logfile",
    "--executable",
    "--hostname",
    "--app",
    "--loglevel",
    "--queues",
    "--concurrency",
)
"""Long options that may have their value behind a space."""
_FOR_THE_PROGRAM = ("-A", "--app")


def _program() -> str:
    return guise.worn().program


def _worker() -> str:
    return f"-m {_program()} worker --detach"


PAUSE = 0.1
"""Seconds between two looks whether workers have ended."""


@dataclass(slots=True)
class Node:
    """One worker: its name, and its options by theirs."""

    name: str
    options: dict[str, str | None]
    behind: Sequence[str] = ()
    """What follows `--`."""
    command: str = field(default_factory=_worker)
    append: str = ""

    def expand(self, template: str) -> str:
        """A template, filled in for this node."""
        short, _, host = self.name.partition("@")
        values = {"n": short, "N": short, "h": self.name, "p": self.name, "d": host, "%": "%"}
        return re.sub(r"%(.)", lambda found: values.get(found[1], found[0]), template)

    def path(self, option: str, short: str, default: str) -> str:
        """The path that an option names."""
        return self.expand(self.options.get(option) or self.options.get(short) or default)

    @property
    def pidfile(self) -> str:
        """Where its pid is while it runs."""
        return self.path("--pidfile", "--pidfile", f"/var/run/{_program()}/%n.pid")

    @property
    def argv(self) -> list[str]:
        """The command that starts it."""
        executable = self.options.get("--executable") or sys.executable
        defaults = (
            (("-n", "--hostname"), self.name),
            (("--pidfile",), self.pidfile),
            (("--logfile", "-f"), self.path("--logfile", "-f", f"/var/log/{_program()}/%n%I.log")),
            (("--executable",), executable),
        )
        chosen = {name: value if value is None else self.expand(value) for name, value in self.options.items()}
        for names, usual in defaults:
            if not any(name in chosen for name in names):
                chosen[names[0]] = usual
        program = [part for name in _FOR_THE_PROGRAM if (value := chosen.pop(name, None)) for part in _written(name, value)]
        words = shlex.split(self.command)
        place = words.index(_program()) + 1 if _program() in words else len(words)
        given = [part for name, value in chosen.items() for part in _written(name, value)]
        return [executable, *words[:place], *program, *words[place:], *given, *self.behind, *shlex.split(self.append)]

    @property
    def pid(self) -> int | None:
        """Its pid; None if it does not run."""
        try:
            with open(self.pidfile, encoding="ascii") as file:
                pid = int(file.read())
        except (OSError, ValueError):
            return None
        return pid if _lives(pid) else None


@dataclass(slots=True)
class Line:
    """A command line of `multi`, read."""

    names: list[str] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)
    everywhere: dict[str, str | None] = field(default_factory=dict)
    some: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Options for some nodes: which nodes, the option, its value."""
    behind: list[str] = field(default_factory=list)
    signal: signal.Signals = signal.SIGTERM

    def nodes(self) -> list[Node]:
        """The nodes that it speaks of, with all of their options."""
        names = list(self._full_names())
        wanted: dict[str, dict[str, str | None]] = {name: dict(self.everywhere) for name in names}
        for which, option, value in self.some:
            for name in _chosen(which, names):
                wanted[name][option] = value
        command = self.own.get("--cmd") or _worker()
        return [Node(name, options, self.behind, command, self.own.get("--append", "")) for name, options in wanted.items()]

    def _full_names(self) -> Iterator[str]:
        host = (self.own.get("--suffix") or host_name()).strip("\"'")
        names, prefix = self.names, self.own.get("--prefix", "")
        if len(names) == 1 and names[0].isdigit():
            first = self.own.get("--range-prefix") or _program()
            names = [f"{first}{number}" for number in range(1, int(names[0]) + 1)]
        for name in names:
            yield name if "@" in name else f"{prefix}{name}@{host}"


def read(arguments: Sequence[str]) -> Line:
    """A command line without its first word."""
    line, rest = Line(), list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            line.behind = [word, *rest]
            break
        if not word.startswith("-") or word == "-":
            line.names.append(word)
            continue
        if word[1:].lstrip("SIG").isalnum() and (number := _signal(word[1:])) is not None:
            line.signal = number
            continue
        option, mark, text = word.partition("=")
        value: str | None = text if mark else None
        option, _, which = option.partition(":")
        takes = option in _WITH_VALUE or not option.startswith("--")
        if not mark and takes and option not in _OWN[5:] and rest and not rest[0].startswith("-"):
            value = rest.pop(0)
        if option in _OWN:
            line.own[option] = value or ""
        elif which:
            line.some.append((which, option, value))
        else:
            line.everywhere[option] = value
    return line


class MultiTool:
    """Does what a command line of `multi` says."""

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        cmd: str | None = None,
        fh: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        **_: Any,
    ):
        self.env = env
        self.cmd = cmd
        self.stdout = stdout or fh or sys.stdout
        self.stderr = stderr or sys.stderr
        self.quiet = self.verbose = False
        self._commands: dict[str, Callable[[Line], int]] = {
            "start": self._start,
            "stop": self._stop,
            "stopwait": self._stop_and_wait,
            "stop_verify": self._stop_and_wait,
            "restart": self._restart,
            "kill": self._kill,
            "show": self._show,
            "get": self._get,
            "names": self._names,
            "expand": self._expand,
        }

    def execute_from_commandline(self, argv: Sequence[str], cmd: str | None = None) -> int:
        """Do it; `argv` begins with the program's name. Gives the exit code: 1 if a node could not be started."""
        self.cmd = cmd or self.cmd
        what, *arguments = [*argv[1:], "help"][: max(len(argv) - 1, 1)]
        if what in ("help", "--help", "-h"):
            self.say(USAGE.format(_program()), always=True)
            return 0
        if what not in self._commands:
            raise click.UsageError(f"no command {what!r} of multi; there are {', '.join(self._commands)}")
        line = read(arguments)
        self.quiet = bool({"-q", "--quiet"} & line.own.keys())
        self.verbose = "--verbose" in line.own
        if self.cmd:
            line.own.setdefault("--cmd", self.cmd)
        if what not in ("show", "get", "names", "expand") and "--nosplash" not in line.own:
            self.say(f"{_program()} multi v{guise.worn().version}")
        return self._commands[what](line)

    def say(self, text: str, *, always: bool = False) -> None:
        """Print a line, unless there is to be quiet."""
        if always or not self.quiet:
            print(text, file=self.stdout, flush=True)

    # One method for each command

    def _start(self, line: Line) -> int:
        self.say("> Starting nodes...")
        return FAILED if [node for node in line.nodes() if not self._run(node)] else 0

    def _run(self, node: Node) -> bool:
        argv = node.argv
        for place in (node.pidfile, node.path("--logfile", "-f", f"/var/log/{_program()}/%n%I.log")):
            os.makedirs(os.path.dirname(os.path.abspath(place)), exist_ok=True)
        if self.verbose:
            self.say(f"  {shlex.join(argv)}")
        code = subprocess.run(argv, env=self.env, check=False).returncode
        if code:
            print(f"* Child terminated with exit code {code}", file=self.stderr, flush=True)
        self.say(f"\t> {node.name}: {'FAILED' if code else 'OK'}")
        return not code

    def _stop(self, line: Line) -> int:
        self._signal(line.nodes(), line.signal)
        return 0

    def _kill(self, line: Line) -> int:
        self._signal(line.nodes(), signal.SIGKILL)
        return 0

    def _stop_and_wait(self, line: Line) -> int:
        told = self._signal(line.nodes(), line.signal)
        if told:
            self.say(f"> Waiting for {len(told)} {'node' if len(told) == 1 else 'nodes'} -> {', '.join(map(str, told.values()))}")
        for node, pid in told.items():
            while _lives(pid):
                time.sleep(PAUSE)
            self.say(f"\t> {node}: OK")
        return 0

    def _restart(self, line: Line) -> int:
        self._stop_and_wait(line)
        failed = False
        for node in line.nodes():
            self.say(f"> Restarting node {node.name}:")
            failed |= not self._run(node)
        return FAILED if failed else 0

    def _signal(self, nodes: Sequence[Node], number: signal.Signals) -> dict[str, int]:
        """Send it to those that run; gives their pids by their names."""
        running = {node.name: pid for node in nodes if (pid := node.pid) is not None}
        if running:
            self.say("> Stopping nodes...")
        for node in nodes:
            if node.name not in running:
                self.say(f"> {node.name}: DOWN")
                continue
            self.say(f"\t> {node.name}: {number.name.removeprefix('SIG')} -> {running[node.name]}")
            try:
                os.kill(running[node.name], number)
            except OSError as problem:
                print(f"* {node.name}: {problem.strerror}", file=self.stderr, flush=True)
                del running[node.name]
        return running

    def _show(self, line: Line) -> int:
        for node in line.nodes():
            self.say(shlex.join(node.argv), always=True)
        return 0

    def _get(self, line: Line) -> int:
        wanted = line.names.pop(0) if line.names else ""
        found = [node for node in line.nodes() if node.name == wanted]
        for node in found:
            self.say(shlex.join(node.argv), always=True)
        return 0 if found else FAILED

    def _names(self, line: Line) -> int:
        for node in line.nodes():
            self.say(node.name, always=True)
        return 0

    def _expand(self, line: Line) -> int:
        template = line.names.pop(0) if line.names else ""
        for node in line.nodes():
            self.say(node.expand(template), always=True)
        return 0


def _written(name: str, value: str | None) -> list[str]:
    if value is None:
        return [name]
    return [f"{name}={value}"] if name.startswith("--") else [name, value]


def _chosen(which: str, names: Sequence[str]) -> Iterator[str]:
    """The nodes that `1`, `1,3`, `1-3`, a name or a part of it before the @ means."""
    for part in which.split(","):
        first, dash, last = part.partition("-")
        if first.isdigit() and (last.isdigit() or not dash):
            yield from names[int(first) - 1 : int(last or first)]
        else:
            yield from (name for name in names if part in (name, name.partition("@")[0]))


def _signal(text: str) -> signal.Signals | None:
    try:
        return signal.Signals(int(text)) if text.isdigit() else signal.Signals[f"SIG{text.removeprefix('SIG')}"]
    except (KeyError, ValueError):
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return not os.path.isdir("/proc/self")


@click.command(
    "multi",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    short_help=COMMANDS["multi"],
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def multi(scope: Scope, /, arguments: tuple[str, ...]) -> int:
    """Start and stop several workers in the background: `umbel multi help` tells how."""
    app = ["-A", scope.app_name] if isinstance(scope.app_name, str) else []
    what, rest = arguments[:1], arguments[1:]
    if what in (("get",), ("expand",)):
        return MultiTool().execute_from_commandline(["multi", *what, *rest, *app])
    return MultiTool().execute_from_commandline(["multi", *what, *(app if what else ()), *rest])
