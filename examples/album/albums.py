"""What the program wants done: albums with their pictures, found in a folder or to be drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from tasks import app, contact_sheet, draw, mail, name, thumbnail
from umbel import AsyncResult

DRAWN = {"dawn": 12, "sea": 12, "dusk": 12}


class NoPictures(Exception):
    """The folder holds nothing to make an album of."""


@dataclass
class Picture:
    """One picture on its way."""

    source: Path
    small: Path
    drawn: AsyncResult[None] | None = None
    result: AsyncResult[str] | None = None
    broken: bool = False

    @property
    def name(self) -> str:
        return name(str(self.small), str(self.source))

    def is_ready(self) -> bool:
        return self.broken or (self.result is not None and self.result.ready())


@dataclass
class Album:
    """Some pictures, the page that shows them all, and the mail that brings it."""

    name: str
    pictures: list[Picture]
    page: Path
    sheet: AsyncResult[str] | None = None
    mail: AsyncResult[None] | None = None

    def good(self) -> list[Picture]:
        return [picture for picture in self.pictures if not picture.broken]

    def is_done(self) -> bool:
        return not self.good() or (self.mail is not None and self.mail.ready())


@dataclass
class Albums:
    """All that is to be made, and what to send next; `step` never waits."""

    out: Path
    albums: list[Album]
    to: str = "you@example.org"
    pictures: list[Picture] = field(init=False)

    def __post_init__(self) -> None:
        self.pictures = [picture for album in self.albums for picture in album.pictures]
        for album in self.albums:
            (self.out / "thumbnails" / album.name).mkdir(parents=True, exist_ok=True)
        (self.out / "sheets").mkdir(exist_ok=True)

    def begin(self) -> None:
        """Send everything that needs nothing before it, in one step of the store."""
        with app.batch():
            for album in self.albums:
                for number, picture in enumerate(album.pictures):
                    if picture.source.is_relative_to(self.out):
                        picture.drawn = draw.delay(album.name, number, str(picture.source))
                    else:
                        picture.result = thumbnail.delay(str(picture.source), str(picture.small))

    def step(self) -> None:
        """Send what has become possible."""
        with app.batch():
            for picture in self.pictures:
                if picture.result is None and picture.drawn is not None and picture.drawn.ready():
                    picture.drawn.get()
                    picture.result = thumbnail.delay(str(picture.source), str(picture.small))
            for album in self.albums:
                good = album.good()
                if album.sheet is None and good and all(picture.is_ready() for picture in album.pictures):
                    album.sheet = contact_sheet.delay(album.name, [p.result.get() for p in good if p.result], str(album.page))
                if album.mail is None and album.sheet is not None and album.sheet.ready():
                    album.mail = mail.delay(album.name, album.sheet.get(), self.to)

    def is_done(self) -> bool:
        return all(album.is_done() for album in self.albums)


def album(out: Path, title: str, sources: list[Path]) -> Album:
    pictures = [Picture(source, out / "thumbnails" / title / f"{source.name}.jpg") for source in sources]
    return Album(title, pictures, out / "sheets" / f"{title}.jpg")


def drawn(out: Path) -> Albums:
    """Albums of pictures that are yet to be drawn."""
    for title in DRAWN:
        (out / "pictures" / title).mkdir(parents=True)
    plan = {title: [out / "pictures" / title / f"{n + 1:02}.jpg" for n in range(count)] for title, count in DRAWN.items()}
    return Albums(out, [album(out, title, sources) for title, sources in plan.items()])


def look(folder: Path) -> dict[str, list[Path]]:
    """The pictures of a folder, and of each folder in it, by album; NoPictures says in one line what is wrong."""
    if not folder.exists():
        raise NoPictures(f"PHOTOS={folder}: there is no such folder")
    if not folder.is_dir():
        raise NoPictures(f"PHOTOS={folder} is a file: name the folder that holds the pictures")
    known = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    albums: dict[str, list[Path]] = {}
    try:
        for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
            title = place.resolve().name or "album"
            albums[f"{title} inside" if title in albums else title] = sorted(
                p for p in place.iterdir() if p.suffix.lower() in known
            )
    except PermissionError as error:
        raise NoPictures(f"PHOTOS={folder}: {error.filename} may not be read") from error
    if not any(albums.values()):
        raise NoPictures(f"PHOTOS={folder}: no pictures in it (looked for .jpg, .png, .webp, .tiff and {len(known) - 4} more)")
    return {title: sources for title, sources in albums.items() if sources}


def found(out: Path, folders: dict[str, list[Path]]) -> Albums:
    """Albums of pictures that exist."""
    return Albums(out, [album(out, title, [source.resolve() for source in sources]) for title, sources in folders.items()])
