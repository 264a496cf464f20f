"""A picture from anybody, made fit to be shown: upright, not too large, without what the camera tells of its owner.

No files here: bytes in, bytes out. What comes in may be broken, or made to break us.
"""

from io import BytesIO
from pathlib import PurePath

from PIL import Image, ImageOps

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
READABLE = ("JPEG", "PNG", "WEBP", "GIF")


class BadPicture(Exception):
    """Nothing that can be shown, however often it is tried."""


def fit(data, name, *, max_width, max_height, quality, max_pixels):
    """The picture within these bounds, in the format that its name says; with its width and height.

    Raises BadPicture if it is none, is damaged, or would unpack to more than `max_pixels`.
    """
    kind = FORMATS.get(PurePath(name).suffix.lower(), "JPEG")
    try:
        with Image.open(BytesIO(data), formats=READABLE) as image:
            # The header is all that was read so far: a small file that would fill the memory is refused before it does.
            if image.width * image.height > max_pixels:
                raise BadPicture(f"{image.width} × {image.height} pixels are too many")
            profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
            picture = _plain(ImageOps.exif_transpose(image), keeps_alpha=kind != "JPEG")
        picture.thumbnail((max_width, max_height), Image.Resampling.LANCZOS)
        out = BytesIO()
        picture.save(out, kind, quality=quality, optimize=True, icc_profile=profile, exif=b"")
    except BadPicture:
        raise
    except Image.DecompressionBombError as error:  # so many that Pillow does not even tell us
        raise BadPicture("far too many pixels") from error
    except Exception as error:  # decoders raise all kinds of errors on damaged data
        raise BadPicture(f"no picture, or a damaged one: {error}") from error
    return out.getvalue(), picture.size


def _plain(image, *, keeps_alpha):
    """In RGB, or RGBA if it is transparent and may stay so; else what is transparent becomes white."""
    if image.mode.startswith("I"):  # 16 bits of grey, of which a conversion would only keep the lowest eight
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    if keeps_alpha:
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white
