"""The tasks. Each returns a sentence that says what it did, for the log and for whoever runs it by hand."""

import logging
import random

import django
from celery import shared_task
from django.apps import apps
from django.conf import settings
from django.core.management import call_command

if not apps.ready:  # in a bare `python`; a worker and manage.py have done it
    django.setup()

from psycopg import OperationalError

from data import fill
from data.models import Canteen, User
from macantine import brevo, reminders, warehouse

logger = logging.getLogger(__name__)

# Reminder mails: one task finds who is due, and each mail is a task of its own, so that one that fails is tried again alone.


@shared_task
def remind_users_without_canteen():
    """A week after they came, and once more after two."""
    return _remind("without_canteen")


@shared_task
def remind_canteens_without_purchases():
    """Ten days after the canteen was added."""
    return _remind("without_purchases")


@shared_task
def remind_incomplete_canteens():
    """Without SIRET, or without a number of meals."""
    return _remind("incomplete")


@shared_task
def remind_yearly_declaration():
    """To all who bought anything last year."""
    return _remind("declaration")


@shared_task
def send_monthly_summaries():
    """What each manager's canteens have bought last month."""
    return _remind("monthly")


def _remind(kind):
    due = reminders.due(kind)
    for user_id, about in due:
        send_reminder.delay(kind, user_id, about)
    return _told(f"Mails due ({kind}): {len(due)}")


@shared_task(autoretry_for=(OSError,), retry_backoff=True, retry_backoff_max=3600, max_retries=10)  # SMTPException is an OSError
def send_reminder(kind, user_id, about):
    """Send one mail, unless it was sent."""
    is_sent = reminders.send(kind, user_id, about)
    return _told(f"{'Sent' if is_sent else 'Sent before'}: {kind} ({about}) to user {user_id}")


# Filling of data.


@shared_task
def fill_departments():
    """Department and region of canteens, from their postal codes."""
    return _told(f"Canteens whose department was filled: {fill.departments()}")


@shared_task
def fill_families():
    """The product family of purchases, from their descriptions."""
    return _told(f"Purchases whose family was filled: {fill.families()}")


@shared_task
def fill_totals(canteen_id=None):
    """What a canteen, or each of them, has bought this year."""
    canteens = Canteen.objects.all() if canteen_id is None else Canteen.objects.filter(pk=canteen_id)
    return _told(f"Canteens summed up: {fill.totals(canteens)}")


# Elsewhere.


@shared_task(autoretry_for=(OperationalError,), retry_backoff=30, retry_backoff_max=1800, max_retries=5)
def export_datasets():
    """All datasets into the warehouse, at once."""
    if not settings.DATA_WARE_HOUSE["host"]:
        return _told("DATA_WARE_HOUSE_HOST is not set: nothing exported")
    counts = warehouse.export()
    if counts is None:
        return _told("Another export is running: nothing exported")
    return _told("Exported: " + ", ".join(f"{table} {count}" for table, count in counts.items()))


@shared_task
def update_brevo_contacts():
    """Every active user becomes a contact, or an existing contact is updated: in batches, each a task of its own."""
    if not settings.SENDINBLUE_API_KEY:
        return _told("SENDINBLUE_API_KEY is not set: no contacts updated")
    ids = list(User.objects.filter(is_active=True).order_by("pk").values_list("pk", flat=True))
    batches = [ids[start : start + settings.BREVO_BATCH] for start in range(0, len(ids), settings.BREVO_BATCH)]
    for batch in batches:
        send_brevo_batch.delay(batch)
    return _told(f"Contacts on their way to Brevo: {len(ids)}, batches: {len(batches)}")


@shared_task(bind=True, max_retries=10)
def send_brevo_batch(self, user_ids):
    """One import of contacts. If Brevo is busy the batch comes back to the queue, for no less than Brevo asked for."""
    users = User.objects.filter(pk__in=user_ids, is_active=True).prefetch_related("canteens")
    try:
        process = brevo.import_contacts(users)
    except brevo.Busy as busy:
        raise _later(self, busy) from busy
    users.update(is_in_brevo=True)
    return _told(f"Brevo took contacts: {len(users)}, as process {process}")


@shared_task
def forget_brevo_contacts():
    """Contacts whose accounts were closed are deleted at Brevo."""
    if not settings.SENDINBLUE_API_KEY:
        return _told("SENDINBLUE_API_KEY is not set: no contacts deleted")
    gone = User.objects.filter(is_active=False, is_in_brevo=True)
    for user in gone:
        forget_brevo_contact.delay(user.pk)
    return _told(f"Contacts to be deleted at Brevo: {len(gone)}")


@shared_task(bind=True, max_retries=10)
def forget_brevo_contact(self, user_id):
    """One contact less."""
    user = User.objects.get(pk=user_id)
    try:
        brevo.delete_contact(user.email)
    except brevo.Busy as busy:
        raise _later(self, busy) from busy
    User.objects.filter(pk=user_id).update(is_in_brevo=False)
    return _told(f"Brevo has forgotten user {user_id}")


def _later(task, busy):
    """A retry after 1, 2, 4 … seconds up to ten minutes, never sooner than Brevo asked; the bit of chance keeps batches apart."""
    wait = max(busy.wait, min(2**task.request.retries, 600)) + random.random()
    logger.error("%s: again in %.1f s", busy, wait)
    return task.retry(exc=busy, countdown=wait, throw=False)


@shared_task
def delete_expired_sessions():
    """Log-ins that have ended."""
    call_command("clearsessions")
    return _told("Deleted the sessions that have expired")


def _told(sentence):
    logger.info(sentence)
    return sentence
