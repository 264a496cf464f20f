"""Celery's result documents under Celery's keys: read as they are, kept as Celery keeps them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from umbel.states import READY_STATES
from umbel.stores.url import open_backend
from umbel.wire import result

RECORDED = json.loads((Path(__file__).parent.parent / "wire" / "celery" / "results.json").read_text())
STATES = {
    "success": ["STARTED", "SUCCESS"],
    "failure": ["STARTED", "FAILURE"],
    "retry": ["STARTED", "RETRY"],
    "progress": ["STARTED", "PROGRESS", "SUCCESS"],
    "expired": ["REVOKED"],
}


@pytest.fixture
def backend(redis_url):
    backend = open_backend(redis_url, expires=60)
    yield backend
    backend.close()


@pytest.mark.parametrize("serializer", RECORDED)
def test_the_state_is_told_whatever_serializer_celery_wrote_with(redis_server, backend, serializer):
    for name, states in STATES.items():
        for text, state in zip(RECORDED[serializer][name]["documents"], states, strict=True):
            redis_server.ask("SET", "celery-task-meta-a", base64.b64decode(text))
            assert backend.fetch(["a"])["a"].state == state
            assert bool(backend.wait(["a"], 0)) == (state in READY_STATES)


@pytest.mark.parametrize("serializer", RECORDED)
def test_what_celery_told_as_a_success_stays(redis_server, backend, serializer):
    document = base64.b64decode(RECORDED[serializer]["success"]["documents"][-1])
    redis_server.ask("SET", "celery-task-meta-a", document)
    backend.store([result.encode("a", "FAILURE", ValueError("x"), serializer=serializer)])
    assert backend.fetch(["a"])["a"].document == document


def test_a_text_in_yaml_that_looks_like_a_state_is_none(redis_server, backend):
    found = result.encode("a", "FAILURE", ValueError("x\nstatus: SUCCESS\n"), traceback="x\nstatus: SUCCESS\n", serializer="yaml")
    redis_server.ask("SET", "celery-task-meta-a", found.document)
    assert backend.fetch(["a"])["a"].state == "FAILURE"
