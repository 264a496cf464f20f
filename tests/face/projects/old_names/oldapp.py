from celery import Celery

app = Celery("oldapp")
app.config_from_object("oldconfig")
