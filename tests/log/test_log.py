"""What the log does on its own: retention, deletion, merging, damage."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflare_cli import codec
from dataflare_cli.catalog import Catalog, read_row
from dataflare_cli.errors import Corruption, NotFound
from dataflare_cli.log import Log, facade
from dataflare_cli.log.keys import log_key
from dataflare_cli.log.trim import sweep, trim_topics
from dataflare_cli.model import Record, Topic, TopicSpec
from dataflare_cli.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of its own."""
    with Store.open(tmp_path / "data") as store:
        yield store


def frame_of(*values: bytes, timestamp_ms: int = 1) -> bytearray:
    """Return a sealed frame of some values."""
    return codec.encode_frame([Record(value=value, timestamp_ms=timestamp_ms) for value in values])


def values_of(log: Log, topic: Topic, partition: int = 0) -> list[bytes | None]:
    """Return everything that can be read of a partition."""
    offset, _ = log.bounds(topic, partition)
    found = []
    while (read := log.read(topic, partition, offset)) is not None:
        run, offset = read
        found += [record.value for record in run.records(offset, run.next_offset)]
        offset = run.next_offset
    return found


def test_expired_batches_are_neither_read_nor_kept(store: Store) -> None:
    """A batch older than the retention is skipped at once, and gone after the next trim."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec(retention_s=10))
    log.append(topic, [(0, frame_of(b"old"))])
    with store.change("test", "age") as change:
        key = log_key(topic.partition_ids[0], 0)
        frame = bytearray(change.get(b"log", key) or b"")
        codec.stamp(frame, base_offset=0, appended_ms=1)
        change.put(b"log", key, frame)

    assert [] == values_of(log, topic)
    assert (1, 1) == log.bounds(topic, 0)
    log.append(topic, [(0, frame_of(b"new"))])
    assert [b"new"] == values_of(log, topic)
    assert 1 == log.partition_info(topic, 0).batch_count


def test_a_partition_stays_below_its_size(store: Store) -> None:
    """Oldest batches go first, offsets go on, and totals stay right."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec(partition_bytes_max=4096, segment_bytes=4096))
    for number in range(50):
        log.append(topic, [(0, frame_of(b"%03d" % number * 100))])
    info = log.partition_info(topic, 0)

    assert 50 == info.end_offset
    assert info.size_bytes <= 4096
    assert info.record_count == 50 - info.start_offset > 0
    assert [] == list(log.verify())


def test_other_topics_are_trimmed_too(store: Store) -> None:
    """A topic nobody writes to any more is trimmed by whoever tidies."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec(retention_s=10))
    log.append(topic, [(0, frame_of(b"a"))])
    later_ms = 2**42

    assert 1 == trim_topics(store, now_ms=later_ms)
    assert 0 == trim_topics(store, now_ms=later_ms)
    with store.view() as view:
        assert (1, 0, 0) == read_row(view, topic.partition_ids[0])


def test_a_deleted_topic_is_gone_for_its_producer(store: Store) -> None:
    """An append to a deleted topic is NotFound, also when a new one took its name."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec())
    catalog.delete_topic("t")
    catalog.create_topic("t", TopicSpec())

    with pytest.raises(NotFound):
        log.append(topic, [(0, frame_of(b"orphan"))])


def test_sweep_finishes_a_deletion(store: Store) -> None:
    """Batches of a deleted topic stay until a sweep, and none is left after it."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec(partitions=2))
    log.append(topic, [(0, frame_of(b"a", b"b")), (1, frame_of(b"c"))])
    catalog.delete_topic("t")

    assert 3 == sweep(store)
    with store.view() as view:
        for database in (b"log", b"times", b"partitions"):
            assert [] == list(view.items(database))


def test_a_renamed_topic_goes_on(store: Store) -> None:
    """A producer that opened the topic under its old name writes on."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("old", TopicSpec())
    log.append(topic, [(0, frame_of(b"a"))])
    catalog.rename_topic("old", "new")
    log.append(topic, [(0, frame_of(b"b"))])

    assert [b"a", b"b"] == values_of(log, catalog.topic("new"))


def test_small_batches_are_merged(store: Store) -> None:
    """A thousand one-record batches end as a few, with the same records."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec())
    for number in range(1000):
        log.append(topic, [(0, frame_of(b"%d" % number, timestamp_ms=number))])

    assert [b"%d" % number for number in range(1000)] == values_of(log, topic)
    assert log.partition_info(topic, 0).batch_count < 250
    assert [] == list(log.verify())
    assert 700 == log.offset_for_time(topic, 0, 700)


@pytest.mark.parametrize("at", [0, 9, 17, 20, 28, 33, 36, 40, 45, 60, 80, 85, 120])
def test_a_flipped_byte_is_corruption(store: Store, at: int) -> None:
    """A damaged frame is reported, and never read as other data."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec())
    log.append(topic, [(0, frame_of(b"some value that is long enough to be hit in its middle"))])
    key = log_key(topic.partition_ids[0], 0)
    with store.change("test", "damage") as change:
        frame = bytearray(change.get(b"log", key) or b"")
        frame[at] ^= 0x10
        change.put(b"log", key, frame)

    with pytest.raises(Corruption):
        values_of(log, topic)
    assert [] != list(log.verify())


