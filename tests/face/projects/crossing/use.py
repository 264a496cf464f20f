import json
import os
from pathlib import Path

from counted import again, app, failing, one, other

PATIENCE = float(os.environ["PATIENCE"])

TASKS = (one, other, again, failing)
COUNT = 200


def send_many():
    return [TASKS[number % 4].apply_async((number,), headers={"n": number}).id for number in range(COUNT)]


def collect():
    """How many have the value, or the error, that they should have."""
    ids = json.loads(Path("ids.json").read_text())
    found = [app.AsyncResult(id).get(timeout=PATIENCE, propagate=False) for id in ids]
    return sum(
        number == value if number % 4 < 3 else isinstance(value, ValueError) and value.args == (number,)
        for number, value in enumerate(found)
    )


def wait_for_some():
    ids = json.loads(Path("ids.json").read_text())
    return app.AsyncResult(ids[1]).get(timeout=PATIENCE)
