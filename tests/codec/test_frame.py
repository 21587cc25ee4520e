"""Frames: sealed, stamped, and every byte of them watched."""

import struct

import pytest
from hypothesis import given
from stored import (
    APPENDED_MS,
    EXAMPLE,
    EXAMPLE_BATCH,
    PARTITION_ID,
    flips,
    log_key,
    read_back,
    stored,
    with_right_crcs,
)
from strategies import codecs, int64s, offsets, record_lists

from dataflare_cli import codec
from dataflare_cli.codec.checksum import crc32c
from dataflare_cli.codec.frame import KEY_BYTES
from dataflare_cli.codec.records import encode_records
from dataflare_cli.errors import Corruption, UnsupportedFormat
from dataflare_cli.model import OFFSET_MAX, Codec, TimestampType

PREFIX = struct.Struct(">BBHIqI")


def test_a_frame_is_a_prefix_and_the_batch_of_the_example():
    """The worked example is stored as it is, behind 20 bytes; only its leader epoch is 0."""
    _, frame = stored(EXAMPLE)
    batch = bytearray(EXAMPLE_BATCH)
    batch[12:16] = bytes(4)

    assert bytes(batch) == frame[20:]
    assert (1, 0, 0, 0, APPENDED_MS, crc32c(frame[:16])) == PREFIX.unpack_from(frame)
    assert "01000000000000000000018bcfe5687bc9f8fca2" == frame[:20].hex()


def test_sizes_are_the_formats():
    """Prefix, batch header and log key have the sizes that FORMAT.md gives them."""
    assert 20 == codec.PREFIX_BYTES
    assert 61 == codec.HEADER_BYTES
    assert 81 == codec.FRAME_HEADER_BYTES
    assert 12 == KEY_BYTES == len(log_key(0))


def test_seal_fills_blank_bytes_in_place():
    """A frame is sealed and stamped without another copy of it."""
    frame = bytearray(81) + encode_records(EXAMPLE, EXAMPLE[0].timestamp_ms)
    sealed = codec.seal(
        frame,
        record_count=2,
        base_timestamp_ms=EXAMPLE[0].timestamp_ms,
        max_timestamp_ms=EXAMPLE[1].timestamp_ms,
    )
    blank = bytes(sealed[:28])
    codec.stamp(sealed, base_offset=0, appended_ms=APPENDED_MS)

    assert sealed is frame
    assert bytes(28) == blank
    assert stored(EXAMPLE)[1] == sealed


@given(record_lists(), offsets, codecs)
def test_a_checked_header_says_what_was_written(records, base_offset, compression):
    """Invariants: check_frame takes what encode_frame and stamp give, and tells about it.

    - Wherever it is stored; a stamp does not touch the batch's CRC.
    - Buffers of all kinds are taken.
    """
    key, frame = stored(records, base_offset, compression)
    header = codec.check_frame(memoryview(key), memoryview(frame))

    assert header == codec.read_header(frame, codec.PREFIX_BYTES)
    assert base_offset == header.base_offset
    assert len(records) == header.record_count
    assert base_offset + len(records) == header.next_offset
    assert records[0].timestamp_ms == header.base_timestamp_ms
    assert max(record.timestamp_ms for record in records) == header.max_timestamp_ms
    assert (compression, TimestampType.CREATE) == (header.codec, header.timestamp_type)
    assert codec.read_header(stored(records, 0, compression)[1], 20).crc == header.crc


@given(int64s)
def test_any_append_time_is_kept(appended_ms):
    """Invariants: a prefix of any append time verifies, and holds it at byte 8."""
    frame = codec.encode_frame(EXAMPLE)
    codec.stamp(frame, base_offset=7, appended_ms=appended_ms)

    assert 7 == codec.check_frame(log_key(7), frame).base_offset
    assert (appended_ms,) == struct.unpack_from(">q", frame, 8)


@pytest.mark.parametrize("compression", Codec)
@pytest.mark.parametrize("timestamp_type", TimestampType)
def test_every_flipped_byte_is_corruption(compression, timestamp_type):
    """Whatever byte of a frame changes, it is found; there is never other data."""
    key, frame = stored(EXAMPLE, 1000, compression, timestamp_type)
    for _, damaged in flips(frame):
        with pytest.raises(Corruption, match="partition id 3, offset 1000"):
            codec.decode_frame(key, damaged)


def test_every_flipped_byte_of_the_key_is_seen():
    """A batch under another offset is Corruption; its partition is the reader's business."""
    key, frame = stored(EXAMPLE, 1000)
    for at, damaged in flips(key):
        if at >= 4:
            with pytest.raises(Corruption):
                codec.check_frame(damaged, frame)


@pytest.mark.parametrize("compression", Codec)
def test_every_truncation_is_corruption(compression):
    """A frame that ends early, or has something behind it, is refused."""
    key, frame = stored(EXAMPLE, 0, compression)
    for size in range(len(frame)):
        with pytest.raises(Corruption):
            codec.decode_frame(key, frame[:size])
    with pytest.raises(Corruption):
        codec.decode_frame(key, frame + b"\0")
    for bad_key in (b"", key[:-1], key + b"\0"):
        with pytest.raises(Corruption):
            codec.check_frame(bad_key, frame)


