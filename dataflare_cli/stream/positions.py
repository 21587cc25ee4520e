"""Positions: where reading begins and ends in each partition, from what was asked.

Fluvio's rules: the beginning plus N and the end minus N are kept within the log, an
absolute offset is not; a stored offset o resumes at o+1 (plus or minus N), and an
absolute offset ignores it.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dataflare_cli.catalog import partition_id_of
from dataflare_cli.consumers import Consumers
from dataflare_cli.errors import OffsetOutOfRange
from dataflare_cli.model import OFFSET_MAX, Topic
from dataflare_cli.stream.reader import Track
from dataflare_cli.text.offsets import OffsetSpec, Position


class Wanted(NamedTuple):
    """What to read: the same for every partition."""

    spec: OffsetSpec
    stop_at_end: bool = False  # end where the log ends now
    consumer: str | None = None
    partitions: Sequence[int] = ()  # empty: all


class Offsets(Protocol):
    """Where partitions begin and end; a `Log` is one."""

    def bounds(self, topic: Topic, partition: int) -> tuple[int, int]:
        """Return the first offset, and that of the next record."""
        ...

    def offset_for_time(self, topic: Topic, partition: int, timestamp_ms: int) -> int:
        """Return the first offset whose timestamp is at least this, else the end."""
        ...


def tracks_for(
    log: Offsets, consumers: Consumers | None, topic: Topic, wanted: Wanted
) -> list[Track]:
    """Return a topic's tracks.

    Raises:
        NotFound: the topic has no such partition.
        OffsetOutOfRange: the start is past the end of every partition.
    """
    partitions = wanted.partitions or range(len(topic.partition_ids))
    tracks = []
    beyond: list[tuple[int, int, int]] = []
    for partition in partitions:
        if not 0 <= partition < len(topic.partition_ids):
            partition_id_of(topic, partition)  # NotFound, with what there is
        start, end = log.bounds(topic, partition)
        place = _Place(log, topic, partition, start, end)
        stored = None
        if wanted.consumer is not None and consumers is not None:
            stored = consumers.offset(wanted.consumer, topic, partition)
        offset = place.start_for(wanted.spec.start, stored)
        if offset > end:
            beyond.append((offset, start, end))
        limit = None if wanted.spec.end is None else place.resolve(wanted.spec.end)
        stop = OFFSET_MAX if limit is None else limit
        if wanted.stop_at_end:
            stop = min(stop, end)
        tracks.append(
            Track(
                topic,
                partition,
                offset,
                stop,
                is_new=stored is None,
                has_limit=limit is not None,
            )
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


class _Place(NamedTuple):
    """A partition, with its bounds as they were when the run began."""

    log: Offsets
    topic: Topic
    partition: int
    start: int
    end: int

    def start_for(self, position: Position, stored: int | None) -> int:
        """Return where to begin, given what the consumer has last seen."""
        if stored is not None and position.kind not in ("offset", "time"):
            back = position.kind == "relative-end"
            shifted = stored + 1 + (-position.value if back else position.value)
            return max(self.start, min(shifted, self.end))
        return self.resolve(position)

    def resolve(self, position: Position) -> int:
        """Return the offset a position means here."""
        match position.kind:
            case "start":
                return self.start
            case "end":
                return self.end
            case "relative-start":
                return min(self.end, self.start + position.value)
            case "relative-end":
                return max(self.start, self.end - position.value)
            case "time":
                return self.log.offset_for_time(self.topic, self.partition, position.value)
        return position.value
