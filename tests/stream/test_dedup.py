"""Topics without duplicates: whoever writes, whatever happens to them, a value is stored once.

Invariants
- A record is left out if and only if its value is among the last `count` that are stored.
- What was not stored does not count as seen.
"""

import hashlib
import random
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import wat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataflare_cli import codec
from dataflare_cli.catalog import Catalog
from dataflare_cli.codec.smart import encode_input, join_records
from dataflare_cli.errors import DataError, InvalidModule, ModuleFailed, NotFound, Unreachable
from dataflare_cli.log import Admitted, Log
from dataflare_cli.model import Codec, Deduplication, Record, Topic, TopicSpec
from dataflare_cli.smartmodule.registry import Found, described
from dataflare_cli.store import Store
from dataflare_cli.stream import dedup
from dataflare_cli.stream.dedup import open_log

WAIT_S = 60
MANY = 100_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of its own."""
    with Store.open(tmp_path / "store") as store:
        yield store


def create(store: Store, *, count: int = MANY, partitions: int = 1, **more: object) -> Topic:
    spec = TopicSpec(
        partitions=partitions,
        deduplication=Deduplication(count=count, **more),  # type: ignore[arg-type]
    )
    return Catalog(store).create_topic("t", spec)


def frame(values: Sequence[object], compression: Codec = Codec.NONE, stamp: int = 1) -> bytearray:
    records = [Record(str(value).encode(), timestamp_ms=stamp) for value in values]
    return codec.encode_frame(records, compression)


def append(log: Log, topic: Topic, *values: object, partition: int = 0) -> int:
    """Append values; return how many were stored."""
    return sum(each.record_count for each in log.append(topic, [(partition, frame(values))]))


def stored(log: Log, topic: Topic, partition: int = 0) -> list[str]:
    offset, _ = log.bounds(topic, partition)
    found = []
    while (read := log.read(topic, partition, offset)) is not None:
        taken, offset = read
        for record in taken.records(offset, taken.next_offset):
            assert offset == record.offset  # dense
            offset = record.offset + 1
            found.append((record.value or b"").decode())
    return found


# -------------------------------------------------------------------- the invariants

values = st.lists(st.integers(0, 9), min_size=1, max_size=12)
writes = st.lists(
    st.tuples(st.integers(0, 2), st.lists(values, min_size=1, max_size=3), st.booleans()),
    max_size=10,
)


@settings(deadline=None, max_examples=100)
@given(written=writes, count=st.sampled_from([1, 2, 3, 7, MANY]))
@example(written=[(0, [[0]], False), (1, [[1, 2, 0]], False), (0, [[1, 0]], False)], count=2)
def test_any_interleaving_of_writers_is_as_one(written, count, tmp_path_factory):
    """Invariants: a value is left out if and only if it is among the last so many stored ones.

    Writers are processes as the log sees them: each has a memory of its own, and some start anew.
    """
    expected: list[int] = []
    with Store.open(tmp_path_factory.mktemp("dedup") / "data") as store:
        topic = create(store, count=count)
        logs = [open_log(store) for _ in range(3)]
        for writer, batches, is_new in written:
            if is_new:
                logs[writer] = open_log(store)
            before = len(expected)
            for value in (value for batch in batches for value in batch):
                if value not in expected[-count:]:
                    expected.append(value)
            frames = [(0, frame(batch)) for batch in batches]
            done = logs[writer].append(topic, frames)
            assert len(expected) - before == sum(each.record_count for each in done)

        assert [str(each) for each in expected] == stored(logs[0], topic)
        assert [] == list(logs[0].verify())


@settings(deadline=None, max_examples=40)
@given(
    attempts=st.lists(
        st.tuples(st.sampled_from(["stores", "fails", "other"]), values), min_size=1, max_size=8
    ),
    compression=st.sampled_from(Codec),
)
@example(attempts=[("stores", [1]), ("fails", [2]), ("other", [3])], compression=Codec.NONE)
def test_what_was_not_stored_does_not_count_as_seen(attempts, compression, tmp_path_factory):
    """Invariants: a commit that fails, wherever it does, leaves no trace in what is remembered.

    Whether others have stored something since or not; in the end, everything is stored again.
    """
    unique: dict[str, None] = {}
    with Store.open(tmp_path_factory.mktemp("dedup") / "data") as store:
        topic = create(store)
        other, (log, fails) = open_log(store), failing_log(store)
        for kind, batch in [*attempts, *(("stores", batch) for _, batch in attempts)]:
            if kind == "fails":
                fails.append(True)
                with pytest.raises(DataError, match="as it was told"):
                    log.append(topic, [(0, frame(batch, compression))])
                fails.clear()
            else:
                writer = other if kind == "other" else log
                writer.append(topic, [(0, frame(batch, compression))])
                unique |= dict.fromkeys(map(str, batch))
            assert list(unique) == stored(log, topic)


def failing_log(store: Store) -> tuple[Log, list[bool]]:
    """Return a log whose commits fail, after its filters were asked, while the list has a True."""
    gate = dedup._Gate(store)
    fails: list[bool] = []

    def admit(change, topic, frames) -> Admitted:
        admitted = gate.admit(change, topic, frames)
        if any(fails):
            raise DataError("it fails as it was told")
        return admitted

    gate.log = Log(store, gate=admit)
    return gate.log, fails


# -------------------------------------------------------------------- what is remembered


def test_partitions_have_memories_of_their_own(store):
    """The same value may be in two of them, also within one commit."""
    topic, log = create(store, partitions=2), open_log(store)
    done = log.append(topic, [(0, frame("ab")), (1, frame("bcb")), (0, frame("xa"))])

    assert [(0, 2), (1, 2), (0, 1)] == [(each.partition, each.record_count) for each in done]
    assert (list("abx"), list("bc")) == (stored(log, topic, 0), stored(log, topic, 1))
    log.append(topic, [(1, frame("xbcd")), (0, frame("abxd"))])
    assert (list("abxd"), list("bcxd")) == (stored(log, topic, 0), stored(log, topic, 1))


def test_frames_of_which_nothing_is_left_out_stay_as_they_are(store):
    """Byte for byte: what costs time is done for what needs it."""
    topic, log = create(store), open_log(store)
    plain = Catalog(store).create_topic("plain", TopicSpec())
    for target in (topic, plain):
        log.append(target, [(0, frame(range(1000), Codec.ZSTD))])

    sizes = [log.partition_info(each, 0).size_bytes for each in (topic, plain)]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("compression", Codec)
def test_what_is_left_of_a_frame_is_compressed_as_it_was(compression, store):
    """By its codec; records keep their key, headers and time."""
    topic, log = create(store), open_log(store)
    records = [
        Record(b"%d" % (n // 2) + b"." * 200, b"k%d" % n, ((b"h", b"%d" % n),), 2**33 * n)
        for n in range(20)
    ]
    log.append(topic, [(0, codec.encode_frame(records, compression))])
    found = log.read(topic, 0, 0)
    assert found is not None

    kept = [(each.key, each.headers, each.timestamp_ms) for each in found[0].records(0, 10)]
    assert [(each.key, each.headers, each.timestamp_ms) for each in records[::2]] == kept
    smaller = log.partition_info(topic, 0).size_bytes < 10 * 200
    assert smaller == (compression is not Codec.NONE)


def test_a_full_disk(store):
    """A commit that had no room is forgotten: its records are stored when there is."""
    topic, log = create(store), open_log(store)
    large = random.Random(1).randbytes(4_000_000).hex()
    append(log, topic, "a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, ((store.path / "data.mdb").stat().st_size + 4096, hard)
    )
    try:
        with pytest.raises(Unreachable):
            append(log, topic, "b", large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert 3 == append(log, topic, "a", "b", large, "c")
    assert ["a", "b", large, "c"] == stored(log, topic)


def test_a_filter_that_is_altered_is_another_one(store):
    """A writer that is at work notices: the new one knows what is stored."""
    topic, log = create(store), open_log(store)
    append(log, topic, *"abc")
    for bounds, given_values, count in (
        (Deduplication(count=1), "ca", 1),
        (None, "aa", 2),
        (Deduplication(count=MANY), "ab", 0),
    ):
        Catalog(store).alter_topic("t", deduplication=bounds)
        assert count == append(log, topic, *given_values)

    assert 1 == append(log, topic, "a", "b", "d")
    assert list("abcaaad") == stored(log, topic)


def test_a_topic_that_was_made_anew(store):
    """Has nothing to do with the one of before."""
    topic, log = create(store), open_log(store)
    append(log, topic, "a")
    Catalog(store).delete_topic("t")
    with pytest.raises(NotFound):
        append(log, topic, "b")
    again = create(store)

    assert 2 == append(log, again, "a", "b")


def test_merging_small_batches_changes_nothing(store):
    """As producers do after hundreds of lone records."""
    topic, log, other = create(store), open_log(store), open_log(store)
    for number in range(600):
        assert 1 == append(log, topic, number)
    assert log.partition_info(topic, 0).batch_count < 600

    assert 1 == append(other, topic, *range(600), "new")
    assert 1 == append(log, topic, *range(600), "new", "newer")


# ------------------------------------------------------------------------ other filters


def put_module(store: Store, wasm: bytes) -> None:
    found = Found("mine", hashlib.sha256(wasm).hexdigest(), wasm, "file")
    Catalog(store).put_smartmodule(described("mine", found, None), wasm)


def test_any_filter_may_say_what_is_a_duplicate(store):
    """It is stored like others."""
    put_module(store, wat.puppet())
    topic, log = create(store, uses="mine"), open_log(store)

    assert 3 == append(log, topic, "a", "d", "o", "o", "a")
    assert ["a", "o", "a"] == stored(log, topic)


def test_a_filter_that_fails_ends_behind_what_came_before(store):
    """That is stored; and the filter goes on from there."""
    put_module(store, wat.puppet())
    topic, log = create(store, uses="mine"), open_log(store)
    done = log.append_some(topic, [(0, frame(["a", "d", "b", "E", "c"]))], whole=False)
    error = done.error

    assert isinstance(error, ModuleFailed)
    assert ("t", 0, "mine") == (error.topic, error.partition, error.module)
    assert [(0, 0, 2)] == done.appended
    assert ["a", "b"] == stored(log, topic)
    with pytest.raises(ModuleFailed):
        append(log, topic, "f", "E")
    assert 1 == append(log, topic, "c")
    assert ["a", "b", "c"] == stored(log, topic)


def test_a_filter_that_makes_more_than_it_was_given(store):
    """It is none: what it makes more of would be stored twice."""
    three = join_records([encode_input(Record(b"a"), 0, 0)] * 3)
    put_module(store, wat.giving(three + b"\0"))
    topic, log = create(store, uses="mine"), open_log(store)
    with pytest.raises(InvalidModule, match="of 1 it made 3") as caught:
        append(log, topic, "a")

    assert "dataflare topic alter t --no-dedup ends that" in str(caught.value.hint)
    assert [] == stored(log, topic)


def test_a_filter_that_is_not_to_be_had(store):
    """Nothing is stored: not there, no filter, no module."""
    topic, log = create(store, uses="mine"), open_log(store)
    with pytest.raises(NotFound, match="SmartModule mine was not found"):
        append(log, topic, "a")
    put_module(store, wat.module(kind="map"))
    with pytest.raises(InvalidModule, match="needs a filter, and it is of the kind map"):
        append(log, topic, "a")
    put_module(store, wat.puppet())

    assert 1 == append(log, topic, "a")
    assert ["a"] == stored(log, topic)
