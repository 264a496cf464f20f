from celery import current_app

app = current_app._get_current_object()
