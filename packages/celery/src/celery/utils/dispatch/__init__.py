"""Signals."""

from celery.utils.dispatch.signal import Signal as Signal
