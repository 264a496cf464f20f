"""Calls that are not made yet, of one task or composed: umbel's, under Celery's names."""

from __future__ import annotations

from typing import Any

from umbel.client.chain import _chain as _chain
from umbel.client.chain import chain as chain
from umbel.client.chord import chord as chord
from umbel.client.group import group as group
from umbel.client.mapped import chunks as chunks
from umbel.client.mapped import xmap as xmap
from umbel.client.mapped import xstarmap as xstarmap
from umbel.client.signature import Signature as Signature
from umbel.client.signature import maybe_signature as maybe_signature
from umbel.client.signature import maybe_subtask as maybe_subtask
from umbel.client.signature import signature as signature
from umbel.client.signature import subtask as subtask
from umbel.client.stamping import StampingVisitor as StampingVisitor

abstract = Signature
_chord = chord
_chunks = chunks


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
