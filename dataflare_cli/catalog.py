"""The catalog: which topics, SmartModules and table formats exist.

Hides how they are keyed and encoded. A topic's partitions are rows of their own
(`log`), found by ids that are never used again, so that a reader or producer of a
deleted topic can't meet another one's data.

A partition's row holds its trimmed floor, from which an empty one derives its next
offset, and two totals that are derivable from its batches (`verify` compares them).

Keys: kind byte, then the name. Kinds: t topic, s SmartModule, f table format, g partition
whose batches are still to be dropped (its id in the place of a name). A SmartModule's bytes
are in `blobs`, under their SHA-256; they go with the last name that has them.
"""

import difflib
import hashlib
import struct
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import msgspec

from dataflare_cli.errors import AlreadyExists, Corruption, DataError, NotFound
from dataflare_cli.model import (
    DEDUP_COUNT_MAX,
    PARTITION_BYTES_DEFAULT,
    PARTITION_BYTES_MIN,
    PARTITIONS_MAX,
    RETENTION_S_MIN,
    SEGMENT_BYTES_DEFAULT,
    SEGMENT_BYTES_MIN,
    SmartModule,
    Topic,
    TopicSpec,
    is_name,
)
from dataflare_cli.store import Change, Store, View

TOPIC, SMARTMODULE, TABLE_FORMAT, GARBAGE = b"t", b"s", b"f", b"g"

_ROW = struct.Struct(">QQQ")


class PartitionRow(NamedTuple):
    """What the store keeps of a partition beside its batches."""

    floor: int = 0  # first offset that was not dropped
    stored_bytes: int = 0  # of all frames
    batch_count: int = 0


