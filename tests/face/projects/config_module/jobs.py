"""Shared tasks before there is any app; the app is the one that nobody makes, its settings are in celeryconfig."""

from celery import current_app, shared_task


@shared_task
def triple(x):
    return 3 * x


@shared_task(bind=True, name="jobs.named")
def named(self):
    return [self.name, current_app.main, self.app.conf.result_expires]
