"""Compression: five codecs both ways, other people's framings, and bombs."""

import subprocess
import sys
import zlib
from contextlib import suppress

import aiokafka.codec
import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import codecs, payloads

from dataflare_cli.codec.compression import compress, decompress
from dataflare_cli.errors import Corruption
from dataflare_cli.model import MIB, Codec

LIMIT = 4 * MIB
PACKED = [codec for codec in Codec if codec is not Codec.NONE]
LINES = b"".join(b"line %d of a file that is not all the same\n" % n for n in range(5000))

# kafka-batch.md, section 5.
XERIAL_HELLO = bytes.fromhex("82534e4150505900 00000001 00000001 00000007 051068656c6c6f")
RAW_HELLO = bytes.fromhex("051068656c6c6f")

THEIRS = {
    Codec.GZIP: (aiokafka.codec.gzip_encode, aiokafka.codec.gzip_decode),
    Codec.SNAPPY: (aiokafka.codec.snappy_encode, aiokafka.codec.snappy_decode),
    Codec.LZ4: (aiokafka.codec.lz4_encode, aiokafka.codec.lz4_decode),
    Codec.ZSTD: (aiokafka.codec.zstd_encode, aiokafka.codec.zstd_decode),
}


@given(codecs, payloads | st.binary(max_size=3000))
def test_what_is_packed_unpacks(codec, data):
    """Invariants: what is compressed decompresses.

    - Its exact size is limit enough.
    - Equal inputs give equal outputs, whatever kind of buffer they are.
    """
    packed = compress(codec, data)

    assert data == decompress(codec, packed, len(data))
    assert packed == compress(codec, memoryview(bytearray(data)))


@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("data", [b"x", b"hello", LINES, bytes(70_000)], ids=len)
def test_aiokafka_agrees(codec, data):
    """The client library unpacks ours, we unpack aiokafka's."""
    encode, decode = THEIRS[codec]

    assert data == bytes(decode(compress(codec, data)))
    assert data == decompress(codec, bytes(encode(data)), LIMIT)


@pytest.mark.parametrize(
    ("codec", "packed"),
    [
        (Codec.NONE, "68656c6c6f"),
        (Codec.SNAPPY, XERIAL_HELLO.hex()),
        (Codec.LZ4, "04224d187040ad0500008068656c6c6ff97700fb00000000"),
        (Codec.ZSTD, "28b52ffd200529000068656c6c6f"),
    ],
)
def test_packed_bytes_stay_as_they_are(codec, packed):
    """One input packs to the same bytes in every release; no times or names are in them."""
    assert packed == compress(codec, b"hello").hex()
    assert b"hello" == decompress(codec, bytes.fromhex(packed), 5)


def test_gzip_has_no_time_in_it():
    """The same input gives the same bytes at any time; zlib's own choices are its business."""
    assert bytes.fromhex("1f8b0800 00000000") == compress(Codec.GZIP, LINES)[:8]


def test_snappy_is_read_in_both_framings():
    """Without xerial's magic, all of it is one raw block."""
    assert b"hello" == decompress(Codec.SNAPPY, XERIAL_HELLO, 5)
    assert b"hello" == decompress(Codec.SNAPPY, RAW_HELLO, 5)
    assert LINES == decompress(Codec.SNAPPY, bytes(cramjam.snappy.compress_raw(LINES)), LIMIT)


def test_xerial_blocks_are_added_up():
    """Large input has many blocks, and is the same as aiokafka's; their sum is limited."""
    packed = compress(Codec.SNAPPY, LINES)

    assert bytes(aiokafka.codec.snappy_encode(LINES)) == packed
    assert LINES == decompress(Codec.SNAPPY, packed, len(LINES))
    with pytest.raises(Corruption):
        decompress(Codec.SNAPPY, packed, len(LINES) - 1)


def test_lz4_blocks_are_independent():
    """Brokers refuse linked blocks: the frame's flag says so, also for many blocks."""
    packed = compress(Codec.LZ4, LINES * 10)

    assert 0x20 == packed[4] & 0x20  # block independence
    assert 0x00 == packed[4] & 0x04  # no content checksum


