"""Asks the installed Celery, real or not, for answers of many kinds; prints them as JSON."""

import copy
import datetime
import json
import pickle
import warnings
from unittest import mock

warnings.simplefilter("ignore")

from celery import Celery, Task, current_app, current_task, exceptions, schedules, shared_task, signals, signature, states  # noqa: E402
from celery.app.routes import MapRoute  # noqa: E402
from celery.local import PromiseProxy, Proxy, maybe_evaluate  # noqa: E402
from celery.result import AsyncResult  # noqa: E402
from celery.utils import collections, functional, imports, log, nodenames, objects, saferepr, serialization, text  # noqa: E402
from celery.utils import time as times  # noqa: E402

app = Celery("answers", broker="memory://", backend="cache+memory://")
app.conf.timezone = "Europe/Berlin"
NOON = datetime.datetime(2020, 5, 17, 13, 45, 30, tzinfo=datetime.UTC)


@app.task(bind=True, max_retries=2)
def flaky(self, x):
    raise self.retry(exc=ValueError("v"), countdown=1)


@app.task
def add(x, y=2):
    """Adds."""
    return x + y


@shared_task
def shared(a):
    return a


@app.task(bind=True)
def about(self, *args, **kwargs):
    request = self.request
    return [len(request.id), request.is_eager, request.called_directly, request.retries, list(request.args), request.kwargs]


class Whole(Task):
    name = "answers.whole"

    def run(self, x):
        return x * 2


class Base(app.Task):
    abstract = True

    def __call__(self, *args, **kwargs):
        return ["call", super().__call__(*args, **kwargs)]


@app.task(base=Base)
def based(x):
    return x


whole = app.register_task(Whole())


def called(task, method, *args, **kwargs):
    """With what a patched method of the task was called by `delay`."""
    with mock.patch.object(task, method) as patched:
        task.delay(*args, **kwargs)
        return repr(patched.call_args)


def receiver(sender=None, task=None, **kwargs):
    return [sender, task]


def retried():
    with mock.patch.object(flaky, "retry", side_effect=exceptions.Retry) as patched:
        try:
            flaky(1)
        except exceptions.Retry:
            return sorted(patched.call_args.kwargs)


def eagerly(ask, **settings):
    """An answer while these settings count."""
    app.conf.update(task_always_eager=True, **settings)
    try:
        return ask()
    finally:
        app.conf.update(task_always_eager=False, task_eager_propagates=False)


def state_of(result):
    return [result.state, repr(result.result), result.ready(), result.successful(), result.failed()]


def unknown(result):
    return [result.state, result.result, result.ready(), str(result), repr(result), result == "x", result.children, result.info]


