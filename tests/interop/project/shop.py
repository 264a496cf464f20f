"""One project, run by Celery or by umbel, as SYSTEM says; the code is the same for both."""

import os
import time
from pathlib import Path

if os.environ["SYSTEM"] == "celery":
    import celery as canvas
    from celery import Celery as App
    from celery.exceptions import Ignore, Reject
else:
    import umbel as canvas
    from umbel import Ignore, Reject
    from umbel import Umbel as App

CONTENT = os.environ["ACCEPT"].split()

app = App("shop", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.update(
    accept_content=CONTENT,
    result_extended=True,
    result_serializer=os.environ["RESULTS"],
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "celery_workers": True,
        "socket_timeout": float(os.environ["PATIENCE"]),
        "visibility_timeout": float(os.environ["VISIBILITY"]),
    },
)
app.conf.task_send_sent_event = bool(os.environ["SENT_EVENTS"])
if prefix := os.environ["PREFIX"]:
    app.conf.broker_transport_options["global_keyprefix"] = prefix
    app.conf.result_backend_transport_options = {"global_keyprefix": prefix}
if os.environ["SYSTEM"] == "umbel":
    app.conf.update(
        broker_lease=float(os.environ["LEASE"]), broker_publish_timeout=float(os.environ["PATIENCE"]), task_unknown_ttl=0.5
    )

    app.conf.task_shared_with_celery = bool(os.environ["SHARED"])

SOON = 0.2
"""Seconds until a retry. Celery tells RETRY after the retry is sent: one that has failed by then would never be seen to end."""


class Refused(Exception):
    """What a customer is told."""

    def __init__(self, text, code):
        super().__init__(text, code)
        self.code = code


def note(*words):
    """Write down what was done, in one step."""
    fd = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (" ".join(map(str, words)) + "\n").encode())
    os.close(fd)


@app.task
def add(x, y):
    return x + y


@app.task
def echo(value):
    return value


@app.task
def total(values):
    return sum(values)


@app.task(bind=True)
def twice(self, value):
    return self.replace(add.s(value, value))


@app.task(bind=True)
def spread(self, value):
    return self.replace(canvas.group(add.s(value, 1), add.s(value, 2)))


@app.task(bind=True, default_retry_delay=0)
def second_time(self, value):
    if self.request.retries == 0:
        raise self.retry()
    return value


@app.task
def look_at(values):
    return [repr(each) for each in values]


@app.task
def refuse(text, code):
    raise Refused(text, code)


@app.task
def fail_oddly():
    raise LookupError("odd", object())


@app.task(bind=True)
def ignored(self):
    note("ignored", self.request.id)
    raise Ignore


@app.task(bind=True)
def rejected(self):
    raise Reject("no", requeue=False)


@app.task(bind=True, ignore_result=True)
def show(self, *values):
    note(self.request.id, *(repr(value).replace(" ", "_") for value in values))


FACTS = """
    id task args kwargs root_id parent_id group group_index retries eta expires shadow lang origin argsrepr kwargsrepr
    timelimit ignore_result replaced_task_nesting stamped_headers stamps callbacks errbacks chain chord correlation_id
    reply_to is_eager called_directly utc delivery_info headers
"""


@app.task(bind=True)
def request(self, *args, **kwargs):
    return {name: getattr(self.request, name, "absent") for name in FACTS.split()}


@app.task(bind=True)
def header(self, name):
    return getattr(self.request, name, None), (self.request.headers or {}).get(name)


@app.task(bind=True)
def write(self, *words):
    note(*words, self.request.id)
    return list(words)


@app.task
def now():
    return time.time()


@app.task
def send_child(queue):
    return request.apply_async(queue=queue).id


@app.task
def sorry(task_id):
    note("sorry", task_id)


@app.task
def blame(request, error, traceback):
    note("blame", request.id, type(error).__name__, traceback is not None)


@app.task(bind=True)
def progress(self, path):
    self.update_state(state="PROGRESS", meta={"percent": 50})
    while not Path(path).exists():
        time.sleep(0.01)
    return "done"


@app.task(track_started=True)
def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.01)
    return "there"


@app.task(bind=True, max_retries=5)
def hop(self, queues, seen=()):
    """Try again in one queue after the other; tells where and how often."""
    seen = [*seen, [os.environ["SYSTEM"], self.request.retries, self.request.parent_id == self.request.id]]
    if not queues:
        return seen
    raise self.retry(args=(queues[1:], seen), queue=queues[0], countdown=SOON)


@app.task(bind=True, autoretry_for=(Refused,), retry_kwargs={"max_retries": 2, "countdown": SOON})
def stubborn(self):
    note("stubborn", self.request.id, self.request.retries)
    raise Refused("never", self.request.retries)


@app.task(bind=True, max_retries=1)
def later(self, path):
    if not Path(path).exists():
        raise self.retry(countdown=1, exc=Refused("busy", 1), max_retries=60)
    return self.request.retries


@app.task(bind=True, ignore_result=True)
def work(self):
    time.sleep(0.002)
    note("end", self.request.id, os.environ["SYSTEM"])


@app.task(bind=True, acks_late=True)
def hold(self, path):
    note("holds", self.request.id, self.request.delivery_info["redelivered"])
    while not Path(path).exists():
        time.sleep(0.01)
    return os.environ["SYSTEM"]


@app.task(bind=True, max_retries=1)
def try_again(self):
    raise self.retry(exc=KeyError("again"), countdown=SOON)


@app.task(bind=True)
def tell(self):
    self.send_event("task-progress", done=3)
    return "told"


@app.task(acks_late=True)
def decline():
    raise Reject("no", requeue=False)
