"""Asks one system a few hundred questions: without a worker, of its messages, and of what a worker did; tells as JSON."""

from __future__ import annotations

import datetime
import json
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import redis
from names import App, Task, chord, crontab, exceptions, maybe_schedule, schedule, shared_task, signals, states

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PATIENCE = float(os.environ["PATIENCE"])
facts: dict[str, Any] = {}


def fact(name: str, ask: Callable[[], Any]) -> None:
    """Keep what `ask` gives, or what it raises."""
    assert name not in facts, name
    try:
        facts[name] = json.loads(UUID.sub("<id>", json.dumps(ask(), default=repr, sort_keys=True)))
    except Exception as error:
        facts[name] = ["raises", type(error).__name__]


def raises(call: Callable[[], Any]) -> Any:
    """What is raised, by name and text."""
    try:
        return ["gives", call()]
    except Exception as error:
        return [type(error).__name__, str(error)]


def without_worker() -> None:
    """Tasks, calls, signatures, schedules, settings and exceptions, as they are in any program."""
    app = App("driver", broker="memory://driver", backend="cache+memory://", set_as_current=False)

    @app.task(bind=True)
    def bound(self, x, y=2):
        request = self.request
        return [x, y, request.called_directly, request.id, request.retries, request.is_eager]

    @app.task
    def plain(x, y=2, *args, **kwargs):
        return [x, y, *args, kwargs]

    @app.task(name="named", max_retries=7)
    def other():
        """What it does."""

    for name in (
        *(
            "max_retries",
            "default_retry_delay",
            "rate_limit",
            "time_limit",
            "soft_time_limit",
            "ignore_result",
            "trail",
            "typing",
        ),
        *(
            "serializer",
            "throws",
            "autoretry_for",
            "retry_backoff",
            "retry_backoff_max",
            "retry_jitter",
            "retry_kwargs",
            "priority",
        ),
        *(
            "acks_late",
            "acks_on_failure_or_timeout",
            "reject_on_worker_lost",
            "track_started",
            "send_events",
            "expires",
            "abstract",
        ),
        *("store_errors_even_if_ignored", "store_eager_result", "resultrepr_maxsize", "dont_autoretry_for", "pydantic"),
        *("acks_on_failure", "acks_on_timeout", "retry_on_worker_lost", "compression"),
    ):
        fact(f"task attribute: {name}", lambda name=name: getattr(plain, name))
    fact("task: name", lambda: [plain.name, bound.name, other.name, other.max_retries, other.__name__, other.__doc__])
    fact("task: wrapped", lambda: [plain.__wrapped__(1), plain.run(1)])
    fact("task: repr begins", lambda: [repr(plain)[:7], str(plain.name) in repr(plain)])
    fact("task: is in tasks", lambda: [plain.name in app.tasks, "named" in app.tasks, "nothing" in app.tasks])
    fact("task: unknown", lambda: raises(lambda: app.tasks["nothing"])[0])
    fact("task: class", lambda: [isinstance(plain, Task), issubclass(app.Task, Task), plain.app is app])
    fact("call: bound", lambda: bound(1))
    fact("call: plain", lambda: plain(1, 3, 4, z=5))
    fact("call: keeps no request", lambda: [bound.request.id, bound.request.called_directly, bound.request.retries])
    fact("arguments: too few", lambda: raises(lambda: bound.delay())[0])
    fact("arguments: too many", lambda: raises(lambda: bound.delay(1, 2, 3))[0])
    fact("arguments: unknown", lambda: raises(lambda: bound.delay(1, z=3))[0])
    fact("arguments: twice", lambda: raises(lambda: bound.delay(1, x=3))[0])
    fact("arguments: not to be encoded", lambda: raises(lambda: plain.delay(object()))[0])
    fact("options: soft beyond hard", lambda: raises(lambda: plain.apply_async((1,), soft_time_limit=5, time_limit=3))[0])
    fact("names: of functions", lambda: [app.gen_task_name("f", "a.b"), app.gen_task_name("f", "__main__")])
    fact("names: twice is the first", lambda: [app.task(name="named")(nothing) and None, app.tasks["named"].max_retries])

    fact("task: two functions", lambda: raises(lambda: app.task(nothing, nothing))[0])
    fact("send_task: arguments as text", lambda: raises(lambda: app.send_task("any", "text"))[0])
    fact("settings: setdefault", lambda: [app.conf.setdefault("task_time_limit", 7), app.conf.task_time_limit])
    early = App("early", set_as_current=False)
    early.conf.setdefault("task_time_limit", 7)
    fact("settings: setdefault before they are read", lambda: early.conf.task_time_limit)
    fact("group: save", lambda: (lambda group: group.save().id)(app.GroupResult("some", [app.AsyncResult("one")])))

    @shared_task(name="shared.with.words")
    def shared_one():
        """Its words."""

    fact("shared: words and module", lambda: [shared_one.__doc__, shared_one.__module__, shared_one.__name__])

    # Eager runs
    @app.task(bind=True, max_retries=2)
    def flaky(self, until):
        if self.request.retries < until:
            raise self.retry(exc=ValueError(self.request.retries), countdown=0)
        return self.request.retries

    @app.task
    def broken():
        raise KeyError("x")

    @app.task(bind=True)
    def ignoring(self):
        raise exceptions.Ignore

    def eager(found):
        return [found.state, repr(found.result), found.successful(), found.failed(), found.ready(), found.traceback is not None]

    fact("eager: success", lambda: eager(plain.apply((1,))))
    fact("eager: request", lambda: bound.apply((1,)).get()[2:3] + bound.apply((1,)).get()[4:])
    fact("eager: failure", lambda: eager(broken.apply()))
    fact("eager: failure thrown", lambda: raises(lambda: broken.apply(throw=True)))
    fact("eager: get raises", lambda: raises(lambda: broken.apply().get()))
    fact("eager: get does not propagate", lambda: repr(broken.apply().get(propagate=False)))
    fact("eager: retried", lambda: eager(flaky.apply((2,))))
    fact("eager: retried too often", lambda: eager(flaky.apply((5,))))
    fact("eager: ignored", lambda: eager(ignoring.apply())[:1])
    fact("eager: id", lambda: plain.apply((1,), task_id="mine").id)
    fact("eager: retries", lambda: flaky.apply((2,), retries=1).get())
    app.conf.task_always_eager = True
    fact("always eager: delay", lambda: eager(plain.delay(1)))
    fact("always eager: failure", lambda: eager(broken.delay()))
    fact("always eager: arguments travel", lambda: plain.delay((1, 2)).get())
    app.conf.task_eager_propagates = True
    fact("always eager: propagates", lambda: raises(broken.delay))
    fact("always eager: link", lambda: eager(plain.apply_async((1,), link=plain.s())))
    app.conf.task_always_eager = app.conf.task_eager_propagates = False

    # Outside of a run
    fact("retry: called directly", lambda: raises(lambda: flaky(1)))
    fact("update_state: outside", lambda: raises(lambda: plain.update_state(state="X"))[0])
    fact(
        "result: unknown",
        lambda: [getattr(app.AsyncResult("none"), name) for name in ("state", "status", "result", "info", "id", "task_id")],
    )
    fact(
        "result: asks",
        lambda: [app.AsyncResult("none").ready(), app.AsyncResult("none").successful(), app.AsyncResult("none").failed()],
    )
    fact(
        "result: equality",
        lambda: [app.AsyncResult("a") == app.AsyncResult("a"), app.AsyncResult("a") == "a", str(app.AsyncResult("a"))],
    )
    fact("result: timeout", lambda: raises(lambda: app.AsyncResult("none").get(timeout=0.05))[0])
    fact("result: as_tuple", lambda: app.AsyncResult("a").as_tuple())

    # Signatures
    sig = plain.s(1, y=3)
    fact("signature: parts", lambda: [sig.task, sig.args, sig.kwargs, sig.options, sig.immutable, dict(sig)["subtask_type"]])
    fact("signature: keys", lambda: sorted(sig))
    fact("signature: clone", lambda: [plain.s(2).clone((1,)).args, plain.s(2).clone(kwargs={"y": 1}).kwargs])
    fact("signature: immutable", lambda: [plain.si(1).immutable, plain.si(1).clone((5,)).args])
    fact("signature: set", lambda: plain.s(1).set(queue="q", countdown=3).options)
    fact("signature: partial", lambda: [plain.s(2)(1), plain.s(y=7)(1)])
    fact("signature: type", lambda: plain.s(1).type == plain)
    fact("signature: name", lambda: [plain.s(1).name, app.signature("x.y", args=(1,)).name])
    fact("signature: from dict", lambda: app.signature(dict(sig)).args)
    fact(
        "signature: link",
        lambda: [
            len(plain.s(1).link(plain.s(2)).options["link"])
            if isinstance(plain.s(1).link(plain.s(2)), dict) and "link" in plain.s(1).link(plain.s(2)).options
            else 1
        ],
    )
    fact("signature: apply", lambda: plain.s(2).apply((1,)).get())
    fact("signature: chord", lambda: [repr(chord([plain.s(1)], sig)) for sig in (plain.s(2, y=3), bound.s() | plain.s(4))])
    fact("signature: equality", lambda: [plain.s(1) == plain.s(1), plain.s(1) == plain.s(2)])
    fact("signature: json", lambda: json.loads(json.dumps(plain.s(1)))["task"])

    # Schedules
    at = datetime.datetime(2026, 3, 14, 15, 9, 26, tzinfo=datetime.UTC)
    for name, given in {
        "daily": {"hour": 4, "minute": 0},
        "steps": {"minute": "*/15"},
        "weekday": {"hour": 7, "minute": 30, "day_of_week": "mon-fri"},
        "month": {"hour": 0, "minute": 0, "day_of_month": "1", "month_of_year": "*/3"},
        "list": {"minute": "5,10-12", "hour": "1,2"},
        "sunday": {"minute": 0, "hour": 0, "day_of_week": 0},
        "leap": {"minute": 0, "hour": 0, "day_of_month": 29, "month_of_year": 2},
    }.items():
        cron = crontab(nowfun=lambda: at, app=app, **given)
        fact(
            f"crontab {name}: fields",
            lambda cron=cron: [
                sorted(each) for each in (cron.minute, cron.hour, cron.day_of_week, cron.day_of_month, cron.month_of_year)
            ],
        )
        fact(
            f"crontab {name}: estimate",
            lambda cron=cron: cron.remaining_estimate(at - datetime.timedelta(hours=1)).total_seconds(),
        )
        fact(f"crontab {name}: is_due", lambda cron=cron: list(cron.is_due(at - datetime.timedelta(days=1))))
        fact(
            f"crontab {name}: same",
            lambda cron=cron, given=given: [
                cron == crontab(**given),
                cron == crontab(minute=59),
                hash(cron) == hash(crontab(**given)) if crontab.__hash__ else None,
            ][:2],
        )
    for name, bad in {
        "minute": {"minute": 60},
        "hour": {"hour": 24},
        "words": {"day_of_week": "monday-nonsense"},
        "step": {"minute": "*/0"},
    }.items():
        fact(
            f"crontab: wrong {name}",
            lambda bad=bad: isinstance(bad, dict) and issubclass(_raised(lambda: crontab(**bad)), ValueError | TypeError),
        )
    every = schedule(30, nowfun=lambda: at, app=app)
    fact("schedule: is_due", lambda: [list(every.is_due(at - datetime.timedelta(seconds=n))) for n in (10, 30, 45)])
    fact("schedule: seconds", lambda: [every.seconds, every.human_seconds, every == schedule(30), every == schedule(31)])
    fact("schedule: relative", lambda: maybe_schedule(90, True).relative)
    fact(
        "schedule: maybe",
        lambda: [
            type(maybe_schedule(5)).__name__,
            type(maybe_schedule(crontab())).__name__,
            maybe_schedule(datetime.timedelta(minutes=1)).seconds,
        ],
    )

    # Settings
    conf = App("settings", set_as_current=False).conf
    conf.update(task_default_queue="q", result_expires=9, timezone="Europe/Paris")
    fact(
        "settings: set",
        lambda: [conf.task_default_queue, conf["result_expires"], conf.get("timezone"), conf.CELERY_DEFAULT_QUEUE],
    )
    for name in (
        *("accept_content", "enable_utc", "imports", "include", "result_expires", "result_extended", "result_serializer"),
        *("task_always_eager", "task_annotations", "task_compression", "task_create_missing_queues", "task_default_priority"),
        *("task_eager_propagates", "task_ignore_result", "task_publish_retry", "task_publish_retry_policy", "task_routes"),
        *("task_serializer", "task_store_errors_even_if_ignored", "task_time_limit", "task_track_started", "worker_concurrency"),
        *(
            "worker_disable_rate_limits",
            "worker_log_format",
            "worker_max_tasks_per_child",
            "worker_pool",
            "worker_redirect_stdouts",
        ),
        *("worker_redirect_stdouts_level", "worker_soft_shutdown_timeout", "beat_schedule", "worker_hijack_root_logger"),
        *("task_acks_late", "worker_prefetch_multiplier", "task_reject_on_worker_lost", "broker_url", "result_backend"),
    ):
        fact(f"setting: {name}", lambda name=name: getattr(App("default", set_as_current=False).conf, name))
    fact("settings: unknown", lambda: raises(lambda: conf.nonsense_at_all)[0])
    fact("settings: own", lambda: [setattr(conf, "my_own", 5), conf.my_own, "my_own" in conf])
    spaced = App("spaced", set_as_current=False)
    spaced.config_from_object(
        {"SHOP_TASK_SERIALIZER": "yaml", "SHOP_OTHER_THING": 3, "TASK_SERIALIZER": "pickle"}, namespace="SHOP"
    )
    fact("settings: namespace", lambda: [spaced.conf.task_serializer, spaced.conf.get("other_thing")])
    fact("settings: changes win", lambda: App("x", set_as_current=False, task_serializer="yaml").conf.task_serializer)

    # Exceptions and states
    fact(
        "exceptions: Retry",
        lambda: [
            str(exceptions.Retry("m", ValueError("x"), when=5)),
            repr(exceptions.Retry()),
            exceptions.Retry(when=5).humanize(),
        ],
    )
    fact(
        "exceptions: Reject",
        lambda: [repr(exceptions.Reject("r", requeue=True)), exceptions.Reject("r").requeue, exceptions.Reject("r").reason],
    )
    fact(
        "exceptions: bases",
        lambda: [
            issubclass(exceptions.TimeoutError, Exception),
            issubclass(exceptions.NotRegistered, KeyError),
            issubclass(exceptions.Ignore, Exception),
        ],
    )
    fact("exceptions: NotRegistered", lambda: repr(exceptions.NotRegistered("x")))
    for name in ("READY_STATES", "UNREADY_STATES", "EXCEPTION_STATES", "PROPAGATE_STATES", "ALL_STATES"):
        fact(f"states: {name}", lambda name=name: sorted(getattr(states, name)))
    fact(
        "states: precedence",
        lambda: [
            states.state("SUCCESS") > states.state("PENDING"),
            states.state("STARTED") < states.state("RETRY"),
            states.state("OWN") < states.state("SUCCESS"),
        ],
    )

    # Signals
    heard: list[Any] = []

    def listener(sender=None, **given):
        heard.append([sender if isinstance(sender, str) else getattr(sender, "name", None), sorted(given)])

    signals.before_task_publish.connect(listener)
    signals.after_task_publish.connect(listener)
    fact("signals: publish", lambda: [plain.delay(1) and None, heard])
    signals.before_task_publish.disconnect(listener)
    signals.after_task_publish.disconnect(listener)
    fact("signals: publish, after disconnect", lambda: [plain.delay(1) and None, len(heard)])
    fact("signals: receivers need **kwargs", lambda: raises(lambda: signals.task_prerun.connect(lambda sender: None))[0])
    fact("shared_task: current app", lambda: shared_task(name="late")(nothing).name)


