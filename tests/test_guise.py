"""umbel under other names: who wears a guise does it before all else, so each of these programs is a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from umbel import errors, guise
from umbel.execution.einfo import ExceptionInfo
from umbel.testing.waiting import patience

WORN = """
from umbel.guise import Guise, wear

wear(Guise(
    program="bellis",
    version="7.5",
    node="daisy",
    child="Petal-{}",
    loggers={"umbel": "bellis", "umbel.worker": "bellis.apps", "umbel.trace": "bellis.app.trace", "umbel.task": "bellis.task"},
    formats="others",
    classes={
        "umbel.errors.BrokerDown": ["neighbour.Unreachable"],
        "umbel.errors.SoftTimeLimitExceeded": ["neighbour.TooLong"],
        "umbel.execution.einfo.ExceptionInfo": ["neighbour.Info"],
    },
))
"""
NEIGHBOUR = """
class Unreachable(OSError): pass
class TooLong(Exception): pass
class Info:
    internal = True
"""


def run(folder: Path, program: str, *arguments: str, worn: str = WORN) -> str:
    """What a program prints that begins with the guise."""
    (folder / "neighbour.py").write_text(NEIGHBOUR)
    (folder / "program.py").write_text(worn + textwrap.dedent(program))
    command = [sys.executable, "program.py", *arguments]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=patience(), check=False)
    return found.stdout + found.stderr


def test_loggers_have_the_names_that_the_guise_gives_them_and_else_that_of_their_nearest_ancestor(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        from umbel import log, signals
        from umbel.worker import fetch, reap, worker
        from umbel.execution import tell
        from umbel.pools import process
        loggers = (worker.log, fetch.log, reap.trace, tell.log, process.log, signals.log, log.get_task_logger("bellis.task"))
        print(*(each.name for each in loggers))
        """,
    )
    names = "bellis.apps bellis.apps.fetch bellis.app.trace bellis.app.trace bellis.pools bellis.signals bellis.task"
    assert told == names + "\n"


def test_no_logger_keeps_a_name_of_umbel(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        import importlib, logging, pkgutil
        import umbel
        for module in pkgutil.walk_packages(umbel.__path__, "umbel.", onerror=lambda name: None):
            if not module.name.endswith("__main__") and ".testing" not in module.name and ".django" not in module.name:
                importlib.import_module(module.name)
        print([name for name in logging.root.manager.loggerDict if name.startswith("umbel")])
        """,
    )
    assert told == "[]\n"


def test_a_class_is_also_the_one_that_the_guise_names(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        import pickle
        import neighbour
        from umbel.errors import BrokerDown, BrokerError, SoftTimeLimitExceeded
        from umbel.execution.einfo import ExceptionInfo
        for kind, other in ((BrokerDown, neighbour.Unreachable), (SoftTimeLimitExceeded, neighbour.TooLong)):
            try:
                raise kind("so")
            except other as error:
                again = pickle.loads(pickle.dumps(error))
                print(type(again) is kind, again, kind.__module__, kind.__qualname__, kind.__doc__)
        info = ExceptionInfo(ValueError("no"))
        print(issubclass(BrokerDown, BrokerError), isinstance(info, neighbour.Info), info.internal, info.exception)
        """,
    )
    assert told.splitlines() == [
        f"True so umbel.errors BrokerDown {errors.BrokerDown.__doc__}",
        f"True so umbel.errors SoftTimeLimitExceeded {errors.SoftTimeLimitExceeded.__doc__}",
        "True True False no",
    ]


@pytest.mark.parametrize("arguments", [["--version"], ["worker"], ["nothing"]])
def test_commands_speak_under_the_name_of_the_guise(tmp_path: Path, arguments: list[str]) -> None:
    told = run(tmp_path, "from umbel.cli.main import main; main()", *arguments)
    assert told in (
        "bellis 7.5\n",
        "bellis: which app? Name it with -A (bellis -A proj worker) or in BELLIS_APP\n",
        "bellis: no command 'nothing'; did you mean 'completion'? (bellis --help)\n",
    ) or told.startswith("bellis: no command 'nothing'; there are")


