"""Compression of a batch's records part, in the five ways of Kafka.

Hides the libraries, and the framings: snappy comes as one raw block or in xerial's
frame, lz4 must not have linked blocks (brokers refuse these).

Invariants
- What unpacks to more than its limit is Corruption, found before the memory is used:
  where the input says its size it is believed only downwards, else there is no room.
- Nothing may be left over behind the compressed bytes.
"""

import mmap
import struct
import threading
from contextlib import suppress

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.errors import Corruption
from dataflare_cli.model import KIB, MIB, Codec

GZIP_LEVEL = 6
# Level 1 is the fastest, and on typical records packs as tightly as 3.
ZSTD_LEVEL = 1
LZ4_LEVEL = 1

XERIAL_MAGIC = b"\x82SNAPPY\0"
_XERIAL_VERSIONS = struct.pack(">ii", 1, 1)
_XERIAL_BLOCK_BYTES = 32 * KIB
_XERIAL_LENGTH = struct.Struct(">i")
# 3 bytes of a raw block copy 64 bytes at most.
_SNAPPY_RATIO_MAX = 22

_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_BYTES_MIN = 18
_GZIP_WINDOW = 31  # zlib's word for "one gzip stream"
_GZIP_SIZE = struct.Struct("<I")

_LZ4_MAGIC = b"\x04\x22\x4d\x18"
# A byte of lz4 stands for 255 at most.
_LZ4_RATIO_MAX = 255

# A batch of one megabyte unpacks to no more than this, as a rule.
_SCRATCH_BYTES = 8 * MIB

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def compress(codec: Codec, data: Bytes) -> bytes:
    """Compress the records part of a batch; the same bytes each time."""
    if codec is Codec.NONE:
        return bytes(data)
    if codec is Codec.GZIP:
        import zlib

        return zlib.compress(data, GZIP_LEVEL, _GZIP_WINDOW)
    # Late: it loads in about 10 ms.
    import cramjam

    if codec is Codec.SNAPPY:
        return _compress_xerial(bytes(data))
    if codec is Codec.LZ4:
        packer = cramjam.lz4.Compressor(level=LZ4_LEVEL, block_linked=False, content_checksum=False)
        packer.compress(bytes(data))
        return bytes(packer.finish())
    return bytes(cramjam.zstd.compress(data, ZSTD_LEVEL))


def decompress(codec: Codec, data: Bytes, limit: int, where: str = "records") -> bytes:
    """Return what was compressed, at most `limit` bytes.

    Raises:
        Corruption: it is damaged, or larger than `limit`.
    """
    packed = bytes(data)
    if codec is Codec.NONE:
        return _checked(packed, limit, where)
    if codec is Codec.GZIP:
        return _decompress_gzip(packed, limit, where)
    if codec is Codec.SNAPPY:
        return _decompress_snappy(packed, limit, where)
    if codec is Codec.LZ4:
        room = min(limit, _LZ4_RATIO_MAX * len(packed))
        return _decompress_frame(codec, _LZ4_MAGIC, packed, room, where)
    size = _zstd_size(packed)
    if size is not None and size > limit:
        raise _too_large(where, limit, size)
    return _decompress_frame(codec, _ZSTD_MAGIC, packed, limit if size is None else size, where)


def _checked(data: bytes, limit: int, where: str) -> bytes:
    if len(data) > limit:
        raise _too_large(where, limit, len(data))
    return data


def _too_large(where: str, limit: int, found: int) -> Corruption:
    return Corruption(where, expected=f"at most {limit} bytes unpacked", found=found)


def _damaged(where: str, codec: Codec, found: object) -> Corruption:
    return Corruption(where, expected=f"{codec.name.lower()} data", found=found)


def _decompress_gzip(packed: bytes, limit: int, where: str) -> bytes:
    import zlib

    if len(packed) < _GZIP_BYTES_MIN or not packed.startswith(_GZIP_MAGIC):
        raise _damaged(where, Codec.GZIP, packed[:4].hex(" ") or "nothing")
    # The size (modulo 2^32) ends the stream: one that grows beyond it is wrong anyway.
    size: int = _GZIP_SIZE.unpack_from(packed, len(packed) - _GZIP_SIZE.size)[0]
    if size > limit:
        raise _too_large(where, limit, size)
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = unpacker.decompress(packed, size + 1)
    except zlib.error as exc:
        raise _damaged(where, Codec.GZIP, exc) from exc
    if not unpacker.eof or unpacker.unused_data:
        raise _damaged(where, Codec.GZIP, "a stream that ends elsewhere")
    return plain


