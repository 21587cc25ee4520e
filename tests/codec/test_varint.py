"""Varints: Kafka's numbers, in one spelling."""

import pytest
from hypothesis import given
from strategies import INT32_EDGES, INT64_EDGES, int32s, int64s

from dataflare_cli.codec.varint import (
    decode_varint,
    decode_varlong,
    encode_varint,
    encode_varlong,
)
from dataflare_cli.errors import Corruption

# kafka-batch.md, section 4.
SHORT = [
    (0, "00"),
    (-1, "01"),
    (1, "02"),
    (-2, "03"),
    (63, "7e"),
    (-64, "7f"),
    (64, "8001"),
    (300, "d804"),
    (2**31 - 1, "feffffff0f"),
    (-(2**31), "ffffffff0f"),
]
LONG = [
    (2**31, "8080808010"),
    (2**63 - 1, "feffffffffffffffff01"),
    (-(2**63), "ffffffffffffffffff01"),
]


@pytest.mark.parametrize(("number", "spelled"), SHORT)
def test_varints_are_spelled_as_kafka_does(number, spelled):
    """The table of the format description holds, both ways and in both widths."""
    raw = bytes.fromhex(spelled)

    assert raw == encode_varint(number)
    assert raw == encode_varlong(number)
    assert (number, len(raw)) == decode_varint(raw, 0)
    assert (number, len(raw)) == decode_varlong(raw, 0)


@pytest.mark.parametrize(("number", "spelled"), LONG)
def test_varlongs_are_spelled_as_kafka_does(number, spelled):
    """64-bit numbers have up to ten bytes, and are no varint."""
    raw = bytes.fromhex(spelled)

    assert raw == encode_varlong(number)
    assert (number, len(raw)) == decode_varlong(raw, 0)
    with pytest.raises(Corruption):
        decode_varint(raw, 0)


def test_every_power_of_two_and_its_neighbours_survive():
    """At the edges of every width, numbers come back as they were."""
    for number in INT32_EDGES:
        if -(2**31) <= number < 2**31:
            assert number == decode_varint(encode_varint(number), 0)[0]
    for number in INT64_EDGES:
        if -(2**63) <= number < 2**63:
            assert number == decode_varlong(encode_varlong(number), 0)[0]


@given(int32s, int64s)
def test_numbers_survive_side_by_side(short, long):
    """Invariants: what is encoded decodes.

    - It ends where the encoding does; other bytes around it don't matter.
    - A 32-bit varint is at most 5 bytes, a 64-bit one at most 10.
    """
    first, second = encode_varint(short), encode_varlong(long)
    data = b"\xff" + first + second + b"\x80"

    assert (short, 1 + len(first)) == decode_varint(data, 1)
    assert (long, 1 + len(first) + len(second)) == decode_varlong(data, 1 + len(first))
    assert len(first) <= 5
    assert len(second) <= 10


@pytest.mark.parametrize(
    "spelled",
    [
        "",  # nothing
        "80",  # cut off
        "8000",  # 0 in two bytes
        "fe00",  # 63 in two bytes
        "8080808000",  # 0 in five
        "808080808001",  # six bytes
        "ffffffff1f",  # 33 bits
        "8080808010",  # 2^32, zig-zagged: 33 bits
        "ffffffffff",  # five bytes and no end
    ],
)
def test_what_is_no_varint_is_corruption(spelled):
    """Cut off, too wide, or longer than it needs to be."""
    with pytest.raises(Corruption):
        decode_varint(bytes.fromhex(spelled), 0)


@pytest.mark.parametrize(
    "spelled",
    [
        "ffffffffffffffffff02",  # 65 bits
        "ffffffffffffffffff7f",
        "80808080808080808000",  # 0 in ten bytes
        "8080808080808080808001",  # eleven bytes
        "ffffffffffffffffff",  # cut off
    ],
)
def test_what_is_no_varlong_is_corruption(spelled):
    """Cut off, too wide, or longer than it needs to be."""
    with pytest.raises(Corruption):
        decode_varlong(bytes.fromhex(spelled), 0)