RESOLUTIONS = ({"days": 2}, {"hours": 2}, {"minutes": 2}, {"seconds": 2})
QUESTIONS = {
    "names": lambda: [add.name, shared.name, add.__name__, add.__doc__, add.__wrapped__.__name__, add.run.__name__],
    "direct": lambda: [add(1), add(1, y=5), add.run(2), whole(3), based(1)],
    "a retry of a direct call": lambda: flaky(1),
    "apply": lambda: [state_of(flaky.apply((1,))), state_of(add.apply((1,))), about.apply((1,), {"a": 2}).get()],
    "apply of classes": lambda: [whole.apply((4,)).get(), based.apply((1,)).get(), app.tasks["answers.whole"] is whole],
    "a thrown retry": lambda: flaky.apply((1,), throw=True),
    "eager": lambda: eagerly(
        lambda: [type(add.delay(1)).__name__, add.apply_async((1,), countdown=5).get(), shared.delay(3).get()]
    ),
    "eager signature": lambda: eagerly(lambda: [add.s(1).delay().get(), state_of(flaky.delay(1))]),
    "eager and thrown": lambda: eagerly(lambda: flaky.delay(1), task_eager_propagates=True),
    "patched": lambda: [called(add, "apply_async", 1, y=3), called(shared, "apply_async", 1), called(add, "delay", 1)],
    "a patched retry": retried,
    "signatures": lambda: [
        dict(add.s(1, y=3)),
        repr(add.s(1)),
        add.s(1).set(queue="q").options,
        add.si(1).immutable,
        add.s(1)(5),
    ],
    "clones": lambda: [dict(add.s(1).clone((2,), {"y": 4})), add.s(1) == add.s(1), signature(dict(add.s(1))).args],
    "copies": lambda: [pickle.loads(pickle.dumps(add.s(1))) == add.s(1), copy.deepcopy(add.s(1)) == add.s(1)],
    "nobody's result": lambda: unknown(AsyncResult("x")),
    "states": lambda: [states.READY_STATES, states.state("SUCCESS") > states.state("STARTED"), states.precedence("FOO")],
    "current": lambda: [bool(current_task), current_app.main, app.now().tzinfo is not None, str(app.timezone)],
    "settings": lambda: [
        app.conf.task_default_queue,
        app.conf.accept_content,
        app.conf.worker_prefetch_multiplier,
        app.conf.get("x"),
    ],
    "attributes": lambda: [
        add.max_retries,
        add.default_retry_delay,
        add.acks_late,
        add.ignore_result,
        add.serializer,
        add.throws,
    ],
    "more attributes": lambda: [add.rate_limit, add.time_limit, add.track_started, add.typing, add.trail, add.send_events],
    "crontab": lambda: [
        repr(schedules.crontab(minute="*/5")),
        schedules.crontab(hour=3).hour,
        schedules.crontab(day_of_week="mon"),
    ],
    "schedule": lambda: [
        repr(schedules.schedule(30)),
        schedules.maybe_schedule(5),
        schedules.schedule(10) == schedules.schedule(10),
    ],
    "periodic": lambda: app.add_periodic_task(10.0, add.s(1), name="n"),
    "exceptions": lambda: [
        str(exceptions.Retry("m", ValueError("x"), 3)),
        str(exceptions.Retry(exc=ValueError("x"), when=3)),
        repr(exceptions.Reject("r", True)),
        issubclass(exceptions.Retry, exceptions.TaskPredicate),
        issubclass(exceptions.NotRegistered, KeyError),
        issubclass(exceptions.TimeoutError, exceptions.CeleryError),
        issubclass(exceptions.WorkerShutdown, SystemExit),
    ],
    "unknown task": lambda: (app.tasks.get("nope") is None) and "nope" not in app.tasks,
    "signals": lambda: [
        signals.task_sent.connect(receiver) is receiver,
        signals.task_sent.send("x", task="t")[0][1],
        signals.task_sent.disconnect(receiver),
    ],
    "routes": lambda: [MapRoute({"a.*": "q"})("a.c"), MapRoute({"b": {"queue": "x"}})("b"), MapRoute({})("z")],
    "spans": lambda: [times.humanize_seconds(each) for each in (3661, 90, 0.5, 0)] + [times.humanize_seconds(90, prefix="in ")],
    "rates": lambda: [times.rate("10/m"), times.rate("1/h"), times.rate(None), times.rate("3"), times.rate(7)],
    "backoff": lambda: [times.get_exponential_backoff_interval(2, each, 100) for each in (0, 3, 10)],
    "resolution": lambda: [str(times.delta_resolution(NOON, datetime.timedelta(**each))) for each in RESOLUTIONS],
    "remaining": lambda: [
        str(times.remaining(NOON, datetime.timedelta(hours=3), now=NOON, relative=each)) for each in (False, True)
    ],
    "aware": lambda: [str(times.maybe_make_aware(datetime.datetime(2020, 1, 1))), times.maybe_timedelta(3), times.weekday("mon")],
    "ffwd": lambda: [str(NOON + times.ffwd(day=31, month=2, hour=1, minute=2)), str(NOON + times.ffwd(weeks=1, weekday=2))],
    "text": lambda: [
        text.abbr("hello world", 7),
        text.abbr(None, 3),
        text.abbrtask("a.b.c.task_name_long", 12),
        text.dedent("  a\n    b"),
    ],
    "more text": lambda: [
        text.pluralize(2, "task"),
        text.truncate("a b c d e f", 5),
        text.indent("a\nb", 2),
        text.join(["a", "", "b"]),
    ],
    "formats": lambda: [
        text.simple_format("%h-%x", {"h": "1", "x": lambda: "2"}),
        text.ensure_sep("\n", "x\n"),
        text.str_to_list("a,b"),
    ],
    "functions": lambda: [
        list(functional.chunks(iter(range(5)), 2)),
        functional.first(lambda x: x > 2, [1, 3, 4]),
        functional.padlist(["a"], 3),
        list(functional.uniq([1, 1, 2])),
        functional.is_list("a"),
        functional.maybe_list("a"),
        functional.dictfilter({"a": 1, "b": None}),
        list(functional.regen(x for x in range(3))),
    ],
    "imports": lambda: [
        imports.qualname(Celery),
        imports.symbol_by_name("celery.app.base:Celery") is Celery,
        app.gen_task_name("f", "m"),
    ],
    "nodes": lambda: [nodenames.nodesplit("a@b"), nodenames.nodesplit("b"), nodenames.default_nodename("x@y")],
    "node formats": lambda: [nodenames.host_format("%n@%h/%d", "h.d.e"), nodenames.node_format("%n-%h", "a@b.c")],
    "serialization": lambda: [serialization.b64encode(b"x"), serialization.strtobool("yes"), serialization.strtobool(5)],
    "collections": lambda: [
        collections.AttributeDict(a=1).a,
        sorted(collections.LimitedSet(maxlen=2, data=[1, 2, 3])),
        collections.lpmerge({"a": 1}, {"a": None, "b": 2}),
        collections.ChainMap({"a": 1}, {"b": 2})["b"],
    ],
    "objects": lambda: [objects.Bunch(a=1).a, objects.mro_lookup(bool, "real").__name__],
    "repr": lambda: [saferepr.saferepr([1, "a", {"k": (1,)}]), saferepr.saferepr({1, 2}), saferepr.saferepr(None)],
    "loggers": lambda: [log.get_task_logger("a.b").parent.name, log.get_logger("zzz").parent.name, log.mlevel("info")],
    "proxies": lambda: [
        [*Proxy(lambda: [1, 2])],
        repr(Proxy(lambda: 5)),
        Proxy(lambda: 5) == 5,
        isinstance(Proxy(lambda: 5), int),
        PromiseProxy(lambda: {"a": 1})["a"],
        maybe_evaluate(3),
        bool(Proxy(lambda: 0)),
    ],
}


def answer(question):
    """What it gives, or what it raises."""
    try:
        return question()
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"


def plain(value):
    return sorted(value, key=repr) if isinstance(value, (set, frozenset)) else repr(value)


print(json.dumps({name: answer(question) for name, question in QUESTIONS.items()}, default=plain))
