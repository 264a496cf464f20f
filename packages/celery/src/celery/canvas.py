"""Calls that are not made yet, of one task or composed: umbel's, under Celery's names."""

from __future__ import annotations

from typing import Any

from umbel.client.canvas.chain import _chain as _chain
from umbel.client.canvas.chain import chain as chain
from umbel.client.canvas.chord import chord as chord
from umbel.client.canvas.group import group as group
from umbel.client.canvas.mapped import chunks as chunks
from umbel.client.canvas.mapped import xmap as xmap
from umbel.client.canvas.mapped import xstarmap as xstarmap
from umbel.client.canvas.signature import Signature as Signature
from umbel.client.canvas.signature import maybe_signature as maybe_signature
from umbel.client.canvas.signature import maybe_subtask as maybe_subtask
from umbel.client.canvas.signature import signature as signature
from umbel.client.canvas.signature import subtask as subtask
from umbel.client.canvas.stamping import StampingVisitor as StampingVisitor

abstract = Signature
_chord = chord
_chunks = chunks


def __getattr__(name: str) -> Any:
    from celery._names import absent

    raise absent(__name__, name)
