"""umbel in a Django project: put "umbel.django" into INSTALLED_APPS.

The project's app, checks, connections that are let go, the commands `manage.py umbel` and `run_task`, results and the schedule
as models with pages in the admin, and a backend for `django.tasks`. Nothing here is loaded by programs without Django.
"""
