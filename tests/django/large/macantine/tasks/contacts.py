import logging

from macantine.celery import app

logger = logging.getLogger(__name__)


@app.task()
def update_brevo_contacts():
    logger.info("Contacts updated")


@app.task()
def forget_bounced_contacts():
    logger.info("Contacts forgotten")
