"""The partitioned log: frames in, runs out, in order.

Hides how batches are keyed, found, merged and dropped; callers think in offsets.

Invariants
- Offsets of a partition are dense from its start offset to its end offset.
- A batch is either wholly readable or reported as Corruption; never shortened.
- append() has returned => the records survive the death of this process and of the
  machine (with durability "relaxed": of this process).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dataflare_cli.catalog import (
    all_topics,
    current_topic,
    find_topic,
    partition_id_of,
    read_row,
    write_row,
)
from dataflare_cli.log.append import Appended, append_frames
from dataflare_cli.log.bells import Bells, ring
from dataflare_cli.log.read import (
    RUN_BYTES_MAX,
    describe_partition,
    find_bounds,
    find_time,
    read_run,
)
from dataflare_cli.log.trim import (
    drop_batches,
    floor_after_trim,
    sweep,
    trim_after_append,
    trim_topics,
)
from dataflare_cli.log.verify import Finding, verify_topics
from dataflare_cli.model import OFFSET_MAX, PartitionInfo, Topic, TopicSpec

if TYPE_CHECKING:
    from dataflare_cli.codec.runs import Run
    from dataflare_cli.store import Change, Store, View


class Admitted(NamedTuple):
    """What of some frames goes into the log, and the error to end with once it has."""

    frames: Sequence[tuple[int, bytearray]]
    error: Exception | None = None


class Stored(NamedTuple):
    """What an append has made durable, and the error that kept the rest out."""

    appended: list[Appended]
    stored_bytes: int
    error: Exception | None


# Looks at frames inside the transaction that is to append them, for a topic that asks for it.
Gate = Callable[["Change", Topic, Sequence[tuple[int, bytearray]]], Admitted]


class Log:
    """The records of one store.

    `gate` is what keeps duplicates out of topics that ask for that: a layer above runs
    SmartModules.
    """

    def __init__(self, store: "Store", *, gate: Gate | None = None) -> None:
        self.store, self._gate = store, gate

    def append(self, topic: Topic, frames: Sequence[tuple[int, bytearray]]) -> list[Appended]:
        """Write sealed frames, given with their partitions, in one durable commit.

        Either every frame is visible to the next read or none is. The caller bounds
        the commit (model.COMMIT_BYTES_MAX). A topic with deduplication takes what its
        gate lets through: less may be appended than was given.

        Raises:
            NotFound: the topic was deleted, or has no such partition.
            Unreachable: busy, full, read-only.
            ModuleFailed: the filter of the deduplication did; nothing is stored.
        """
        return self.append_some(topic, frames, whole=True).appended

    def append_some(
        self, topic: Topic, frames: Sequence[tuple[int, bytearray]], *, whole: bool
    ) -> Stored:
        """Do what `append` does; where a gate fails, store what came before, unless `whole`.

        Raises:
            as `append`; ModuleFailed only if `whole`.
        """
        now_ms = now()
        error = None
        with self.store.change("append", f"topic {topic.name}") as change:
            topic = current_topic(change, topic)
            if topic.spec.deduplication is not None:
                assert self._gate is not None, "whoever appends opens the log with a gate"
                frames, error = self._gate(change, topic, frames)
                if error is not None and whole:
                    raise error
            appended = append_frames(change, topic, frames, now_ms=now_ms)
            trim_after_append(change, topic, {each.partition for each in appended}, now_ms=now_ms)
            change.after_commit.append(lambda: ring(self.store.path, topic.topic_id))
        return Stored(appended, sum(len(frame) for _, frame in frames), error)

    def cancel(self) -> None:
        """Give up waiting for the writer lock."""
        self.store.lock.cancel()

    def read(
        self,
        topic: Topic,
        partition: int,
        offset: int,
        end: int = OFFSET_MAX,
        *,
        bytes_max: int = RUN_BYTES_MAX,
    ) -> "tuple[Run, int] | None":
        """Return the batches from the one with `offset` on as a verified copy; None at the end.

        Also returns the first offset in it that may be read: `offset`, or a later one where
        older records were dropped. At most `bytes_max`, or one batch.
        """
        with self.store.view() as view:
            return read_run(view, topic, partition, offset, end, now_ms=now(), bytes_max=bytes_max)

    def bounds(self, topic: Topic, partition: int) -> tuple[int, int]:
        """Return (start offset, end offset) of a partition, half-open."""
        with self.store.view() as view:
            return find_bounds(view, topic, partition, now_ms=now())

    def offset_for_time(self, topic: Topic, partition: int, timestamp_ms: int) -> int:
        """Return the first offset at or after a time; the end offset if there is none."""
        with self.store.view() as view:
            return find_time(view, topic, partition, timestamp_ms, now_ms=now())

    def partition_info(self, topic: Topic, partition: int) -> PartitionInfo:
        """Return what `partition list` shows."""
        with self.store.view() as view:
            return describe_partition(view, topic, partition, now_ms=now())

    def describe(self, name: str) -> tuple[Topic, list[PartitionInfo]]:
        """Return a topic and what `partition list` shows of it, as of one moment.

        Raises:
            NotFound: with close matches.
        """
        with self.store.view() as view:
            return _describe(view, find_topic(view, name))

    def overview(self) -> list[tuple[Topic, list[PartitionInfo]]]:
        """Return every topic and its partitions, by name, as of one moment."""
        with self.store.view() as view:
            return [_describe(view, topic) for topic in all_topics(view)]

    def expiring(self, topic: Topic, spec: TopicSpec) -> int:
        """Return how many records could not be read any more if a topic had these settings."""
        now_ms = now()
        with self.store.view() as view:
            topic = current_topic(view, topic)
            altered = msgspec.structs.replace(topic, spec=spec)
            count = 0
            for partition, partition_id in enumerate(topic.partition_ids):
                start, _ = find_bounds(view, topic, partition, now_ms=now_ms)
                floor = floor_after_trim(view, altered, partition_id, now_ms=now_ms)
                count += max(0, floor - start)
        return count

    def purge(self, topic: Topic, partition: int, before: int | None = None) -> int:
        """Drop the records below an offset (None: all there are now); return how many.

        Records that arrive meanwhile stay. In bounded commits: what an interruption
        leaves is still readable, and purged by the next call.
        """
        start, end = self.bounds(topic, partition)
        target = end if before is None else min(before, end)
        done = target <= start
        while not done:
            with self.store.change("purge", f"topic {topic.name}") as change:
                topic = current_topic(change, topic)
                partition_id = partition_id_of(topic, partition)
                _, done = drop_batches(change, partition_id, before=target)
                row = read_row(change, partition_id)
                if done and row.floor < target:
                    # The rest of a batch stays stored, and out of reach.
                    write_row(change, partition_id, row._replace(floor=target))
        return max(0, target - start)

    def tidy(self) -> None:
        """Drop what has expired in all topics, and what deleted topics left, in bounded commits."""
        sweep(self.store)
        trim_topics(self.store, now_ms=now())

    def follow(self, topics: Sequence[Topic]) -> Bells:
        """Return the bells to wait on for news of some topics."""
        return Bells(self.store.path, [topic.topic_id for topic in topics])

    def verify(self) -> Iterator[Finding]:
        """Yield everything in the store that does not agree with itself."""
        return verify_topics(self.store)


def now() -> int:
    """Return the time in ms since 1970."""
    return time.time_ns() // 1_000_000


def _describe(view: "View", topic: Topic) -> tuple[Topic, list[PartitionInfo]]:
    now_ms = now()
    return topic, [
        describe_partition(view, topic, partition, now_ms=now_ms)
        for partition in range(len(topic.partition_ids))
    ]
