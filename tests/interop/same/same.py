"""One app, its tasks, hooks and receivers: each notes in a file what it saw. Run by Celery and by umbel alike."""

from __future__ import annotations

import json
import os
import time

from names import App, Control, Loader, Log, Task, current_app, current_task, exceptions, shared_task, signals

PROCESS = os.getpid()


class Watching(Loader):
    """Notes what it is told of workers and runs."""

    label = None

    def on_worker_init(self):
        note("life: loader.on_worker_init", modules=sorted(self.task_modules), initialized=self.worker_initialized)

    def on_worker_process_init(self):
        note("life: loader.on_worker_process_init", child=os.getpid() != PROCESS)

    def on_task_init(self, task_id, task):
        self.label = task.request.args[0] if task.name in ("watched", "hooked.failure") else None
        if self.label in ("well", "badly", "again", "failure"):
            note(f"{self.label}: loader.on_task_init", id=task_id == task.request.id, task=task.name)

    def on_process_cleanup(self):
        if self.label in ("well", "badly", "again", "failure"):
            note(f"{self.label}: loader.on_process_cleanup")

    def on_worker_shutdown(self):
        note("life: loader.on_worker_shutdown", child=os.getpid() != PROCESS)

    def import_task_module(self, module):
        note("life: loader.import_task_module", module=module)
        return super().import_task_module(module)

    def autodiscover_tasks(self, packages, related_name="tasks"):
        note("life: loader.autodiscover_tasks", packages=list(packages), related_name=related_name)
        return super().autodiscover_tasks(packages, related_name)


class Logbook(Log):
    """Notes how it is told to set up the log."""

    def setup(self, loglevel=None, logfile=None, *args, **kwargs):
        if os.getpid() == PROCESS:
            note("life: log.setup", level=loglevel, file=logfile, prints=kwargs.get("redirect_stdouts"), name=kwargs["hostname"])
        return super().setup(loglevel, logfile, *args, **kwargs)

    def setup_logging_subsystem(self, loglevel=None, logfile=None, *args, **kwargs):
        if os.getpid() == PROCESS:
            note("life: log.setup_logging_subsystem", level=loglevel, file=logfile, more=[len(args), sorted(kwargs)])
        return super().setup_logging_subsystem(loglevel, logfile, *args, **kwargs)

    def _configure_logger(self, logger, *args, **kwargs):
        if logger.name == "root":  # Celery also quiets that of billiard, which umbel does not have
            note("life: log._configure_logger", more=[len(args), sorted(kwargs)])
        return super()._configure_logger(logger, *args, **kwargs)

    def setup_task_loggers(self, *args, **kwargs):
        note("life: log.setup_task_loggers", args=args)
        return super().setup_task_loggers(*args, **kwargs)

    def redirect_stdouts(self, loglevel=None, *args, **kwargs):
        if os.getpid() == PROCESS:
            note("life: log.redirect_stdouts", level=loglevel, more=[len(args), sorted(kwargs)])
        return super().redirect_stdouts(loglevel, *args, **kwargs)


