"""Bodies made smaller, and made large again up to a limit: a few bytes must not fill the memory of whoever reads them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from umbel.errors import DecodeError, EncodeError
from umbel.wire.brief import brief, told

if TYPE_CHECKING:
    from bz2 import BZ2Decompressor
    from lzma import LZMADecompressor

LIMIT_BYTES = 256 * 1024 * 1024
"""What one body may grow to."""
_WINDOW_BYTES = 128 * 1024 * 1024
"""What a stream may ask for before it gives anything: xz asks for up to 65 MiB, zstd's own tool accepts 128 MiB."""
_STEP = 1024 * 1024
_ZSTD_STEP = 1024  # Of input, since its output cannot be bounded: a block of 4 bytes may give 128 KiB.

_ALIASES = {
    **dict.fromkeys(("gzip", "zlib"), "application/x-gzip"),  # a zlib stream under gzip's name, as Celery writes it
    **dict.fromkeys(("bzip2", "bzip", "bz2"), "application/x-bz2"),
    **dict.fromkeys(("lzma", "xz"), "application/x-lzma"),
    **dict.fromkeys(("zstd", "zstandard"), "application/zstd"),
    "brotli": "application/x-brotli",
}


def compress(data: bytes, name: str) -> tuple[bytes, str]:
    """The smaller bytes, and the value of the `compression` header that tells how they were made."""
    header = _ALIASES.get(name, name)
    pack = _PACK.get(header)
    if pack is None:
        import difflib  # only mistakes need it

        near = difflib.get_close_matches(name, _ALIASES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_ALIASES)}"
        raise EncodeError(f"there is no compression {name!r}; {hint}")
    try:
        return pack(data), header
    except ImportError as failure:
        raise EncodeError(_missing(name)) from failure


def decompress(data: bytes, header: str, limit: int = LIMIT_BYTES) -> bytes:
    """The bytes that went into `compress`; a `DecodeError` if they would be more than `limit`."""
    name = _ALIASES.get(header, header)
    unpack = _UNPACK.get(name)
    if unpack is None:
        raise DecodeError(f"the compression {brief(header, 100)} is not known")
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in unpack(data):
            size += len(piece)
            if size > limit:
                raise DecodeError(f"{len(data)} bytes of {header} grow beyond the limit of {limit} bytes")
            pieces.append(piece)
    except DecodeError:
        raise
    except ImportError as failure:
        raise DecodeError(_missing(name)) from failure
    except Exception as failure:  # each codec has errors of its own
        raise DecodeError(f"these {len(data)} bytes are no {header}: {told(failure)}") from failure
    return b"".join(pieces)


def _missing(name: str) -> str:
    extra = "brotli" if "brotli" in name else "zstd"
    return f"the compression {name!r} needs a package that is missing: pip install 'umbel[{extra}]'"


def _whole(ended: bool, rest: bytes) -> None:
    """Refuse a stream that stops early or goes on after its end."""
    if not ended:
        raise EOFError("the stream ends early")
    if rest:
        raise ValueError("there are bytes after the end of the stream")


def _unzlib(data: bytes) -> Iterator[bytes]:
    worker = zlib.decompressobj()
    while data and not worker.eof:
        yield worker.decompress(data, _STEP)
        data = worker.unconsumed_tail
    _whole(worker.eof, worker.unused_data)


def _bz2(data: bytes) -> bytes:
    import bz2  # hardly anybody uses this and the next, and they take a while to load

    return bz2.compress(data)


def _unbz2(data: bytes) -> Iterator[bytes]:
    import bz2

    yield from _drain(bz2.BZ2Decompressor(), data)


def _lzma(data: bytes) -> bytes:
    import lzma

    return lzma.compress(data)


def _unlzma(data: bytes) -> Iterator[bytes]:
    import lzma

    yield from _drain(lzma.LZMADecompressor(memlimit=_WINDOW_BYTES), data)


def _drain(worker: BZ2Decompressor | LZMADecompressor, data: bytes) -> Iterator[bytes]:
    yield worker.decompress(data, _STEP)
    while not worker.eof and not worker.needs_input:
        yield worker.decompress(b"", _STEP)
    _whole(worker.eof, worker.unused_data)


def _zstd(data: bytes) -> bytes:
    import zstandard  # an extra

    return zstandard.ZstdCompressor().compress(data)


def _unzstd(data: bytes) -> Iterator[bytes]:
    import zstandard

    worker = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()
    for at in range(0, len(data), _ZSTD_STEP):
        yield worker.decompress(data[at : at + _ZSTD_STEP])
        if worker.eof:
            return _whole(True, worker.unused_data or data[at + _ZSTD_STEP :])
    return _whole(False, b"")


def _brotli(data: bytes) -> bytes:
    import brotli  # type: ignore[import-not-found,import-untyped,unused-ignore]  # an extra

    packed: bytes = brotli.compress(data)
    return packed


def _unbrotli(data: bytes) -> Iterator[bytes]:
    import brotli

    worker: Any = brotli.Decompressor()
    yield worker.process(data, output_buffer_limit=_STEP)
    while not worker.is_finished() and (piece := worker.process(b"", output_buffer_limit=_STEP)):
        yield piece
    _whole(worker.is_finished(), b"")


_PACK: dict[str, Callable[[bytes], bytes]] = {
    "application/x-gzip": zlib.compress,
    "application/x-bz2": _bz2,
    "application/x-lzma": _lzma,
    "application/zstd": _zstd,
    "application/x-brotli": _brotli,
}
_UNPACK: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "application/x-gzip": _unzlib,
    "application/x-bz2": _unbz2,
    "application/x-lzma": _unlzma,
    "application/zstd": _unzstd,
    "application/x-brotli": _unbrotli,
}