def test_nodes_and_child_processes_bear_the_names_of_the_guise(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        import asyncio
        import multiprocessing
        from umbel import Umbel, signals
        from umbel.wire.node import node_name
        from umbel.worker.worker import Worker

        app = Umbel("names", broker="sqlite:///names.db")

        @app.task
        def who():
            process = multiprocessing.current_process()
            return f"{process.name} {process.index} {who.request.hostname.partition('@')[0]}"

        found = who.delay()

        def wait(worker):
            asyncio.get_running_loop().run_in_executor(None, found.get, 20.0).add_done_callback(lambda _: worker.stop())

        Worker(app, hostname=node_name(None), concurrency=1, ready=wait).run()
        print(found.get(1.0))
        """,
    )
    assert told == "Petal-1 0 daisy\n"


def test_serializers_and_json_types_of_others_are_asked_last(tmp_path: Path) -> None:
    (tmp_path / "others.py").write_text(
        textwrap.dedent("""
        class Money:
            def __init__(self, cents):
                self.cents = cents

        def serializer(name):
            if name in ("plain", "text/plain"):
                return "plain", "text/plain", "utf-8", str, lambda data: data.decode()
            return None

        def json_out(value):
            if isinstance(value, Money):
                return {"__type__": "money", "__value__": value.cents}
            raise TypeError("no")

        def json_in(found):
            if found["__type__"] == "money":
                return Money(found["__value__"])
            raise LookupError
        """)
    )
    told = run(
        tmp_path,
        """
        from others import Money
        from umbel.errors import DecodeError, EncodeError
        from umbel.wire import encoding

        kind, codec, data = encoding.dumps("hello", "plain")
        print(kind, codec, data, encoding.loads(data, kind, codec, encoding.accept_types(["plain"])))
        kind, codec, data = encoding.dumps([Money(5)])
        print(data, encoding.loads(data, kind, codec, frozenset({kind}))[0].cents)
        for wrong in (lambda: encoding.dumps(object()), lambda: encoding.dumps(1, "other"),
                      lambda: encoding.loads(b'{"__type__": "x", "__value__": 1}', kind, codec, frozenset({kind}))):
            try:
                wrong()
            except (DecodeError, EncodeError) as problem:
                print(type(problem).__name__)
        """,
    )
    assert told.splitlines() == [
        "text/plain utf-8 b'hello' hello",
        """b'[{"__type__":"money","__value__":5}]' 5""",
        "EncodeError",
        "EncodeError",
        "DecodeError",
    ]


def test_classes_that_nobody_asks_for_are_not_loaded(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        import sys
        from umbel import Umbel, errors
        print("neighbour" in sys.modules, "SoftTimeLimitExceeded" in dir(errors))
        from umbel.errors import SoftTimeLimitExceeded
        print("neighbour" in sys.modules, SoftTimeLimitExceeded is errors.SoftTimeLimitExceeded)
        """,
        worn=WORN.replace('"umbel.errors.BrokerDown": ["neighbour.Unreachable"],', ""),
    )
    assert told == "False True\nTrue True\n"


def test_what_comes_too_late_is_refused() -> None:
    assert guise.worn() == guise.Guise()
    guise.wear(guise.Guise())  # the same once more changes nothing
    with pytest.raises(RuntimeError, match="umbel is in use as 'umbel' and cannot become 'bellis' any more"):
        guise.wear(guise.Guise(program="bellis"))


def test_without_a_guise_classes_are_as_they_are_written() -> None:
    assert errors.BrokerDown.__mro__[1] is errors.BrokerError
    assert ExceptionInfo.__mro__ == (ExceptionInfo, object)
