"""django-celery-results in a Django project with its admin, and a worker of processes: `kept.py`, or `celery -A kept worker`.

RESULTS is django-db or django-cache.
"""

import json
import os
import sys
import time

import django
from django.conf import settings

SQLITE = {"timeout": 60, "transaction_mode": "IMMEDIATE"}  # several write, some of them after they have read
settings.configure(
    SECRET_KEY="none",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF="kept",
    INSTALLED_APPS=[
        *("django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages"),
        *("django.contrib.sessions", "django_celery_results"),
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite", "OPTIONS": SQLITE}},
    CACHES={"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "cache"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    STATIC_URL="static/",
    USE_TZ=True,
    CELERY_BROKER_URL="sqlite:///queue.db",
    CELERY_RESULT_BACKEND=os.environ["RESULTS"],
    CELERY_CACHE_BACKEND="default",
    CELERY_RESULT_EXTENDED=True,
    CELERY_TASK_TRACK_STARTED=True,
)
django.setup()

from celery import Celery, states  # noqa: E402
from django.contrib import admin  # noqa: E402
from django.urls import include, path  # noqa: E402

app = Celery("kept")
app.config_from_object("django.conf:settings", namespace="CELERY")
urlpatterns = [path("admin/", admin.site.urls), path("results/", include("django_celery_results.urls"))]


@app.task
def add(x, y):
    return x + y


@app.task
def fail():
    raise ValueError("as asked")


@app.task(bind=True, max_retries=1)
def retry(self):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return {"tries": 2}


@app.task(bind=True)
def slow(self, flag):
    self.update_state(state="PROGRESS", meta={"current": 3, "total": 10})
    while not os.path.exists(flag) and os.getppid() != 1:  # nobody is there any more who would let it go
        time.sleep(0.01)
    return "done"


def main():
    """Use all of it, and tell what was found, as JSON."""
    import django_celery_results
    from celery import chord
    from celery import group as at_once
    from celery.result import GroupResult, result_from_tuple
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    patience = float(os.environ["PATIENCE"])
    results = [add.delay(1, 2), retry.delay(), add.apply_async((1,), {"y": 5}, headers={"periodic_task_name": "nightly"})]
    told = [result.get(timeout=patience) for result in results]
    failed = fail.delay()
    told.append(repr(failed.get(timeout=patience, propagate=False)))
    revoked = add.apply_async((1, 2), expires=-1)
    told.append(type(revoked.get(timeout=patience, propagate=False)).__name__)
    going = slow.delay("flag")
    end = time.monotonic() + patience
    while going.state != "PROGRESS":
        assert time.monotonic() < end, f"it tells {going.state}"
        time.sleep(0.01)
    told.append(going.info)
    open("flag", "w").close()
    told.append(going.get(timeout=patience))

    group = GroupResult("the-group", results[:2])
    group.save()
    found = GroupResult.restore("the-group")
    told.append(
        [found == group, found.get(timeout=patience), found.completed_count(), result_from_tuple(found.as_tuple()) == group]
    )
    told.append(chord([add.s(1, 1), add.s(2, 2)])(whole.s()).get(timeout=patience))
    told.append((add.s(1, 1) | add.s(2) | at_once(add.s(1), add.s(2))).apply_async().get(timeout=patience))
    told.append([results[0].name, results[0].args, results[0].kwargs, bool(results[0].worker), app.AsyncResult("none").state])
    found = {"release": django_celery_results.__version__, "told": told}
    if os.environ["RESULTS"] == "django-db":
        found.update(in_tables(failed, going))
        found["chord"] = counted(results[:2], patience)
    group.delete()
    results[0].forget()
    found["forgotten"] = [results[0].state, GroupResult.restore("the-group")]
    app.backend.cleanup()
    print(json.dumps(found))


@app.task
def whole(parts):
    return ["whole", *parts]


def counted(parts, patience):
    """A chord as the package counts it: by its own table."""
    from celery.app.task import Context
    from django_celery_results.models import ChordCounter

    body = whole.s().set(task_id="the-body")
    app.backend.apply_chord(("the-chord", parts), body)
    told = [ChordCounter.objects.get().count]
    for part in parts:
        request = Context(id=part.id, group="the-chord", chord=body)
        app.backend.on_chord_part_return(request, part.state, part.result)
        told.append([row.count for row in ChordCounter.objects.all()])
    return [*told, app.AsyncResult("the-body").get(timeout=patience)]


def in_tables(failed, going):
    """What django-celery-results shows of it."""
    from django.contrib.auth.models import User
    from django.test import Client
    from django_celery_results.models import GroupResult, TaskResult

    rows = TaskResult.objects.order_by("date_created")
    names = ("task_name", "status", "result", "task_args", "task_kwargs", "periodic_task_name")
    client = Client()
    client.force_login(User.objects.create_superuser("root", "root@example.org", "none"))
    pages = {}
    for page in (
        "taskresult/",
        f"taskresult/{rows[0].pk}/change/",
        "groupresult/",
        "taskresult/?q=kept.add&status__exact=SUCCESS",
    ):
        answer = client.get(f"/admin/django_celery_results/{page}")
        pages[page.replace(str(rows[0].pk), "N")] = [answer.status_code, "kept.add" in answer.content.decode()]
    row = TaskResult.objects.get(task_id=failed.id)
    return {
        "rows": [[getattr(row, name) for name in names] for row in rows],
        "workers": sorted({bool(row.worker) for row in rows if row.status != states.REVOKED}),
        "failure": ["Traceback" in row.traceback, "as asked" in row.traceback, json.loads(row.result)["exc_type"]],
        "dates": all(row.date_created <= row.date_done for row in rows),
        "groups": [row.group_id for row in GroupResult.objects.all()],
        "pages": pages,
        "views": [client.get(f"/results/{failed.id}/{view}/").json() for view in ("status", "done")],
    }


if __name__ == "__main__":
    sys.modules["kept"] = sys.modules["__main__"]
    app.set_default()
    main()
