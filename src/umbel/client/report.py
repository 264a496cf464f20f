"""What a report of a fault needs to say of an app, as one text: `app.bugreport()`."""

from __future__ import annotations

import platform
import sys
from typing import Any

from umbel import guise, shown


def text(app: Any) -> str:
    """Versions, the system, and all settings that are not the default, secrets masked."""
    worn = guise.worn()
    system = f"system:{platform.system()} arch:{platform.machine()} imp:{platform.python_implementation()}"
    lines = [
        f"software -> {worn.program}:{worn.version} py:{platform.python_version()}",
        f"platform -> {system} {sys.executable}",
        f"loader   -> {type(app.loader).__module__}.{type(app.loader).__qualname__}",
        f"settings -> transport:{app.broker_url.partition(':')[0]} results:{shown.url(app.result_url or 'disabled')}",
        "",
        app.conf.humanize(),
    ]
    return "\n".join(lines)