def nothing():
    """A function to make tasks of."""


def _raised(call: Callable[[], Any]) -> type:
    try:
        call()
    except Exception as error:
        return type(error)
    return type(None)


def messages(same: Any) -> None:
    """Messages as they lie in Redis, in queues that nobody serves."""
    url = os.environ["BROKER"]
    client = redis.Redis.from_url(url)
    calls = {
        "plain": lambda: same.add.apply_async((1, 2), queue="parked"),
        "keywords": lambda: same.add.apply_async(kwargs={"x": 1, "y": 2}, queue="parked"),
        "limits": lambda: same.add.apply_async((1, 2), time_limit=9, soft_time_limit=5, queue="parked"),
        "shadow": lambda: same.add.apply_async((1, 2), shadow="pretty", queue="parked"),
        "headers": lambda: same.add.apply_async((1, 2), headers={"own_header": "v"}, queue="parked"),
        "links": lambda: same.add.apply_async((1, 2), link=same.callback.s(), link_error=same.errback.s(), queue="parked"),
        "expires": lambda: same.add.apply_async(
            (1, 2), expires=datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC), queue="parked"
        ),
        "compressed": lambda: same.add.apply_async((1, 2), compression="gzip", queue="parked"),
        "ignored": lambda: same.quiet.apply_async(queue="parked"),
        "id": lambda: same.add.apply_async((1, 2), task_id="my-id", queue="parked"),
        "repr": lambda: same.add.apply_async((1, 2), argsrepr="hidden", queue="parked"),
        "by name": lambda: same.app.send_task("nobody.knows", (1,), {"k": 2}, queue="parked"),
        "retries": lambda: same.add.apply_async((1, 2), retries=2, queue="parked"),
        "signature": lambda: same.add.s(2).apply_async((1,), queue="parked"),
    }
    for name, send in calls.items():
        result = send()
        _message(name, json.loads(client.lpop("parked") or b"{}"), result)
    for name, where in {"routed": same.routed_one, "exact": same.exact}.items():
        where.delay()
        fact(
            f"message {name}: queue",
            lambda: [
                client.llen("side"),
                json.loads(client.lpop("side") or b"{}")["properties"]["delivery_info"]["routing_key"] != "",
            ],
        )


