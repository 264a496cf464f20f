"""The rest of a chain as it stands in a message, moved to the next without being read."""

from __future__ import annotations

from typing import Any

import msgspec

from umbel.wire import encoding
from umbel.wire.envelope import Envelope

END = b'],"chord":null}]'
"""How the body of a message ends that is no part of a chord, behind its chain."""
_NONE = b'"chain":[' + END


class _Embed(msgspec.Struct, gc=False):
    chain: msgspec.Raw


_decode_body = msgspec.json.Decoder(tuple[msgspec.Raw, msgspec.Raw, _Embed]).decode
_decode_steps = msgspec.json.Decoder(list[msgspec.Raw]).decode


def of_chain(envelope: Envelope) -> bytes | None:
    """All steps of its chain but the next, as they stand in its body; None where they cannot be cut out, or there are none."""
    if encoding.by_type.get(envelope.content_type) is not encoding.JSON or envelope.content_encoding != "utf-8":
        return None
    try:
        chain = bytes(_decode_body(envelope.body)[2].chain)
        last = bytes(_decode_steps(chain)[-1])
    except (msgspec.DecodeError, ValueError, IndexError, RecursionError):  # it is compressed, or of another protocol
        return None
    inside = chain[1:-1].rstrip()
    before = inside[: -len(last)].rstrip()
    return before[:-1] if inside.endswith(last) and before.endswith(b",") else None


def added(envelope: Envelope, steps: bytes) -> Envelope | None:
    """The message with these steps in its chain, which is empty; None if there is no place for them."""
    body: Any = envelope.body
    if not body.endswith(_NONE):  # it is compressed, or written by another serializer
        return None
    return msgspec.structs.replace(envelope, body=b"".join((body[: -len(END)], steps, END)))
