"""The album's tasks: what a program would send to its workers instead of doing it while people wait."""

from __future__ import annotations

import os
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from PIL import Image

import pictures
from diary import written
from umbel import Task, Umbel
from umbel.errors import Reject

app = Umbel("album")

BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises for files that are no pictures


def save(image: Image.Image, target: Path) -> None:
    """Write the file whole or not at all, so that a task that runs a second time does no harm."""
    part = target.with_suffix(".part")
    image.save(part, "JPEG", quality=88)
    part.rename(target)


def name(target: str, source: str) -> str:
    """What people call a picture: its album and its file."""
    return f"{Path(target).parent.name}/{Path(source).name}"


@app.task(bind=True)
def draw(self: Task[..., Any], album: str, number: int, target: str) -> None:
    """Draw a picture of 12 megapixels."""
    with written(self.request, "draw", name(target, target)):
        save(pictures.landscape(album, number), Path(target))


@app.task(bind=True)
def thumbnail(self: Task[..., Any], source: str, target: str) -> str:
    """Make a small picture of a large one; a file that is no picture goes to the dead letters, with the reason."""
    with written(self.request, "thumbnail", name(target, source)) as line:
        try:
            small = pictures.small(Path(source), 320)
        except BROKEN as error:
            line["verb"] = "broken"
            raise Reject(f"{Path(source).name} is no picture that can be read: {error}") from error
        save(small, Path(target))
    return target


@app.task(bind=True)
def contact_sheet(self: Task[..., Any], title: str, thumbnails: list[str], target: str) -> str:
    """Put all small pictures of an album on one page."""
    with written(self.request, "sheet", title):
        save(pictures.sheet(title, [Path(path) for path in thumbnails]), Path(target))
    return target


@app.task(bind=True, autoretry_for=(OSError, smtplib.SMTPException), retry_backoff=True)
def mail(self: Task[..., Any], title: str, sheet: str, to: str) -> None:
    """Send the album's page to someone."""
    with written(self.request, "mail", title):
        letter = EmailMessage()
        letter["Subject"], letter["From"], letter["To"] = f"Your album: {title}", "album@example.org", to
        letter["Message-ID"] = f"<{self.request.id}@example.org>"  # the same if it is sent twice
        letter.set_content(f"Here is the contact sheet of {title}.\n")
        letter.add_attachment(Path(sheet).read_bytes(), maintype="image", subtype="jpeg", filename=Path(sheet).name)
        host, _, port = os.environ.get("ALBUM_SMTP", "localhost:25").partition(":")
        with smtplib.SMTP(host, int(port), timeout=10) as post:
            post.send_message(letter)
