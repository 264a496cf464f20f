"""Pictures that nobody took: landscapes of 12 megapixels, each from a seed, drawn in about half a second."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageOps

WIDTH, HEIGHT = 4000, 3000
CAMERA, ORIENTATION = 0x010F, 0x0112
"""Where a camera writes its maker, and how it was held."""

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


def photograph(album: str, seed: int, target: Path) -> None:
    """Write the landscape as a camera would that was held upright: the picture lies on its side, and the header says so."""
    picture = landscape(album, seed)
    header = Image.Exif()
    header[CAMERA] = "A camera of the demo"
    if seed % 3 == 0:
        picture = picture.transpose(Image.Transpose.ROTATE_90)
        header[ORIENTATION] = 6
    picture.save(target, "JPEG", quality=88, exif=header)
