"""Stands in for Brevo's API: checks each request as Brevo would, and answers what it is told to."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from umbel.testing.waiting import patience

KEY = "xkeysib-for-tests"


@dataclass
class Request:
    """One that came, what was answered, and when."""

    method: str
    path: str
    body: Any
    status: int
    at: float


class Brevo:
    """Listens on a port of this machine; `trouble` has the answers that come before all others, each a status and headers."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.trouble: list[tuple[int, dict[str, str]]] = []
        self.contacts: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer._answer(self)

            do_DELETE = do_GET = do_PUT = do_POST  # noqa: N815 - the base class's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v3"
        self._thread = threading.Thread(target=self._server.serve_forever, name="brevo", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(patience())

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self._lock:
            status, headers, answer = self._judge(handler, raw)
            body = json.loads(raw) if raw and status != 400 else None
            self.requests.append(Request(handler.command, handler.path, body, status, time.monotonic()))
        payload = b"" if answer is None else json.dumps(answer).encode()
        handler.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(payload))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(payload)

    def _judge(self, handler: BaseHTTPRequestHandler, raw: bytes) -> tuple[int, dict[str, str], Any]:
        if handler.headers.get("api-key") != KEY:
            return 401, {}, {"code": "unauthorized", "message": "Key not found"}
        if self.trouble:
            status, headers = self.trouble.pop(0)
            return status, headers, {"code": "trouble", "message": "as told"}
        if handler.command == "DELETE" and handler.path.startswith("/v3/contacts/"):
            is_known = self.contacts.pop(unquote(handler.path.removeprefix("/v3/contacts/")), None)
            return (204, {}, None) if is_known else (404, {}, {"code": "document_not_found", "message": "No such contact"})
        if (handler.command, handler.path) != ("POST", "/v3/contacts/import"):
            return 404, {}, {"code": "not_found", "message": "No such door"}
        return self._take_import(handler.headers.get("Content-Type", ""), raw)

    def _take_import(self, kind: str, raw: bytes) -> tuple[int, dict[str, str], Any]:
        try:
            assert kind == "application/json", "Content-Type"
            body = json.loads(raw)
            assert body["listIds"], "listIds or newList"
            assert body["updateExistingContacts"] is True, "updateExistingContacts"
            for contact in body["jsonBody"]:
                assert "@" in contact["email"], "email"
                assert all(name == name.upper() for name in contact["attributes"]), "attributes are in capitals"
        except (ValueError, KeyError, AssertionError) as error:
            return 400, {}, {"code": "invalid_parameter", "message": str(error)}
        self.contacts |= {contact["email"]: contact["attributes"] for contact in body["jsonBody"]}
        return 202, {}, {"processId": len(self.requests) + 1}


@contextlib.contextmanager
def running() -> Iterator[Brevo]:
    """A stand-in that answers as long as the block runs."""
    brevo = Brevo()
    brevo.start()
    try:
        yield brevo
    finally:
        brevo.stop()
