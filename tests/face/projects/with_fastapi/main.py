"""FastAPI with an app beside it, whose tasks tell how far they are."""

import os

from celery import Celery, current_task
from celery.result import AsyncResult
from fastapi import FastAPI

api = FastAPI()
celery = Celery(__name__)
celery.conf.broker_url = os.environ["BROKER"]
celery.conf.result_backend = os.environ["BACKEND"]
celery.conf.task_routes = {"main.word": "main-queue"}


@celery.task(name="create_task", acks_late=True)
def create_task(a, b):
    for step in range(3):
        current_task.update_state(state="PROGRESS", meta={"step": step})
    return a * b


@celery.task
def word(text):
    return f"test task return {text}"


@api.post("/tasks")
def run_task(a: int, b: int):
    return {"task_id": create_task.delay(a, b).id}


@api.get("/tasks/{task_id}")
def get_status(task_id: str):
    result = AsyncResult(task_id)
    return {"task_status": result.status, "task_result": result.result}
