"""Visitors of the site: they register, give, send pictures, and look at their pages, by HTTP like anybody."""

from __future__ import annotations

import http.cookiejar
import json
import random
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PASSWORD = "sept-lieues"
NAMES = ("ada", "bruno", "chloe", "dimitri", "elsa", "farid", "gabrielle", "hugo", "ines", "jules")
TYPES = {".png": "image/png", ".webp": "image/webp"}


@dataclass
class Person:
    """One of them, with cookies."""

    name: str
    address: str
    pictures: list[Path]
    is_here: bool = False
    """True once registered."""
    sent: dict[str, Path] = field(default_factory=dict)
    """Under which path the site keeps which of their pictures."""
    euros: float = 0.0
    hours: float = 0.0
    projets: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    @property
    def email(self) -> str:
        return f"{self.name}@example.org"

    def visit(self) -> None:
        """All that somebody does who comes for the first time."""
        person = {"username": self.name, "email": self.email, "password": PASSWORD}
        self._call("/api/auth/register/", json.dumps(person).encode(), "application/json")
        self.is_here = True
        projets = [int(number) for number in re.findall(r'<option value="(\d+)">', self.page("/impact/"))]
        chance = random.Random(self.name)
        for picture in self.pictures:
            self.send(picture)
            self.give(chance.choice(projets), chance.randrange(5, 100), chance.randrange(0, 4))

    def send(self, picture: Path) -> None:
        """Upload a picture."""
        kind = TYPES.get(picture.suffix.lower(), "image/jpeg")
        name = urllib.parse.quote(picture.name)
        head = f'--cut\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
        body = head.encode() + picture.read_bytes() + b"\r\n--cut--\r\n"
        answer = self._call("/api/images/", body, "multipart/form-data; boundary=cut")
        self.sent[answer["image_path"]] = picture

    def give(self, projet: int, euros: int, hours: int) -> None:
        """Contribute to a project."""
        given = {"projet": projet, "euros": euros, "hours": hours}
        self._call("/api/contributions/", json.dumps(given).encode(), "application/json")
        self.euros += euros
        self.hours += hours
        self.projets.add(projet)

    def page(self, path: str) -> str:
        """A page as text."""
        return self._ask(urllib.request.Request(self.address + path)).decode()

    def picture(self, path: str) -> bytes:
        """A picture as everybody gets it."""
        return self._ask(urllib.request.Request(f"{self.address}/media/{path}"))

    def impact(self) -> dict[str, Any]:
        """The numbers of one's dashboard."""
        found: dict[str, Any] = json.loads(self.page("/api/impact/"))
        return found

    def _call(self, path: str, body: bytes, kind: str) -> Any:
        token = next((str(cookie.value) for cookie in self._jar if cookie.name == "csrftoken"), "")
        headers = {"Content-Type": kind, "X-CSRFToken": token}
        return json.loads(self._ask(urllib.request.Request(self.address + path, body, headers)))

    def _ask(self, request: urllib.request.Request) -> bytes:
        try:
            with self._opener.open(request, timeout=60) as answer:
                content: bytes = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read()[:300].decode(errors="replace")
            raise RuntimeError(f"{self.name}: {request.get_method()} {request.full_url}: {error.code} {said}") from error
        return content
