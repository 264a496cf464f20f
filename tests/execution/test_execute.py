"""Executor: one message in, one Outcome out."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import gc
import json
import logging
import os
import sys
import threading
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umbel import Task, Umbel, signals
from umbel.errors import (
    Ignore,
    MaxRetriesExceededError,
    NotRegistered,
    Reject,
    Retry,
    SoftTimeLimitExceeded,
    TaskRevokedError,
    TimeLimitExceeded,
    WorkerLostError,
)
from umbel.execution.outcome import Job, Kind
from umbel.execution.request import Request, current, served
from umbel.follow.executor import make_executor
from umbel.testing.waiting import patience
from umbel.wire.encoding import accept_types
from umbel.wire.envelope import Envelope
from umbel.wire.message import Embed


def sig(task, *args, kwargs=None, immutable=False, **options):
    return {
        "task": task,
        "args": list(args),
        "kwargs": kwargs or {},
        "options": options,
        "subtask_type": None,
        "immutable": immutable,
    }


class TestSuccess:
    def test_a_value_becomes_a_result_and_a_text(self, house, document):
        @house.task
        def add(x, y):
            return x + y

        outcome = house.run(add, 2, kwargs={"y": 3})
        assert (outcome.kind, outcome.text, outcome.envelopes) == (Kind.SUCCESS, "5", ())
        assert outcome.runtime > 0
        found = document(outcome.results[0])
        assert (found.status, found.result, found.task_id, found.traceback) == ("SUCCESS", 5, "id-1", None)

    @pytest.mark.parametrize("hook", ["before_start", "on_success", "after_return"])
    def test_a_hook_put_into_a_task_or_its_class_later_is_called(self, house, hook):
        calls = []

        @house.task
        def noop():
            pass

        house.run(noop)
        setattr(noop, hook, lambda *args: calls.append(args))
        house.run(noop)
        delattr(noop, hook)
        house.run(noop)
        setattr(type(noop), hook, lambda *args: calls.append(args))
        house.run(noop)
        assert [args[0] is noop for args in calls] == [False, True]

    def test_a_call_of_the_class_s_own_goes_around_the_run(self, house):
        class Doubling(house.app.Task):
            def __call__(self, *args):
                return 2 * super().__call__(*args)

        class Named(Doubling):
            pass

        @house.task(base=Named)
        def add(x, y):
            return x + y

        assert add.entry is add
        assert house.run(add, 2, 3).text == "10"

    def test_hooks_and_signals_come_in_celery_s_order(self, house, told):
        class Talking(house.app.Task):
            def before_start(self, *args):
                told.append(("before_start", args))

            def on_success(self, *args):
                told.append(("on_success", args))

            def after_return(self, *args):
                told.append(("after_return", args))

        @house.task(base=Talking)
        def add(x, y):
            told.append(("run", (x, y)))
            return x + y

        house.run(add, 2, 3)
        assert [name for name, _ in told] == [
            *("task_prerun", "before_start", "run", "on_success", "task_success", "after_return", "task_postrun")
        ]
        facts = dict(told)
        assert facts["task_prerun"] == {"sender": add, "task_id": "id-1", "task": add, "args": [2, 3], "kwargs": {}}
        assert facts["before_start"] == ("id-1", [2, 3], {})
        assert facts["on_success"] == (5, "id-1", [2, 3], {})
        assert facts["task_success"]["result"] == 5
        assert facts["task_success"]["runtime"] > 0
        assert facts["after_return"] == ("SUCCESS", 5, "id-1", [2, 3], {}, None)
        assert facts["task_postrun"]["retval"] == 5
        assert facts["task_postrun"]["state"] == "SUCCESS"

    def test_an_ignored_result_is_not_stored(self, house):
        @house.task(ignore_result=True)
        def quiet():
            return 1

        assert house.run(quiet).results == ()

    def test_the_message_says_whether_the_result_is_ignored_if_it_says_anything(self, house):
        @house.task(ignore_result=True)
        def quiet():
            return 1

        @house.task
        def loud():
            return 1

        assert len(house.run(quiet, ignore_result=False).results) == 1
        assert house.run(loud, ignore_result=True).results == ()

    def test_parent_group_and_children_are_in_the_document(self, house, document):
        @house.task(bind=True)
        def parent(self):
            self.request.children.append([["child", None], None])

        found = document(house.run(parent, parent_id="p", group="g").results[0])
        assert (found.parent_id, found.group_id, found.children) == ("p", "g", [[["child", None], None]])

    def test_a_task_without_trail_has_no_children(self, house, document):
        @house.task(bind=True, trail=False)
        def parent(self):
            self.request.children.append([["child", None], None])

        assert document(house.run(parent).results[0]).children == []

    def test_an_extended_result_tells_what_was_called(self, house, document):
        @house.task(name="add")
        def add(x, y):
            return x + y

        house.options["result_extended"] = True
        found = document(house.run(add, 2, kwargs={"y": 3}, retries=1, to={"queue": "q"}).results[0])
        assert (found.name, found.args, found.kwargs) == ("add", [2], {"y": 3})
        assert (found.worker, found.retries, found.queue) == ("w1@host", 1, "q")

    def test_an_extended_result_describes_arguments_that_cannot_be_stored(self, house, document):
        @house.task
        def count(things):
            return len(things)

        house.options.update(result_extended=True, accept=accept_types(["pickle"]))
        found = document(house.run(count, {1, 2}, to={"serializer": "pickle"}).results[0])
        assert (found.result, found.args) == (2, "({1, 2},)")

    def test_a_value_that_cannot_be_stored_is_a_failure_that_names_it(self, house, document):
        @house.task
        def odd():
            return {"a": object()}

        outcome = house.run(odd)
        assert outcome.kind is Kind.FAILURE
        assert "object" in outcome.text
        assert document(outcome.results[0]).status == "FAILURE"

    def test_a_repr_that_raises_stops_nothing(self, house):
        class Odd(int):
            def __repr__(self):
                raise RuntimeError("no")

        @house.task
        def odd():
            return Odd(3)

        outcome = house.run(odd)
        assert outcome.kind is Kind.SUCCESS

    def test_the_text_is_as_long_as_the_task_wants(self, house):
        @house.task(resultrepr_maxsize=10)
        def long():
            return "x" * 1000

        assert len(house.run(long).text) <= 10

    def test_a_class_s_own_call_is_run_around_run(self, house, document):
        class Doubling(house.app.Task):
            def __call__(self, *args, **kwargs):
                return 2 * super().__call__(*args, **kwargs)

        @house.task(base=Doubling)
        def add(x, y):
            return x + y

        assert document(house.run(add, 2, 3).results[0]).result == 10

    def test_what_a_hook_raises_is_logged_and_changes_nothing(self, house, caplog):
        class Clumsy(house.app.Task):
            def on_success(self, *args):
                raise ValueError("hook one")

            def after_return(self, *args):
                sys.exit("hook two")

        @house.task(base=Clumsy)
        def fine():
            return 1

        assert house.run(fine).kind is Kind.SUCCESS
        assert "ValueError: hook one" in caplog.text
        assert "SystemExit: hook two" in caplog.text

    def test_a_receiver_that_exits_changes_nothing(self, house, caplog):
        @house.task
        def fine():
            return 1

        @signals.task_success.connect(sender=fine)
        def leave(**_):
            sys.exit(3)

        try:
            assert house.run(fine).kind is Kind.SUCCESS
        finally:
            signals.task_success.disconnect(leave, sender=fine)  # the log keeps it alive
        assert "a receiver of task_success" in caplog.text


class TestRequest:
    def test_a_task_sees_its_call(self, house):
        seen = {}

        @house.task(bind=True, name="look")
        def look(self):
            seen.update(vars(self.request), me=self.request, served=served())

        extra = {"x-tenant": "a", "get": "hidden"}
        house.run(look, extra=extra, root_id="r", retries=2, attempt=2, to={"queue": "q", "priority": 4, "reply_to": "me"})
        assert seen["me"] is seen["served"]
        assert (seen["id"], seen["task"], seen["root_id"], seen["retries"]) == ("id-1", "look", "r", 2)
        assert (seen["hostname"], seen["called_directly"], seen["reply_to"]) == ("w1@host", False, "me")
        assert seen["delivery_info"] == {"exchange": "", "routing_key": "q", "priority": 4, "redelivered": True}
        assert seen["headers"] == extra
        assert seen["x-tenant"] == "a"
        assert seen["me"].get("x-tenant") == "a"

    def test_a_run_ends_alike_whether_its_request_was_looked_at_or_not(self, house, document):
        @house.task(bind=True, name="add")
        def add(self, look):
            return self.request.retries if look else 0

        (plain,), (looked,) = (house.run(add, look, parent_id="p", group="g").results for look in (False, True))
        found, other = document(plain), document(looked)
        assert (found.status, found.result, found.parent_id, found.group_id) == ("SUCCESS", 0, "p", "g")
        assert (other.status, other.result, other.parent_id, other.group_id) == ("SUCCESS", 0, "p", "g")

    def test_what_a_thread_of_the_task_looks_at_is_the_same_request(self, house):
        @house.task(bind=True, name="look")
        def look(self):
            context, seen = contextvars.copy_context(), []
            thread = threading.Thread(target=lambda: seen.append(context.run(served)))
            thread.start()
            thread.join()
            return seen[0] is self.request and seen[0].id

        assert house.run(look).text == "'id-1'"

    def test_nothing_is_current_after_the_run(self, house):
        @house.task
        def fail():
            raise ValueError

        house.run(fail)
        assert current.get() is None

    def test_a_task_called_like_a_function_has_a_request_of_its_own(self, house):
        @house.task(bind=True)
        def inner(self):
            return self.request.called_directly, outer.request.id

        @house.task(bind=True)
        def outer(self):
            seen.append((inner(), self.request.id, self.request.called_directly))

        seen = []
        house.run(outer)
        assert seen == [((True, "id-1"), "id-1", False)]

    def test_runs_in_several_threads_do_not_see_each_other(self, house):
        @house.task(bind=True)
        def look(self):
            gate.wait(patience())
            seen.add((threading.get_ident(), self.request.id))

        gate, seen = threading.Barrier(2), set()
        threads = [threading.Thread(target=house.run, args=(look,), kwargs={"id": name}) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {name for _, name in seen} == {"a", "b"}

    def test_lines_logged_inside_tell_the_task(self, house):
        from umbel import log

        @house.task(name="look")
        def look():
            seen.append(log.current_task_of())

        seen = []
        house.run(look)
        assert seen == [("look", "id-1")]
        assert log.current_task_of() is None


class TestFailure:
    def test_an_exception_is_told_with_its_traceback(self, house, document):
        @house.task
        def fail():
            raise ValueError("boom", 42)

        outcome = house.run(fail)
        assert (outcome.kind, outcome.text, outcome.expected) == (Kind.FAILURE, "ValueError('boom', 42)", False)
        assert 'raise ValueError("boom", 42)' in outcome.traceback
        assert "execution/execute.py" not in outcome.traceback
        found = document(outcome.results[0])
        assert found.status == "FAILURE"
        assert isinstance(found.result, ValueError)
        assert found.result.args == ("boom", 42)
        assert found.traceback == outcome.traceback

    def test_hooks_and_signals_of_a_failure(self, house, told):
        class Talking(house.app.Task):
            def on_failure(self, *args):
                told.append(("on_failure", args))

            def after_return(self, *args):
                told.append(("after_return", args))

        @house.task(base=Talking)
        def fail(x):
            raise ValueError(x)

        house.run(fail, 1)
        assert [name for name, _ in told] == [*("task_prerun", "on_failure", "task_failure", "after_return", "task_postrun")]
        facts = dict(told)
        error, id_, args, kwargs, einfo = facts["on_failure"]
        assert (str(error), id_, args, kwargs) == ("1", "id-1", [1], {})
        assert str(einfo) == einfo.traceback
        assert repr(einfo) == "<ExceptionInfo: ValueError>"
        assert einfo.type is ValueError
        assert einfo.exc_info == (ValueError, error, einfo.tb)
        assert facts["task_failure"]["exception"] is error
        assert facts["task_failure"]["traceback"] is einfo.tb
        assert facts["after_return"][0] == "FAILURE"
        assert facts["task_postrun"]["state"] == "FAILURE"
        assert facts["task_postrun"]["retval"] is error

    def test_hooks_that_fail_after_a_failure_change_nothing(self, house, caplog):
        class Clumsy(house.app.Task):
            def on_failure(self, *args):
                raise KeyError("hook one")

            def after_return(self, *args):
                raise KeyError("hook two")

        @house.task(base=Clumsy)
        def fail():
            raise ValueError("the reason")

        assert house.run(fail).text == "ValueError('the reason')"
        assert "hook one" in caplog.text
        assert "hook two" in caplog.text

    def test_an_error_in_before_start_fails_the_task(self, house):
        class Late(house.app.Task):
            def before_start(self, *args):
                raise ValueError("not today")

        @house.task(base=Late)
        def never():
            ran.append(1)

        ran = []
        assert house.run(never).text == "ValueError('not today')"
        assert not ran

    def test_a_before_start_with_the_wrong_arguments_is_no_misfit(self, house):
        class Odd(house.app.Task):
            def before_start(self):
                pass

        @house.task(base=Odd)
        def fine():
            pass

        assert house.run(fine).kind is Kind.FAILURE

    def test_expected_failures_are_marked(self, house):
        @house.task(throws=(KeyError,))
        def fail():
            raise KeyError("x")

        @house.task(throws=LookupError)
        def fail_too():
            raise KeyError("x")

        assert house.run(fail).expected
        assert house.run(fail_too).expected

    def test_a_failure_with_ignored_result_is_stored_only_if_asked(self, house):
        @house.task(ignore_result=True)
        def silent():
            raise ValueError

        @house.task(ignore_result=True, store_errors_even_if_ignored=True)
        def heard():
            raise ValueError

        assert house.run(silent).results == ()
        assert len(house.run(heard).results) == 1

    @pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
    def test_an_attempt_to_end_the_process_is_a_failure(self, house, document, error):
        @house.task
        def leave():
            raise error

        outcome = house.run(leave)
        assert outcome.kind is Kind.FAILURE
        found = document(outcome.results[0])
        assert isinstance(found.result, WorkerLostError)
        assert type(error).__name__ in str(found.result)

    def test_memory_that_runs_out_is_a_failure(self, house):
        @house.task
        def greedy():
            raise MemoryError

        assert house.run(greedy).text == "MemoryError()"

    def test_recursion_without_end_is_a_failure(self, house):
        @house.task
        def deep():
            return deep.run()

        outcome = house.run(deep)
        assert outcome.text.startswith("RecursionError")

    def test_an_exception_whose_methods_raise_is_a_failure(self, house):
        class Odd(Exception):
            def __str__(self):
                raise RuntimeError

            __repr__ = __str__

            @property
            def __notes__(self):
                raise RuntimeError

        @house.task
        def fail():
            raise Odd(object())

        outcome = house.run(fail)
        assert outcome.kind is Kind.FAILURE
        assert len(outcome.results) == 1

    def test_a_very_long_traceback_loses_its_middle(self, house):
        @house.task
        def fail():
            raise ValueError("x" * 500_000)

        outcome = house.run(fail)
        assert len(outcome.traceback) < 110_000
        assert "characters left out" in outcome.traceback

    def test_a_failed_run_leaves_no_garbage_behind(self, house):
        class Big:
            pass

        @house.task
        def fail():
            big = Big()
            seen.append(weakref.ref(big))
            raise ValueError

        seen = []
        house.run(fail)
        gc.collect()
        gc.disable()
        try:
            house.run(fail)
            assert seen[1]() is None
        finally:
            gc.enable()


class TestMessagesThatCannotRun:
    def test_arguments_that_do_not_fit_are_told_and_nothing_runs(self, house, document, told):
        @house.task(name="add", autoretry_for=(TypeError,))
        def add(x, y=1, *rest, key=None, **more):
            ran.append(1)

        ran = []
        outcome = house.run(add, kwargs={"y": 2})
        assert outcome.kind is Kind.MISFIT
        assert not ran
        found = document(outcome.results[0])
        assert isinstance(found.result, TypeError)
        wanted = "add(x, y=1, *rest, key=None, **more) cannot be called as add(y=2): missing a required argument: 'x'"
        assert str(found.result) == wanted
        assert "task_failure" in dict(told)

    def test_a_type_error_of_the_task_s_own_is_a_plain_failure(self, house):
        @house.task
        def fail():
            return 1 + "1"

        @house.task
        def fail_deeper():
            return len()

        assert house.run(fail).kind is Kind.FAILURE
        assert house.run(fail_deeper).kind is Kind.FAILURE

    def test_a_type_error_from_a_function_written_in_c_is_a_plain_failure(self, house):
        class Odd(house.app.Task):
            name = "odd"
            run = staticmethod(int)

        house.app.register_task(Odd())
        outcome = house.run(house.app.tasks["odd"], [1])
        assert outcome.kind is Kind.FAILURE
        assert "TypeError" in outcome.text

    def test_an_unknown_task_is_told(self, house, document):
        outcome = house.run("nobody.knows")
        assert outcome.kind is Kind.UNREADABLE
        assert outcome.text == "NotRegistered: nobody.knows"
        assert isinstance(document(outcome.results[0]).result, NotRegistered)

    def test_an_unknown_task_whose_result_is_ignored_is_told_to_nobody(self, house):
        assert house.run("nobody.knows", ignore_result=True).results == ()

    def test_a_body_that_cannot_be_read_is_told_with_the_reason(self, house, document):
        @house.task
        def fine():
            pass

        job = house.job(fine, group="g")
        job.envelope.body = b"[["
        outcome = house.executor.run(job)
        assert outcome.kind is Kind.UNREADABLE
        assert outcome.text.startswith("DecodeError: ")
        found = document(outcome.results[0])
        assert (found.task_id, found.group_id, found.status) == ("id-1", "g", "FAILURE")

    def test_content_that_is_not_allowed_is_not_read(self, house):
        @house.task
        def fine():
            pass

        outcome = house.executor.run(house.job(fine, to={"serializer": "pickle"}))
        assert outcome.kind is Kind.UNREADABLE
        assert outcome.text.startswith("ContentDisallowed: ")

    def test_headers_that_cannot_be_read_leave_the_envelope_s_id(self, house, document):
        outcome = house.executor.run(Job(1, "x", Envelope("the-id", "celery", b"{", b"[")))
        assert outcome.kind is Kind.UNREADABLE
        assert document(outcome.results[0]).task_id == "the-id"

    @settings(max_examples=150, deadline=None)
    @given(headers=st.binary(max_size=60) | st.just(b'{"task":"proj.fine","id":"i"}'), body=st.binary(max_size=60))
    def test_no_bytes_make_it_raise(self, headers, body):
        executor = make_executor(TASKS, hostname="w1@host", accept=accept_types(["json"]))
        assert executor.run(Job(1, "proj.fine", Envelope("i", "celery", headers, body))).number == 1

    @pytest.mark.parametrize(
        "embed",
        [
            Embed(callbacks="x"),
            Embed(callbacks=[7]),
            Embed(errbacks=[{"args": []}]),
            Embed(chain=[{"task": 5}]),
            Embed(chain=[{"task": "celery.group", "subtask_type": "group"}]),
            Embed(callbacks=[{"task": "x", "options": [1]}]),
            Embed(callbacks=[{"task": "x", "args": {"a": 1}}]),
            *(
                Embed(chain=[{"task": "x", "options": {"chain": chain}}] * count)
                for chain in (5, "x", [5], [None])
                for count in (1, 9)
            ),
            Embed(chain=[{"task": "x", "options": {"chord": 5}}]),
            Embed(errbacks=[{"task": "x", "options": {"chain": {"task": "y"}}}]),
        ],
    )
    def test_follow_ups_that_could_not_be_sent_are_told_before_the_run(self, house, embed):
        @house.task
        def fine():
            ran.append(1)

        ran = []
        outcome = house.run(fine, embed=embed)
        assert outcome.kind is Kind.UNREADABLE
        assert outcome.text.startswith(("InvalidTaskError: ", "DecodeError: "))
        assert not ran

    def test_steps_with_ids_that_nobody_can_write_end_nothing(self, house, document):
        @house.task
        def fine():
            return 1

        step = {"task": "proj.fine", "options": {"task_id": "\ud800", "priority": "x"}}
        outcome = house.run(fine, embed=Embed(chain=[step]))
        assert outcome.kind is Kind.FAILURE
        assert [document(each).status for each in outcome.results] == ["FAILURE"]


TASKS = Umbel("proj", set_as_current=False, broker="memory://").tasks


class TestPredicates:
    def test_ignore_leaves_no_result(self, house, told):
        @house.task
        def leave():
            raise Ignore("enough")

        outcome = house.run(leave)
        assert (outcome.kind, outcome.results) == (Kind.IGNORED, ())
        assert [name for name, _ in told] == ["task_prerun", "task_postrun"]
        assert dict(told)["task_postrun"]["state"] == "IGNORED"

    def test_reject_tells_a_failure(self, house, document, told):
        @house.task
        def refuse():
            raise Reject("no")

        outcome = house.run(refuse)
        assert (outcome.kind, outcome.requeue, outcome.text) == (Kind.REJECTED, False, "'no'")
        assert document(outcome.results[0]).status == "FAILURE"
        assert [name for name, _ in told] == ["task_prerun", "task_failure", "task_postrun"]

    def test_reject_with_requeue_tells_nothing(self, house, told):
        @house.task
        def refuse():
            raise Reject("later", requeue=True)

        outcome = house.run(refuse)
        assert (outcome.kind, outcome.requeue, outcome.results) == (Kind.REJECTED, True, ())
        assert "task_failure" not in dict(told)
        assert dict(told)["task_postrun"]["state"] == "REJECTED"

    def test_a_rejected_task_whose_result_is_ignored_stores_none(self, house):
        @house.task(ignore_result=True)
        def refuse():
            raise Reject("no")

        assert house.run(refuse).results == ()


class TestRetry:
    def test_a_retry_is_a_result_and_a_message(self, house, document, message, told):
        class Talking(house.app.Task):
            def on_retry(self, *args):
                told.append(("on_retry", args))

        @house.task(bind=True, base=Talking)
        def again(self):
            raise self.retry(exc=ValueError("x"), countdown=1)

        outcome = house.run(again)
        assert outcome.kind is Kind.RETRY
        assert outcome.text == "Retry in 1s: ValueError('x')"
        found = document(outcome.results[0])
        assert (found.status, found.result.args, found.date_done) == ("RETRY", ("x",), None)
        (follow,) = outcome.envelopes
        assert (follow.id, message(follow).headers.retries) == ("id-1", 1)
        assert [name for name, _ in told] == ["task_prerun", "on_retry", "task_retry", "task_postrun"]
        assert isinstance(dict(told)["on_retry"][0], ValueError)
        assert isinstance(dict(told)["task_retry"]["reason"], Retry)
        assert dict(told)["task_retry"]["request"].id == "id-1"

    def test_a_failing_on_retry_changes_nothing(self, house, caplog):
        class Clumsy(house.app.Task):
            def on_retry(self, *args):
                raise KeyError("hook")

        @house.task(bind=True, base=Clumsy)
        def again(self):
            self.retry()

        assert house.run(again).kind is Kind.RETRY
        assert "hook" in caplog.text

    def test_a_retry_around_a_retry_is_one_message(self, house, message):
        @house.task(bind=True)
        def again(self):
            try:
                raise self.retry(exc=ValueError("inner"), countdown=1)
            except Exception as error:
                raise self.retry(exc=error, countdown=7) from None

        outcome = house.run(again)
        assert len(outcome.envelopes) == 1
        assert outcome.text == "Retry in 7s: ValueError('inner')"

    def test_a_retry_raised_by_hand_runs_again(self, house, message):
        @house.task
        def again():
            raise Retry(exc=ValueError("x"), when=5)

        outcome = house.run(again)
        assert outcome.kind is Kind.RETRY
        assert message(outcome.envelopes[0]).headers.retries == 1

    def test_a_retry_raised_by_hand_once_too_often_is_a_failure(self, house):
        @house.task(max_retries=0)
        def again():
            raise Retry(exc=ValueError("x"))

        assert house.run(again).text == "ValueError('x')"

    def test_one_retry_too_many_is_a_failure(self, house, document):
        @house.task(bind=True, max_retries=2)
        def again(self):
            self.retry()

        outcome = house.run(again, retries=2)
        assert outcome.kind is Kind.FAILURE
        assert isinstance(document(outcome.results[0]).result, MaxRetriesExceededError)

    def test_arguments_of_a_retry_that_cannot_travel_are_a_failure(self, house):
        @house.task(bind=True)
        def again(self, x):
            self.retry(args=(object(),))

        outcome = house.run(again, 1)
        assert outcome.kind is Kind.FAILURE
        assert outcome.text.startswith("EncodeError")

    def test_an_automatic_retry_follows_the_task_s_options(self, house, message, told):
        @house.task(autoretry_for=(ValueError,), dont_autoretry_for=(UnicodeError,), retry_backoff=3, retry_jitter=False)
        def flaky(how):
            raise UnicodeError("no") if how else ValueError("x")

        outcome = house.run(flaky, 0, retries=1)
        assert outcome.kind is Kind.RETRY
        assert outcome.text == "Retry in 6.0s: ValueError('x')"
        assert "ValueError: x" in outcome.traceback
        assert message(outcome.envelopes[0]).headers.retries == 2
        assert "task_retry" in dict(told)
        assert house.run(flaky, 1).kind is Kind.FAILURE
        assert house.run(flaky, 0, retries=3).text == "ValueError('x')"

    def test_an_automatic_retry_whose_message_cannot_be_made_is_a_failure(self, house):
        @house.task(autoretry_for=(ValueError,), retry_kwargs={"args": (object(),)})
        def flaky():
            raise ValueError

        outcome = house.run(flaky)
        assert outcome.kind is Kind.FAILURE
        assert outcome.text.startswith("EncodeError")

    def test_the_state_of_an_ignored_retry_is_not_stored(self, house):
        @house.task(bind=True, ignore_result=True)
        def again(self):
            self.retry()

        outcome = house.run(again)
        assert outcome.results == ()
        assert len(outcome.envelopes) == 1

    def test_what_a_retry_says_may_fail(self, house):
        class Mute(Retry):
            def __str__(self):
                raise RuntimeError

        @house.task(bind=True)
        def again(self):
            raise Mute(when=3, sig=self.retry(countdown=3, throw=False).sig)

        outcome = house.run(again)
        assert (outcome.kind, outcome.text) == (Kind.RETRY, "Retry in 3s")
        assert len(outcome.envelopes) == 1


class TestFollowUps:
    def test_callbacks_get_the_result_in_front(self, house, message, document):
        @house.task
        def add(x, y):
            return x + y

        outcome = house.run(add, 1, 2, embed=Embed(callbacks=[sig("add", 10), sig("note", 7, immutable=True, queue="notes")]))
        first, second = outcome.envelopes
        assert message(first).args == [3, 10]
        assert (message(second).args, second.queue) == ([7], "notes")
        headers = message(first).headers
        assert (headers.root_id, headers.parent_id, headers.id) == ("id-1", "id-1", first.id)
        assert document(outcome.results[0]).children == [[[first.id, None], None], [[second.id, None], None]]

    def test_a_repeated_run_sends_the_same_messages(self, house):
        @house.task
        def one():
            return 1

        embed = Embed(callbacks=[sig("a"), sig("a")], chain=[sig("c"), sig("b")])
        ids = [[envelope.id for envelope in house.run(one, embed=embed).envelopes] for _ in range(2)]
        assert ids[0] == ids[1]
        assert len(set(ids[0])) == 3

    def test_the_next_step_of_a_chain_carries_the_rest(self, house, message):
        @house.task
        def one():
            return 1

        outcome = house.run(one, embed=Embed(chain=[sig("c", task_id="id-c"), sig("b", task_id="id-b", countdown=60)]))
        (envelope,) = outcome.envelopes
        found = message(envelope)
        assert (envelope.id, found.headers.task, found.args) == ("id-b", "b", [1])
        assert envelope.due is not None
        assert found.embed.chain == [sig("c", task_id="id-c")]

    def test_a_failed_step_fails_the_rest_of_its_chain(self, house, document):
        @house.task
        def fail():
            raise ValueError("x")

        outcome = house.run(fail, embed=Embed(chain=[sig("d"), sig("c", task_id="id-c"), sig("b", task_id="id-b")]))
        assert outcome.envelopes == ()
        found = [document(stored) for stored in outcome.results]
        assert [one.task_id for one in found] == ["id-1", "id-b", "id-c"]
        assert {one.status for one in found} == {"FAILURE"}

    def test_errbacks_get_the_id_of_the_failed_task(self, house, message):
        @house.task
        def fail():
            raise ValueError("x")

        @house.task(name="note")
        def note(task_id):
            pass

        outcome = house.run(fail, embed=Embed(errbacks=[sig("note"), sig("elsewhere", 2)]))
        assert [message(envelope).args for envelope in outcome.envelopes] == [["id-1"], ["id-1", 2]]

    def test_errbacks_that_take_the_error_are_called_where_it_is(self, house):
        @house.task(name="look")
        def look(request, error, tb, *more):
            seen.append((request.id, str(error), tb is not None, more))

        @house.task
        def fail():
            raise ValueError("x")

        seen = []
        outcome = house.run(fail, embed=Embed(errbacks=[sig("look"), sig("look", 1, 2, 3, immutable=True), sig("look", 9)]))
        assert outcome.envelopes == ()
        assert seen == [("id-1", "x", True, (9,))] or seen[0] == ("id-1", "x", True, ())
        assert len(seen) == 2

    @pytest.mark.parametrize("again", [False, True])
    def test_exceptions_may_be_frozen(self, house, document, again):
        @dataclasses.dataclass(frozen=True)
        class FrozenError(Exception):
            code: int

        @house.task(autoretry_for=(FrozenError,) if again else (), name="frozen")
        def fail():
            raise FrozenError(3)

        outcome = house.run(fail)
        assert (outcome.kind, len(outcome.envelopes)) == ((Kind.RETRY, 1) if again else (Kind.FAILURE, 0))
        assert document(outcome.results[0]).result.args == (3,)

    def test_an_errback_that_fails_is_logged(self, house, caplog):
        @house.task(name="clumsy")
        def clumsy(request, error, tb):
            raise KeyError("oh")

        @house.task
        def fail():
            raise ValueError("x")

        assert house.run(fail, embed=Embed(errbacks=[sig("clumsy")])).text == "ValueError('x')"
        assert "KeyError: 'oh'" in caplog.text

    @pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
    def test_an_errback_that_would_end_its_process_changes_nothing(self, house, document, raised):
        @house.task(name="leave")
        def leave(request, error, tb):
            raise raised

        @house.task
        def fail():
            raise ValueError("x")

        embed = Embed(errbacks=[sig("leave"), sig("elsewhere")])
        failed = house.run(fail, embed=embed)
        lost = house.executor.conclude_lost(house.job(fail, embed=embed), Kind.LOST, "signal 9")
        assert [type(document(one.results[0]).result) for one in (failed, lost)] == [ValueError, WorkerLostError]
        assert [len(one.envelopes) for one in (failed, lost)] == [1, 1]

    def test_async_errbacks_go_as_messages(self, house):
        @house.task(name="note")
        async def note(request, error, tb):
            pass

        @house.task
        def fail():
            raise ValueError("x")

        assert len(house.run(fail, embed=Embed(errbacks=[sig("note")])).envelopes) == 1

    def test_a_follow_up_without_queue_is_routed(self, house):
        @house.task
        def one():
            return 1

        house.app.conf.task_routes = lambda name, *args, **options: f"q-{name}"
        (envelope,) = house.run(one, embed=Embed(callbacks=[sig("a")])).envelopes
        assert envelope.queue == "q-a"

    def test_the_end_of_a_part_arrives_at_its_chord_with_the_order_to_fire_it(self, house):
        @house.task
        def add(x, y):
            return x + y

        outcome = house.run(add, 1, 2, group="chord", group_index=3, embed=Embed(chord={"task": "proj.sum"}))
        (arrival,) = outcome.arrivals
        assert (arrival.chord, arrival.id, arrival.index) == ("chord", outcome.results[0].id, 3)
        assert json.loads(arrival.part) == [1, arrival.id, "SUCCESS", 3]
        assert arrival.then.id == house.run(add, 2, 2, group="chord", embed=Embed(chord={"task": "a"})).arrivals[0].then.id

    def test_a_value_that_a_callback_cannot_get_fails_the_task(self, house):
        @house.task(ignore_result=True)
        def odd():
            return object()

        outcome = house.run(odd, embed=Embed(callbacks=[sig("a")]))
        assert outcome.kind is Kind.FAILURE
        assert outcome.envelopes == ()


class TestAsync:
    def test_a_coroutine_runs_on_the_loop_that_runs(self, house, document):
        @house.task(bind=True)
        async def look(self, x):
            await asyncio.sleep(0)
            return [x, self.request.id]

        outcome = house.run_async(look, 5)
        assert document(outcome.results[0]).result == [5, "id-1"]
        assert outcome.runtime > 0

    def test_a_coroutine_runs_on_a_loop_of_its_own_where_none_runs(self, house, document):
        @house.task
        async def one():
            await asyncio.sleep(0)
            return 1

        assert document(house.run(one).results[0]).result == 1

    def test_a_coroutine_can_be_run_from_inside_another_loop(self, house, document):
        @house.task
        async def one():
            await asyncio.sleep(0)
            return 1

        async def main():
            return house.run(one)

        assert document(asyncio.run(main()).results[0]).result == 1

    def test_many_at_once_have_their_own_requests(self, house):
        @house.task(bind=True)
        async def look(self):
            before = self.request.id
            await asyncio.sleep(0.001)
            return before == self.request.id

        async def main():
            jobs = [house.job(look, id=str(n)) for n in range(50)]
            return await asyncio.gather(*(house.executor.run_async(job) for job in jobs))

        assert {outcome.text for outcome in asyncio.run(main())} == {"True"}

    def test_failures_retries_and_misfits_are_as_for_other_tasks(self, house):
        @house.task(bind=True)
        async def various(self, how):
            if how == "retry":
                raise self.retry(countdown=1)
            raise ValueError(how)

        assert house.run_async(various, "retry").kind is Kind.RETRY
        assert house.run_async(various, "x").text == "ValueError('x')"
        assert "execution/drive.py" not in house.run_async(various, "x").traceback
        assert house.run_async(various).kind is Kind.MISFIT
        assert house.run_async("unknown").kind is Kind.UNREADABLE

    def test_the_soft_limit_is_raised_inside(self, house, document):
        @house.task
        async def slow():
            try:
                await asyncio.sleep(30)
            except SoftTimeLimitExceeded:
                seen.append("cleaned")
                raise

        seen = []
        outcome = house.run_async(slow, soft=0.01)
        assert seen == ["cleaned"]
        found = document(outcome.results[0])
        assert type(found.result) is SoftTimeLimitExceeded
        assert json.loads(outcome.results[0].document)["result"]["exc_type"] == "SoftTimeLimitExceeded"

    def test_the_hard_limit_ends_it(self, house, document, told):
        @house.task
        async def slow():
            await asyncio.sleep(30)

        outcome = house.run_async(slow, hard=0.01)
        assert outcome.kind is Kind.TIMEOUT
        found = document(outcome.results[0])
        assert isinstance(found.result, TimeLimitExceeded)
        assert found.result.args == (0.01,)
        assert "task_failure" in dict(told)

    def test_a_cancellation_from_outside_ends_it(self, house, document):
        @house.task
        async def slow():
            started[-1].set()
            await asyncio.sleep(30)

        started = []

        async def main(hard):
            task = asyncio.ensure_future(house.executor.run_async(house.job(slow, hard=hard)))
            started.append(asyncio.Event())
            await started[-1].wait()
            task.cancel()
            return await task

        for hard in (None, 20.0):
            outcome = asyncio.run(main(hard))
            assert outcome.kind is Kind.TERMINATED
            found = document(outcome.results[0])
            assert (found.status, str(found.result)) == ("REVOKED", "terminated")

    def test_a_cancellation_of_its_own_is_a_failure(self, house):
        @house.task
        async def odd():
            raise asyncio.CancelledError

        assert house.run_async(odd).kind is Kind.FAILURE


class TestLost:
    def test_the_death_of_a_process_is_told(self, house, document, told):
        @house.task
        def fine():
            pass

        job = house.job(fine, embed=Embed(errbacks=[sig("note")], chain=[sig("b", task_id="id-b")]))
        outcome = house.executor.conclude_lost(job, Kind.LOST, "signal 9 (SIGKILL)")
        assert outcome.kind is Kind.LOST
        found = [document(stored) for stored in outcome.results]
        assert [one.task_id for one in found] == ["id-1", "id-b"]
        assert str(found[0].result) == f"Worker exited prematurely: signal 9 (SIGKILL) Job: {job.number}."
        assert len(outcome.envelopes) == 1
        assert [name for name, _ in told] == ["task_failure", "task_postrun"]

    def test_a_hard_limit_is_told(self, house, document):
        @house.task
        def fine():
            pass

        outcome = house.executor.conclude_lost(house.job(fine, hard=3.0), Kind.TIMEOUT)
        assert outcome.kind is Kind.TIMEOUT
        assert document(outcome.results[0]).result.args == (3.0,)

    def test_a_termination_is_told(self, house, document, told):
        @house.task
        def fine():
            pass

        outcome = house.executor.conclude_lost(house.job(fine), Kind.TERMINATED)
        found = document(outcome.results[0])
        assert (found.status, str(found.result)) == ("REVOKED", "terminated")
        assert isinstance(found.result, TaskRevokedError)
        assert "task_failure" not in dict(told)

    def test_what_fails_while_a_death_is_told_is_told_instead(self, house, document):
        class Odd(Task):
            throws = property(lambda self: 5)

        @house.task(base=Odd)
        def odd():
            pass

        outcome = house.executor.conclude_lost(house.job(odd), Kind.LOST, "signal 9")
        assert isinstance(document(outcome.results[0]).result, TypeError)

    def test_a_lost_message_that_cannot_be_read_is_told_by_its_headers(self, house, document):
        outcome = house.executor.conclude_lost(house.job("gone"), Kind.LOST, "exitcode 1")
        assert outcome.kind is Kind.LOST
        assert isinstance(document(outcome.results[0]).result, WorkerLostError)


class TestProcess:
    def test_children_tell_that_they_begin_and_end(self, house):
        diary = []

        def begin(sender, **_):
            diary.append(sender)

        def end(sender, pid, exitcode, **_):
            diary.append((sender, pid, exitcode))

        signals.worker_process_init.connect(begin)
        signals.worker_process_shutdown.connect(end)
        house.executor.enter()
        house.executor.leave()
        assert diary == ["w1@host", ("w1@host", os.getpid(), 0)]

    def test_an_error_of_our_own_is_an_outcome(self, house, monkeypatch, told, caplog):
        @house.task
        def fine():
            pass

        executor = house.executor

        def broken(*_args, **_options):
            raise MemoryError

        monkeypatch.setattr(executor, "perform", broken)
        with caplog.at_level(logging.ERROR, "umbel.trace"):
            outcome = executor.run(house.job(fine))
        assert (outcome.kind, outcome.text) == (Kind.FAILURE, "MemoryError: ")
        assert len(outcome.results) == 1
        assert [name for name, _ in told] == ["task_internal_error"]
        monkeypatch.setattr(executor, "perform_async", broken)
        assert asyncio.run(executor.run_async(house.job(fine))).kind is Kind.FAILURE
        assert len(told) == 2
        signals.task_internal_error.receivers, before = (), signals.task_internal_error.receivers
        assert executor.run(house.job(fine)).kind is Kind.FAILURE
        signals.task_internal_error.receivers = before
        monkeypatch.setattr(logging.Logger, "error", broken)  # as where the error's own methods fail
        assert len(executor.run(house.job(fine)).results) == 1
        monkeypatch.setattr(executor, "_unopened", broken)
        assert executor.run(house.job(fine)).text == "MemoryError"


class TestEager:
    def request(self, task, *args, **fields):
        more = {"id": "e", "task": task.name, "is_eager": True, "called_directly": False, "owner": task, **fields}
        return Request(args=args, kwargs={}, **more)

    def test_nothing_is_made_into_bytes(self, house):
        @house.task
        def odd(x):
            return x

        value = object()
        ending = house.executor.perform(odd, self.request(odd, value, callbacks=[sig("a")]))
        assert (ending.kind, ending.value, ending.kind.state) == (Kind.SUCCESS, value, "SUCCESS")
        assert (ending.results, ending.envelopes) == ((), ())
        assert [step.args for step in ending.steps] == [(value,)]

    def test_failures_keep_their_exceptions(self, house):
        error = ValueError("x")

        @house.task
        def fail():
            raise error

        ending = house.executor.perform(fail, self.request(fail, errbacks=[sig("a")]))
        assert ending.value is error
        assert ending.kind.state == "FAILURE"
        assert [step.args for step in ending.steps] == [("e",)]

    def test_a_retry_comes_as_data(self, house):
        @house.task(bind=True)
        def again(self, x):
            raise self.retry(args=(object(),))

        ending = house.executor.perform(again, self.request(again, 1))
        assert ending.kind is Kind.RETRY
        assert ending.value.sig["options"]["retries"] == 1
        assert ending.envelopes == ()

    @pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
    def test_the_program_s_own_end_goes_through(self, house, error):
        @house.task
        def leave():
            raise error

        class Leaving(house.app.Task):
            def on_success(self, *args):
                raise error

        @house.task(base=Leaving)
        def leave_late():
            pass

        for task in (leave, leave_late):
            with pytest.raises(error):
                house.executor.perform(task, self.request(task))
            assert current.get() is None

    def test_a_rejected_call_has_no_documents(self, house):
        @house.task
        def refuse():
            raise Reject("no")

        assert house.executor.perform(refuse, self.request(refuse)).results == ()
