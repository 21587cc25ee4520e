"""Varints: zig-zag, then LEB128, as Kafka writes them in records.

A number has one spelling only, the shortest: a longer one is Corruption. A varint has
32 bits and at most 5 bytes, a varlong 64 bits and at most 10.
"""

from functools import lru_cache

from dataflare_cli.errors import Corruption

VARINT_BITS = 32
VARLONG_BITS = 64


@lru_cache(maxsize=1 << 14)
def encode_varint(number: int) -> bytes:
    """Encode a 32-bit number."""
    return _encode(number, VARINT_BITS)


def encode_varlong(number: int) -> bytes:
    """Encode a 64-bit number."""
    return _encode(number, VARLONG_BITS)


def decode_varint(data: bytes | memoryview, at: int, where: str = "varint") -> tuple[int, int]:
    """Return a 32-bit number and the place after it.

    Raises:
        Corruption: it is cut off, too long, or not in its shortest form.
    """
    return _decode(data, at, VARINT_BITS, where)


def decode_varlong(data: bytes | memoryview, at: int, where: str = "varlong") -> tuple[int, int]:
    """Return a 64-bit number and the place after it; errors as in `decode_varint`."""
    return _decode(data, at, VARLONG_BITS, where)


def _encode(number: int, bits: int) -> bytes:
    assert -1 << (bits - 1) <= number < 1 << (bits - 1)
    raw = (number << 1) ^ (number >> (bits - 1))
    encoded = bytearray()
    while raw >= 0x80:
        encoded.append(raw & 0x7F | 0x80)
        raw >>= 7
    encoded.append(raw)
    return bytes(encoded)


def _decode(data: bytes | memoryview, at: int, bits: int, where: str) -> tuple[int, int]:
    raw = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        raw |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if raw >> bits or (byte == 0 and shift > 7):
                break
            return (raw >> 1) ^ -(raw & 1), at
        if shift >= bits:
            break
    else:
        raise Corruption(where, expected=f"a {bits}-bit varint", found="the end")
    raise Corruption(
        where, expected=f"a {bits}-bit varint in its shortest form", found="a longer one"
    )
