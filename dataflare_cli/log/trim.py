"""Dropping: retention by age and size, purges, and what a deleted topic leaves.

Whole batches go, oldest first, in bounded steps: a step that a crash leaves undone
is done by the next producer. The floor of a partition remembers how far it went, so
offsets are never used again.
"""

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dataflare_cli.catalog import (
    GARBAGE,
    Catalog,
    current_topic,
    partition_key,
    read_row,
    write_row,
)
from dataflare_cli.errors import Corruption, NotFound
from dataflare_cli.log.append import appended_ms_of, end_of
from dataflare_cli.log.keys import LOG_KEY, on_partition, seek_first
from dataflare_cli.model import COMMIT_DROPS_MAX, Topic

if TYPE_CHECKING:
    import lmdb

    from dataflare_cli.store import Change, Store

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
        frame = log.value()
        too_much = row.stored_bytes > topic.spec.partition_bytes_max and row.batch_count > 1
        if not (too_much or _is_older(log, before_ms)):
            break
        row = row._replace(
            floor=_end_of_first(log, partition_id),
            stored_bytes=row.stored_bytes - len(frame),
            batch_count=row.batch_count - 1,
        )
        log.delete()
        if seek_first(times, partition_id):
            times.delete()
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
        if row.stored_bytes > topic.spec.partition_bytes_max and row.batch_count > 1:
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
    row = read_row(change, partition_id)
    log, times = change.cursor(b"log"), change.cursor(b"times")
    floor, gone_bytes, gone = row.floor, 0, 0
    done = False
    while gone < DROP_BATCHES_MAX and gone_bytes < DROP_BYTES_MAX:
        if not seek_first(log, partition_id):
            done = True
            break
        end = _end_of_first(log, partition_id)
        if before is not None and end > before:
            done = True
            break
        floor = end
        gone_bytes += len(log.value())
        gone += 1
        log.delete()
        if seek_first(times, partition_id):
            times.delete()
    write_row(
        change,
        partition_id,
        row._replace(
            floor=floor,
            stored_bytes=row.stored_bytes - gone_bytes,
            batch_count=row.batch_count - gone,
        ),
    )
    return floor - row.floor, done


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


def trim_after_append(
    change: "Change", topic: Topic, partitions: set[int], *, now_ms: int | None = None
) -> int:
    """Drop a few expired batches of the partitions just written, in the same commit."""
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    left = COMMIT_DROPS_MAX
    for partition in partitions:
        left -= trim_partition(
            change, topic, topic.partition_ids[partition], now_ms=now, count_max=left
        )
        if left <= 0:
            break
    return COMMIT_DROPS_MAX - left