class Catalog:
    """What exists in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def topics(self) -> list[Topic]:
        """Return every topic, by name."""
        with self.store.view() as view:
            return all_topics(view)

    def topic(self, name: str) -> Topic:
        """Return one topic.

        Raises:
            NotFound: with close matches.
        """
        with self.store.view() as view:
            return find_topic(view, name)

    def create_topic(self, name: str, spec: TopicSpec, *, dry_run: bool = False) -> Topic:
        """Create a topic with empty partitions; `dry_run` only checks.

        Raises:
            DataError: a bad name or a setting outside its limits (Fluvio's wording).
            AlreadyExists: the name is taken.
        """
        check_name(name)
        check_spec(spec)
        if dry_run:
            with self.store.view() as view:
                _refuse_taken(view, name)
            return Topic(name=name, topic_id=0, partition_ids=(), spec=spec, created_ms=0)
        with self.store.change("create", f"topic {name}") as change:
            _refuse_taken(change, name)
            topic = Topic(
                name=name,
                topic_id=change.count_up(b"next_topic_id"),
                partition_ids=_new_partitions(change, spec.partitions),
                spec=spec,
                created_ms=time.time_ns() // 1_000_000,
            )
            put_topic(change, topic)
        return topic

    def delete_topic(self, name: str) -> Topic:
        """Remove a topic and its consumers' offsets; `Log.tidy` drops its batches."""
        with self.store.change("delete", f"topic {name}") as change:
            topic = find_topic(change, name)
            change.delete(b"catalog", TOPIC + name.encode())
            for partition_id in topic.partition_ids:
                change.put(b"catalog", GARBAGE + partition_key(partition_id), b"")
            _forget_offsets(change, topic.partition_ids)
        return topic

    def rename_topic(self, old: str, new: str) -> Topic:
        """Give a topic another name; open producers and consumers go on."""
        check_name(new)
        with self.store.change("rename", f"topic {old}") as change:
            topic = find_topic(change, old)
            _refuse_taken(change, new)
            change.delete(b"catalog", TOPIC + old.encode())
            topic = msgspec.structs.replace(topic, name=new)
            put_topic(change, topic)
        return topic

    def alter_topic(self, name: str, **settings: object) -> Topic:
        """Change retention_s, segment_bytes, partition_bytes_max or compression."""
        with self.store.change("alter", f"topic {name}") as change:
            topic = find_topic(change, name)
            spec = msgspec.structs.replace(topic.spec, **settings)
            check_spec(spec)
            topic = msgspec.structs.replace(topic, spec=spec)
            put_topic(change, topic)
        return topic

    def add_partitions(self, name: str, count: int) -> Topic:
        """Add empty partitions after the last one."""
        with self.store.change("add-partition", f"topic {name}") as change:
            topic = find_topic(change, name)
            total = len(topic.partition_ids) + count
            spec = msgspec.structs.replace(topic.spec, partitions=total)
            check_spec(spec)
            ids = topic.partition_ids + _new_partitions(change, count)
            topic = msgspec.structs.replace(topic, partition_ids=ids, spec=spec)
            put_topic(change, topic)
        return topic

    def smartmodules(self) -> list[SmartModule]:
        """Return every stored SmartModule, by name; their bytes are not read."""
        with self.store.view() as view:
            return [_decode_smartmodule(value) for _, value in view.items(b"catalog", SMARTMODULE)]

    def smartmodule_bytes(self, module: SmartModule) -> bytes:
        """Return a stored SmartModule's bytes.

        Raises:
            Corruption: they are not what was stored.
        """
        with self.store.view() as view:
            wasm = view.get(b"blobs", bytes.fromhex(module.sha256)) or b""
        found = hashlib.sha256(wasm).hexdigest()
        if found != module.sha256:
            raise Corruption(
                f"SmartModule {module.name}", expected=f"SHA-256 {module.sha256}", found=found
            )
        return wasm

    def put_smartmodule(
        self, module: SmartModule, wasm: bytes, *, replace: bool = True
    ) -> SmartModule | None:
        """Store a SmartModule under its name; return the one that had the name before.

        Raises:
            AlreadyExists: there is one, and it is not to be replaced.
        """
        check_name(module.name, noun="SmartModule")
        key = SMARTMODULE + module.name.encode()
        with self.store.change("create", f"smartmodule {module.name}") as change:
            raw = change.get(b"catalog", key)
            before = None if raw is None else _decode_smartmodule(raw)
            if before is not None and not replace:
                raise AlreadyExists("smartmodule", module.name, hint="leave --no-replace out")
            change.put(b"catalog", key, msgspec.msgpack.encode(module))
            change.put(b"blobs", bytes.fromhex(module.sha256), wasm)
            if before is not None:
                _drop_blob(change, before.sha256)
        return before

    def delete_smartmodule(self, name: str) -> SmartModule:
        """Remove a SmartModule.

        Raises:
            NotFound: with close matches.
        """
        key = SMARTMODULE + name.encode("utf-8", "replace")
        with self.store.change("delete", f"smartmodule {name}") as change:
            raw = change.get(b"catalog", key)
            if raw is None:
                names = [key[1:].decode() for key, _ in change.items(b"catalog", SMARTMODULE)]
                raise NotFound("smartmodule", name, suggestions=close_matches(name, names))
            module = _decode_smartmodule(raw)
            change.delete(b"catalog", key)
            _drop_blob(change, module.sha256)
        return module

    def table_formats(self) -> list[tuple[str, bytes]]:
        """Return the stored table formats as (name, YAML)."""
        with self.store.view() as view:
            return [(key[1:].decode(), raw) for key, raw in view.items(b"catalog", TABLE_FORMAT)]

    def table_format(self, name: str) -> bytes:
        """Return one table format's YAML."""
        with self.store.view() as view:
            raw = view.get(b"catalog", TABLE_FORMAT + name.encode("utf-8", "replace"))
            if raw is None:
                names = [key[1:].decode() for key, _ in view.items(b"catalog", TABLE_FORMAT)]
                close = close_matches(name, names)
                hint = None if close else "dataflare table-format list shows all"
                raise NotFound("tableformat", name, suggestions=close, hint=hint)
            return raw

    def create_table_format(self, name: str, text: bytes) -> None:
        """Store a table format."""
        check_name(name, noun="TableFormat")
        with self.store.change("create", f"tableformat {name}") as change:
            if change.get(b"catalog", TABLE_FORMAT + name.encode()) is not None:
                raise AlreadyExists("tableformat", name)
            change.put(b"catalog", TABLE_FORMAT + name.encode(), text)

    def delete_table_format(self, name: str) -> None:
        """Remove a table format."""
        self.table_format(name)
        with self.store.change("delete", f"tableformat {name}") as change:
            change.delete(b"catalog", TABLE_FORMAT + name.encode())


def all_topics(view: View) -> list[Topic]:
    """Return every topic inside a transaction, by name."""
    return [_decode(value) for _, value in view.items(b"catalog", TOPIC)]


def find_topic(view: View, name: str) -> Topic:
    """Return a topic inside a transaction, or raise NotFound with close matches."""
    raw = view.get(b"catalog", TOPIC + name.encode("utf-8", "replace")) if name else None
    if raw is None:
        names = [key[1:].decode() for key, _ in view.items(b"catalog", TOPIC)]
        raise NotFound(
            "topic",
            name,
            suggestions=close_matches(name, names),
            hint=None if close_matches(name, names) else "dataflare topic list shows all topics",
        )
    return _decode(raw)


def current_topic(view: View, topic: Topic) -> Topic:
    """Return the row a topic has now, also after a rename; NotFound once it is deleted."""
    raw = view.get(b"catalog", TOPIC + topic.name.encode())
    if raw is not None:
        found = _decode(raw)
        if found.topic_id == topic.topic_id:
            return found
    for _, value in view.items(b"catalog", TOPIC):
        found = _decode(value)
        if found.topic_id == topic.topic_id:
            return found
    raise NotFound("topic", topic.name, hint="it was deleted while this command was running")


def put_topic(change: Change, topic: Topic) -> None:
    """Write a topic's row."""
    change.put(b"catalog", TOPIC + topic.name.encode(), msgspec.msgpack.encode(topic))


def partition_id_of(topic: Topic, partition: int) -> int:
    """Return a partition's id, or raise NotFound naming what the topic has."""
    if 0 <= partition < len(topic.partition_ids):
        return topic.partition_ids[partition]
    last = len(topic.partition_ids) - 1
    raise NotFound("partition", f"{topic.name}-{partition}", hint=f"it has partitions 0 to {last}")


def partition_key(partition_id: int) -> bytes:
    """Return the 4 bytes that begin every key of a partition."""
    return partition_id.to_bytes(4, "big")


def read_row(view: View, partition_id: int) -> PartitionRow:
    """Return a partition's row; a deleted partition has none and reads as empty."""
    raw = view.get(b"partitions", partition_key(partition_id))
    return PartitionRow() if raw is None else PartitionRow._make(_ROW.unpack(raw))


def write_row(change: Change, partition_id: int, row: PartitionRow) -> None:
    """Write a partition's row."""
    change.put(b"partitions", partition_key(partition_id), _ROW.pack(*row))


def _forget_offsets(change: Change, partition_ids: Iterable[int]) -> None:
    """Remove what named consumers had stored for partitions that go."""
    gone = {b"\0" + partition_key(partition_id) for partition_id in partition_ids}
    for key in [key for key, _ in change.items(b"consumers") if key[-5:] in gone]:
        change.delete(b"consumers", key)


def check_name(name: str, *, noun: str = "Topic") -> None:
    """Refuse a name that Kafka would not take."""
    if not name.strip():
        raise DataError(f"Invalid argument: {noun} name is required")
    if not is_name(name):
        raise DataError(
            f"Invalid argument: Invalid {noun} name {name!r}. "
            "Contain only letters, digits, '.', '_' or '-', 249 at most"
        )


def check_spec(spec: TopicSpec) -> None:
    """Refuse settings outside their limits, in Fluvio's words."""
    checks = (
        # Before the segments: their size follows a partition's when it was not given.
        (spec.partition_bytes_max, "max_partition_size", PARTITION_BYTES_MIN),
        (spec.segment_bytes, "segment_size", SEGMENT_BYTES_MIN),
        (spec.retention_s, "retention_secs", RETENTION_S_MIN),
        (spec.partitions, "partitions", 1),
    )
    for value, name, minimum in checks:
        if value is not None and value < minimum:
            raise DataError(f"{name} {value} is less than minimum {minimum}")
    if spec.partition_bytes_max < spec.segment_bytes:
        raise DataError(
            f"max_partition_size {spec.partition_bytes_max} "
            f"is less than segment size {spec.segment_bytes}"
        )
    dedup = spec.deduplication
    if dedup is not None and not 1 <= dedup.count <= DEDUP_COUNT_MAX:
        raise DataError(f"dedup-count {dedup.count} is out of its limits (1 to {DEDUP_COUNT_MAX})")
    if spec.partitions > PARTITIONS_MAX:
        raise DataError(f"partitions {spec.partitions} is more than maximum {PARTITIONS_MAX}")


def _drop_blob(change: Change, sha256: str) -> None:
    """Remove the bytes of a SmartModule that no name has any more."""
    stored = change.items(b"catalog", SMARTMODULE)
    if all(_decode_smartmodule(value).sha256 != sha256 for _, value in stored):
        change.delete(b"blobs", bytes.fromhex(sha256))


def segment_bytes_for(partition_bytes_max: int | None, segment_bytes: int | None) -> int:
    """An unset segment size is 1 GiB, or the partition's size if that is smaller."""
    if segment_bytes is not None:
        return segment_bytes
    return min(SEGMENT_BYTES_DEFAULT, partition_bytes_max or PARTITION_BYTES_DEFAULT)


def close_matches(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three names that somebody may have meant."""
    return difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)


def _refuse_taken(view: View, name: str) -> None:
    if view.get(b"catalog", TOPIC + name.encode()) is not None:
        raise AlreadyExists("topic", name)


def _new_partitions(change: Change, count: int) -> tuple[int, ...]:
    ids = tuple(change.count_up(b"next_partition_id") for _ in range(count))
    for partition_id in ids:
        write_row(change, partition_id, PartitionRow())
    return ids


# A read looks at the row each time; the same bytes are the same topic.
@lru_cache(maxsize=256)
def _decode(raw: bytes) -> Topic:
    return msgspec.msgpack.decode(raw, type=Topic)


def _decode_smartmodule(raw: bytes) -> SmartModule:
    return msgspec.msgpack.decode(raw, type=SmartModule)
