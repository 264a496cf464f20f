import os

from celery import Celery

app = Celery("counted", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.task_routes = {"counted.other": "other"}


@app.task
def one(number):
    return number


@app.task
def other(number):
    return number


@app.task(bind=True, max_retries=3)
def again(self, number):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return number


@app.task
def failing(number):
    raise ValueError(number)
