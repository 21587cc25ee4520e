"""A Kafka cluster: its topics, their bounds, and sources of their records."""

import logging
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import msgspec
from aiokafka import errors as kafka
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition as KafkaPartition

from dataflare_cli.catalog import close_matches
from dataflare_cli.connect import TopicPartition
from dataflare_cli.errors import NotFound
from dataflare_kafka.background import Background
from dataflare_kafka.config import Config
from dataflare_kafka.faults import translated
from dataflare_kafka.sink import KafkaSink
from dataflare_kafka.source import KafkaSource

Result = TypeVar("Result")

# Timestamps that mean a place (ListOffsets).
_END, _START = -1, -2
_ISOLATION = {"read_uncommitted": 0, "read_committed": 1}
# It logs what it raises, too.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def connect(hosts: Sequence[str], config: msgspec.Struct) -> "KafkaConnection":
    """Connect to the first of some brokers that answers.

    Raises:
        Unreachable: none does.
    """
    assert isinstance(config, Config)
    return KafkaConnection(hosts, config)


class KafkaConnection:
    """A client in a thread of its own; the methods are for one thread at a time."""

    def __init__(self, hosts: Sequence[str], config: Config) -> None:
        self.name, self.config = f"kafka://{','.join(hosts)}", config
        self.isolation = _ISOLATION[config.isolation_level]
        self.background = Background()
        try:
            self.client: AIOKafkaClient = self.run(self._connect(hosts))
        except BaseException:
            self.background.close()
            raise

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a coroutine; errors are ours.

        Raises:
            Unreachable, NotFound, …: what aiokafka's error means.
        """
        try:
            return self.background.run(work)
        except (kafka.KafkaError, OSError, TimeoutError) as exc:
            raise translated(exc, self.name) from exc

    def partition_count(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        known = self.run(self.client.fetch_all_metadata())
        partitions = known.partitions_for_topic(topic)
        if not partitions:
            near = close_matches(topic, sorted(known.topics()))
            raise NotFound("topic", topic, suggestions=near)
        self.run(_settled(self.client.add_topic(topic)))
        return len(partitions)

    def bounds(self, topic: str) -> list[tuple[int, int]]:
        """Return (start, end) of each partition; the end is that of what is committed."""
        places = [TopicPartition(topic, each) for each in range(self.partition_count(topic))]
        starts = self.run(self._offsets(dict.fromkeys(places, _START)))
        ends = self.run(self._offsets(dict.fromkeys(places, _END)))
        return [(starts[place], ends[place]) for place in places]

    def offset_for_time(self, place: TopicPartition, timestamp_ms: int) -> int:
        """Return the first offset whose timestamp is at least this, else the end."""
        found = self.run(self._offsets({place: max(0, timestamp_ms)}))[place]
        return found if found >= 0 else self.run(self._offsets({place: _END}))[place]

    def start_of(self, place: TopicPartition) -> Coroutine[Any, Any, dict[TopicPartition, int]]:
        """Look for the first offset that is still there."""
        return self._offsets({place: _START})

    def source(self) -> KafkaSource:
        """Return a source that is not open yet."""
        return KafkaSource(self)

    def sink(self, topic: str) -> KafkaSink:
        """Return a sink for a topic."""
        return KafkaSink(self, topic)

    def close(self) -> None:
        """End the connection."""
        if not self.background.loop.is_closed():
            self.background.run(self.client.close())
        self.background.close()

    async def _connect(self, hosts: Sequence[str]) -> AIOKafkaClient:
        client = AIOKafkaClient(
            bootstrap_servers=list(hosts),
            client_id=self.config.client_id,
            request_timeout_ms=self.config.request_timeout_ms,
        )
        await client.bootstrap()
        return client

    async def _offsets(self, wanted: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Ask the leaders for the offsets of timestamps."""
        by_node: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for place, timestamp in wanted.items():
            node = self.client.cluster.leader_for_partition(KafkaPartition(*place))
            if node is None or node == -1:
                raise kafka.LeaderNotAvailableError
            by_node[node][place.topic].append((place.partition, timestamp))
        found: dict[TopicPartition, int] = {}
        for node, topics in by_node.items():
            request = OffsetRequest(-1, self.isolation, list(topics.items()))
            response = await self.client.send(node, request)
            for topic, partitions in response.topics:
                for partition, code, _, offset in partitions:
                    if code:
                        raise kafka.for_code(code)
                    found[TopicPartition(topic, partition)] = offset
        return found


async def _settled(future: Any) -> None:
    await future