class Controlling(Control):
    """Remembers what is told to workers."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.told = []

    def broadcast(self, command, *args, **kwargs):
        self.told.append([command, list(args), {**kwargs, "timeout": "timeout" in kwargs}])
        return super().broadcast(command, *args, **kwargs)


def fix_up(app):
    """Notes in what state it gets the app."""
    app.fixed = [app.main, app.finalized, current_app.main == app.main]


app = App(
    "same",
    broker=os.environ["BROKER"],
    backend=os.environ["BACKEND"],
    loader=Watching,
    log=Logbook,
    control="same:Controlling",
    fixups=[fix_up],
    include=["more"],
)
app.autodiscover_tasks(["found"], related_name="jobs")
app.conf.update(
    task_acks_late=True,
    result_extended=os.environ.get("EXTENDED") == "1",
    task_routes={"routed.*": {"queue": "side", "routing_key": "side.key"}, "exact": "side"},
    task_annotations={"annotated": {"max_retries": 9, "own": "x"}},
    task_create_missing_queues=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=True,
)
FACTS = os.environ["EFFECTS"]


def note(what: str, **facts: object) -> None:
    """Append one thing that was seen; any process may."""
    line = json.dumps([what, facts], default=repr) + "\n"
    descriptor = os.open(FACTS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, line.encode())
    os.close(descriptor)


def state_of(id: str) -> list[object]:
    """What the result of a task is, as seen from here."""
    found = app.AsyncResult(id)
    return [found.state, repr(found.result)]


class Hooked(Task):
    """Notes each hook, in order, with what it gets and what its result is by then."""

    abstract = True

    def before_start(self, task_id, args, kwargs):
        note(f"{args[0]}: before_start", args=args, kwargs=kwargs, id=task_id == self.request.id, result=state_of(task_id))

    def on_success(self, retval, task_id, args, kwargs):
        note(f"{args[0]}: on_success", retval=retval, args=args, kwargs=kwargs, result=state_of(task_id))

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        lines = str(einfo).splitlines()
        note(
            f"{args[0]}: on_failure",
            exc=exc,
            args=args,
            einfo=[type(einfo).__name__, lines[0], lines[-1]],
            result=state_of(task_id),
        )
        note(f"{args[0]}: einfo", exception=einfo.exception, type=einfo.type.__name__, traceback=einfo.traceback.splitlines()[-1])

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        note(f"{args[0]}: on_retry", exc=exc, args=args, kwargs=kwargs, result=state_of(task_id), retries=self.request.retries)

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        note(
            f"{args[0]}: after_return", status=status, retval=retval, args=args, einfo=einfo is not None, result=state_of(task_id)
        )


@app.task(base=Hooked, name="hooked.success")
def hooked_success(label, x, y=5):
    return x + y


@app.task(base=Hooked, name="hooked.failure")
def hooked_failure(label):
    raise ValueError("broken")


@app.task(base=Hooked, name="hooked.expected", throws=(KeyError,))
def hooked_expected(label):
    raise KeyError("expected")


@app.task(base=Hooked, name="hooked.retry", bind=True, max_retries=2, default_retry_delay=0)
def hooked_retry(self, label):
    raise self.retry(exc=ValueError(self.request.retries), countdown=0)


@app.task(base=Hooked, name="hooked.retry_bare", bind=True, max_retries=1)
def hooked_retry_bare(self, label):
    self.retry(countdown=0)


@app.task(name="retried.otherwise", bind=True)
def retried_otherwise(self, n=0):
    raise self.retry(args=(n + 1,), kwargs={"n": 2} if n > 5 else {}, countdown=0, max_retries=1)


@app.task(name="hard", time_limit=1)
def hard():
    time.sleep(60)


@app.task(base=Hooked, name="hooked.auto", autoretry_for=(OSError,), retry_backoff=False, default_retry_delay=0, max_retries=2)
def hooked_auto(label):
    note(f"{label}: run", retries=current_task.request.retries)
    if current_task.request.retries < 2:
        raise OSError("away")
    return "there"


@app.task(base=Hooked, name="hooked.ignore")
def hooked_ignore(label):
    raise exceptions.Ignore


@app.task(base=Hooked, name="hooked.reject")
def hooked_reject(label):
    raise exceptions.Reject("no", requeue=False)


@app.task(base=Hooked, name="hooked.requeue", bind=True)
def hooked_requeue(self, label):
    if not self.request.delivery_info["redelivered"]:
        raise exceptions.Reject("again", requeue=True)
    return "second"


@app.task(base=Hooked, name="hooked.soft", soft_time_limit=0.4)
def hooked_soft(label):
    time.sleep(60)


@app.task(name="hooked.caught", soft_time_limit=0.4)
def hooked_caught():
    try:
        time.sleep(60)
    except exceptions.SoftTimeLimitExceeded as error:
        return f"caught {error!r}"


REQUEST = (
    *("task", "args", "kwargs", "retries", "is_eager", "called_directly", "eta", "expires", "timelimit", "shadow", "argsrepr"),
    *(
        "kwargsrepr",
        "lang",
        "group",
        "group_index",
        "ignore_result",
        "utc",
        "chain",
        "chord",
        "callbacks",
        "errbacks",
        "reply_to",
    ),
    *("stamps", "stamped_headers", "replaced_task_nesting", "parent_id", "headers", "loglevel", "logfile", "taskset", "children"),
)


@app.task(bind=True, name="asks")
def asks(self, *args, **kwargs):
    request = self.request
    facts = {name: getattr(request, name, "has none") for name in REQUEST}
    info = dict(request.delivery_info)
    facts |= {f"delivery_info.{name}": info.get(name) for name in ("exchange", "routing_key", "redelivered")}
    facts |= {
        "id is root_id": request.id == request.root_id,
        "id is correlation_id": request.id == request.correlation_id,
        "hostname": request.hostname,
        "current_task": current_task.name,
        "current_app": current_app.main,
        "own header": getattr(request, "own_header", "has none"),
        "get": [request.get("retries"), request.get("nothing", "default")],
        "name": self.name,
        "max_retries": self.max_retries,
        "app": self.app.main,
    }
    for name, value in facts.items():
        note(f"request of {args[0]}: {name}", value=value)
    return sorted(facts)


@app.task(bind=True, name="parent")
def parent(self):
    child = asks.delay("a child")
    note(
        "children",
        number=len(self.request.children),
        is_it=self.request.children[0].id == child.id
        if hasattr(self.request.children[0], "id")
        else self.request.children[0][0][0] == child.id,
    )
    return child.id


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="fail")
def fail(text="no"):
    raise ValueError(text)


@app.task(name="errback")
def errback(request, exc, traceback):
    note("errback (new)", task=request.task, exc=exc, traceback=str(traceback).splitlines()[-1] if traceback else None)


@app.task(name="errback.old", bind=True)
def errback_old(self, *args):
    note("errback (old)", args=[type(each).__name__ for each in args])


@app.task(name="callback")
def callback(value, more="none"):
    note("callback", value=value, more=more)
    return value


@app.task(name="states", bind=True)
def custom_state(self, id=None):
    self.update_state(state="PROGRESS", meta={"done": 1})
    note("custom state", result=state_of(self.request.id))
    self.update_state(state="OTHER")
    note("custom state without meta", result=state_of(self.request.id))
    return "done"


@app.task(name="annotated")
def annotated():
    return [annotated.max_retries, annotated.own]


@app.task(name="kwargs.only")
def kwargs_only(*, a, b=2):
    return [a, b]


@app.task(name="routed.one")
def routed_one():
    return "side"


@app.task(name="exact")
def exact():
    return "side"


@shared_task(name="shared")
def shared(x):
    return [current_app.main, x]


@app.task(name="quiet", ignore_result=True)
def quiet():
    return "nobody asks"


@app.task(name="quiet.errors", ignore_result=True, store_errors_even_if_ignored=True)
def quiet_errors():
    raise ValueError("kept")


@app.task(name="called", bind=True)
def called(self):
    """A task that calls another like a function."""
    return [add(1, 2), self.request.called_directly, current_task.name]


class Callable(Task):
    """With a `__call__` of its own."""

    abstract = True

    def __call__(self, *args, **kwargs):
        note("own __call__", args=args, task=self.name, id=self.request.id is not None)
        return super().__call__(*args, **kwargs)


@app.task(base=Callable, name="callable")
def own_call(x):
    return x * 2


class Classy(Task):
    """A task that is a class."""

    name = "classy"

    def run(self, x):
        return [x, self.name]


classy = app.register_task(Classy())


@app.task(name="type.error")
def type_error(a):
    return a


@app.task(name="encode")
def not_to_be_encoded():
    return object()


class Odd(Exception):
    """With arguments that its message is not made of."""

    def __init__(self, code, text):
        super().__init__(code, text)
        self.code = code


@app.task(name="odd")
def odd():
    raise Odd(7, "words")


@app.task(name="nested")
def nested():
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        raise RuntimeError("outer") from error


# Receivers


WATCHED = ("well", "badly", "again")


def shown(value):
    return (
        value.name
        if hasattr(value, "name") and not isinstance(value, type)
        else value
        if isinstance(value, str)
        else type(value).__name__
    )


def watch(signal_name, key):
    def receive(sender=None, **given):
        label = key(given)
        given.pop("signal", None)
        if label in WATCHED:
            facts = {
                name: value
                for name, value in given.items()
                if name in ("state", "retval", "result", "args", "kwargs", "exception")
            }
            note(f"{label}: {signal_name}", sender=shown(sender), names=sorted(given), facts=facts)

    getattr(signals, signal_name).connect(receive, weak=False)


def first(args):
    return args[0] if args else None


watch("task_prerun", lambda given: first(given["args"]))
watch("task_postrun", lambda given: first(given["args"]))
watch("task_failure", lambda given: first(given["args"]))
watch("task_success", lambda given: first(current_task.request.args))
watch("task_retry", lambda given: first(given["request"].args))


@app.task(name="watched", bind=True, max_retries=1, default_retry_delay=0)
def watched(self, label):
    if label == "badly":
        raise ValueError("bad")
    if label == "again" and not self.request.retries:
        raise self.retry(countdown=0)
    return label


for name in (
    *("celeryd_init", "celeryd_after_setup", "worker_init", "worker_ready", "worker_process_init", "worker_shutting_down"),
    *(
        "worker_shutdown",
        "import_modules",
        "setup_logging",
        "after_setup_logger",
        "after_setup_task_logger",
        "worker_process_shutdown",
    ),
):

    def lives(sender=None, _name=name, **given):
        given.pop("signal", None)
        kind = sender if isinstance(sender, str) else type(sender).__name__
        note(f"life: {_name}", sender=kind, names=sorted(given))

    if name != "setup_logging":  # a receiver of it sets up the log
        getattr(signals, name).connect(lives, weak=False)


@signals.task_revoked.connect(weak=False)
def revoked(sender=None, request=None, terminated=None, signum=None, expired=None, **_):
    note(
        "revoked",
        sender=shown(sender),
        task=request.task,
        args=request.args,
        terminated=terminated,
        signum=signum,
        expired=expired,
    )


@signals.task_received.connect(weak=False)
def received(sender=None, request=None, **given):
    if request.name == "add" and not getattr(received, "told", False):
        received.told = True
        names = (
            "name",
            "type",
            "args",
            "kwargs",
            "argsrepr",
            "kwargsrepr",
            "eta",
            "expires",
            "time_limits",
            "parent_id",
            "task_name",
        )
        for name in (
            *names,
            "ignore_result",
            "utc",
            "content_type",
            "content_encoding",
            "group",
            "errbacks",
            "chord",
            "worker_pid",
        ):
            note(f"received: {name}", value=getattr(request, name, "has none"))
        note(
            "received: ids",
            value=[request.id == request.task_id, request.id == request.root_id, request.id == request.correlation_id],
        )
        note("received: delivery_info", value={key: request.delivery_info.get(key) for key in ("routing_key", "redelivered")})
        note("received: humaninfo", value=request.humaninfo() == f"{request.name}[{request.id}]")


@app.on_after_configure.connect
def configured(sender=None, **given):
    note("life: on_after_configure", sender=type(sender).__mro__[-2].__name__ != "", names=sorted(set(given) - {"signal"}))


@app.on_after_finalize.connect
def finalized(sender=None, **given):
    note("life: on_after_finalize", names=sorted(set(given) - {"signal"}))
