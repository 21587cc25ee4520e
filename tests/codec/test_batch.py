"""Batches as values, with aiokafka's codec as a witness: it reads ours, we read its."""

import pytest
from aiokafka.record import default_records
from hypothesis import given
from hypothesis import strategies as st
from stored import (
    EXAMPLE,
    EXAMPLE_BATCH,
    flips,
    log_key,
    read_back,
    stored,
    with_records,
    with_right_crcs,
)
from strategies import codecs, offsets, record_lists, timestamps

from dataflare_cli import codec
from dataflare_cli.codec.checksum import crc32c
from dataflare_cli.codec.compression import compress
from dataflare_cli.codec.frame import outgoing
from dataflare_cli.errors import Corruption, UnsupportedFormat
from dataflare_cli.model import MIB, UNPACKED_BYTES_MAX, Codec, Record, TimestampType

READERS = [default_records.DefaultRecordBatch, default_records._DefaultRecordBatchPy]
BUILDERS = [default_records.DefaultRecordBatchBuilder, default_records._DefaultRecordBatchBuilderPy]
types = st.sampled_from(TimestampType)


def test_the_worked_example_is_exact():
    """The example of the format description, both ways, to the byte."""
    assert EXAMPLE_BATCH == codec.encode_batch(EXAMPLE)
    assert read_back(EXAMPLE) == codec.decode_batch(EXAMPLE_BATCH)


def test_a_batch_moves_without_its_crc():
    """With another base offset the example still verifies, and its offsets follow."""
    moved = (1000).to_bytes(8, "big") + EXAMPLE_BATCH[8:]

    assert read_back(EXAMPLE, 1000) == codec.decode_batch(moved)


@given(record_lists(), offsets, codecs, types)
def test_records_survive_a_frame(records, base_offset, compression, timestamp_type):
    """Invariants: what is stored reads back equal, with its offsets.

    - Null is not empty; headers keep order and duplicates; timestamps are exact.
    - Encoding what was read gives the same bytes.
    """
    key, frame = stored(records, base_offset, compression, timestamp_type)
    read = codec.decode_frame(key, frame)

    assert read_back(records, base_offset, timestamp_type) == read
    if timestamp_type is TimestampType.CREATE:
        assert (key, frame) == stored(read, base_offset, compression)


@given(record_lists(), codecs, types)
def test_records_survive_a_batch(records, compression, timestamp_type):
    """Invariants: bare batches read back equal, and encode to the same bytes again."""
    batch = codec.encode_batch(records, compression, timestamp_type)
    read = codec.decode_batch(memoryview(batch))

    assert read_back(records, 0, timestamp_type) == read
    if timestamp_type is TimestampType.CREATE:
        assert batch == codec.encode_batch(read, compression)


def as_witnessed(record) -> Record:
    """Return one of aiokafka's records as one of ours."""
    return Record(
        value=None if record.value is None else bytes(record.value),
        key=None if record.key is None else bytes(record.key),
        headers=tuple((name.encode(), value) for name, value in record.headers),
        timestamp_ms=record.timestamp,
        offset=record.offset,
        timestamp_type=TimestampType(record.timestamp_type),
    )


@pytest.mark.parametrize("reader", READERS, ids=["C", "Python"])
@given(records=record_lists(), compression=codecs, timestamp_type=types)
def test_aiokafka_reads_ours(reader, records, compression, timestamp_type):
    """Invariants: aiokafka verifies our CRC, and reads the records that we wrote."""
    batch = reader(bytearray(codec.encode_batch(records, compression, timestamp_type)))

    assert batch.validate_crc()
    assert compression == batch.compression_type
    assert read_back(records, 0, timestamp_type) == [as_witnessed(each) for each in batch]


@pytest.mark.parametrize("builder", BUILDERS, ids=["C", "Python"])
@given(records=record_lists(timestamps.filter(lambda ms: ms >= 0)), compression=codecs)
def test_we_read_aiokafkas(builder, records, compression):
    """Invariants: what aiokafka builds reads as the records it was given.

    - Uncompressed, it is the same bytes as ours.
    - As a frame of ours it says the same.
    - (Times are given: its C builder takes a first timestamp of -1 for "not begun".)
    """
    theirs = builder(
        magic=2,
        compression_type=compression,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=16 * MIB,
    )
    for index, record in enumerate(records):
        pairs = [(name.decode(), value) for name, value in record.headers]
        theirs.append(index, record.timestamp_ms, record.key, record.value, pairs)
    batch = bytes(theirs.build())
    frame = codec.rewrap(batch)
    codec.stamp(frame, base_offset=0, appended_ms=0)

    assert read_back(records) == codec.decode_batch(batch)
    assert read_back(records) == codec.decode_frame(log_key(0), frame)
    if compression is Codec.NONE:
        assert batch == codec.encode_batch(records)


