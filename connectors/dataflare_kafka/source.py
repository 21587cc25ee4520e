"""Reading partitions: Fetch responses as they come, a few ahead of whoever reads.

Hides which broker leads what, and that one request asks a broker for all its partitions.

Invariants
- A partition's next request begins where its last response ended.
- At most `AHEAD` responses wait to be read: memory has a bound, and a reader that stops
  stops the brokers.
"""

import asyncio
import queue
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import errors as kafka
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition as KafkaPartition

from dataflare_cli.codec.incoming import Aborted, next_offset_of, take_batches
from dataflare_cli.connect import Fetched, TopicPartition
from dataflare_kafka.faults import PASSING, translated

if TYPE_CHECKING:
    from dataflare_kafka.connection import KafkaConnection

AHEAD = 4
# How long a broker waits for something to give.
WAIT_MS = 500
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 30.0


class _Response(NamedTuple):
    """What a broker gave of a partition, unread."""

    place: TopicPartition
    start: int
    data: bytes
    aborted: list[Aborted]
    # It does not have `start` any more: this is the first that it has.
    evicted_to: int | None = None


class KafkaSource:
    """Partitions of a cluster, from positions on."""

    def __init__(self, connection: "KafkaConnection") -> None:
        self._connection = connection
        self.trouble: str | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._responses: queue.SimpleQueue[_Response | BaseException] = queue.SimpleQueue()
        self._room: asyncio.Semaphore | None = None
        self._task: Any = None

    def open(self, positions: Mapping[TopicPartition, int]) -> None:
        """Begin to read."""
        self._positions = dict(positions)
        self._connection.run(self._start())

    def read(self, timeout_s: float) -> Fetched | None:
        """Return what comes next."""
        try:
            response = self._responses.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(response, BaseException):
            raise translated(response, self._connection.name) from response
        assert self._room is not None
        self._connection.background.loop.call_soon_threadsafe(self._room.release)
        if response.evicted_to is not None:
            return Fetched(response.place, (), response.evicted_to, evicted=True)
        found = take_batches(
            response.data, response.place.partition, response.start, response.aborted
        )
        return Fetched(response.place, found.runs, found.next_offset)

    def close(self) -> None:
        """End it."""
        if self._task is not None:
            self._connection.background.loop.call_soon_threadsafe(self._task.cancel)
            self._task = None

    # --------------------------------------------------------- in the client's thread

    async def _start(self) -> None:
        self._room = asyncio.Semaphore(AHEAD)
        self._task = asyncio.ensure_future(self._fetch_for_ever())

    async def _fetch_for_ever(self) -> None:
        """Fetch from all leaders; look for them again when one is none any more."""
        backoff_s = BACKOFF_FIRST_S
        client = self._connection.client
        try:
            while True:
                tasks = [asyncio.ensure_future(self._fetch(*each)) for each in self._leaders()]
                if tasks:
                    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in pending:
                        task.cancel()
                    await asyncio.gather(*pending, return_exceptions=True)
                    have_given = [task.result() for task in done]
                    if any(have_given):
                        backoff_s = BACKOFF_FIRST_S
                self.trouble = f"{self._connection.name}: a broker does not answer; trying again"
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)
                await client.force_metadata_update()
        except Exception as exc:  # noqa: BLE001 - carried over to the reader's thread
            self._responses.put(exc)

    def _leaders(self) -> list[tuple[int, list[TopicPartition]]]:
        """Return the brokers, and which partitions each of them leads."""
        led: dict[int, list[TopicPartition]] = defaultdict(list)
        for place in self._positions:
            node = self._connection.client.cluster.leader_for_partition(KafkaPartition(*place))
            if node is not None and node != -1:
                led[node].append(place)
        return list(led.items())

    async def _fetch(self, node: int, places: list[TopicPartition]) -> bool:
        """Fetch until the broker's lead is in doubt; tell whether it gave anything before."""
        assert self._room is not None
        config = self._connection.config
        has_given = False
        while True:
            topics: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
            for topic, partition in places:
                start = self._positions[TopicPartition(topic, partition)]
                topics[topic].append((partition, start, config.max_partition_fetch_bytes))
            request = FetchRequest(
                WAIT_MS,
                1,
                config.fetch_max_bytes,
                self._connection.isolation,
                list(topics.items()),
            )
            try:
                response = await self._connection.client.send(node, request)
                is_leader = await self._take(response)
            except PASSING:
                return has_given
            if not is_leader:
                return has_given
            has_given = True
            self.trouble = None

    async def _take(self, response: Any) -> bool:
        """Hand on what a broker gave; False if it does not lead all of it."""
        is_leader = True
        for topic, partitions in response.topics:
            for partition, code, *_, aborted, data in map(_without_replica, partitions):
                place = TopicPartition(topic, partition)
                start = self._positions[place]
                error = kafka.for_code(code)
                if error is kafka.OffsetOutOfRangeError:
                    first = (await self._connection.start_of(place))[place]
                    self._positions[place] = first
                    await self._hand_on(_Response(place, start, b"", [], first))
                elif error in PASSING:
                    is_leader = False
                elif error is not kafka.NoError:
                    raise error
                elif data:
                    self._positions[place] = next_offset_of(data, start)
                    told = [Aborted(*each) for each in aborted or ()]
                    await self._hand_on(_Response(place, start, data, told))
        return is_leader

    async def _hand_on(self, response: _Response) -> None:
        assert self._room is not None
        await self._room.acquire()
        self._responses.put(response)


def _without_replica(fields: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a partition's fields: …, aborted transactions, data; v11 has one in between."""
    return (*fields[:-2], fields[-1]) if isinstance(fields[-2], int) else fields
