"""The loader of an app that nobody has made: its settings are in `celeryconfig`."""

from __future__ import annotations

import os
import warnings
from typing import Any

from celery.exceptions import NotConfigured
from celery.loaders.base import BaseLoader
from celery.utils.collections import DictAttribute
from celery.utils.serialization import strtobool

DEFAULT_CONFIG_MODULE = "celeryconfig"
C_WNOCONF = strtobool(os.environ.get("C_WNOCONF", "no"))


class Loader(BaseLoader):
    """Reads `celeryconfig.py`, or the module that CELERY_CONFIG_MODULE names."""

    def setup_settings(self, settingsdict: Any) -> Any:
        """The settings as an object with attributes."""
        return DictAttribute(settingsdict)

    def read_configuration(self, fail_silently: bool = True) -> Any:  # type: ignore[override]  # Celery's
        """The settings of that module."""
        name = os.environ.get("CELERY_CONFIG_MODULE", DEFAULT_CONFIG_MODULE)
        try:
            found = self.import_from_cwd(name)
        except ImportError:
            if not fail_silently:
                raise
            if C_WNOCONF:
                warnings.warn(f"There is no module {name!r} with settings", NotConfigured, stacklevel=2)
            return self.setup_settings({})
        self.configured = True
        return self.setup_settings(vars(found))
