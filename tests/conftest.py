"""For all tests: each begins without an app or ids of another, ends in time, leaves nothing open, and tells more if it fails."""

import gc
import signal
import sqlite3

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

pytest.register_assert_rewrite("umbel.testing")  # here, before anything imports it

from tests.limit import Limit  # noqa: E402
from tests.sharing import Sharing  # noqa: E402
from tests.story import FAILED, STAYS_OPEN, Story  # noqa: E402

from umbel.testing.waiting import rest  # noqa: E402

# How long random cases take to draw says how busy the machine is, and nothing else.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure(config):
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_IGN:  # by a script's shell, or nohup: pytest only, not what tests start
            signal.signal(number, lambda *_: None)
    config.pluginmanager.register(Limit(), "limit")
    config.pluginmanager.register(Story(), "story")
    if config.pluginmanager.has_plugin("xdist"):
        config.pluginmanager.register(Sharing(), "sharing")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Thousands of tests: the collector would go through them again and again, as they come and later, also in what they fork."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_finish(session):
    if session.config.option.collectonly:  # as before all tests: Hypothesis finds out which characters there are, and keeps it
        st.text().validate()


@pytest.fixture(autouse=True)
def alone(request):
    """One for all of this, as thousands of tests have it: to begin without an app or ids of another test, to leave nothing open.

    The interpreter would complain of an open connection in whichever test it clears up. A test that puts the clock forward would
    leave ids that lie ahead of it to those behind it. The clock of `pace` goes on for nobody.
    """
    from umbel.client import current
    from umbel.wire import ids

    opened, connect = [], sqlite3.connect

    def noted(*args, **options):
        opened.append(connect(*args, **options))
        return opened[-1]

    before = current._process, current._latest, ids._newest
    current._process, current._latest, ids._newest, sqlite3.connect = None, None, 0, noted
    token = current._here.set(None)
    yield
    current._here.reset(token)
    (current._process, current._latest, ids._newest), sqlite3.connect = before, connect
    rest()
    if not request.node.stash.get(FAILED, request.node.stash.get(STAYS_OPEN, False)):
        assert [connection for connection in opened if is_open(connection)] == []


def is_open(connection):
    try:
        return connection.total_changes >= 0
    except sqlite3.ProgrammingError as error:
        return "closed" not in str(error)
