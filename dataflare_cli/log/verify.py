"""Verifying: does everything a store holds agree with itself?

Every batch's checksums and structure, dense offsets, the time index's entries, and
the totals in each partition's row. Reads only.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from dataflare_cli import codec
from dataflare_cli.catalog import Catalog, partition_key, read_row
from dataflare_cli.errors import Corruption, NotFound
from dataflare_cli.log.keys import LOG_KEY, split_time_key
from dataflare_cli.model import NO_TIMESTAMP, Topic

if TYPE_CHECKING:
    from dataflare_cli.store import Store, View

# One transaction walks at most this much, so that a check pins no pages for long.
STEP_BYTES_MAX = 32 * 1024 * 1024


class Finding(NamedTuple):
    """Something that does not agree."""

    topic: str
    partition: int
    problem: str


def verify_topics(store: "Store") -> Iterator[Finding]:
    """Yield everything that does not agree, topic by topic."""
    for topic in Catalog(store).topics():
        for partition in range(len(topic.partition_ids)):
            try:
                yield from _verify_partition(store, topic, partition)
            except NotFound:
                break  # deleted meanwhile


def _verify_partition(store: "Store", topic: Topic, partition: int) -> Iterator[Finding]:
    partition_id = topic.partition_ids[partition]
    offset: int | None = None
    while True:
        with store.view() as view:
            if offset is None:
                yield from _verify_totals(view, topic, partition)
            problems, offset = _verify_step(view, partition_id, offset)
        for problem in problems:
            yield Finding(topic.name, partition, problem)
        if offset is None:
            return


def _verify_step(
    view: "View", partition_id: int, offset: int | None
) -> tuple[list[str], int | None]:
    """Check batches from `offset` on; return the problems and where to go on (None: done)."""
    problems: list[str] = []
    prefix = partition_key(partition_id)
    log = view.cursor(b"log")
    if not log.set_range(LOG_KEY.pack(partition_id, offset or 0)):
        return problems, None
    size, expected = 0, offset
    for key, frame in log.iternext():
        if key[:4] != prefix:
            return problems, None
        if size > STEP_BYTES_MAX:
            return problems, LOG_KEY.unpack(key)[1]
        size += len(frame)
        base_offset = LOG_KEY.unpack(key)[1]
        if expected is not None and base_offset != expected:
            problems.append(f"offset {expected} is missing: the next batch has {base_offset}")
        try:
            for _ in codec.load_run([key, frame]).records():
                pass
        except Corruption as exc:
            problems.append(str(exc))
        expected = _end_of(frame)
    return problems, None


def _verify_totals(view: "View", topic: Topic, partition: int) -> Iterator[Finding]:
    """Compare a partition's row and time index with its batches."""
    partition_id = topic.partition_ids[partition]
    prefix = partition_key(partition_id)
    row = read_row(view, partition_id)
    bases: list[tuple[int, int]] = []
    stored_bytes = 0
    running_max_ms, end = NO_TIMESTAMP, None
    log = view.cursor(b"log")
    if log.set_range(prefix):
        for key, frame in log.iternext():
            if key[:4] != prefix:
                break
            header = codec.read_header(frame, codec.PREFIX_BYTES)
            running_max_ms = max(running_max_ms, header.max_timestamp_ms)
            bases.append((running_max_ms, LOG_KEY.unpack(key)[1]))
            stored_bytes += len(frame)
            end = _end_of(frame)
    if end is not None and not row.floor < end:
        yield Finding(topic.name, partition, f"floor {row.floor} is not before its end {end}")
    if (row.stored_bytes, row.batch_count) != (stored_bytes, len(bases)):
        yield Finding(
            topic.name,
            partition,
            f"row says {row.stored_bytes} bytes in {row.batch_count} batches, "
            f"found {stored_bytes} in {len(bases)}",
        )
    index = _index_of(view, partition_id)
    # A running maximum may stem from a batch that was dropped: at least, not equal.
    if [base for _, base in index] != [base for _, base in bases] or any(
        stored < found for (stored, _), (found, _) in zip(index, bases, strict=True)
    ):
        yield Finding(topic.name, partition, "the time index does not match the batches")


def _end_of(frame: bytes | memoryview) -> int:
    """Return the offset after a batch as its header says, damaged or not."""
    header = codec.read_header(frame, codec.PREFIX_BYTES)
    return header.base_offset + header.record_count


def _index_of(view: "View", partition_id: int) -> list[tuple[int, int]]:
    prefix = partition_key(partition_id)
    times = view.cursor(b"times")
    found = []
    if times.set_range(prefix):
        for key in times.iternext(values=False):
            if key[:4] != prefix:
                break
            found.append(split_time_key(bytes(key)))
    return found
