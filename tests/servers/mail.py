"""A mail server for tests that keeps what it receives; it can be told to refuse for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from tests.servers.redis import free_port


class MailServer:
    """Speaks SMTP on a port of this machine."""

    def __init__(self) -> None:
        self.port = free_port()
        self.letters: list[EmailMessage] = []
        self.refusals = 0
        """So many of the next mails are refused, for the time being."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called for each mail."""
        if self.refusals:
            self.refusals -= 1
            return "451 Not now"
        assert isinstance(envelope.content, bytes)
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 Taken"

    def to(self, address: str) -> list[EmailMessage]:
        """The mails that came for somebody."""
        return [letter for letter in self.letters if letter["To"] == address]


@contextlib.contextmanager
def running() -> Iterator[MailServer]:
    """A server that runs as long as the block does."""
    server = MailServer()
    server._controller.start()
    try:
        yield server
    finally:
        server._controller.stop()
