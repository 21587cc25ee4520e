"""Dropping: retention by age and size, purges, and what a deleted topic leaves.

Whole batches go, oldest first, in bounded steps: a step that a crash leaves undone
is done by the next producer. The floor of a partition remembers how far it went, so
offsets are never used again.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from dataflare_cli.catalog import (
    GARBAGE,
    Catalog,
    PartitionRow,
    current_topic,
    partition_key,
    read_row,
    write_row,
)
from dataflare_cli.errors import Corruption, NotFound
from dataflare_cli.log.append import appended_ms_of, end_of
from dataflare_cli.log.keys import LOG_KEY, on_partition, seek_first
from dataflare_cli.model import COMMIT_DROPS_MAX, Topic, TopicSpec

if TYPE_CHECKING:
    import lmdb

    from dataflare_cli.store import Change, Store, View

# Small batches are cheap to drop; a purge of many must not take a commit for every 64.
DROP_BYTES_MAX = 64 * 1024 * 1024
DROP_BATCHES_MAX = 4096
SWEEP_MAX = 2048


def expired_before_ms(topic: Topic, now_ms: int) -> int | None:
    """Return the append time before which batches have expired; None: never."""
    if topic.spec.retention_s is None:
        return None
    return now_ms - topic.spec.retention_s * 1000


def trim_partition(
    change: "Change", topic: Topic, partition_id: int, *, now_ms: int, count_max: int
) -> int:
    """Drop what has expired by age, or is above the partition's size; return how many batches.

    The last batch stays when only size asks for it: a partition can't be emptied by
    a single batch larger than its limit.
    """
    row = read_row(change, partition_id)
    before_ms = expired_before_ms(topic, now_ms)
    log, times = change.cursor(b"log"), change.cursor(b"times")
    dropped = 0
    while dropped < count_max and seek_first(log, partition_id):
        if not (_is_too_much(row, topic.spec) or _is_older(log, before_ms)):
            break
        row = _without_first(log, partition_id, row)
        _delete_first(log, times, partition_id)
        dropped += 1
    if dropped:
        write_row(change, partition_id, row)
    return dropped


def trim_topics(store: "Store", *, now_ms: int) -> int:
    """Drop everything that has expired in all topics, in bounded commits."""
    dropped = 0
    for topic in Catalog(store).topics():
        for partition_id in topic.partition_ids:
            with suppress(NotFound, Corruption):  # deleted meanwhile; a reader will report it
                dropped += _trim_expired(store, topic, partition_id, now_ms)
    return dropped


def _trim_expired(store: "Store", topic: Topic, partition_id: int, now_ms: int) -> int:
    dropped = 0
    while _has_expired(store, topic, partition_id, now_ms):
        with store.change("trim", f"topic {topic.name}") as change:
            current = current_topic(change, topic)
            count = trim_partition(
                change, current, partition_id, now_ms=now_ms, count_max=DROP_BATCHES_MAX
            )
        dropped += count
        if not count:
            break
    return dropped


def _has_expired(store: "Store", topic: Topic, partition_id: int, now_ms: int) -> bool:
    """Look before taking the writer lock."""
    with store.view() as view:
        row = read_row(view, partition_id)
        if _is_too_much(row, topic.spec):
            return True
        before_ms = expired_before_ms(topic, now_ms)
        log = view.cursor(b"log")
        return before_ms is not None and seek_first(log, partition_id) and _is_older(log, before_ms)


def drop_batches(
    change: "Change", partition_id: int, *, before: int | None = None
) -> tuple[int, bool]:
    """Drop a bounded number of batches that end at or before an offset (None: all).

    Returns the records dropped, and whether none of these batches is left.
    """
    old = row = read_row(change, partition_id)
    log, times = change.cursor(b"log"), change.cursor(b"times")
    gone, gone_bytes = 0, 0
    done = False
    while gone < DROP_BATCHES_MAX and gone_bytes < DROP_BYTES_MAX:
        if not seek_first(log, partition_id):
            done = True
            break
        rest = _without_first(log, partition_id, row)
        if before is not None and rest.floor > before:
            done = True
            break
        gone, gone_bytes = gone + 1, gone_bytes + len(log.value())
        row = rest
        _delete_first(log, times, partition_id)
    write_row(change, partition_id, row)
    return row.floor - old.floor, done


def floor_after_trim(view: "View", topic: Topic, partition_id: int, *, now_ms: int) -> int:
    """Return below which offset `trim_partition` would drop, had the topic these settings."""
    row = read_row(view, partition_id)
    before_ms = expired_before_ms(topic, now_ms)
    log = view.cursor(b"log")
    found = seek_first(log, partition_id)
    while found and (_is_too_much(row, topic.spec) or _is_older(log, before_ms)):
        row = _without_first(log, partition_id, row)
        found = log.next() and on_partition(log, partition_id)
    return row.floor


def _is_too_much(row: PartitionRow, spec: TopicSpec) -> bool:
    """Tell whether a partition is above its size; its last batch may be."""
    return row.stored_bytes > spec.partition_bytes_max and row.batch_count > 1


def _without_first(log: "lmdb.Cursor", partition_id: int, row: PartitionRow) -> PartitionRow:
    """Return the row as it is once the batch at the cursor, the first one, is gone."""
    return row._replace(
        floor=_end_of_first(log, partition_id),
        stored_bytes=row.stored_bytes - len(log.value()),
        batch_count=row.batch_count - 1,
    )


def _delete_first(log: "lmdb.Cursor", times: "lmdb.Cursor", partition_id: int) -> None:
    """Delete the batch at the cursor, and the first entry of the time index: its own."""
    log.delete()
    if seek_first(times, partition_id):
        times.delete()


def _is_older(log: "lmdb.Cursor", before_ms: int | None) -> bool:
    """Tell whether the cursor's batch was appended before a time; a damaged one stays."""
    if before_ms is None:
        return False
    try:
        return appended_ms_of(log.key(), log.value()) < before_ms
    except Corruption:
        return False


def _end_of_first(log: "lmdb.Cursor", partition_id: int) -> int:
    """Return where the cursor's batch ends; of a damaged one, where the next begins."""
    try:
        return end_of(log.key(), log.value())
    except Corruption:
        key = bytes(log.key())
        following = log.next() and on_partition(log, partition_id)
        end: int = LOG_KEY.unpack(log.key() if following else key)[1]
        log.set_key(key)
        return end if following else end + 1


def sweep(store: "Store") -> int:
    """Finish dropping deleted topics' batches; return how many records went."""
    dropped = 0
    while True:
        with store.view() as view:
            if next(view.items(b"catalog", GARBAGE), None) is None:
                return dropped
        with store.change("sweep", "deleted topics") as change:
            # Many empty partitions go in one commit, a large one takes several.
            for key in [key for key, _ in change.items(b"catalog", GARBAGE)][:SWEEP_MAX]:
                partition_id = int.from_bytes(key[1:], "big")
                count, done = drop_batches(change, partition_id)
                dropped += count
                if done:
                    change.delete(b"partitions", partition_key(partition_id))
                    change.delete(b"catalog", key)
                if count:
                    break


def trim_after_append(change: "Change", topic: Topic, partitions: set[int], *, now_ms: int) -> None:
    """Drop a few expired batches of the partitions just written, in the same commit."""
    left = COMMIT_DROPS_MAX
    for partition in partitions:
        left -= trim_partition(
            change, topic, topic.partition_ids[partition], now_ms=now_ms, count_max=left
        )
        if left <= 0:
            break