def _decompress_frame(codec: Codec, magic: bytes, packed: bytes, room: int, where: str) -> bytes:
    """Unpack an lz4 or zstd frame that has at most `room` bytes inside."""
    import cramjam

    if not packed.startswith(magic):
        raise _damaged(where, codec, packed[:4].hex(" ") or "nothing")
    unpack_into = (cramjam.lz4 if codec is Codec.LZ4 else cramjam.zstd).decompress_into
    try:
        with suppress(cramjam.DecompressionError):
            plain = _scratch.room()
            size = unpack_into(packed, plain)
            if size <= room:
                return plain[:size]
        # Larger than usual, or damaged.
        with mmap.mmap(-1, max(room, 1)) as large:
            size = unpack_into(packed, large)
            return large[:size]
    except cramjam.DecompressionError as exc:
        raise _damaged(where, codec, exc) from exc


class _Scratch(threading.local):
    """A thread's room to unpack into: pages that were touched before cost nothing again.

    An anonymous map: pages that stay untouched cost no memory, and it can't grow.
    """

    def __init__(self) -> None:
        self._room: mmap.mmap | None = None

    def room(self) -> mmap.mmap:
        if self._room is None:
            self._room = mmap.mmap(-1, _SCRATCH_BYTES)
        return self._room


_scratch = _Scratch()


def _zstd_size(packed: bytes) -> int | None:
    """Return what a zstd frame's header says about its size (RFC 8878, 3.1.1.1), if it does."""
    if len(packed) < 5:
        return None
    descriptor = packed[4]
    is_single = bool(descriptor & 0x20)
    width = (1 if is_single else 0, 2, 4, 8)[descriptor >> 6]
    begin = 5 + (0 if is_single else 1) + (0, 1, 2, 4)[descriptor & 3]
    field = packed[begin : begin + width]
    if not width or len(field) < width:
        return None
    return int.from_bytes(field, "little") + (256 if width == 2 else 0)


def _compress_xerial(data: bytes) -> bytes:
    import cramjam

    parts = [XERIAL_MAGIC, _XERIAL_VERSIONS]
    for at in range(0, len(data), _XERIAL_BLOCK_BYTES):
        block = bytes(cramjam.snappy.compress_raw(data[at : at + _XERIAL_BLOCK_BYTES]))
        parts += (_XERIAL_LENGTH.pack(len(block)), block)
    return b"".join(parts)


def _decompress_snappy(packed: bytes, limit: int, where: str) -> bytes:
    if not packed.startswith(XERIAL_MAGIC):
        return _decompress_snappy_block(packed, limit, where)
    at = len(XERIAL_MAGIC) + len(_XERIAL_VERSIONS)
    if packed[len(XERIAL_MAGIC) : at] != _XERIAL_VERSIONS:
        raise _damaged(where, Codec.SNAPPY, "an unknown version")
    parts: list[bytes] = []
    while at < len(packed):
        begin = at + _XERIAL_LENGTH.size
        length: int = _XERIAL_LENGTH.unpack_from(packed, at)[0] if begin <= len(packed) else -1
        if length < 0 or length > len(packed) - begin:
            raise _damaged(where, Codec.SNAPPY, "a block that is cut off")
        at = begin + length
        parts.append(_decompress_snappy_block(packed[begin:at], limit, where))
        limit -= len(parts[-1])
    return b"".join(parts)


def _decompress_snappy_block(block: bytes, limit: int, where: str) -> bytes:
    import cramjam

    try:
        size = cramjam.snappy.decompress_raw_len(block)
        if size > limit:
            raise _too_large(where, limit, size)
        if size > _SNAPPY_RATIO_MAX * len(block):
            raise _damaged(where, Codec.SNAPPY, f"{size} bytes in {len(block)}")
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as exc:
        raise _damaged(where, Codec.SNAPPY, exc) from exc
