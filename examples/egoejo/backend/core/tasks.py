"""What need not be done while somebody waits for a page.

Each task may run twice without harm. What may get better (a mail server that is away, a full disk) is tried again after
1, 2, 4 … seconds, with some chance in it so that not all come back at once; what will not get better is told and ends.
"""

import logging
from pathlib import Path
from uuid import uuid4

from asgiref.sync import async_to_sync
from celery import shared_task
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.core.mail import EmailMultiAlternatives
from django.db import OperationalError, transaction
from django.db.models import Count, Sum
from django.template.loader import render_to_string
from django.utils.html import strip_tags

from core.models import ImpactDashboard, Photo
from core.pictures import BadPicture, fit

logger = logging.getLogger(__name__)
User = get_user_model()

# OSError: smtplib's errors, and those of sockets and files, are kinds of it.
RETRIES = {"autoretry_for": (OSError, OperationalError), "retry_backoff": True, "retry_backoff_max": 600, "max_retries": 8}


@shared_task(bind=True, **RETRIES)
def send_email_task(self, to_email, subject, html_content):
    """Send one mail: HTML, and the same as plain text."""
    # A mail that is sent twice, because a worker died before it could say so, has the same id twice: most mailboxes show one.
    headers = {"Message-ID": f"<{self.request.id}@egoejo>"} if self.request.id else {}
    message = EmailMultiAlternatives(subject, strip_tags(html_content), to=[to_email], headers=headers)
    message.attach_alternative(html_content, "text/html")
    try:
        message.send()
    except Exception as error:
        logger.error("The mail '%s' to %s could not be sent: %s", subject, to_email, error)
        raise
    logger.info("Sent the mail '%s' to %s", subject, to_email)
    return {"success": True, "to_email": to_email}


@shared_task(**RETRIES)
def send_welcome_email(user_id):
    """Write the first mail to somebody who has joined, and have it sent."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return _refused(f"There is no user {user_id} to welcome")
    html = render_to_string("mails/welcome.html", {"user": user, "site": settings.SITE_URL})
    send_email_task.delay(to_email=user.email, subject="Bienvenue chez EGOEJO", html_content=html)
    return {"success": True, "user_id": user_id}


@shared_task(**RETRIES)
def update_impact_dashboard_metrics(user_id):
    """Count somebody's contributions and pictures, keep the numbers, and tell the dashboards that are open."""
    with transaction.atomic():
        # Two counts at once: the second waits here for the first, so that the newer numbers are those that stay.
        user = User.objects.select_for_update().filter(pk=user_id).first()
        if user is None:
            return _refused(f"There is no user {user_id} whose impact could be counted")
        given = user.contributions.aggregate(
            projets=Count("projet", distinct=True), euros=Sum("euros", default=0), hours=Sum("hours", default=0)
        )
        ready = user.photos.filter(state=Photo.State.READY).count()
        dashboard, _ = ImpactDashboard.objects.update_or_create(user=user, defaults={**given, "photos": ready})
        dashboard.refresh_from_db()
    cache.delete("totals")
    async_to_sync(get_channel_layer().group_send)(f"impact.{user_id}", {"type": "impact.updated", "metrics": dashboard.metrics()})
    logger.info("Counted the impact of user %s: %s", user_id, dashboard.metrics())
    return {"success": True, "user_id": user_id, **dashboard.metrics()}


@shared_task
def update_all_impact_dashboards():
    """Every night, for what changed without a task: rows that were edited by hand, or deleted."""
    ids = list(User.objects.filter(is_active=True).values_list("pk", flat=True))
    for user_id in ids:
        update_impact_dashboard_metrics.delay(user_id)
    return {"success": True, "users": len(ids)}


@shared_task(**RETRIES)
def process_image_task(image_path, max_width=1920, max_height=1080, quality=85):
    """Make an uploaded picture fit to be shown, in its place."""
    path = default_storage.path(image_path)
    try:
        with default_storage.open(image_path) as file:
            data = file.read(settings.IMAGE_MAX_BYTES + 1)
        if len(data) > settings.IMAGE_MAX_BYTES:
            raise BadPicture(f"more than {settings.IMAGE_MAX_BYTES} bytes")
        bounds = {"max_width": max_width, "max_height": max_height, "max_pixels": settings.IMAGE_MAX_PIXELS}
        picture, (width, height) = fit(data, image_path, quality=quality, **bounds)
    except (BadPicture, FileNotFoundError) as error:
        Photo.objects.filter(path=image_path).update(state=Photo.State.REFUSED, reason=str(error)[:200])
        return _refused(f"{image_path} was not processed: {error}")
    # Beside it, then in its place: who looks meanwhile sees the old picture or the new one.
    part = Path(f"{path}.{uuid4().hex}.part")
    try:
        part.write_bytes(picture)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    photos = Photo.objects.filter(path=image_path)
    photos.update(state=Photo.State.READY, reason="", width=width, height=height)
    for photo in photos:
        update_impact_dashboard_metrics.delay(photo.user_id)
    logger.info("Processed %s: %s × %s, %s bytes", image_path, width, height, len(picture))
    return {"success": True, "image_path": image_path, "width": width, "height": height, "size": len(picture)}


def _refused(reason):
    logger.error(reason)
    return {"success": False, "error": reason}
