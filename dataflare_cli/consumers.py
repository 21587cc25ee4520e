"""Named consumers: what each has last seen of a partition.

Hides how offsets are keyed: the consumer's name, a NUL, the partition's id, so that
they survive a rename of the topic and go with its deletion.

The stored offset is that of the last record seen (Fluvio's rule). One process at a
time uses a consumer; the kernel lets go of a dead one's hold.
"""

import struct
import time
from collections.abc import Mapping

from dataflare_cli.catalog import check_name, current_topic, partition_key
from dataflare_cli.model import ConsumerOffset, Topic
from dataflare_cli.store import HoldLock, Store

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

    def commit(self, consumer: str, seen: Mapping[tuple[Topic, int], int]) -> None:
        """Store the offsets last seen, in one commit; a topic deleted meanwhile is left out."""
        now_ms = time.time_ns() // 1_000_000
        with self.store.change("commit", f"consumer {consumer}") as change:
            for (topic, partition), offset in seen.items():
                partition_id = topic.partition_ids[partition]
                if change.get(b"partitions", partition_key(partition_id)) is not None:
                    change.put(
                        b"consumers", _key(consumer, partition_id), _VALUE.pack(offset, now_ms)
                    )

    def forget(
        self, consumer: str, topic: Topic | None, partition: int | None
    ) -> list[ConsumerOffset]:
        """Remove a consumer's offsets (of one topic, of one partition); return what went."""
        gone = [
            each
            for each in self.offsets(consumer)
            if (topic is None or each.topic == topic.name)
            and (partition is None or each.partition == partition)
        ]
        if gone:
            with self.store.change("delete", f"consumer {consumer}") as change:
                ids = {each.name: each.partition_ids for each in _topics(self.store)}
                for each in gone:
                    if each.topic in ids:
                        key = _key(consumer, ids[each.topic][each.partition])
                        change.delete(b"consumers", key)
        return gone

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
        places = {
            partition_id: (topic.name, partition)
            for topic in _topics(self.store)
            for partition, partition_id in enumerate(topic.partition_ids)
        }
        prefix = b"" if consumer is None else consumer.encode() + b"\0"
        found = []
        with self.store.view() as view:
            for key, value in view.items(b"consumers", prefix):
                place = places.get(int.from_bytes(key[-4:], "big"))
                if place is not None:
                    offset, modified_ms = _VALUE.unpack(value)
                    found.append(
                        ConsumerOffset(
                            consumer=key[:-5].decode(),
                            topic=place[0],
                            partition=place[1],
                            offset=offset,
                            modified_ms=modified_ms,
                        )
                    )
        return sorted(found, key=lambda each: (each.consumer, each.topic, each.partition))


def _topics(store: Store) -> list[Topic]:
    from dataflare_cli.catalog import Catalog

    return Catalog(store).topics()


def _key(consumer: str, partition_id: int) -> bytes:
    return consumer.encode() + b"\0" + partition_key(partition_id)
