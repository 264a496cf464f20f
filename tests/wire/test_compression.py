from __future__ import annotations

import bz2
import lzma
import sys
import time
import tracemalloc
import zlib

import pytest
import zstandard

from umbel.errors import DecodeError, EncodeError
from umbel.wire.compression import compress, decompress

NAMES = {
    "gzip": "application/x-gzip",
    "zlib": "application/x-gzip",
    "bzip2": "application/x-bz2",
    "lzma": "application/x-lzma",
    "xz": "application/x-lzma",
    "zstd": "application/zstd",
    "brotli": "application/x-brotli",
}
HEADERS = sorted(set(NAMES.values()))
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", [b"", b"x", b"word " * 1000, bytes(3 * MEGABYTE)], ids=["empty", "one", "words", "long"])
def test_bytes_come_back(name, data):
    packed, header = compress(data, name)
    assert header == NAMES[name]
    assert decompress(packed, header) == data
    assert decompress(packed, name) == data


@pytest.mark.parametrize("header", HEADERS)
def test_a_type_names_its_compression_too(header):
    assert compress(b"x", header)[1] == header


def test_gzip_is_celerys_zlib_stream():
    assert zlib.decompress(compress(b"x", "gzip")[0]) == b"x"


@pytest.mark.parametrize("header", HEADERS)
def test_damage_is_told(header):
    packed, _ = compress(b"word " * 1000, header)
    for data in (b"", packed[:-1], packed[: len(packed) // 2], packed + b"x", b"nonsense", packed[4:]):
        with pytest.raises(DecodeError, match=f"are no {header}"):
            decompress(data, header)


@pytest.mark.parametrize("header", HEADERS)
def test_growth_stops_at_the_limit(header):
    packed, _ = compress(bytes(1000), header)
    assert len(decompress(packed, header, 1000)) == 1000
    with pytest.raises(DecodeError, match="grow beyond the limit of 999 bytes"):
        decompress(packed, header, 999)


def _bombs():
    zeros = bytes(512 * MEGABYTE)
    return {
        "application/x-gzip": zlib.compress(zeros[: 64 * MEGABYTE]),
        "application/x-bz2": bz2.compress(zeros[: 64 * MEGABYTE]),
        "application/x-lzma": lzma.compress(zeros[: 64 * MEGABYTE], preset=0),
        "application/zstd": zstandard.ZstdCompressor().compress(zeros),
    }


def test_bombs_stop_early_and_cheaply():
    for header, bomb in _bombs().items():
        tracemalloc.start()
        began = time.process_time()
        with pytest.raises(DecodeError):
            decompress(bomb, header, MEGABYTE)
        assert time.process_time() - began < 5
        assert tracemalloc.get_traced_memory()[1] < 100 * MEGABYTE
        tracemalloc.stop()


def test_a_dictionary_of_gigabytes_is_refused():
    huge = lzma.compress(b"x", format=lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 4096}])
    huge = huge[:1] + (0x7FFFFFFF).to_bytes(4, "little") + huge[5:]
    with pytest.raises(DecodeError, match="are no application/x-lzma"):
        decompress(huge, "application/x-lzma")


def test_an_unknown_compression_is_told():
    with pytest.raises(EncodeError, match=r"no compression 'gzp'; did you mean 'gzip'\?"):
        compress(b"", "gzp")
    with pytest.raises(EncodeError, match="known are gzip"):
        compress(b"", "qqqqqq")
    with pytest.raises(DecodeError, match="'x-odd' is not known"):
        decompress(b"", "x-odd")


@pytest.mark.parametrize(("name", "module", "extra"), [("zstd", "zstandard", "zstd"), ("brotli", "brotli", "brotli")])
def test_a_missing_package_is_told_with_the_extra(monkeypatch, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EncodeError, match=rf"pip install 'umbel\[{extra}\]'"):
        compress(b"", name)
    with pytest.raises(DecodeError, match=rf"pip install 'umbel\[{extra}\]'"):
        decompress(b"", NAMES[name])
