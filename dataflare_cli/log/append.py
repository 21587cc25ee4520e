"""Appending: sealed frames get their offsets, their time index and their place.

Invariants
- Offsets are dense: the next one is derived from the last batch, or from the floor
  of an empty partition, inside the transaction that uses it.
- The time index has one entry a batch, under the running maximum of the timestamps.
- Runs of small batches, as slow input makes them, are merged into larger ones: what
  was written one by one must not stay expensive to read.
"""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from dataflare_cli import codec
from dataflare_cli.catalog import PartitionRow, partition_id_of, partition_key, read_row, write_row
from dataflare_cli.errors import Corruption
from dataflare_cli.log.keys import (
    LOG_KEY,
    log_key,
    on_partition,
    seek_last,
    split_time_key,
    time_key,
)
from dataflare_cli.model import NO_TIMESTAMP, OFFSET_MAX, Topic

if TYPE_CHECKING:
    from dataflare_cli.store import Change

# Smaller batches are worth merging; runs begin where offsets cross a multiple.
SMALL_FRAME_BYTES = 4096
MERGE_EVERY_OFFSETS = 256
MERGE_BATCHES_MIN = 32
# A merged batch expires as one: keep its span small beside the retention.
MERGE_SPAN_SHARE = 16

_LAST_DELTA = struct.Struct(">i")
_MAX_TIMESTAMP = struct.Struct(">q")
_APPENDED = struct.Struct(">q")
_LAST_DELTA_AT = codec.PREFIX_BYTES + 23
_MAX_TIMESTAMP_AT = codec.PREFIX_BYTES + 35
_APPENDED_AT = 8


class Appended(NamedTuple):
    """Where one frame went: offsets [base_offset, base_offset + record_count)."""

    partition: int
    base_offset: int
    record_count: int


class _Tail:
    """The end of one partition inside one transaction."""

    def __init__(self, change: "Change", partition_id: int) -> None:
        self.partition_id = partition_id
        self.row = read_row(change, partition_id)
        self.next_offset = self.row.floor
        self.running_max_ms = NO_TIMESTAMP
        self.last_frame_bytes = 0
        log = change.cursor(b"log")
        if seek_last(log, partition_id):
            self.next_offset = end_of(log.key(), log.value())
            times = change.cursor(b"times")
            if seek_last(times, partition_id):
                self.running_max_ms, _ = split_time_key(bytes(times.key()))
        self.first_offset = self.next_offset
        # LMDB packs pages fully when told that a key is the largest.
        self.is_last = not log.set_range(partition_key(partition_id + 1))


def append_frames(
    change: "Change", topic: Topic, frames: Sequence[tuple[int, bytearray]], *, now_ms: int
) -> list[Appended]:
    """Write sealed frames, given with their partition, at the ends of the partitions.

    `topic` is the row as this transaction sees it. The frames are stamped in place.
    """
    tails: dict[int, _Tail] = {}
    for partition in {partition for partition, _ in frames}:
        tails[partition] = _Tail(change, partition_id_of(topic, partition))
    # Of several partitions that are the last so far, one will be.
    largest = max((tail.partition_id for tail in tails.values()), default=0)
    appended = []
    for partition, frame in frames:
        tail = tails[partition]
        base_offset = tail.next_offset
        is_last = tail.is_last and tail.partition_id == largest
        record_count = _append(change, tail, frame, now_ms, is_last=is_last)
        appended.append(Appended(partition, base_offset, record_count))
    for tail in tails.values():
        write_row(change, tail.partition_id, tail.row)
    for tail in tails.values():
        crossed = (
            tail.first_offset // MERGE_EVERY_OFFSETS != tail.next_offset // MERGE_EVERY_OFFSETS
        )
        if crossed and tail.last_frame_bytes < SMALL_FRAME_BYTES:
            merge_tail(change, topic, tail.partition_id)
    return appended


