"""What may happen to a Redis server and to the network before it. Each function returns when all is well again."""

from __future__ import annotations

import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.proxy import Mode, Proxy, standing_before
from tests.servers.redis import RedisServer

from umbel.testing.waiting import until

DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0")
"""What is accepted survives a kill of the server."""


class Stage:
    """A server behind a proxy, and a replica that can take its place."""

    def __init__(self, server: RedisServer, other: RedisServer, proxy: Proxy, limits: tuple[float, float]):
        self.server = server
        self.other = other
        self.proxy = proxy
        self.url = f"redis://127.0.0.1:{proxy.port}/0"
        self._limits = limits

    def length(self, chance: random.Random, least: float, most: float) -> float:
        """How many seconds an outage lasts: `least` to `most`, as far as that lies within the limits of the run."""
        shortest, longest = self._limits
        least = max(least, shortest)
        return chance.uniform(least, max(least, min(most, longest)))

    def last(self, chance: random.Random, least: float, most: float) -> None:
        """Let what was begun go on for so long. This is the length of an outage, not a wait for a fact."""
        time.sleep(self.length(chance, least, most))


def restart(stage: Stage, chance: random.Random) -> None:
    """The server is stopped in order, and started."""
    stage.server.stop()
    stage.last(chance, 0, 2)
    stage.server.start()


def kill(stage: Stage, chance: random.Random) -> None:
    """The server dies, and is started."""
    stage.server.stop(kill=True)
    stage.last(chance, 0, 2)
    stage.server.start()


def kill_clients(stage: Stage, chance: random.Random) -> None:
    """The server closes all connections."""
    stage.server.ask("CLIENT", "KILL", "TYPE", "normal")
    stage.server.ask("CLIENT", "KILL", "TYPE", "pubsub")


def kill_some(stage: Stage, chance: random.Random) -> None:
    """The server closes some connections."""
    for number in re.findall(rb"(?m)^id=(\d+)", stage.server.ask("CLIENT", "LIST")):
        if chance.random() < 0.4:
            stage.server.ask("CLIENT", "KILL", "ID", number)


def pause(stage: Stage, chance: random.Random) -> None:
    """The server lets all clients wait; the proof that it is back waits with them."""
    stage.server.ask("CLIENT", "PAUSE", str(int(1000 * stage.length(chance, 1, 4))))


def freeze(stage: Stage, chance: random.Random) -> None:
    """The server stands still, with its connections open."""
    stage.server.send(signal.SIGSTOP)
    stage.last(chance, 1, 6)
    stage.server.send(signal.SIGCONT)


def forget_scripts(stage: Stage, chance: random.Random) -> None:
    """The server knows its scripts no more."""
    stage.server.ask("SCRIPT", "FLUSH")


def reset(stage: Stage, chance: random.Random) -> None:
    """All connections are reset."""
    stage.proxy.cut()


def refuse(stage: Stage, chance: random.Random) -> None:
    """All connections are reset, and new ones refused."""
    stage.proxy.refuse()
    stage.proxy.cut()
    stage.last(chance, 1, 8)
    stage.proxy.admit()


def black_hole(stage: Stage, chance: random.Random) -> None:
    """Nothing arrives; after that, all of it does."""
    stage.proxy.let(Mode.HOLD)
    stage.last(chance, 2, 8)
    stage.proxy.let(Mode.PASS)


def half_open(stage: Stage, chance: random.Random) -> None:
    """Nothing arrives, and on the connections that there are nothing ever will."""
    stage.proxy.let(Mode.HOLD)
    stage.last(chance, 2, 8)
    stage.proxy.let_new(Mode.PASS)


def lose_replies(stage: Stage, chance: random.Random) -> None:
    """Requests are carried out, replies do not arrive, and then the connections are reset."""
    stage.proxy.let(Mode.MUTE)
    stage.last(chance, 0.2, 1)
    stage.proxy.cut()
    stage.proxy.let(Mode.PASS)


def read_only(stage: Stage, chance: random.Random) -> None:
    """The server is a replica for a while, of a master that cannot be reached, and takes no writes."""
    stage.server.ask("REPLICAOF", "127.0.0.1", "1")
    stage.last(chance, 1, 4)
    stage.server.ask("REPLICAOF", "NO", "ONE")


def fail_over(stage: Stage, chance: random.Random) -> None:
    """The replica takes the server's place; clients find it only a while later, where the server was."""
    old, new = stage.server, stage.other
    new.ask("REPLICAOF", "127.0.0.1", str(old.port))
    until(lambda: b"master_link_status:up" in new.ask("INFO", "replication"))
    until(lambda: old.ask("FAILOVER", "TO", "127.0.0.1", str(new.port)).startswith(b"+"))
    until(lambda: b"role:master" in new.ask("INFO", "replication"))
    stage.last(chance, 0.5, 2)
    stage.proxy.lead_to(new.port)
    stage.server, stage.other = new, old


def crawl(stage: Stage, chance: random.Random) -> None:
    """The network carries little."""
    stage.proxy.carry_at(chance.uniform(20_000, 200_000))
    stage.last(chance, 1, 8)
    stage.proxy.carry_at(float("inf"))


OUTAGES: dict[str, Callable[[Stage, random.Random], None]] = {
    "restart": restart,
    "kill -9": kill,
    "CLIENT KILL, all": kill_clients,
    "CLIENT KILL, some": kill_some,
    "CLIENT PAUSE": pause,
    "SIGSTOP": freeze,
    "SCRIPT FLUSH": forget_scripts,
    "reset": reset,
    "refused": refuse,
    "black hole": black_hole,
    "half open": half_open,
    "replies lost": lose_replies,
    "read-only": read_only,
    "failover": fail_over,
    "slow link": crawl,
}


@contextmanager
def stage(folder: Path, *, shortest: float = 0.0, longest: float) -> Iterator[Stage]:
    """Two servers and a network; outages that take a while last from `shortest` to `longest` seconds, if they can."""
    servers = [RedisServer(folder / name, *DURABLE) for name in ("one", "two")]
    try:
        for server in servers:
            server.start()
        with standing_before(servers[0].port) as proxy:
            yield Stage(*servers, proxy, (shortest, longest))
    finally:
        for server in servers:
            server.stop(kill=True)