def patched(batch: bytes, **fields: bytes) -> bytes:
    """Return a batch with other bytes at places (at21=...), and the CRC that belongs to them."""
    changed = bytearray(batch)
    for place, value in fields.items():
        at = int(place.removeprefix("at"))
        changed[at : at + len(value)] = value
    changed[17:21] = crc32c(changed[21:]).to_bytes(4, "big")
    return bytes(changed)


def test_a_compacted_batch_has_gaps():
    """Records that compaction removed are missing; the others keep their offsets."""
    three = codec.encode_batch([*EXAMPLE, Record(b"last", timestamp_ms=1_700_000_000_000)])
    second = three[79:86]
    gap = three[:79] + three[86:]
    gap = patched(gap, at8=(len(gap) - 12).to_bytes(4, "big"), at57=b"\0\0\0\2")

    assert "0c000a02010100" == second.hex()
    assert [0, 2] == [record.offset for record in codec.decode_batch(gap)]


def test_an_emptied_batch_has_no_records():
    """Compaction may leave nothing but the header."""
    empty = patched(EXAMPLE_BATCH[:61], at8=(49).to_bytes(4, "big"), at57=bytes(4))

    assert [] == codec.decode_batch(empty)


def test_control_records_are_not_for_applications():
    """A control batch is verified, and has no records to show."""
    control = patched(EXAMPLE_BATCH, at21=b"\0\x20")

    assert [] == codec.decode_batch(control)
    with pytest.raises(Corruption):
        codec.decode_batch(control[:-1] + b"\1")


def test_offsets_of_a_batch_ascend():
    """Offsets that stand still, go back or leave the batch are Corruption."""
    for last_delta, deltas in ((1, "0000"), (1, "0200"), (1, "0004"), (1, "0100"), (0, "0002")):
        batch = bytearray(codec.encode_batch([Record(None), Record(None)]))
        batch[64], batch[71] = bytes.fromhex(deltas)
        with pytest.raises(Corruption):
            codec.decode_batch(patched(bytes(batch), at23=last_delta.to_bytes(4, "big")))


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        (patched(EXAMPLE_BATCH, at16=b"\1"), UnsupportedFormat),
        (patched(EXAMPLE_BATCH, at16=b"\0"), UnsupportedFormat),
        (patched(EXAMPLE_BATCH, at21=b"\0\5"), UnsupportedFormat),
        (patched(EXAMPLE_BATCH, at21=b"\1\0"), UnsupportedFormat),
        (patched(EXAMPLE_BATCH, at57=b"\0\0\0\3"), Corruption),
        (patched(EXAMPLE_BATCH, at57=b"\xff\xff\xff\xff"), Corruption),
        (patched(EXAMPLE_BATCH, at0=b"\xff" * 8), Corruption),
        (EXAMPLE_BATCH + b"\0", Corruption),
        (EXAMPLE_BATCH[:-1], Corruption),
        (EXAMPLE_BATCH[:60], Corruption),
        (b"", Corruption),
    ],
)
def test_what_is_no_batch_of_today_is_refused(changed, error):
    """Older formats and unknown attributes are unsupported, the rest is Corruption."""
    with pytest.raises(error):
        codec.decode_batch(changed)


def test_every_flipped_byte_under_the_crc_is_corruption():
    """From the CRC on, no byte of a bare batch can change unseen."""
    for at, damaged in flips(EXAMPLE_BATCH):
        if at >= 17:
            with pytest.raises(Corruption):
                codec.decode_batch(damaged)


@pytest.mark.parametrize("compression", [Codec.GZIP, Codec.LZ4, Codec.ZSTD])
def test_a_stored_bomb_is_corruption(compression):
    """A small frame that unpacks to more than any batch may have is refused."""
    key, frame = stored([Record(None)])
    attributes = bytes((0, compression))
    bomb = compress(compression, bytes(UNPACKED_BYTES_MAX + 1))
    damaged = with_records(frame[:41] + attributes + frame[43:], bomb)
    with pytest.raises(Corruption):
        codec.decode_frame(key, with_right_crcs(damaged))


@given(record_lists().filter(bool), codecs, st.integers(0, 2**62), st.integers(0, 2**15 - 1))
def test_what_goes_to_a_broker_is_of_its_producer(records, compression, producer, epoch):
    """Invariants: aiokafka verifies it, and reads the records; the numbers are those given."""
    frame = codec.encode_frame(records, compression)
    codec.stamp(frame, base_offset=77, appended_ms=5)
    batch = outgoing(frame, producer, epoch, 2**31 - 1)
    witness = default_records.DefaultRecordBatch(bytearray(batch))

    assert witness.validate_crc()
    header = codec.read_header(batch)
    assert (producer, epoch, 2**31 - 1) == (
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    )
    assert (0, -1) == (header.base_offset, header.leader_epoch)
    assert codec.decode_batch(batch) == codec.decode_batch(codec.encode_batch(records, compression))