def _append(change: "Change", tail: _Tail, frame: bytearray, now_ms: int, *, is_last: bool) -> int:
    base_offset = tail.next_offset
    codec.stamp(frame, base_offset=base_offset, appended_ms=now_ms)
    record_count: int = _LAST_DELTA.unpack_from(frame, _LAST_DELTA_AT)[0] + 1
    max_timestamp_ms: int = _MAX_TIMESTAMP.unpack_from(frame, _MAX_TIMESTAMP_AT)[0]
    assert record_count > 0
    change.insert(b"log", log_key(tail.partition_id, base_offset), frame, last=is_last)
    tail.running_max_ms = max(tail.running_max_ms, max_timestamp_ms)
    key = time_key(tail.partition_id, tail.running_max_ms, base_offset)
    change.insert(b"times", key, b"", last=is_last)
    tail.next_offset += record_count
    tail.last_frame_bytes = len(frame)
    tail.row = tail.row._replace(
        stored_bytes=tail.row.stored_bytes + len(frame), batch_count=tail.row.batch_count + 1
    )
    return record_count


def end_of(key: bytes | memoryview, frame: bytes | memoryview) -> int:
    """Return the offset after a stored batch's last record; Corruption if its head is damaged."""
    header = codec.check_header(key, frame)
    return header.base_offset + header.record_count


def appended_ms_of(key: bytes | memoryview, frame: bytes | memoryview) -> int:
    """Return when a stored batch was appended; Corruption if its head is damaged.

    What is damaged must not pass for old: old batches are dropped unread.
    """
    codec.check_head(key, frame)
    return int(_APPENDED.unpack_from(frame, _APPENDED_AT)[0])


def merge_tail(change: "Change", topic: Topic, partition_id: int) -> int:
    """Merge the run of small batches at a partition's end; return how many it was."""
    try:
        entries, newest_ms = _small_tail(change, topic, partition_id)
        if len(entries) < MERGE_BATCHES_MIN:
            return 0
        merged = codec.merge_entries([part for entry in entries for part in entry])
    except Corruption:
        # What is damaged stays as it is, for a reader to report: it must not keep good
        # records from being stored. Nothing was changed so far.
        return 0
    if merged is None:
        return 0
    base_offset = LOG_KEY.unpack(entries[0][0])[1]
    codec.stamp(merged, base_offset=base_offset, appended_ms=newest_ms)
    _replace(change, partition_id, entries, merged)
    return len(entries)


def _small_tail(
    change: "Change", topic: Topic, partition_id: int
) -> tuple[list[tuple[bytes, bytes]], int]:
    """Return the small batches at the end, oldest first, and the last one's append time."""
    log = change.cursor(b"log")
    entries: list[tuple[bytes, bytes]] = []
    newest_ms, oldest_ms = 0, OFFSET_MAX
    retention_ms = (topic.spec.retention_s or 0) * 1000
    if not seek_last(log, partition_id):
        return [], 0
    while on_partition(log, partition_id) and len(entries) < MERGE_EVERY_OFFSETS:
        frame = log.value()
        if len(frame) >= SMALL_FRAME_BYTES:
            break
        appended_ms = appended_ms_of(log.key(), frame)
        # The clock may have been set back in between.
        newest_ms = max(newest_ms, appended_ms)
        oldest_ms = min(oldest_ms, appended_ms)
        if retention_ms and newest_ms - oldest_ms > retention_ms // MERGE_SPAN_SHARE:
            break
        entries.append((bytes(log.key()), bytes(frame)))
        if not log.prev():
            break
    entries.reverse()
    return entries, newest_ms


def _replace(
    change: "Change", partition_id: int, entries: list[tuple[bytes, bytes]], merged: bytearray
) -> None:
    base_offset = LOG_KEY.unpack(entries[0][0])[1]
    for key, _ in entries:
        change.delete(b"log", key)
    times = change.cursor(b"times")
    running_max_ms = NO_TIMESTAMP
    if seek_last(times, partition_id):
        running_max_ms, offset = split_time_key(bytes(times.key()))
        while offset >= base_offset:
            times.delete()
            if not seek_last(times, partition_id):
                break
            _, offset = split_time_key(bytes(times.key()))
    change.insert(b"log", entries[0][0], merged)
    change.insert(b"times", time_key(partition_id, running_max_ms, base_offset), b"")
    row: PartitionRow = read_row(change, partition_id)
    saved = sum(len(frame) for _, frame in entries) - len(merged)
    write_row(
        change,
        partition_id,
        row._replace(
            stored_bytes=row.stored_bytes - saved, batch_count=row.batch_count - len(entries) + 1
        ),
    )
