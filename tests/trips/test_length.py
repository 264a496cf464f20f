"""How long the whole trip is: the functions and files that one task enters between `delay` and its result.

Counted in one process, so that all of it can be seen: embedded store, and a pool that runs jobs in a thread. What a worker enters
while it waits (the loop that fetches, a look at the file) is not counted; with that it is seven functions and one file more.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from umbel.testing.waiting import patience

FUNCTIONS, FILES = 45, 20

TRIP = '''
"""Runs a worker in this process (its pool runs jobs in a thread, so that all can be seen) and follows one warm call."""

import json, os, signal, sys, threading
import umbel
from umbel import Umbel
from umbel.testing.waiting import patience
from umbel.worker.worker import Worker

HERE = os.path.dirname(umbel.__file__)
COMPREHENSIONS = ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>")  # newer Pythons have no functions for them
app = Umbel("trip", broker=sys.argv[1])
entered, waiting, ticks = set(), set(), threading.Semaphore(0)
following, seconds = False, patience()

@app.task
def add(x, y):
    return x + y

def look(frame, event, argument):
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(HERE) and not code.co_name.endswith(COMPREHENSIONS):
        (entered if following else waiting).add((os.path.relpath(code.co_filename, HERE), code.co_qualname))
        if code.co_qualname == "SqliteBroker.reserve":
            ticks.release()

def client():
    global following
    for _ in range(3):
        add.delay(1, 2).get(timeout=seconds)
    waiting.clear()
    while ticks.acquire(blocking=False):
        pass
    for _ in range(3):  # an idle worker reserves in vain now and then: what it enters is no part of the trip
        ticks.acquire(timeout=seconds)
    following = True
    assert add.delay(2, 3).get(timeout=seconds) == 5
    while ticks.acquire(blocking=False):
        pass
    ticks.acquire(timeout=seconds)
    following = False
    print(json.dumps(sorted(entered - waiting)), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

threading.setprofile(look)
sys.setprofile(look)
Worker(app, hostname="trip@host", pool="solo", heartbeat=None, ready=lambda _: threading.Thread(target=client).start()).run()
'''


def test_the_whole_trip_is_short(tmp_path: Path) -> None:
    (tmp_path / "trip.py").write_text(TRIP)
    command = [sys.executable, "trip.py", f"sqlite:///{tmp_path}/trip.db"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=patience(), check=True).stdout
    steps = json.loads(told)
    files = {file for file, _ in steps}
    print(f"{len(steps)} functions in {len(files)} files:", *(f"{file} {name}" for file, name in steps), sep="\n  ")
    assert len(steps) <= FUNCTIONS
    assert len(files) <= FILES
