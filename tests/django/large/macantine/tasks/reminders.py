from celery import shared_task
from celery.utils.log import get_task_logger
from django.contrib.auth import get_user_model

logger = get_task_logger(__name__)


@shared_task
def remind_users():
    count = get_user_model().objects.count()
    logger.info("%s users reminded", count)
    return count


@shared_task
def remind_managers(weeks=1):
    return weeks
