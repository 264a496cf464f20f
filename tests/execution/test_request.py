"""The request and where it is current."""

from __future__ import annotations

import asyncio

from umbel.execution.request import Request, current, find, push


def test_an_empty_request_is_that_of_a_direct_call():
    request = Request()
    assert (request.id, request.retries, request.called_directly, request.is_eager) == (None, 0, True, False)
    assert (request.children, request.follow_ups) == ([], [])
    assert request.timelimit == (None, None)


def test_fields_are_attributes_and_can_be_asked_for():
    request = Request(id="x", tenant="t")
    request.update({"retries": 2}, shadow="s")
    assert (request.id, request.tenant, request.retries, request.shadow) == ("x", "t", 2, "s")
    assert request.get("tenant") == "t"
    assert request.get("nothing") is None
    assert request.get("nothing", 5) == 5


def test_limits_can_be_asked_for_one_by_one():
    request = Request(timelimit=[30, 20])
    assert (request.time_limit, request.soft_time_limit) == (30, 20)
    assert (Request(timelimit=None).time_limit, Request(timelimit=None).soft_time_limit) == (None, None)


def test_it_tells_with_which_options_it_would_be_sent_again():
    request = Request(id="x", group="g", callbacks=[1], errbacks=[2], timelimit=(30, 20), retries=3)
    options = request.as_execution_options()
    assert (options["task_id"], options["group_id"], options["link"], options["link_error"]) == ("x", "g", [1], [2])
    assert (options["time_limit"], options["soft_time_limit"], options["retries"]) == (30, 20, 3)


def test_it_tells_who_it_is():
    assert repr(Request(task="t", id="x")) == "<Request: t[x] retries=0>"


def test_the_innermost_request_of_a_task_is_found():
    outer, other, inner = Request(owner="a"), Request(owner="b"), Request(owner="a")
    tokens = [push(request) for request in (outer, other)]
    assert find("a") is outer
    tokens.append(push(inner))
    assert find("a") is inner
    assert find("b") is other
    assert find("c") is None
    for token in reversed(tokens):
        current.reset(token)
    assert find("a") is None


def test_asyncio_tasks_inherit_it():
    async def main():
        token = push(Request(owner="a", id="x"))
        found = await asyncio.create_task(look())
        current.reset(token)
        return found

    async def look():
        return find("a").id

    assert asyncio.run(main()) == "x"


def test_lines_of_direct_calls_tell_no_task():
    from umbel import log

    token = push(Request())
    assert log.current_task_of() is None
    current.reset(token)
    token = push(Request(id="x"))
    assert log.current_task_of() == ("???", "x")
    current.reset(token)