def _message(name: str, found: dict[str, Any], result: Any) -> None:
    headers, properties = found["headers"], found["properties"]
    for key in ("origin", "id", "root_id"):
        headers.pop(key, None)
    for key in sorted(headers):
        fact(f"message {name}: header {key}", lambda key=key: headers[key])
    fact(f"message {name}: id", lambda: [properties["correlation_id"] == result.id, type(result).__name__])
    fact(f"message {name}: properties", lambda: {key: properties.get(key) for key in ("delivery_mode", "body_encoding")})
    fact(f"message {name}: content", lambda: [found["content-type"], found["content-encoding"]])


def with_worker(same: Any) -> None:
    """What became of calls that a worker ran."""
    client = redis.Redis.from_url(os.environ["BACKEND"])
    app = same.app

    def end(result, **how):
        return result.get(timeout=PATIENCE, **how)

    def became(call):
        result = call()
        value = end(result, propagate=False)
        return [result.state, repr(value), result.traceback is not None, result.successful(), result.failed()]

    fact("slots: parts", lambda: [type(getattr(app, name)).__name__ for name in ("loader", "log", "control")])
    fact("slots: fixups", lambda: app.fixed)
    fact("slots: modules", lambda: [end(app.send_task("more")), end(app.send_task("found"))])
    told = app.control.told
    for name, tell in {
        "revoke": lambda: app.control.revoke("nothing"),
        "revoke several": lambda: app.control.revoke(["a", "b"], terminate=True, signal="SIGKILL"),
        "terminate": lambda: app.control.terminate("nothing", signal="SIGTERM"),
        "revoke of a result": lambda: app.AsyncResult("nothing").revoke(),
        "revoke_by_stamped_headers": lambda: app.control.revoke_by_stamped_headers({"a": ["b"]}),
        "rate_limit": lambda: app.control.rate_limit("add", "100/s"),
        "time_limit": lambda: app.control.time_limit("add", 60, 70),
        "enable_events": lambda: app.control.enable_events(destination=["none@here"]),
        "add_consumer": lambda: app.control.add_consumer("other", destination=["none@here"]),
        "cancel_consumer": lambda: app.control.cancel_consumer("other", destination=["none@here"]),
        "pool_grow": lambda: app.control.pool_grow(2, destination=["none@here"]),
        "autoscale": lambda: app.control.autoscale(3, 2, destination=["none@here"]),
        "shutdown": lambda: app.control.shutdown(destination=["none@here"]),
        "heartbeat": lambda: app.control.heartbeat(destination=["none@here"]),
        "ping": lambda: app.control.ping(timeout=PATIENCE, limit=1),
        "inspect": lambda: app.control.inspect(timeout=PATIENCE, limit=1).ping(),
    }.items():
        told.clear()
        fact(f"slots: control, {name} gives", tell)
        fact(f"slots: control, {name} tells", lambda: told)
    fact("run: success", lambda: became(lambda: same.add.delay(1, 2)))
    fact("run: failure", lambda: became(lambda: same.fail.delay()))
    fact("run: retried with other arguments", lambda: became(same.retried_otherwise.delay))
    fact("run: hard limit", lambda: became(same.hard.delay)[:2])
    fact("run: failure raises", lambda: raises(lambda: end(same.fail.delay("words"))))
    fact("run: odd exception", lambda: became(same.odd.delay)[:1] + became(same.odd.delay)[2:])
    fact("run: nested exception", lambda: became(same.nested.delay))
    fact("run: misfit", lambda: became(lambda: app.send_task("type.error", (1, 2, 3)))[:1])
    fact("run: result that cannot be encoded", lambda: became(same.not_to_be_encoded.delay)[:1])
    fact("run: class", lambda: end(same.classy.delay(4)))
    fact("run: own __call__", lambda: end(same.own_call.delay(4)))
    fact("run: shared", lambda: end(same.shared.delay(4)))
    fact("run: keywords", lambda: [end(same.kwargs_only.delay(a=1)), raises(lambda: same.kwargs_only.delay(1))[0]])
    fact("run: annotated", lambda: end(same.annotated.delay()))
    fact("run: called directly", lambda: end(same.called.delay()))
    fact("run: caught soft limit", lambda: end(same.hooked_caught.delay()))
    fact("run: child", lambda: end(app.AsyncResult(end(same.parent.delay()))) != [])
    fact(
        "run: request",
        lambda: (
            end(same.asks.apply_async(("a call", 1), {"k": 2}, headers={"own_header": "v"}, shadow="pretty", time_limit=99)) != []
        ),
    )
    fact("run: custom states", lambda: end(same.custom_state.delay()))
    fact(
        "run: callback", lambda: end(same.add.apply_async((1, 2), link=[same.callback.s(), same.callback.si("fixed", more="x")]))
    )
    fact("run: errback (new)", lambda: became(lambda: same.fail.apply_async(link_error=same.errback.s()))[:1])
    fact("run: errback (old)", lambda: became(lambda: same.fail.apply_async(link_error=same.errback_old.s()))[:1])
    for name in ("success", "failure", "expected", "retry", "retry_bare", "auto", "soft", "requeue"):
        task = getattr(same, f"hooked_{name}")
        given = {"args": (name, 3), "kwargs": {"y": 4}} if name == "success" else {"args": (name,)}
        fact(f"hooked: {name}", lambda task=task, given=given: became(lambda: task.apply_async(**given)))
    for name in ("ignore", "reject"):
        getattr(same, f"hooked_{name}").delay(name)
    for label in same.WATCHED:
        fact(f"watched: {label}", lambda label=label: became(lambda: same.watched.delay(label))[:2])
    fact(
        "run: expired",
        lambda: became(lambda: same.add.apply_async((1, 2), expires=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)))[:1],
    )
    fact("run: countdown", lambda: end(same.add.apply_async((3, 4), countdown=0.2)))
    fact("run: eta in the past", lambda: end(same.add.apply_async((3, 5), eta=datetime.datetime(2020, 1, 1))))
    fact(
        "run: naive eta is UTC",
        lambda: end(same.add.apply_async((3, 6), eta=datetime.datetime.now(datetime.UTC).replace(tzinfo=None))),
    )
    quiet = same.quiet.delay()
    kept = same.quiet_errors.delay()
    fact("run: after ignored ones", lambda: end(same.add.delay(0, 0)))
    fact("run: ignored", lambda: app.AsyncResult(quiet.id).state)
    fact("run: errors of ignored", lambda: became(lambda: app.AsyncResult(kept.id))[:2])
    fact("result: get twice", lambda: (lambda found: [end(found), end(found), found.state])(same.add.delay(1, 1)))
    fact(
        "result: forget",
        lambda: (lambda found: [end(found), found.forget(), app.AsyncResult(found.id).state])(same.add.delay(1, 1)),
    )
    fact(
        "result: callback of get",
        lambda: (lambda heard: [end(same.add.delay(1, 1), callback=lambda _, value: heard.append(value)), heard])([]),
    )

    def document(result, status):
        end(result, propagate=False)
        raw = json.loads(client.get(f"celery-task-meta-{result.id}"))
        raw.pop("date_done")
        raw.pop("task_id")
        if isinstance(raw.get("traceback"), str):
            raw["traceback"] = raw["traceback"].splitlines()[0]
        for key in sorted(raw):
            fact(f"document of a {status}: {key}", lambda key=key: raw[key])
        fact(f"document of a {status}: expires", lambda: 86000 < client.ttl(f"celery-task-meta-{result.id}") <= 86400)

    document(same.add.delay(2, 2), "success")
    document(same.fail.delay("text"), "failure")
    document(same.odd.delay(), "failure with arguments")


