"""Ids that follow from others: whoever makes them makes the same."""

from __future__ import annotations


def derived_id(parent: str, place: str) -> str:
    """An id that is always the same for the same parent and place."""
    import hashlib  # here, since signatures are loaded by programs that never make one
    import uuid

    digest = hashlib.blake2b(f"{parent}:{place}".encode(errors="surrogatepass"), digest_size=16, person=b"umbel link").digest()
    return str(uuid.UUID(bytes=digest, version=5))
