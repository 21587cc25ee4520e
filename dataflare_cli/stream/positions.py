"""Positions: where reading begins and ends in each partition, from what was asked.

Fluvio's rules: the beginning plus N and the end minus N are kept within the log, an
absolute offset is not; a stored offset o resumes at o+1 (plus or minus N), and an
absolute offset ignores it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from dataflare_cli.consumers import Consumers
from dataflare_cli.errors import OffsetOutOfRange
from dataflare_cli.log import Log
from dataflare_cli.model import OFFSET_MAX, Topic
from dataflare_cli.stream.reader import Track
from dataflare_cli.text.offsets import OffsetSpec, Position

FROM_END = OffsetSpec(Position("end", 0), None)


class Wanted(NamedTuple):
    """What to read: the same for every partition."""

    spec: OffsetSpec
    stop_at_end: bool = False  # end where the log ends now
    consumer: str | None = None
    partitions: Sequence[int] = ()  # empty: all


def tracks_for(log: Log, consumers: Consumers, topic: Topic, wanted: Wanted) -> list[Track]:
    """Return a topic's tracks.

    Raises:
        NotFound: the topic has no such partition.
        OffsetOutOfRange: the start is past the end of every partition.
    """
    partitions = wanted.partitions or range(len(topic.partition_ids))
    tracks = []
    beyond: list[tuple[int, int, int]] = []
    for partition in partitions:
        start, end = log.bounds(topic, partition)
        stored = None
        if wanted.consumer is not None:
            stored = consumers.offset(wanted.consumer, topic, partition)
        offset = _start(log, topic, partition, wanted.spec.start, (start, end), stored)
        if offset > end:
            beyond.append((offset, start, end))
        limit = _resolve(log, topic, partition, wanted.spec.end, (start, end))
        stop = OFFSET_MAX if limit is None else limit
        if wanted.stop_at_end:
            stop = min(stop, end)
        tracks.append(
            Track(topic, partition, offset, stop, has_limit=limit is not None)
        )
    if beyond and len(beyond) == len(tracks):
        offset, start, end = beyond[0]
        raise OffsetOutOfRange(
            f"start offset: {offset} is greater than leo: {end}",
            start=start,
            end=end,
            hint=f"{topic.name} has offsets {start} to {end - 1}: use -B, -T N or an offset there"
            if end > start
            else f"{topic.name} is empty: leave the offset out to wait for records",
        )
    return tracks


def _start(
    log: Log,
    topic: Topic,
    partition: int,
    position: Position,
    bounds: tuple[int, int],
    stored: int | None,
) -> int:
    start, end = bounds
    if stored is not None and position.kind in ("start", "end", "relative-start", "relative-end"):
        back = position.kind == "relative-end"
        shifted = stored + 1 + (-position.value if back else position.value)
        return max(start, min(shifted, end))
    found = _resolve(log, topic, partition, position, bounds)
    assert found is not None
    return found


def _resolve(
    log: Log, topic: Topic, partition: int, position: Position | None, bounds: tuple[int, int]
) -> int | None:
    if position is None:
        return None
    start, end = bounds
    value = position.value
    if position.kind == "start":
        return start
    if position.kind == "end":
        return end
    if position.kind == "relative-start":
        return min(end, start + value)
    if position.kind == "relative-end":
        return max(start, end - value)
    if position.kind == "time":
        return log.offset_for_time(topic, partition, value)
    return value
