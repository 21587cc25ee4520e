"""How keys choose partitions, as Fluvio and Kafka do it (the same key, the same place).

An empty key is a key; only a null key has none, and goes round robin.
"""

import struct

from dataflare_cli.model import Partitioner

_MASK_32 = 0xFFFFFFFF
_MASK_64 = 0xFFFFFFFFFFFFFFFF
_MURMUR_SEED = 0x9747B28C
_MURMUR_FACTOR = 0x5BD1E995


def pick(
    partitioner: Partitioner, key: bytes | None, count: int, round_robin: int
) -> tuple[int, int]:
    """Return a record's partition of `count`, and what `round_robin` is for the next record."""
    if key is None or partitioner is Partitioner.ROUND_ROBIN:
        partition = round_robin % count
        return partition, (partition + 1) % count
    if count == 1:
        return 0, round_robin
    if partitioner is Partitioner.SIP:
        return siphash24(key) % count, round_robin
    # Masked as the Java client does it; the absolute value would differ.
    return (murmur2(key) & 0x7FFFFFFF) % count, round_robin


def siphash24(key: bytes) -> int:
    """Return Fluvio's hash: SipHash-2-4 with key (0, 0) of the key's length and the key."""
    text = struct.pack("<Q", len(key)) + key
    words, rest = divmod(len(text), 8)
    last = text[words * 8 :] + bytes(7 - rest) + bytes((len(text) & 0xFF,))
    v0, v1, v2, v3 = (
        0x736F6D6570736575,
        0x646F72616E646F6D,
        0x6C7967656E657261,
        0x7465646279746573,
    )
    for word in (*struct.unpack_from(f"<{words}Q", text), int.from_bytes(last, "little")):
        v3 ^= word
        v0, v1, v2, v3 = _sip_round(*_sip_round(v0, v1, v2, v3))
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(4):
        v0, v1, v2, v3 = _sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _sip_round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = (v0 + v1) & _MASK_64
    v2 = (v2 + v3) & _MASK_64
    v1 = ((v1 << 13 | v1 >> 51) & _MASK_64) ^ v0
    v3 = ((v3 << 16 | v3 >> 48) & _MASK_64) ^ v2
    v0 = (v0 << 32 | v0 >> 32) & _MASK_64
    v2 = (v2 + v1) & _MASK_64
    v0 = (v0 + v3) & _MASK_64
    v1 = ((v1 << 17 | v1 >> 47) & _MASK_64) ^ v2
    v3 = ((v3 << 21 | v3 >> 43) & _MASK_64) ^ v0
    v2 = (v2 << 32 | v2 >> 32) & _MASK_64
    return v0, v1, v2, v3


def murmur2(key: bytes) -> int:
    """Return the unsigned hash of Kafka's Java client."""
    words, rest = divmod(len(key), 4)
    hashed = (_MURMUR_SEED ^ len(key)) & _MASK_32
    for word in struct.unpack_from(f"<{words}I", key):
        mixed = word * _MURMUR_FACTOR & _MASK_32
        mixed = (mixed ^ mixed >> 24) * _MURMUR_FACTOR & _MASK_32
        hashed = (hashed * _MURMUR_FACTOR & _MASK_32) ^ mixed
    if rest:
        hashed ^= int.from_bytes(key[-rest:], "little")
        hashed = hashed * _MURMUR_FACTOR & _MASK_32
    hashed = (hashed ^ hashed >> 13) * _MURMUR_FACTOR & _MASK_32
    return hashed ^ hashed >> 15
