"""Named consumers: what each has last seen of a partition.

Hides how offsets are keyed: the consumer's name, a NUL, the partition's id, so that
they survive a rename of the topic and go with its deletion.

The stored offset is that of the last record seen (Fluvio's rule). One process at a
time uses a consumer; the kernel lets go of a dead one's hold.
"""

import struct
import time
from collections.abc import Mapping

from dataflare_cli.catalog import all_topics, check_name, current_topic, partition_key
from dataflare_cli.model import ConsumerOffset, Topic
from dataflare_cli.store import HoldLock, Store, View

# Offset last seen (-1: none yet), and when in ms.
_VALUE = struct.Struct(">qq")


class Consumers:
    """The consumers of one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def hold(self, consumer: str) -> HoldLock:
        """Return the hold on a consumer: Unreachable on entry while another process has it."""
        check_name(consumer, noun="Consumer")
        return HoldLock(self.store.path / "holds" / consumer, what=f'consumer "{consumer}"')

    def offset(self, consumer: str, topic: Topic, partition: int) -> int | None:
        """Return the offset last seen (-1: none yet), or None for a new consumer."""
        with self.store.view() as view:
            raw = view.get(b"consumers", _key(consumer, topic.partition_ids[partition]))
        return None if raw is None else int(_VALUE.unpack(raw)[0])

    def commit(self, consumer: str, seen: Mapping[int, int]) -> None:
        """Store the offsets last seen, by partition id; what was deleted meanwhile is left out."""
        now_ms = time.time_ns() // 1_000_000
        with self.store.change("commit", f"consumer {consumer}") as change:
            for partition_id, offset in seen.items():
                if change.get(b"partitions", partition_key(partition_id)) is not None:
                    change.put(
                        b"consumers", _key(consumer, partition_id), _VALUE.pack(offset, now_ms)
                    )

    def forget(
        self, consumer: str, topic: Topic | None, partition: int | None
    ) -> list[ConsumerOffset]:
        """Remove a consumer's offsets (of one topic, of one partition); return what went."""
        with self.store.change("delete", f"consumer {consumer}") as change:
            gone = [
                (key, each)
                for key, each in _stored(change, consumer)
                if (topic is None or each.topic == topic.name)
                and (partition is None or each.partition == partition)
            ]
            for key, _ in gone:
                change.delete(b"consumers", key)
        return [each for _, each in gone]

    def reset(self, consumer: str, topic: Topic, offsets: Mapping[int, int | None]) -> None:
        """Set what a consumer has last seen, by partition.

        -1: nothing yet, so that it begins at offset 0. None: forget it, so that it begins
        as a new consumer does.
        """
        now_ms = time.time_ns() // 1_000_000
        with self.store.change("reset", f"consumer {consumer}") as change:
            topic = current_topic(change, topic)
            for partition, offset in offsets.items():
                key = _key(consumer, topic.partition_ids[partition])
                if offset is None:
                    change.delete(b"consumers", key)
                else:
                    change.put(b"consumers", key, _VALUE.pack(offset, now_ms))

    def offsets(self, consumer: str | None = None) -> list[ConsumerOffset]:
        """Return the stored offsets, of one consumer or of all, by name, topic, partition."""
        with self.store.view() as view:
            return [each for _, each in _stored(view, consumer)]


def _stored(view: View, consumer: str | None) -> list[tuple[bytes, ConsumerOffset]]:
    """Return keys and offsets, as of one moment, in the order they are shown."""
    places = {
        partition_id: (topic.name, partition)
        for topic in all_topics(view)
        for partition, partition_id in enumerate(topic.partition_ids)
    }
    prefix = b"" if consumer is None else consumer.encode() + b"\0"
    found = []
    for key, value in view.items(b"consumers", prefix):
        place = places.get(int.from_bytes(key[-4:], "big"))
        if place is not None:
            offset, modified_ms = _VALUE.unpack(value)
            each = ConsumerOffset(
                consumer=key[:-5].decode(),
                topic=place[0],
                partition=place[1],
                offset=offset,
                modified_ms=modified_ms,
            )
            found.append((key, each))
    return sorted(found, key=lambda pair: (pair[1].consumer, pair[1].topic, pair[1].partition))


def _key(consumer: str, partition_id: int) -> bytes:
    return consumer.encode() + b"\0" + partition_key(partition_id)
