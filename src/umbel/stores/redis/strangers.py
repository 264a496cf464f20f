"""Whether workers that are not umbel's are there, which may hold messages unseen: Celery's, that acknowledge early."""

from __future__ import annotations

import re

from umbel.errors import BrokerRefused
from umbel.stores.redis.link import Link

_WAITS = re.compile(rb"\bdb=(\d+) (?:.* )?cmd=(?:brpop|p?subscribe)\b")
"""A client that waits for messages or for orders, as such a worker always does."""
_OURS = b" name=umbel:"


def may_hold(link: Link, unacked: str) -> bool:
    """True if one is there, or holds something in the hash `unacked`; and if this user is not to know."""
    try:
        held, clients = link.ask_all([("HLEN", unacked), ("CLIENT", "LIST")])
    except BrokerRefused:
        return True
    mine = str(link.server.db).encode()
    waiting = (_WAITS.search(line) for line in clients.splitlines() if _OURS not in line)
    return bool(held) or any(found[1] == mine for found in waiting if found)
