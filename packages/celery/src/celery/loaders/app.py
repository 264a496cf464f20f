"""The loader of apps that are told where their settings are."""

from celery.loaders.base import BaseLoader


class AppLoader(BaseLoader):
    """The usual one."""
