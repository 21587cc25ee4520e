"""Writing to a topic: whole batches, with a producer's id, epoch and sequence numbers.

Invariants
- Batches of a partition are written in their order; what is tried again has the same sequence
  number, so that a broker that has it already says so.
- `write` returns when the brokers have acknowledged everything.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import errors as kafka
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.structs import TopicPartition as KafkaPartition

from dataflare_cli.codec.frame import outgoing, record_count_of
from dataflare_cli.connect import Written
from dataflare_cli.errors import DataError, Unreachable
from dataflare_kafka.faults import PASSING

if TYPE_CHECKING:
    from dataflare_kafka.connection import KafkaConnection

# What a broker keeps in order of an idempotent producer (max.in.flight.requests.per.connection).
IN_FLIGHT_MAX = 5
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 30.0
_ACKS = {"all": -1, "1": 1, "0": 0}
_SEQUENCES = 1 << 31
_NO_PRODUCER = (-1, -1)
# Seen of a batch behind one that failed: both are sent again.
_OUT_OF_ORDER = (kafka.OutOfOrderSequenceNumber,)


class _Batch(NamedTuple):
    """A batch that is not acknowledged yet."""

    number: int  # among all that are written together
    partition: int
    data: bytes
    record_count: int


class KafkaSink:
    """A topic of a cluster, written to by one producer."""

    def __init__(self, connection: "KafkaConnection", topic: str) -> None:
        self._connection, self._topic = connection, topic
        self._acks = _ACKS[connection.config.acks]
        self._producer: tuple[int, int] | None = None
        self._sequences: dict[int, int] = defaultdict(int)
        self._given_up = asyncio.Event()

    def write(self, frames: Sequence[tuple[int, bytearray]]) -> list[Written]:
        """Write sealed frames, given with their partition."""
        return self._connection.run(self._write(frames))

    def cancel(self) -> None:
        """Let a write that is under way give up."""
        self._connection.background.loop.call_soon_threadsafe(self._given_up.set)

    def close(self) -> None:
        """End it: everything that was written is acknowledged."""

    # --------------------------------------------------------- in the client's thread

    async def _write(self, frames: Sequence[tuple[int, bytearray]]) -> list[Written]:
        waiting: dict[int, deque[_Batch]] = defaultdict(deque)
        written: dict[int, Written] = {}
        ends = time.monotonic() + self._connection.config.delivery_timeout_ms / 1000
        backoff_s = BACKOFF_FIRST_S
        while len(written) < len(frames):
            before = len(written)
            if await self._has_producer():
                if not waiting:
                    for number, (partition, frame) in enumerate(frames):
                        waiting[partition].append(self._addressed(number, partition, frame))
                await self._try(waiting, written)
            if len(written) == len(frames):
                break
            if len(written) > before:
                backoff_s = BACKOFF_FIRST_S
            if time.monotonic() + backoff_s > ends:
                raise Unreachable(
                    self._connection.name,
                    "the records could not be written in time (delivery_timeout_ms)",
                    hint="some of them may have been",
                )
            await self._wait(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_MAX_S)
            await self._connection.client.force_metadata_update()
        return [written[number] for number in range(len(frames))]

    async def _wait(self, seconds: float) -> None:
        """Wait before the next attempt.

        Raises:
            Unreachable: there is to be none.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._given_up.wait(), seconds)
            raise Unreachable(self._connection.name, "no broker has taken what was left")

    def _addressed(self, number: int, partition: int, frame: bytearray) -> _Batch:
        assert self._producer is not None
        count = record_count_of(frame)
        sequence = -1
        if self._producer != _NO_PRODUCER:
            sequence = self._sequences[partition]
            self._sequences[partition] = (sequence + count) % _SEQUENCES
        return _Batch(number, partition, bytes(outgoing(frame, *self._producer, sequence)), count)

    async def _has_producer(self) -> bool:
        """Get a producer's id and epoch, so that nothing is written twice; False: not yet."""
        if self._producer is None and self._acks != _ACKS["all"]:
            self._producer = _NO_PRODUCER
        if self._producer is not None:
            return True
        client = self._connection.client
        node = client.get_random_node()
        if node is None:
            return False
        try:
            response = await client.send(node, InitProducerIdRequest(None, 0))
        except PASSING:
            return False
        error = kafka.for_code(response.error_code)
        if error in PASSING:
            return False
        if error is not kafka.NoError:
            raise error
        self._producer = (response.producer_id, response.producer_epoch)
        return True

    async def _try(self, waiting: dict[int, deque[_Batch]], written: dict[int, Written]) -> None:
        """Send everything once; what is acknowledged leaves `waiting`."""
        by_node: dict[int, list[int]] = defaultdict(list)
        for partition, batches in waiting.items():
            if not batches:
                continue
            place = KafkaPartition(self._topic, partition)
            node = self._connection.client.cluster.leader_for_partition(place)
            if node is not None and node != -1:
                by_node[node].append(partition)
        await asyncio.gather(
            *(self._send(node, led, waiting, written) for node, led in by_node.items())
        )

    async def _send(
        self,
        node: int,
        partitions: list[int],
        waiting: dict[int, deque[_Batch]],
        written: dict[int, Written],
    ) -> None:
        """Send a leader its batches, one of each partition a request, several under way."""
        if not await self._connection.client.ready(node):
            return
        ahead = {partition: deque(waiting[partition]) for partition in partitions}
        flying: deque[asyncio.Task[Any]] = deque()
        is_good = True
        while flying or (is_good and any(ahead.values())):
            while is_good and len(flying) < IN_FLIGHT_MAX and any(ahead.values()):
                batches = [each.popleft() for each in ahead.values() if each]
                flying.append(asyncio.ensure_future(self._request(node, batches)))
                await asyncio.sleep(0)  # it is on its way before the next one
            try:
                answers = await flying.popleft()
            except PASSING:
                is_good = False
                continue
            for batch, code, offset in answers:
                error = kafka.for_code(code)
                if error in (kafka.NoError, kafka.DuplicateSequenceNumber):
                    waiting[batch.partition].remove(batch)
                    written[batch.number] = Written(batch.partition, offset, batch.record_count)
                elif error in PASSING or (error in _OUT_OF_ORDER and not is_good):
                    is_good = False
                else:
                    raise self._refused(error, batch)

    async def _request(self, node: int, batches: list[_Batch]) -> list[tuple[_Batch, int, int]]:
        config = self._connection.config
        by_partition = {each.partition: each for each in batches}
        topics = [(self._topic, [(each.partition, each.data) for each in batches])]
        request = ProduceRequest(None, self._acks, config.request_timeout_ms, topics)
        response = await self._connection.client.send(node, request)
        if self._acks == 0:
            return [(each, 0, -1) for each in batches]
        return [
            (by_partition[partition], code, offset)
            for _, partitions in response.topics
            for partition, code, offset, *_ in partitions
        ]

    def _refused(self, error: Any, batch: _Batch) -> Exception:
        if error is kafka.MessageSizeTooLargeError:
            return DataError(
                f"the topic {self._topic} takes no batch of {len(batch.data)} bytes",
                hint="--batch-size makes smaller ones; its max.message.bytes is the most",
            )
        failure: Exception = error()
        return failure