def test_verify_sees_a_missing_batch(store: Store) -> None:
    """A hole in the offsets is found."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec())
    for value in (b"a" * 5000, b"b" * 5000, b"c" * 5000):
        log.append(topic, [(0, frame_of(value))])
    with store.change("test", "damage") as change:
        change.delete(b"log", log_key(topic.partition_ids[0], 1))

    assert any("offset 1 is missing" in finding.problem for finding in log.verify())


def test_verify_sees_wrong_totals(store: Store) -> None:
    """A row that does not add up is found."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec())
    log.append(topic, [(0, frame_of(b"a"))])
    with store.change("test", "damage") as change:
        key = topic.partition_ids[0].to_bytes(4, "big")
        change.put(b"partitions", key, struct.pack(">QQQ", 0, 1, 1))

    assert any("row says" in finding.problem for finding in log.verify())


def test_a_purge_keeps_what_arrives_meanwhile(store: Store) -> None:
    """A purge drops what was there when it began."""
    catalog, log = Catalog(store), Log(store)
    topic = catalog.create_topic("t", TopicSpec())
    log.append(topic, [(0, frame_of(b"a", b"b", b"c"))])

    assert 2 == log.purge(topic, 0, 2)
    assert [b"c"] == values_of(log, topic)
    assert 1 == log.purge(topic, 0)
    log.append(topic, [(0, frame_of(b"d"))])
    assert [b"d"] == values_of(log, topic)
    assert (3, 4) == log.bounds(topic, 0)


def damage(store: Store, partition_id: int, offset: int, at: int) -> None:
    """Flip a byte of a stored frame."""
    with store.change("test", "damage") as change:
        key = log_key(partition_id, offset)
        frame = bytearray(change.get(b"log", key) or b"")
        frame[at] ^= 0xFF
        change.put(b"log", key, frame)


def test_new_partitions_may_be_interleaved(store: Store) -> None:
    """Frames of several empty partitions, in any order, go into one commit."""
    topic = Catalog(store).create_topic("t", TopicSpec(partitions=3))
    log = Log(store)
    log.append(topic, [(number % 3, frame_of(b"%d" % number)) for number in (0, 2, 1, 2, 0, 4)])

    assert [b"0", b"0"] == values_of(log, topic, 0)
    assert [] == list(log.verify())


@pytest.mark.parametrize("at", [3, 12, 50, 90])
def test_damage_does_not_keep_new_records_out(store: Store, at: int) -> None:
    """Whatever is wrong with older batches, an append is stored; trimming and merging wait."""
    spec = TopicSpec(partition_bytes_max=20_000, segment_bytes=20_000)
    topic = Catalog(store).create_topic("t", spec)
    log = Log(store)
    log.append(topic, [(0, frame_of(b"old" * 2000))])
    damage(store, topic.partition_ids[0], 0, at)
    for number in range(600):
        log.append(topic, [(0, frame_of(b"%d" % number * 30))])

    start, end = log.bounds(topic, 0)
    assert 601 == end
    assert start > 0  # size drops what is damaged, too


def test_a_damaged_small_batch_does_not_keep_new_ones_out(store: Store) -> None:
    """Merging passes over it."""
    topic = Catalog(store).create_topic("t", TopicSpec())
    log = Log(store)
    for number in range(200):
        log.append(topic, [(0, frame_of(b"%d" % number))])
    damage(store, topic.partition_ids[0], 150, 90)
    for number in range(200, 600):
        log.append(topic, [(0, frame_of(b"%d" % number))])

    assert 600 == log.bounds(topic, 0)[1]
    with pytest.raises(Corruption):
        values_of(log, topic)


def test_a_clock_set_back_makes_nothing_expire(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merged batches are as old as the newest of them, wherever the clock stood at the end."""
    topic = Catalog(store).create_topic("t", TopicSpec())
    log = Log(store)
    for number in range(255):
        log.append(topic, [(0, frame_of(b"%d" % number))])
    now_ms = facade.now()
    monkeypatch.setattr(facade, "now", lambda: now_ms - 8 * 24 * 3_600_000)
    log.append(topic, [(0, frame_of(b"255"))])
    monkeypatch.undo()

    assert 0 == log.bounds(topic, 0)[0]
    assert 255 <= len(values_of(log, topic))


def test_a_batch_out_of_its_place_is_corruption(store: Store) -> None:
    """A damaged key does not pass for the end of the partition."""
    topic = Catalog(store).create_topic("t", TopicSpec())
    other = Catalog(store).create_topic("u", TopicSpec())
    log = Log(store)
    for _ in range(3):
        log.append(topic, [(0, frame_of(b"a" * 5000))])
    with store.change("test", "damage") as change:
        key = log_key(topic.partition_ids[0], 1)
        frame = change.get(b"log", key)
        assert frame is not None
        change.delete(b"log", key)
        change.put(b"log", log_key(other.partition_ids[0], 1), frame)

    with pytest.raises(Corruption, match="offset 1"):
        values_of(log, topic)


def test_a_damaged_topic_can_be_purged_and_deleted(store: Store) -> None:
    """What is broken can be thrown away."""
    topic = Catalog(store).create_topic("t", TopicSpec())
    log = Log(store)
    for _ in range(3):
        log.append(topic, [(0, frame_of(b"a" * 5000))])
    damage(store, topic.partition_ids[0], 0, 50)
    damage(store, topic.partition_ids[0], 1, 3)

    assert 2 == log.purge(topic, 0, 2)
    assert [b"a" * 5000] == values_of(log, topic)
    Catalog(store).delete_topic("t")
    assert 1 == sweep(store)
