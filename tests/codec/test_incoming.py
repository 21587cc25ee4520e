"""Batches as they come from a broker: cut off, with gaps, of transactions that were aborted."""

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import codecs, record_lists

from dataflare_cli import codec
from dataflare_cli.codec.checksum import crc32c
from dataflare_cli.codec.incoming import Aborted, next_offset_of, take_batches
from dataflare_cli.errors import Corruption, UnsupportedFormat
from dataflare_cli.model import Codec, Record

TRANSACTIONAL, CONTROL = 0x10, 0x20


def batch_of(records, base_offset=0, *, compression=Codec.NONE, producer=-1, attributes=0):
    """Return a batch as a broker has it."""
    batch = bytearray(codec.encode_batch(records, compression))
    flags = struct.unpack_from(">h", batch, 21)[0] | attributes
    struct.pack_into(">h", batch, 21, flags)
    struct.pack_into(">qhi", batch, 43, producer, 0 if producer >= 0 else -1, 0)
    struct.pack_into(">q", batch, 0, base_offset)
    struct.pack_into(">I", batch, 17, crc32c(bytes(batch[21:])))
    return bytes(batch)


def marker(base_offset, producer, kind):
    record = Record(b"\0\0\0\0\0\0", key=struct.pack(">hh", 0, kind))
    flags = TRANSACTIONAL | CONTROL
    return batch_of([record], base_offset, producer=producer, attributes=flags)


def compacted(batch: bytes, base_offset: int, kept: list[int]) -> bytes:
    """Return a batch of which compaction has kept some records."""
    records = [each for each in codec.decode_batch(batch) if each.offset in kept]
    frame = bytearray(codec.encode_batch([Record(b"x")] * len(records)) if records else batch[:61])
    body = bytearray()
    for record in records:
        delta = record.offset - base_offset
        value = record.value or b""
        inner = bytes([0, 0, 2 * delta, 1, 2 * len(value)]) + value + b"\0"
        body += bytes([2 * len(inner)]) + inner
    out = bytearray(frame[:61] + body)
    struct.pack_into(">qi", out, 0, base_offset, len(out) - 12)
    last = struct.unpack_from(">i", batch, 23)[0]
    struct.pack_into(">i", out, 23, last)
    struct.pack_into(">i", out, 57, len(records))
    struct.pack_into(">I", out, 17, crc32c(bytes(out[21:])))
    return bytes(out)


def values_of(incoming):
    """Return (offset, value) of all records, by run."""
    return [
        [(each.offset, each.value) for each in codec.load_run(flat).records()]
        for flat in incoming.runs
    ]


@given(st.lists(record_lists(max_size=4).filter(bool), max_size=4), codecs, st.data())
def test_what_is_whole_is_taken(groups, compression, data):
    """Invariants: records and offsets of all whole batches, wherever the response is cut off."""
    whole, ends, offset = b"", [], data.draw(st.integers(0, 1000))
    start, expected = offset, []
    for group in groups:
        whole += batch_of(group, offset, compression=compression)
        expected.append(
            [msgspec.structs.replace(each, offset=offset + n) for n, each in enumerate(group)]
        )
        offset += len(group)
        ends.append((len(whole), offset))
    cut = data.draw(st.integers(0, len(whole)))
    taken = take_batches(whole[:cut], 7, start)
    count = sum(end <= cut for end, _ in ends)

    found = [each for flat in taken.runs for each in codec.load_run(flat).records()]
    assert [each for group in expected[:count] for each in group] == found
    assert (ends[count - 1][1] if count else start) == taken.next_offset
    assert taken.next_offset == next_offset_of(whole[:cut], start)
    assert len(taken.runs) == min(1, count)


def test_gaps_end_runs():
    """Compaction keeps offsets; the next one is behind the batch, not behind its last record."""
    plain = batch_of([Record(b"%d" % n) for n in range(6)], 10)
    data = compacted(plain, 10, [11, 12, 14]) + batch_of([Record(b"z")], 16)
    taken = take_batches(data, 0, 10)

    assert [[(11, b"1"), (12, b"2")], [(14, b"4")], [(16, b"z")]] == values_of(taken)
    assert 17 == taken.next_offset
    assert 16 == take_batches(compacted(plain, 10, [11]), 0, 10).next_offset


def test_an_empty_batch_is_passed():
    """Kafka keeps one for its producer's state."""
    plain = batch_of([Record(b"a"), Record(b"b")], 5)
    taken = take_batches(compacted(plain, 5, []), 0, 5)

    assert ([], 7) == (taken.runs, taken.next_offset)


def test_aborted_transactions_are_hidden():
    """Until their producer's marker; others' records, and markers, are what they are."""
    data = b"".join(
        (
            batch_of([Record(b"a")], 0, producer=1, attributes=TRANSACTIONAL),
            batch_of([Record(b"b")], 1, producer=2, attributes=TRANSACTIONAL),
            batch_of([Record(b"plain")], 2),
            marker(3, 1, 0),
            batch_of([Record(b"c")], 4, producer=1, attributes=TRANSACTIONAL),
            marker(5, 2, 1),
            marker(6, 1, 1),
        )
    )
    committed = take_batches(data, 0, 0, [Aborted(1, 0)])
    everything = take_batches(data, 0, 0)

    assert [[(1, b"b"), (2, b"plain")], [(4, b"c")]] == values_of(committed)
    assert [[(0, b"a"), (1, b"b"), (2, b"plain")], [(4, b"c")]] == values_of(everything)
    assert 7 == committed.next_offset == everything.next_offset


def test_a_flipped_byte_is_corruption():
    """Nothing of a batch that does not verify is taken."""
    data = bytearray(batch_of([Record(b"hello")], 3))
    data[-3] ^= 1
    with pytest.raises(Corruption):
        take_batches(bytes(data), 0, 3)


@given(st.binary(max_size=200))
def test_bytes_of_nobodys_making(data):
    """Invariants: they are refused or left out; the reader gets no further than it was."""
    try:
        taken = take_batches(data, 0, 5)
    except (Corruption, UnsupportedFormat):
        return
    assert ([], 5) == (taken.runs, taken.next_offset)
