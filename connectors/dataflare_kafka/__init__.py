"""The Kafka connector: topics of a Kafka cluster, whole batches as they are."""

from dataflare_cli.connect import ConnectorSpec
from dataflare_kafka.config import Config
from dataflare_kafka.connection import connect

SPEC = ConnectorSpec("kafka", "Topics of an Apache Kafka cluster", Config, connect)

__all__ = ["SPEC"]
