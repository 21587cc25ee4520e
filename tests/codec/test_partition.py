"""Hashes of keys: the vectors of kafka-batch.md, section 9, and the rules around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import partitioners, payloads

from dataflare_cli.codec.checksum import crc32c
from dataflare_cli.codec.partition import murmur2, pick, siphash24
from dataflare_cli.model import Partitioner

MURMUR = [
    (b"", 0x106E08D9, 0, 9),
    (b"a", 0xA2D0B27C, 1, 4),
    (b"21", 0xC5F2F8EC, 0, 0),
    (b"k1", 0x64607D29, 2, 5),
    (b"foobar", 0xD0E47BBE, 0, 6),
    (b"order-1", 0x48D1D1F6, 1, 10),
]
SIP = [
    (b"", 0xE849E8BB6FFE2567, 1, 2, 11),
    (b"1", 0x61580903E47368E6, 0, 1, 10),
    (b"2", 0xA7DE8D28328E8C96, 0, 2, 2),
    (b"3", 0x64A20F97086EEDA2, 0, 0, 6),
    (b"4", 0x519A590C490EAD91, 1, 0, 9),
    (b"8", 0x144AF4AD484232FF, 1, 0, 3),
    (b"k1", 0x4FA27AA049690C21, 1, 2, 5),
]


@pytest.mark.parametrize(("key", "hashed", "of_3", "of_12"), MURMUR)
def test_murmur2_is_kafkas(key, hashed, of_3, of_12):
    """Keys go where the Java client puts them, an empty one too."""
    assert hashed == murmur2(key)
    assert (of_3, 5) == pick(Partitioner.MURMUR2, key, 3, 5)
    assert (of_12, 5) == pick(Partitioner.MURMUR2, key, 12, 5)


@pytest.mark.parametrize(("key", "hashed", "of_2", "of_3", "of_12"), SIP)
def test_siphash_is_fluvios(key, hashed, of_2, of_3, of_12):
    """Keys go where Fluvio's producer puts them, an empty one too."""
    assert hashed == siphash24(key)
    for count, partition in ((2, of_2), (3, of_3), (12, of_12)):
        assert (partition, 1) == pick(Partitioner.SIP, key, count, 1)


@given(partitioners, st.none() | payloads, st.integers(1, 20), st.integers(0, 19))
def test_a_partition_is_one_of_those_there_are(partitioner, key, count, round_robin):
    """Invariants: 0 <= partition < count.

    - Equal keys have equal partitions.
    - Only what has no key (or a partitioner that ignores it) goes round robin, and moves it on.
    """
    partition, after = pick(partitioner, key, count, round_robin)

    assert 0 <= partition < count
    if key is None or partitioner is Partitioner.ROUND_ROBIN:
        assert (round_robin % count, (round_robin + 1) % count) == (partition, after)
    else:
        assert round_robin == after
        assert partition == pick(partitioner, key, count, round_robin + 1)[0]


def test_crc_is_castagnoli():
    """The check value of CRC-32C holds; pieces may be checked one after the other."""
    assert 0xE3069283 == crc32c(b"123456789")
    assert 0 == crc32c(b"")
    assert 0xE3069283 == crc32c(memoryview(bytearray(b"56789")), crc32c(b"1234"))
