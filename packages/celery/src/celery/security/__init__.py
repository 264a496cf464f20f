"""Signed messages: not offered."""

from __future__ import annotations

from typing import Any

from celery._names import lacks

_INSTEAD = "TLS to the store, and accounts that may only do what they have to"


def setup_security(
    allowed_serializers: Any = None,
    key: Any = None,
    key_password: Any = None,
    cert: Any = None,
    store: Any = None,
    digest: Any = None,
    serializer: str = "json",
    app: Any = None,
) -> Any:
    """Sign messages."""
    raise lacks("celery.security.setup_security", _INSTEAD)


def disable_untrusted_serializers(whitelist: Any = None) -> Any:
    """Take no other serializers."""
    raise lacks("celery.security.disable_untrusted_serializers", "the setting accept_content")
