"""For all tests: each begins without an app or ids of another, and asserts inside the shipped suites explain themselves."""

import pytest

pytest.register_assert_rewrite("umbel.testing")  # here, before any test imports it


@pytest.fixture(autouse=True)
def no_app_of_another_test(monkeypatch):
    from umbel.client import current

    monkeypatch.setattr(current, "_process", None)
    monkeypatch.setattr(current, "_latest", None)
    token = current._here.set(None)
    yield
    current._here.reset(token)


@pytest.fixture(autouse=True)
def no_ids_of_another_test(monkeypatch):
    """A test that puts the clock forward would leave ids that lie ahead of it to those behind it."""
    from umbel.wire import ids

    monkeypatch.setattr(ids, "_newest", 0)
