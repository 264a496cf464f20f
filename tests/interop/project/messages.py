"""Calls of every kind, each under an id that is its name; as a program it makes them all. Which system runs it says SYSTEM."""

import enum
import os

if os.environ["SYSTEM"] == "celery":
    from celery import Celery as App
    from celery import Task
else:
    from umbel import Task
    from umbel import Umbel as App

HOUR = 3600


def hook(*words):
    """Write down that a method was entered."""
    with open(os.environ["EFFECTS"], "a") as effects:
        effects.write(" ".join(words) + "\n")


class Messages(App):
    """An app that has a word in all that is sent of some tasks."""

    def send_task(self, name, args=None, kwargs=None, **options):
        if name.startswith("hooked"):
            hook("send_task", name)
            options["headers"] = {**(options.get("headers") or {}), "app": "mine"}
        return super().send_task(name, args, kwargs, **options)


app = Messages("messages", broker=os.environ["BROKER"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_inherit_parent_priority=True,
    task_routes={
        "routed": {"queue": "routes", "foo": "bar", "compression": "gzip"},
        "routed.by.*": "patterns",
        "full": {"queue": "never", "foo": "route"},
    },
)
if os.environ["SYSTEM"] == "umbel":
    app.conf.broker_transport_options = {"celery_workers": True}


class Hooked(Task):
    """Has a word in all that is sent of its tasks."""

    abstract = True

    def delay(self, *args, **kwargs):
        hook("delay", self.name)
        return super().delay(*args, **kwargs)

    def apply_async(self, args=None, kwargs=None, **options):
        hook("apply_async", self.name)
        options["headers"] = {**(options.get("headers") or {}), "tenant": "x"}
        return super().apply_async(args, kwargs, **options)

    def retry(self, *args, **options):
        hook("retry", self.name, *sorted(options))
        return super().retry(*args, **options)

    def signature_from_request(self, *args, **options):
        hook("signature_from_request", self.name)
        return super().signature_from_request(*args, **options)

    def signature(self, *args, **options):
        hook("signature", self.name)
        return super().signature(*args, **options)


FULL = {"queue": "mail", "expires": HOUR, "time_limit": 30, "soft_time_limit": 20, "ignore_result": True, "delivery_mode": 1}


@app.task(name="plain")
def plain(*args, **kwargs):
    return 1


@app.task(name="full", **FULL)
def full(*args):
    return 1


@app.task(name="routed")
def routed(*args):
    return 1


@app.task(name="routed.by.pattern")
def routed_by_pattern(*args):
    return 1


@app.task(name="fails")
def fails(*args):
    raise ValueError("x")


@app.task(name="errback")
def errback(id_):
    return 1


@app.task(name="bound", bind=True)
def bound(self, id_):
    return 1


@app.task(name="inline")
def inline(request, error, trace):
    hook("inline", request.id, repr(error), type(trace).__name__)


class ByClass(Task):
    """An errback that is a class."""

    name = "by.class"

    def run(self, id_):
        return 1


by_class = app.register_task(ByClass())


@app.task(name="again", bind=True)
def again(self, **options):
    raise self.retry(countdown=2 * HOUR, **options)


@app.task(name="again.full", bind=True, **{**FULL, "queue": "run"})
def again_full(self):
    raise self.retry(countdown=2 * HOUR)


@app.task(name="auto", autoretry_for=(ValueError,), retry_kwargs={"countdown": 2 * HOUR})
def auto():
    raise ValueError("x")


@app.task(name="sender")
def sender(name, **options):
    app.send_task(name, **options)


@app.task(name="hooked", base=Hooked)
def hooked(*args):
    return 1


@app.task(name="hooked.again", base=Hooked, bind=True)
def hooked_again(self):
    raise self.retry(countdown=2 * HOUR)


@app.task(name="hooked.auto", base=Hooked, autoretry_for=(ValueError,), retry_kwargs={"countdown": 2 * HOUR})
def hooked_auto():
    raise ValueError("x")


@app.task(name="last")
def last():
    hook("last")


app.conf.beat_schedule = {
    "one": {"task": "full", "schedule": 1, "args": (1,), "options": {"task_id": "a tick"}},
    "two": {"task": "hooked", "schedule": 1, "options": {"task_id": "a hooked tick", "headers": {"a": 1}, "queue": "ticks"}},
    "three": {"task": "unknown", "schedule": 1, "options": {"task_id": "a stranger's tick", "queue": "ticks"}},
}


class Queue(str, enum.Enum):  # noqa: UP042 - as it was before Python 3.11
    """Names as programs keep them."""

    MAIL = "mail"


RUN = {"queue": "run"}
SIG = {"args": (), "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False}


def chain(*sigs):
    """What makes these follow."""
    return [{**SIG, **sig, "options": {**sig.get("options", {}), "task_id": f"step {n}"}} for n, sig in enumerate(sigs)][::-1]


CALLS = {
    "direct": lambda id_: plain.apply_async((1, "x"), {"k": None}, task_id=id_),
    "options of the task": lambda id_: full.apply_async((1,), task_id=id_),
    "options of the call": lambda id_: full.apply_async(
        (1,), task_id=id_, queue="other", expires=4 * HOUR, time_limit=3, soft_time_limit=2, ignore_result=False, shadow="s"
    ),
    "a route": lambda id_: routed.apply_async((1,), task_id=id_),
    "a route by name": lambda id_: app.send_task("routed", (1,), task_id=id_),
    "a route by pattern": lambda id_: routed_by_pattern.apply_async((1,), task_id=id_),
    "a stranger": lambda id_: app.send_task("stranger", (1,), task_id=id_, queue="strangers", foo="bar", headers={"h": [1]}),
    "a name in an enum": lambda id_: plain.apply_async(task_id=id_, queue=Queue.MAIL),
    "a moment": lambda id_: plain.apply_async(task_id=id_, countdown=2 * HOUR, headers={"headers": {"a": 1}, "b": 2}),
    "a line": lambda id_: plain.apply_async(
        task_id=id_, root_id="root", parent_id="parent", group_id="g", group_index=3, retries=2
    ),
    "stamps": lambda id_: plain.apply_async(task_id=id_, stamped_headers=["s"], s="v"),
    "a callback": lambda id_: plain.apply_async(task_id=id_, **RUN, link=plain.s(2)),
    "two callbacks": lambda id_: plain.apply_async(task_id=id_, **RUN, link=[plain.s(2), plain.s(3)]),
    "callbacks in a tuple": lambda id_: plain.apply_async(task_id=id_, **RUN, link=(plain.s(2),)),
    "a callback with options of its task": lambda id_: plain.apply_async(task_id=id_, **RUN, link=full.s()),
    "a callback with a route": lambda id_: plain.apply_async(task_id=id_, **RUN, link=routed.si()),
    "a callback with options of its own": lambda id_: plain.apply_async(
        task_id=id_,
        **RUN,
        link=full.s().set(
            queue="own", countdown=2 * HOUR, shadow="s", headers={"a": 1}, foo="bar", time_limit=40, link=[plain.s()]
        ),
    ),
    "a callback that is a stranger": lambda id_: plain.apply_async(task_id=id_, **RUN, link={**SIG, "task": "stranger"}),
    "an errback": lambda id_: fails.apply_async(task_id=id_, **RUN, link_error=errback.s()),
    "an errback with a task": lambda id_: fails.apply_async(task_id=id_, **RUN, link_error=bound.s()),
    "an errback that is a class": lambda id_: fails.apply_async(task_id=id_, **RUN, link_error=by_class.s()),
    "an errback that is a stranger": lambda id_: fails.apply_async(task_id=id_, **RUN, link_error={**SIG, "task": "stranger"}),
    "two errbacks": lambda id_: fails.apply_async(task_id=id_, **RUN, link_error=[errback.s(), bound.s()]),
    "an errback of the new kind": lambda id_: fails.apply_async(task_id=id_, **RUN, link_error=inline.s()),
    "a step": lambda id_: plain.apply_async(task_id=id_, **RUN, chain=chain({"task": "full"}, {"task": "plain", "args": (3,)})),
    "a last step": lambda id_: plain.apply_async(task_id=id_, **RUN, chain=chain({"task": "routed"})),
    "a retry": lambda id_: again.apply_async(
        task_id=id_, **RUN, expires=4 * HOUR, time_limit=50, headers={"a": 1}, link=[plain.s()]
    ),
    "a retry with options": lambda id_: again.apply_async(
        kwargs={"queue": "again", "expires": HOUR, "headers": {"b": 2}, "shadow": "s", "foo": "baz", "ignore_result": True},
        task_id=id_,
        **RUN,
    ),
    "a retry of a task with options": lambda id_: again_full.apply_async(task_id=id_),
    "an automatic retry": lambda id_: auto.apply_async(task_id=id_, **RUN, shadow="s", root_id="root"),
    "a call in a run": lambda id_: sender.apply_async(("full",), task_id=id_, **RUN),
    "a call of a stranger in a run": lambda id_: sender.apply_async(
        ("stranger",), {"queue": "x", "add_to_parent": False}, task_id=id_, **RUN
    ),
    "overridden": lambda id_: hooked.apply_async((1,), task_id=id_),
    "overridden in a signature": lambda id_: hooked.s(1).set(task_id=id_).apply_async(),
    "overridden callback": lambda id_: plain.apply_async(task_id=id_, **RUN, link=hooked.s(2)),
    "overridden step": lambda id_: plain.apply_async(task_id=id_, **RUN, chain=chain({"task": "hooked"})),
    "overridden retry": lambda id_: hooked_again.apply_async(task_id=id_, **RUN),
    "overridden automatic retry": lambda id_: hooked_auto.apply_async(task_id=id_, **RUN),
}

if __name__ == "__main__":
    for call, make in CALLS.items():
        hook("call", repr(call))
        make(call)
    last.apply_async(task_id="last", **RUN)
