"""Pictures that nobody took: landscapes of 12 megapixels, each from a seed, drawn in about half a second."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

WIDTH, HEIGHT = 4000, 3000

SKIES = {  # top, middle, horizon, sun, nearest hill
    "dawn": ("#1b2a5c", "#d4608a", "#ffd9a0", "#fff3d6", "#1c1430"),
    "sea": ("#0b5fa5", "#7cc4e8", "#f2fbff", "#ffffff", "#06324f"),
    "dusk": ("#120c2c", "#8a2f5c", "#ff8a3c", "#ffe6a8", "#0c0716"),
}


def ridge(chance: random.Random, level: float, rough: float) -> list[tuple[float, float]]:
    """The outline of a chain of hills: a line whose middles are moved again and again."""
    line = [(0.0, level), (float(WIDTH), level + chance.uniform(-rough, rough))]
    while len(line) < 400:
        finer = [line[0]]
        for (x1, y1), (x2, y2) in pairwise(line):
            finer += [((x1 + x2) / 2, (y1 + y2) / 2 + chance.uniform(-rough, rough)), (x2, y2)]
        line, rough = finer, rough * 0.52
    return line


def blend(near: str, far: str, part: float) -> tuple[int, ...]:
    """A colour between two."""
    colours = [[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in (near, far)]
    return tuple(round(a + (b - a) * part) for a, b in zip(*colours, strict=True))


def sky(chance: random.Random, colours: tuple[str, ...]) -> Image.Image:
    """Air from top to horizon, a sun in its glow, and some cloud."""
    top, middle, horizon, sun, _ = colours
    grey = Image.linear_gradient("L").resize((8, HEIGHT)).resize((WIDTH, HEIGHT))
    air = ImageOps.colorize(grey, top, horizon, middle, midpoint=chance.randrange(110, 150))
    glow = ImageOps.invert(Image.radial_gradient("L")).point([max(0, 2 * v - 255) for v in range(256)])
    size = chance.randrange(1800, 2800)
    place = (chance.randrange(WIDTH - size // 2) - size // 4, chance.randrange(600, 1300) - size // 2)
    light = Image.new("L", air.size)
    light.paste(glow.resize((size, size)), place)
    air.paste(Image.new("RGB", air.size, sun), mask=light)
    air.paste(Image.new("RGB", air.size, sun), mask=clouds(chance))
    centre, radius = (place[0] + size // 2, place[1] + size // 2), size // 16
    ImageDraw.Draw(air).circle(centre, radius, fill=sun)
    return air


def clouds(chance: random.Random) -> Image.Image:
    """Long streaks, as a mask: noise of two grains, drawn out sideways."""
    mask = Image.new("L", (WIDTH // 8, HEIGHT // 8))
    for wide, high, strength in ((7, 34, 1.6), (19, 90, 0.7)):
        noise = Image.frombytes("L", (wide, high), chance.randbytes(wide * high))
        streaks = noise.resize(mask.size, Image.Resampling.BICUBIC)
        mask = ImageChops.add(mask, streaks.point([int(max(0, v - 165) * strength) for v in range(256)]))
    return mask.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def landscape(album: str, seed: int) -> Image.Image:
    """The landscape of this album and seed."""
    chance = random.Random(f"{album} {seed}")
    colours = SKIES.get(album, SKIES["dusk"])
    picture = sky(chance, colours)
    pen = ImageDraw.Draw(picture)
    layers = chance.randrange(4, 7)
    for layer in range(layers):
        depth = layer / (layers - 1)
        line = ridge(chance, 1500 + 1150 * depth, 420 - 230 * depth)
        pen.polygon([*line, (WIDTH, HEIGHT), (0, HEIGHT)], fill=blend(colours[2], colours[4], 0.12 + 0.88 * depth))
    return picture


def small(path: Path, size: int) -> Image.Image:
    """The picture, upright, no side longer than `size`."""
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((size, size), Image.Resampling.LANCZOS)
    return upright.filter(ImageFilter.UnsharpMask(1, 60))


def sheet(title: str, thumbnails: list[Path], columns: int = 4) -> Image.Image:
    """All small pictures of an album on one page."""
    smalls = [Image.open(path) for path in thumbnails]
    rows = [smalls[i : i + columns] for i in range(0, len(smalls), columns)]
    width = max(small.width for small in smalls) + 24
    page = Image.new("RGB", (columns * width + 40, sum(max(s.height for s in row) + 24 for row in rows) + 120), "#f6f3ec")
    pen = ImageDraw.Draw(page)
    pen.text((32, 24), title, fill="#222222", font_size=44)
    upper = 100
    for row in rows:
        for number, picture in enumerate(row):
            left = 20 + number * width + (width - picture.width) // 2
            frame = (left - 5, upper - 5, left + picture.width + 4, upper + picture.height + 4)
            pen.rectangle(frame, fill="white", outline="#d8d2c4")
            page.paste(picture, (left, upper))
        upper += max(s.height for s in row) + 24
    return page
