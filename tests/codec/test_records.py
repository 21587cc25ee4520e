"""Records: their one spelling, and everything that is not it."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import EXAMPLE, flips, log_key, stored, with_records, with_right_crcs
from strategies import record_lists

from dataflare_cli import codec
from dataflare_cli.codec.records import encode_records
from dataflare_cli.codec.varint import decode_varint, encode_varint
from dataflare_cli.errors import Corruption, DataError
from dataflare_cli.model import Codec, Record, TimestampType

KEY = log_key(0)
# One record: null key and value, no header.
PLAIN = bytes.fromhex("0c000000010100")


def decode(records: bytes, count: int = 1, timestamp_ms: int = 0) -> list[Record]:
    """Decode bytes as the records of an otherwise good frame."""
    _, frame = stored([Record(None, timestamp_ms=timestamp_ms)] * count)
    return codec.decode_frame(KEY, with_records(frame, records))


@pytest.mark.parametrize(
    ("record", "spelled"),
    [
        (EXAMPLE[0], "22000000046b310a68656c6c6f0202680278"),
        (Record(None), "0c000000010100"),
        (Record(b""), "0c000000010000"),
        (Record(None, b""), "0c000000000100"),
        (Record(b"", b"", ((b"a", None), (b"a", b""))), "18000000000004026101026100"),
        (Record(b"v" * 64), "8e01000000018001" + "76" * 64 + "00"),
    ],
    ids=["example", "null", "empty value", "empty key", "headers", "64 bytes"],
)
def test_records_are_spelled_as_kafka_does(record, spelled):
    """The format description's records, byte by byte; null is not empty."""
    raw = encode_records([record], record.timestamp_ms)

    assert spelled == raw.hex()
    assert [record] == decode(raw, timestamp_ms=record.timestamp_ms)


@given(record_lists())
def test_lengths_add_up(records):
    """Invariants: each record's length leads to the next one, the last one's to the end."""
    raw = encode_records(records, records[0].timestamp_ms)
    at = 0
    for _ in records:
        length, at = decode_varint(raw, at)
        at += length

    assert len(raw) == at


def test_timestamps_are_64_bits_wide():
    """A batch may span 64 bits of time, and not a millisecond more."""
    low, high = -(2**63), 2**63 - 1
    for first, second in ((0, high), (-1, high - 1), (-1, low), (high, 0), (low, -1)):
        records = [Record(b"", timestamp_ms=first), Record(b"", timestamp_ms=second)]
        read = codec.decode_frame(*stored(records))

        assert [first, second] == [record.timestamp_ms for record in read]
    for first, second in ((-1, high), (1, low), (low, high), (high + 1, high + 1), (0, low - 1)):
        with pytest.raises(DataError):
            codec.encode_frame([Record(b"", timestamp_ms=n) for n in (first, second)])


def test_header_names_are_text():
    """A name that is not UTF-8 can't be stored: no Kafka client could read it."""
    with pytest.raises(DataError):
        codec.encode_frame([Record(b"", headers=((b"\xff", b""),))])


