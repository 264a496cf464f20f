import logging

from macantine.celery import app

logger = logging.getLogger(__name__)


@app.task()
def export_canteens():
    logger.info("canteens exported")
    return {"rows": 3}


@app.task()
def export_diagnostics():
    raise ValueError("no warehouse here")


@app.task(bind=True, max_retries=2, default_retry_delay=0)
def export_purchases(self):
    if self.request.retries < 2:
        raise self.retry(exc=ConnectionError("away"), countdown=0)
    return self.request.retries