def effects() -> None:
    """What tasks and receivers have noted, in order."""
    with open(os.environ["EFFECTS"]) as file:
        lines = [json.loads(UUID.sub("<id>", line)) for line in file]
    counts: dict[str, int] = {}
    for what, given in lines:
        counts[what] = counts.get(what, 0) + 1
        number = f" ({counts[what]})" if counts[what] > 1 else ""
        for name, value in given.items() or [("told", True)]:
            if not (what.startswith("life") and number):
                facts[f"noted {what}{number}, {name}"] = value
    labels: dict[str, list[str]] = {}
    for what, _ in lines:
        label, _, hook = what.partition(": ")
        labels.setdefault(label, []).append(hook)
    for label in (
        "success",
        "failure",
        "expected",
        "retry",
        "retry_bare",
        "auto",
        "soft",
        "ignore",
        "reject",
        "well",
        "badly",
        "again",
    ):
        facts[f"order of {label}"] = labels.get(label)
    aside = (
        "worker_process_init",
        "worker_process_shutdown",
        "loader.on_worker_process_init",
    )  # told by another process, at any time
    life = list(dict.fromkeys(labels.get("life", [])))
    facts["order of life"] = [each for each in life if each not in aside and not each.startswith("on_after")]
    facts["times of life"] = {
        each: labels["life"].count(each) for each in life if each not in aside and not each.startswith("on_after")
    }
    facts["children of life"] = [each for each in life if each in aside]


def main() -> None:
    """Ask for the part that is named on the command line."""
    part = sys.argv[1]
    if part == "before":
        without_worker()
        import same

        messages(same)
    elif part == "with":
        import same

        with_worker(same)
    else:
        effects()
    print(json.dumps(facts))


if __name__ == "__main__":
    os.environ.setdefault("PATIENCE", "20")
    time.tzset()
    main()
