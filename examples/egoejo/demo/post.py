"""A post office: a real SMTP server on this machine that puts each mail into a file."""

from __future__ import annotations

import asyncio
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session


class PostOffice:
    """Serves SMTP in a thread of its own while the `with` block runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="post office", daemon=True)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def _open(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: SMTP(self, hostname="post.egoejo.example"), "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by the server for each mail."""
        content = envelope.content
        assert isinstance(content, bytes)  # as long as the server does not decode
        letter = message_from_bytes(content, policy=policy.default)
        number = len(list(self.folder.glob("*.eml"))) + 1
        name = "".join(sign if sign.isalnum() else "-" for sign in str(letter["To"]))
        part = self.folder / f"{number:02}-{name}.part"
        part.write_bytes(content)
        part.rename(part.with_suffix(".eml"))  # whole, for who looks from another thread
        return "250 Taken"

    def letters(self) -> list[EmailMessage]:
        """All mails that came, read from their files."""
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(self.folder.glob("*.eml"))]

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
