"""What the server's refusals mean: try again, or never."""

from __future__ import annotations

import re

from umbel.errors import BrokerDown, BrokerError, BrokerRefused

_DOWN = {
    "LOADING": "is loading its data",
    "READONLY": "is a replica now, and takes no writes",
    "MASTERDOWN": "is a replica that has lost its master",
    "NOREPLICAS": "has too few replicas to take writes",
    "MISCONF": "takes no writes because it cannot save to its disk: make room there",
    "OOM": "is full: raise maxmemory, or let workers empty the queues",
    "BUSY": "is busy with a script",
    "CLUSTERDOWN": "belongs to a cluster that is down",
    "TRYAGAIN": "belongs to a cluster that moves keys",
    "UNBLOCKED": "ended the wait: it is a replica now",
}
"""A full or read-only server is away, not unwilling: it takes the same again once it was emptied, or its successor found."""
_CLUSTER = "belongs to a Redis Cluster, which umbel does not use: take a server by itself, with sentinels if it must not fail"
_REFUSED = {
    **dict.fromkeys(("MOVED", "ASK", "CROSSSLOT"), _CLUSTER),
    "NOAUTH": "asks for a password: put it into the URL",
    "WRONGPASS": "does not know this user and password",
    "NOPERM": "does not allow this user what umbel needs",
    "WRONGTYPE": "has a key of that name which is no queue: let no other program use it, or set global_keyprefix",
}


_IN_SCRIPT = re.compile(r"@user_script.*?: -?([A-Z]+ .*)")
"""How servers before Redis 7 tell that a command in a script failed."""


def refusal(url: str, text: str) -> BrokerError:
    """The server's error reply, in umbel's words."""
    if inside := _IN_SCRIPT.search(text):
        text = inside[1]
    code = text.split(" ", 1)[0]
    if code in _DOWN:
        return BrokerDown(f"{url} {_DOWN[code]} ({text})")
    if code in _REFUSED:
        return BrokerRefused(f"{url} {_REFUSED[code]} ({text})")
    if "user executing the script can't" in text or "ACL failure in script" in text:
        return BrokerRefused(f"{url} {_REFUSED['NOPERM']} ({text})")
    if "same slot" in text or "non local key" in text:
        return BrokerRefused(f"{url} {_CLUSTER} ({text})")
    if "max number of clients" in text:
        return BrokerDown(f"{url} has no connection left: raise maxclients ({text})")
    return BrokerRefused(f"{url} refuses: {text}")
