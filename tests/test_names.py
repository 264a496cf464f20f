"""The names that programs may rely on."""

from __future__ import annotations

import subprocess
import sys

import pytest

import umbel

NAMES = """
AsyncResult BrokerDown BrokerError BrokerRefused ContentDisallowed DecodeError EagerResult EncodeError GroupResult Ignore
ImproperlyConfigured MaxRetriesExceededError NotRegistered QueueNotFound Reject ResultSet Results Retry Signature
SoftTimeLimitExceeded Task TaskRevokedError TimeLimitExceeded TimeoutError Umbel UmbelError WorkerLostError __version__
allow_join_result current_app current_task errors get_task_logger progress register_serializer shared_task signals signature
states StampingVisitor chain chord chunks group maybe_signature subtask xmap xstarmap
"""


def test_these_are_the_public_names():
    assert sorted(umbel.__all__) == sorted(NAMES.split())
    assert sorted(dir(umbel)) == sorted(NAMES.split())


@pytest.mark.parametrize("name", NAMES.split())
def test_each_name_is_there(name):
    assert getattr(umbel, name) is not None


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'umbel' has no 'nothing'"):
        _ = umbel.nothing


def loaded(code: str) -> set[str]:
    """The modules that a program has loaded after `code`."""
    program = f"import sys; before = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    return set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())


def test_importing_umbel_loads_nothing_but_umbel():
    assert {name.partition(".")[0] for name in loaded("import umbel")} == {"umbel", "__future__"}


def test_a_program_that_sends_loads_nothing_of_workers_nor_of_what_few_use(tmp_path):
    modules = loaded(
        f"from umbel import Umbel\napp = Umbel(broker='sqlite:///{tmp_path}/q.db')\n@app.task\ndef add(x): ...\nadd.delay(1)"
    )
    few = "asyncio bz2 concurrent dataclasses difflib lzma pickle random rich click shutil socket subprocess tempfile zoneinfo"
    assert not modules & set(few.split())
    assert not {name for name in modules if name.startswith(("umbel.worker", "umbel.pools", "umbel.events", "umbel.schedules"))}


def test_an_app_with_tasks_loads_nothing_heavy():
    modules = loaded("from umbel import Umbel\napp = Umbel()\n@app.task\ndef add(x, y): return x + y\n")
    heavy = "asyncio sqlite3 msgspec inspect dataclasses difflib json logging.config rich click zoneinfo random pickle socket"
    assert not modules & set(heavy.split())
    assert not {name for name in modules if name.startswith("umbel.stores")}
