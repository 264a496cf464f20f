from celery.utils.log import get_task_logger

from .celery import app

logger = get_task_logger(__name__)


@app.task
def add(x, y):
    logger.info("adding %s and %s", x, y)
    return x + y


@app.task(bind=True, max_retries=2, default_retry_delay=0)
def flaky(self, wanted):
    if self.request.retries < wanted:
        raise self.retry(exc=ValueError("not yet"), countdown=0)
    return self.request.retries


@app.task(autoretry_for=(KeyError,), retry_backoff=True, retry_jitter=False, max_retries=0)
def lookup():
    return {}["missing"]


@app.task(throws=(LookupError,))
def missing():
    raise LookupError("nothing here")


@app.task(bind=True)
def about(self):
    info = self.request.delivery_info
    return [self.name, self.request.retries, list(self.request.args), info["routing_key"], self.request.called_directly]


@app.task(ignore_result=True)
def forgotten():
    return 1


@app.task(bind=True)
def sends(self):
    return add.delay(1, 2)


@app.task(bind=True)
def progress(self):
    self.update_state(state="PROGRESS", meta={"done": 3})
    return self.AsyncResult(self.request.id).state
