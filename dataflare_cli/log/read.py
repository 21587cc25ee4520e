"""Reading: where a partition begins and ends, and its batches as runs.

A read copies at most a few MiB out of the map, and its transaction ends before anybody
writes what was read: a stalled reader pins no pages.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from dataflare_cli import codec
from dataflare_cli.catalog import current_topic, partition_id_of, partition_key, read_row
from dataflare_cli.errors import Corruption
from dataflare_cli.log.append import appended_ms_of, end_of
from dataflare_cli.log.keys import (
    LOG_KEY,
    TIME_KEY,
    on_partition,
    seek_batch,
    seek_first,
    seek_last,
    time_key,
)
from dataflare_cli.log.trim import expired_before_ms
from dataflare_cli.model import OFFSET_MAX, PartitionInfo, Topic

if TYPE_CHECKING:
    import lmdb

    from dataflare_cli.codec.runs import Run
    from dataflare_cli.store import View

# A run of about 2 MiB keeps two cores' caches warm and costs one call into the kernel.
RUN_BYTES_MAX = 2 * 1024 * 1024
RUN_BATCHES_MAX = 16_384


def read_run(
    view: "View",
    topic: Topic,
    partition: int,
    offset: int,
    end: int,
    *,
    now_ms: int,
    bytes_max: int = RUN_BYTES_MAX,
) -> "tuple[Run, int] | None":
    """Copy and verify the batches from the one that holds `offset` on; None at the end.

    Also returns the first offset of the run that may be read: a run consists of whole
    batches and may begin before `offset`, and `offset` itself may have been dropped.
    Batches from `end` on are not taken.
    """
    topic = current_topic(view, topic)
    partition_id = partition_id_of(topic, partition)
    row = read_row(view, partition_id)
    wanted = max(offset, row.floor)
    log = view.cursor(b"log")
    if not seek_batch(log, partition_id, wanted):
        if row.batch_count:
            raise _missing(topic, partition, row.floor, "no batch")
        return None
    found = LOG_KEY.unpack(log.key())[1]
    if found > wanted:
        raise _missing(topic, partition, wanted, f"offset {found}")
    if not _skip_expired(log, topic, partition_id, now_ms):
        return None
    flat: list[bytes | memoryview] = []
    size = 0
    prefix = partition_key(partition_id)
    for key, frame in log.iternext():
        if key[:4] != prefix:
            break
        if not flat and end_of(key, frame) <= offset:
            continue
        if LOG_KEY.unpack(key)[1] >= end or (flat and size + len(frame) > bytes_max):
            break
        flat += (key, frame)
        size += len(frame)
        if size >= bytes_max or len(flat) >= 2 * RUN_BATCHES_MAX:
            break
    if not flat:
        # A batch out of its place (a damaged key) must not look like the end.
        if seek_last(log, partition_id) and end_of(log.key(), log.value()) > wanted:
            raise _missing(topic, partition, wanted, "none")
        return None
    run = _load_sound(flat)
    return run, max(wanted, run.start_offset)


def _load_sound(flat: "list[bytes | memoryview]") -> "Run":
    """Load a run; of a damaged one what comes before the damage, which the next read reports."""
    try:
        return codec.load_run(flat)
    except Corruption:
        sound = 0
        with suppress(Corruption):
            while sound < len(flat):
                codec.check_frame(flat[sound], flat[sound + 1])
                sound += 2
        if sound in (0, len(flat)):
            raise
        return codec.load_run(flat[:sound])


def _missing(topic: Topic, partition: int, offset: int, found: str) -> Corruption:
    return Corruption(
        f"{topic.name}-{partition}",
        expected=f"a batch with offset {offset}",
        found=found,
        hint="records are missing: restore the data directory from a backup",
    )


def _skip_expired(log: "lmdb.Cursor", topic: Topic, partition_id: int, now_ms: int) -> bool:
    """Move a cursor past batches whose age is over; False if none is left."""
    before_ms = expired_before_ms(topic, now_ms)
    if before_ms is None:
        return True
    while appended_ms_of(log.key(), log.value()) < before_ms:
        if not (log.next() and on_partition(log, partition_id)):
            return False
    return True


def find_bounds(view: "View", topic: Topic, partition: int, *, now_ms: int) -> tuple[int, int]:
    """Return (start offset, end offset): what can be read is the half-open range."""
    topic = current_topic(view, topic)
    partition_id = partition_id_of(topic, partition)
    floor = read_row(view, partition_id).floor
    log = view.cursor(b"log")
    if not seek_last(log, partition_id):
        return floor, floor
    end = end_of(log.key(), log.value())
    seek_first(log, partition_id)
    if not _skip_expired(log, topic, partition_id, now_ms):
        return end, end
    return max(floor, LOG_KEY.unpack(log.key())[1]), end


def find_time(view: "View", topic: Topic, partition: int, timestamp_ms: int, *, now_ms: int) -> int:
    """Return the first offset whose record is at or after a time; the end if none is.

    The index is of running maxima, so the first batch at or above the time holds the
    first such record.
    """
    start, end = find_bounds(view, topic, partition, now_ms=now_ms)
    partition_id = partition_id_of(topic, partition)
    wanted = max(-1, min(timestamp_ms, OFFSET_MAX))
    times = view.cursor(b"times")
    found_time = times.set_range(time_key(partition_id, wanted, 0))
    if not (found_time and on_partition(times, partition_id)):
        return end
    offset: int = TIME_KEY.unpack(times.key())[2]
    while offset < end:
        found = read_run(view, topic, partition, max(offset, start), end, now_ms=now_ms)
        if found is None:
            break
        run, first = found
        for record in run.records(first, None):
            if record.timestamp_ms >= wanted:
                return record.offset
        offset = run.next_offset
    return end


def describe_partition(view: "View", topic: Topic, partition: int, *, now_ms: int) -> PartitionInfo:
    """Return what `partition list` shows."""
    topic = current_topic(view, topic)
    partition_id = partition_id_of(topic, partition)
    start, end = find_bounds(view, topic, partition, now_ms=now_ms)
    row = read_row(view, partition_id)
    first_ms = last_ms = None
    if start < end:
        log = view.cursor(b"log")
        seek_batch(log, partition_id, start)
        first_ms = _timestamp_or_none(
            codec.read_header(log.value(), codec.PREFIX_BYTES), first=True
        )
        seek_last(log, partition_id)
        last_ms = _timestamp_or_none(
            codec.read_header(log.value(), codec.PREFIX_BYTES), first=False
        )
    return PartitionInfo(
        topic=topic.name,
        partition=partition,
        start_offset=start,
        end_offset=end,
        record_count=end - start,
        size_bytes=row.stored_bytes,
        batch_count=row.batch_count,
        first_timestamp_ms=first_ms,
        last_timestamp_ms=last_ms,
    )


def _timestamp_or_none(header: "codec.BatchHeader", *, first: bool) -> int | None:
    by_append = header.attributes & codec.TIMESTAMP_TYPE_BIT
    value = header.base_timestamp_ms if first and not by_append else header.max_timestamp_ms
    return None if value < 0 else value