# What is wrong, and the records that are so (one record unless they are more).
WRONG = {
    "nothing": "",
    "length only": "0c",
    "length 0": "00",
    "length 5, one less than the shortest": "0a0000000101",
    "negative length": "0b000000010100",
    "length too short": "0a000000010100",
    "length too long": "0e000000010100",
    "length beyond the end, 2^31 - 1": "feffffff0f000000010100",
    "length not in its shortest form": "8c00000000010100",
    "attributes": "0c010000010100",
    "another base timestamp": "0c000200010100",
    "offset delta 1": "0c000002010100",
    "offset delta -1": "0c000001010100",
    "offset delta not in its shortest form": "0e00008000010100",
    "timestamp delta not in its shortest form": "0e00800000010100",
    "key length -2": "0c000000030100",
    "value length -2": "0c000000010300",
    "key beyond the record": "0c000000040100",
    "value beyond the record": "0c000000010400",
    "value of 2^31 - 1 bytes": "14 000000 01feffffff0f00",
    "header count -1": "0c000000010101",
    "one header and none there": "0c000000010102",
    "2^31 - 1 headers": "14 000000 0101feffffff0f",
    "header name null": "10 000000 0101020100",
    "header name not UTF-8": "12 000000 01010202ff00",
    "header name beyond the record": "10 000000 0101020800",
    "header value length -2": "10 000000 0101020003",
    "a byte after the headers": "0e00000001010000",
    "a byte after the record": "0c00000001010000",
    "a second record": "0c0000000101000c000002010100",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_records_have_one_spelling(wrong):
    """Everything but the canonical bytes is Corruption, though all checksums hold."""
    with pytest.raises(Corruption):
        decode(bytes.fromhex(WRONG[wrong]))


def test_the_counts_must_agree():
    """Fewer or more records than the header says are Corruption, also billions."""
    for count in (1, 3):
        with pytest.raises(Corruption):
            decode(PLAIN + bytes.fromhex("0c000002010100"), count)
    _, frame = stored([Record(None)])
    changed = bytearray(frame)
    changed[77:81], changed[43:47] = b"\x7f\xff\xff\xff", b"\x7f\xff\xff\xfe"
    with pytest.raises(Corruption):
        codec.decode_frame(KEY, with_right_crcs(bytes(changed)))


def test_the_largest_timestamp_is_the_headers():
    """A create-time batch whose header tells another maximum is Corruption."""
    _, frame = stored(EXAMPLE)
    changed = bytearray(frame)
    changed[55:63] = (1).to_bytes(8, "big")
    with pytest.raises(Corruption):
        codec.decode_frame(KEY, with_right_crcs(bytes(changed)))


def test_append_time_rules_all_timestamps():
    """With append time every record has the header's maximum; deltas are kept, and unused."""
    for record in codec.decode_frame(*stored(EXAMPLE, 0, Codec.NONE, TimestampType.APPEND)):
        assert EXAMPLE[1].timestamp_ms == record.timestamp_ms
        assert TimestampType.APPEND is record.timestamp_type


def check_strictness(frame: bytes) -> None:
    """Decode a frame that somebody made up: Corruption, or the only bytes for these records."""
    try:
        records = codec.decode_frame(KEY, frame)
    except Corruption:
        return
    again = codec.encode_frame(records, codec.read_header(frame, 20).codec)
    codec.stamp(again, base_offset=0, appended_ms=int.from_bytes(frame[8:16], "big", signed=True))
    assert frame == again


def test_a_flip_with_right_checksums_gives_no_second_spelling():
    """An enemy can write other records, but not the same ones in another way."""
    _, frame = stored([*EXAMPLE, Record(b"", b"k", ((b"n", None), (b"n", b"")), 1_700_000_000_001)])
    for at, changed in flips(frame, masks=(1, 2, 4, 0x10, 0x80, 0xFF)):
        # Bit 3 of the attributes makes another timestamp type: no flip here has it alone.
        if at != 42:
            check_strictness(with_right_crcs(changed))


@given(st.data(), record_lists())
def test_spliced_records_have_no_second_spelling(data, records):
    """Invariants: whatever bytes stand for records, they are Corruption or canonical."""
    _, frame = stored(records)
    plain = bytearray(frame[81:])
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(plain)))
        end = data.draw(st.integers(begin, min(begin + 3, len(plain))))
        plain[begin:end] = data.draw(st.binary(max_size=3))
    check_strictness(with_records(frame, bytes(plain)))


@pytest.mark.parametrize("compression", [codec for codec in Codec if codec is not Codec.NONE])
def test_flips_of_compressed_records_with_right_checksums(compression):
    """What an enemy makes of packed bytes is Corruption, or records that encode again."""
    key, frame = stored(EXAMPLE * 3, 0, compression)
    for _, changed in flips(frame[81:]):
        try:
            records = codec.decode_frame(key, with_records(frame, changed))
        except Corruption:
            continue
        assert 6 == len(records)


def hostile_headers(size: int) -> bytes:
    """Records of which each says that it has all of the bytes there are as headers."""
    body = b"\0\0\0\1\1" + encode_varint(size // 2)
    one = encode_varint(len(body)) + body
    return one * (size // len(one))


def hostile_lengths(size: int) -> bytes:
    return encode_varint(size - 10) + bytes(size)


@pytest.mark.parametrize("make", [hostile_headers, hostile_lengths])
def test_hostile_records_cost_linear_time(make):
    """Lengths and counts that promise everything are refused at once, however many bytes."""
    times = []
    for size in (100_000, 1_600_000):
        records = make(size)
        _, frame = stored([Record(None)])
        damaged = bytearray(with_records(frame, records))
        count = len(records) // 8
        damaged[77:81], damaged[43:47] = count.to_bytes(4, "big"), (count - 1).to_bytes(4, "big")
        hostile = with_right_crcs(bytes(damaged))
        begun = time.process_time()
        with pytest.raises(Corruption):
            codec.decode_frame(KEY, hostile)
        times.append(time.process_time() - begun)

    # 16 times as much; quadratic work would take 256 times as long.
    assert all(later <= 100 * max(earlier, 0.001) for earlier, later in pairwise(times))