# (place in the frame, bytes there, what is wrong)
WRONG = [
    (0, "02", "frame version"),
    (0, "00", "frame version"),
    (1, "01", "frame version"),
    (2, "0001", "frame version"),
    (4, "00000001", "frame version"),
    (20, "0000000000000001", "base_offset"),
    (28, "0000004b", "batch_length"),
    (28, "ffffffff", "batch_length"),
    (32, "ffffffff", "leader_epoch"),
    (36, "01", "magic"),
    (41, "0010", "attributes"),
    (41, "0020", "attributes"),
    (41, "0040", "attributes"),
    (41, "0080", "attributes"),
    (41, "8000", "attributes"),
    (41, "0005", "codec"),
    (41, "0007", "codec"),
    (43, "00000002", "last_offset_delta"),
    (43, "ffffffff00", "last_offset_delta"),
    (63, "0000000000000000", "producer_id"),
    (71, "0000", "producer_epoch"),
    (73, "00000000", "base_sequence"),
    (77, "00000003", "last_offset_delta"),
]


@pytest.mark.parametrize(("at", "value", "problem"), WRONG)
def test_fields_with_one_value_have_that_value(at, value, problem):
    """Even with checksums that hold, a canonical field has its only value."""
    key, frame = stored(EXAMPLE)
    changed = bytearray(frame)
    raw = bytes.fromhex(value)
    changed[at : at + len(raw)] = raw
    with pytest.raises(Corruption, match=problem):
        codec.check_frame(key, with_right_crcs(bytes(changed)))


@pytest.mark.parametrize("count", [0, -1, -(2**31)])
def test_a_frame_has_a_record(count):
    """An empty batch, or less, is Corruption."""
    key, frame = stored(EXAMPLE)
    changed = bytearray(frame)
    changed[77:81] = struct.pack(">i", count)
    changed[43:47] = struct.pack(">i", max(count - 1, -(2**31)))
    with pytest.raises(Corruption):
        codec.check_frame(key, with_right_crcs(bytes(changed)))


def test_offsets_end_at_63_bits():
    """The next offset fits 63 bits as well; a key beyond that is Corruption."""
    key, frame = stored(EXAMPLE, OFFSET_MAX - 2)

    assert OFFSET_MAX == codec.check_frame(key, frame).next_offset
    for base_offset in (OFFSET_MAX - 1, OFFSET_MAX):
        with pytest.raises(Corruption):
            codec.check_frame(*stored(EXAMPLE, base_offset))
    changed = bytearray(frame)
    changed[20:28] = b"\xff" * 8
    with pytest.raises(Corruption):
        codec.check_frame(PARTITION_ID.to_bytes(4, "big") + b"\xff" * 8, changed)


def foreign(batch: bytes, **fields: int) -> bytes:
    """Return a batch with other header fields and the CRC that belongs to them."""
    header = struct.Struct(">qiibIhiqqqhii")
    changed = bytearray(batch)
    header.pack_into(changed, 0, *codec.read_header(batch)._replace(**fields))
    changed[17:21] = crc32c(changed[21:]).to_bytes(4, "big")
    return bytes(changed)


@given(record_lists(), codecs)
def test_a_foreign_batch_is_rewrapped(records, compression):
    """Invariants: a broker's batch becomes the frame that its records have here.

    - Its records part stays as it is; its place and its producer are forgotten.
    """
    batch = foreign(
        codec.encode_batch(records, compression),
        base_offset=77,
        leader_epoch=5,
        producer_id=1234,
        producer_epoch=2,
        base_sequence=9,
        attributes=compression | 0x10,
    )
    frame = codec.rewrap(batch)
    codec.stamp(frame, base_offset=5, appended_ms=1)

    assert batch[61:] == frame[81:]
    assert read_back(records, 5) == codec.decode_frame(log_key(5), frame)


@pytest.mark.parametrize(
    "fields",
    [
        {"attributes": 0x20},  # control
        {"attributes": 0x40},  # delete horizon
        {"last_offset_delta": 5},  # gaps
        {"record_count": 0},  # empty, kept by compaction
        {"attributes": 0x80},  # from the future
        {"attributes": 0x05},  # no codec of today
        {"magic": 1},
    ],
    ids=str,
)
def test_what_is_not_canonical_is_not_rewrapped(fields):
    """Batches that have to be decoded and encoded again are refused as such."""
    with pytest.raises(UnsupportedFormat):
        codec.rewrap(foreign(EXAMPLE_BATCH, **fields))


def test_a_damaged_batch_is_not_rewrapped():
    """The CRC is verified before the header is renewed."""
    for at, damaged in flips(EXAMPLE_BATCH):
        if at >= 17 or 8 <= at < 12:
            with pytest.raises(Corruption):
                codec.rewrap(damaged)
    for size in range(len(EXAMPLE_BATCH)):
        with pytest.raises(Corruption):
            codec.rewrap(EXAMPLE_BATCH[:size])
