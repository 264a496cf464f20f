from celery import shared_task


@shared_task(name="api.answer")
def answer():
    return 42
