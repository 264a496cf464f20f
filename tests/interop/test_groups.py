"""Groups that one side has saved, restored by the other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.missing import lacks
from tests.servers.redis import RedisServer

from umbel import Umbel
from umbel.testing.waiting import patience
from umbel.wire.result import encode

CELERY = Path(__file__).parents[2] / ".bench" / "celery" / "bin" / "python"
SCRIPT = """
import json, sys
from celery import Celery
from celery.result import GroupResult, AsyncResult

app = Celery("theirs", broker="memory://", backend=sys.argv[1])
found = app.GroupResult.restore("ours")
told = [found.as_tuple(), found.join(timeout=float(sys.argv[2])), found.completed_count(), found.parent.id]
found.delete()
inner = app.GroupResult("inner", [app.AsyncResult("b"), app.AsyncResult("c")])
app.GroupResult("theirs", [app.AsyncResult("a"), inner], parent=app.AsyncResult("before")).save()
print(json.dumps(told))
"""


@pytest.fixture
def app(redis_server: RedisServer) -> Iterator[Umbel]:
    place = f"redis://127.0.0.1:{redis_server.port}/15"
    with Umbel("ours", broker=place, backend=place, set_as_current=False) as app:
        yield app


def test_a_saved_group_is_restored_by_the_other_side(app: Umbel) -> None:
    if not CELERY.exists():
        lacks("there is no environment .bench/celery: run scripts/setup celery .bench/celery")
    app.backend.store([encode(id_, "SUCCESS", id_.upper()) for id_ in "abc"])
    ours = app.GroupResult("ours", [app.AsyncResult(id_) for id_ in "abc"], parent=app.AsyncResult("before"))
    ours.save()
    command = [CELERY, "-c", SCRIPT, app.result_url, str(patience())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(2), check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [json.loads(json.dumps(ours.as_tuple())), ["A", "B", "C"], 3, "before"]
    assert app.GroupResult.restore("ours") is None
    theirs = app.GroupResult.restore("theirs")
    assert theirs.as_list() == ["theirs", "a", "inner", "b", "c", "before"]
    assert theirs.get(timeout=patience()) == ["A", ["B", "C"]]
