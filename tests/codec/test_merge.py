"""Merging: many small batches become one, and nobody can tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import flat_run, log_key, read_back, stored
from strategies import codecs, record_lists

from dataflare_cli import codec
from dataflare_cli.errors import Corruption
from dataflare_cli.model import BATCH_BYTES_MAX, Codec, Record, TimestampType

batch_lists = st.lists(record_lists(max_size=3), min_size=1, max_size=6)


@given(batch_lists, codecs, st.integers(0, 2**62))
def test_a_merged_batch_reads_the_same(batches, compression, base_offset):
    """Invariants: records, offsets and timestamps stay; it is the batch of all of them.

    - The compression stays.
    """
    records = [record for batch in batches for record in batch]
    merged = codec.merge_entries(flat_run(batches, base_offset, [compression]))
    assert merged is not None

    assert codec.encode_frame(records, compression) == merged
    codec.stamp(merged, base_offset=base_offset, appended_ms=1)
    assert read_back(records, base_offset) == codec.decode_frame(log_key(base_offset), merged)


def test_append_time_batches_stay():
    """Each has a time of its own, which one batch can't keep."""
    batches = [[Record(b"a", timestamp_ms=5)], [Record(b"b", timestamp_ms=6)]]

    assert codec.merge_entries(flat_run(batches, 0, [Codec.NONE], TimestampType.APPEND)) is None
    mixed = [
        *stored(batches[0], 0, Codec.NONE, TimestampType.APPEND),
        *stored(batches[1], 1),
    ]
    assert codec.merge_entries(mixed) is None


def test_times_too_far_apart_stay():
    """Two batches whose times differ by more than 64 bits are not merged."""
    far = [[Record(b"a", timestamp_ms=-1)], [Record(b"b", timestamp_ms=2**63 - 1)]]

    assert codec.merge_entries(flat_run(far)) is None


def test_a_merged_batch_keeps_the_limit():
    """Exactly the largest batch is merged; a byte more, and all stays as it is."""
    first = Record(b"x" * 500_000)
    size = len(codec.encode_frame([first, Record(b"y" * 499_000)])) - codec.PREFIX_BYTES
    room = BATCH_BYTES_MAX - size + 499_000
    fits = codec.merge_entries(flat_run([[first], [Record(b"y" * room)]]))

    assert fits is not None
    assert BATCH_BYTES_MAX == len(fits) - codec.PREFIX_BYTES
    assert codec.merge_entries(flat_run([[first], [Record(b"y" * (room + 1))]])) is None


def test_a_damaged_batch_is_not_merged():
    """Merging verifies what it reads."""
    flat = flat_run([[Record(b"a")], [Record(b"b")]])
    damaged = bytearray(flat[3])
    damaged[-1] ^= 1
    with pytest.raises(Corruption):
        codec.merge_entries([*flat[:3], damaged])