@pytest.mark.parametrize("codec", Codec)
def test_one_byte_more_than_the_limit_is_corruption(codec):
    """The limit is exact."""
    with pytest.raises(Corruption):
        decompress(codec, compress(codec, LINES), len(LINES) - 1)


@pytest.mark.parametrize("codec", PACKED)
def test_cut_off_is_corruption(codec):
    """Every proper prefix of packed bytes is refused."""
    packed = compress(codec, b"hello, hello, hello")
    header = 16 if codec is Codec.SNAPPY else 0  # xerial's header alone is nothing, packed
    for size in range(len(packed)):
        if size != header or codec is not Codec.SNAPPY:
            with pytest.raises(Corruption):
                decompress(codec, packed[:size], LIMIT)


@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("rest", [b"\0", b"x", b"rest", bytes(100)], ids=len)
def test_left_over_bytes_are_corruption(codec, rest):
    """Nothing may follow what was packed."""
    with pytest.raises(Corruption):
        decompress(codec, compress(codec, LINES) + rest, LIMIT)


@given(st.sampled_from(PACKED), st.binary(max_size=60))
def test_noise_is_corruption_or_data(codec, noise):
    """Invariants: bytes from anywhere end in data within the limit or in Corruption."""
    for data in (noise, compress(codec, b"hello")[: len(noise)] + noise):
        with suppress(Corruption):
            assert len(decompress(codec, data, 1000)) <= 1000


def zstd_without_size(data):
    packer = cramjam.zstd.Compressor()
    packer.compress(data)
    return bytes(packer.finish())


def lying_gzip(data):
    """A gzip stream that says it has 5 bytes."""
    return zlib.compress(data, 9, 31)[:-4] + (5).to_bytes(4, "little")


def lying_zstd(data):
    """A zstd frame that says it has 256 + 5 bytes (RFC 8878: two bytes of size)."""
    packed = zstd_without_size(data)
    window = packed[5:6]
    return packed[:4] + bytes([packed[4] | 0x40]) + window + (5).to_bytes(2, "little") + packed[6:]


BOMBS = {
    "gzip": (Codec.GZIP, lambda data: zlib.compress(data, 9, 31)),
    "gzip that lies": (Codec.GZIP, lying_gzip),
    "snappy": (Codec.SNAPPY, lambda data: compress(Codec.SNAPPY, data)),
    "raw snappy": (Codec.SNAPPY, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "snappy that lies": (Codec.SNAPPY, lambda _: b"\xff\xff\xff\x07" + b"\xfe\1\0" * 10),
    "lz4": (Codec.LZ4, lambda data: compress(Codec.LZ4, data)),
    "zstd": (Codec.ZSTD, lambda data: compress(Codec.ZSTD, data)),
    "zstd without a size": (Codec.ZSTD, zstd_without_size),
    "zstd that lies": (Codec.ZSTD, lying_zstd),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_corruption(name):
    """What unpacks to more than the limit is refused, whatever it says about itself."""
    codec, pack = BOMBS[name]
    bomb = pack(bytes(32 * MIB))
    with pytest.raises(Corruption):
        decompress(codec, bomb, MIB)


MEASURE = """
import resource, sys
from dataflare_cli.codec.compression import decompress
from dataflare_cli.errors import Corruption
from dataflare_cli.model import MIB, Codec
bomb = sys.stdin.buffer.read()
codec = Codec[sys.argv[1]]
try:
    decompress(codec, bomb[:100], MIB)
except Corruption:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decompress(codec, bomb, int(sys.argv[2]))
except Corruption:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib)
"""


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("gzip", 8 * MIB),
        ("gzip that lies", 8 * MIB),
        ("raw snappy", 8 * MIB),
        ("lz4", 8 * MIB),
        ("zstd", 8 * MIB),
        ("zstd without a size", 8 * MIB),
    ],
)
def test_bombs_do_not_use_the_memory(name, limit):
    """A process that meets a bomb of 128 MiB grows by hardly more than its limit."""
    codec, pack = BOMBS[name]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, codec.name, str(limit)],
        input=pack(bytes(128 * MIB)),
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert int(done.stdout) * 1024 < 3 * limit, done.stderr
