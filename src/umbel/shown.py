"""How what may hold a secret is shown: URLs, and values of settings. The one place for errors, banners, reports and logs.

And how text from outside stands in a line of a log, where a line end would begin a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "**"
HIDDEN = "********"

_NO_SECRETS = frozenset(
    {
        *(
            "db",
            "virtual_host",
            "timeout",
            "synchronous",
            "ssl",
            "socket_timeout",
            "socket_connect_timeout",
            "visibility_timeout",
        ),
        *("master_name", "global_keyprefix", "priority_steps", "celery_workers", "polling_interval", "health_check_interval"),
        *("ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "max_connections", "heartbeat"),
        *("retry_on_timeout", "socket_keepalive", "fanout_prefix", "fanout_patterns", "queue_order_strategy", "protocol"),
        *("sep", "ack_emulation", "client_name", "min_other_sentinels", "unacked_key", "unacked_index_key", "unacked_mutex_key"),
    }
)
"""Options in URLs whose values everybody may read."""
_SECRET = ("password", "passwd", "secret", "token", "credential", "passphrase", "apikey", "dsn")
_PATHS = ("sqlite", "memory", "cache+memory", "file", "filesystem")
"""Schemes of places that ask nobody who he is: an @ in them is part of a name."""
_OPTIONS = r"/?[^/?#@]*\?[^/?#]*="
"""How what stands behind a host begins, up to an option: so an @ that follows is part of its value."""
_HOST = r"(?:[^:]*|\[[^\]]*\])(?::[0-9]*)?|"
_DOUBTFUL = r"[\w+.-]*://:[0-9]+/?[^@]*\?[^@]*=.*@"
"""A URL that begins with a password of digits, or with a port, and has an @ behind: nobody can tell."""
_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"


def parted(url: str) -> tuple[str, str, str]:
    """A URL as its scheme, who asks (`user:password`, as it is written), and the rest.

    Passwords hold `#`, `/` or `?` although they should not: what stands before the last @ is the account, unless it is plainly
    the value of an option.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    if scheme in _PATHS or scheme.endswith("+socket"):
        account, at, _place = rest.partition("/")[0].rpartition("@")
        return scheme, account, rest[len(account) + len(at) :]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    last = rest.rfind("@")
    if last < len(authority) or (re.fullmatch(_HOST, authority) and re.match(_OPTIONS, rest[len(authority) :])):
        last = authority.rfind("@")
    return (scheme, "", rest) if last < 0 else (scheme, rest[:last], rest[last + 1 :])


def url(text: str) -> str:
    """URLs (one, or several with `;` between) without what may be secret."""
    if ";" in text and "://" in text:
        return ";".join(map(_one, re.split(r";(?=[\w+.-]+://|[^;@]*(?:;|$))", text)))
    return _one(text)


def is_doubtful(text: str) -> bool:
    """True of a URL of which nobody can tell where its password ends."""
    return re.match(_DOUBTFUL, text) is not None


def _one(text: str) -> str:
    if is_doubtful(text):
        return f"{text.partition('://')[0]}://{MASK}"
    scheme, account, rest = parted(text)
    place, query, options = rest.partition("?")
    if query:
        options = "&".join(map(_option, options.split("&")))
    if account:
        user, colon, password = account.partition(":")
        place = f"{user}:{MASK}@{place}" if password or colon else f"{user}@{place}"
    return f"{scheme}://{place}{query}{options}" if "://" in text else f"{place}{query}{options}"


def _option(text: str) -> str:
    name, equals, _ = text.partition("=")
    return text if not equals or name.lower() in _NO_SECRETS else f"{name}={MASK}"


def is_secret(name: str) -> bool:
    """True if a value of this name is nobody's business."""
    low = name.lower().replace("-", "_")
    if low in _NO_SECRETS or low.endswith("routing_key"):
        return False
    return low == "key" or low.endswith("_key") or any(word in low for word in _SECRET)


def value(name: str, given: Any) -> str:
    """The value of a setting, as its repr, without what may be secret."""
    return repr(opened(name, given))


def opened(name: str, given: Any) -> Any:
    """The same, not as text."""
    return HIDDEN if given and is_secret(name) and not isinstance(given, (bool, int, float)) else _open(given)


def _open(given: Any) -> Any:
    if isinstance(given, str):
        return url(given) if "://" in given or "@" in given else given
    if isinstance(given, Mapping):
        return {key: MASK if isinstance(key, str) and each and is_secret(key) else _open(each) for key, each in given.items()}
    if type(given) in (list, tuple):
        return type(given)(map(_open, given))
    return given


def count(number: int, noun: str) -> str:
    """`1 task`, `2,000 tasks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def line(text: str) -> str:
    """Text from outside as it may stand in a line of a log: characters that steer a terminal, or end a line, are escaped."""
    return (
        text
        if text.isprintable()
        else re.sub(_CONTROL, lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)
    )
