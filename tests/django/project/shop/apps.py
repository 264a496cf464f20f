import warnings

from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"

    def ready(self):
        """Look something up while the project is loaded, as some do: a worker begins with an open connection."""
        from django.db import connection

        with warnings.catch_warnings(action="ignore"), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
