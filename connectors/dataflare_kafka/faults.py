"""What aiokafka and brokers say, in our errors, with what can be done."""

from aiokafka import errors as kafka

from dataflare_cli.errors import DataflareError, NotFound, Unreachable

# Another broker may know better, or the same one in a moment.
PASSING = (
    kafka.KafkaConnectionError,
    kafka.NodeNotReadyError,
    kafka.RequestTimedOutError,
    kafka.StaleMetadata,
    kafka.NotLeaderForPartitionError,
    kafka.LeaderNotAvailableError,
    kafka.UnknownTopicOrPartitionError,
    kafka.ReplicaNotAvailableError,
    kafka.NotEnoughReplicasError,
    kafka.NotEnoughReplicasAfterAppendError,
    kafka.GroupLoadInProgressError,
    kafka.GroupCoordinatorNotAvailableError,
    kafka.NotCoordinatorForGroupError,
)


def translated(error: BaseException, cluster: str) -> DataflareError:
    """Return what to tell of an error of aiokafka's."""
    if isinstance(error, kafka.TopicAuthorizationFailedError):
        return Unreachable(cluster, "the broker refuses to let this client read the topic")
    if isinstance(error, kafka.UnknownTopicOrPartitionError):
        return NotFound("topic", cluster)
    if isinstance(error, (kafka.KafkaConnectionError, kafka.NodeNotReadyError, OSError)):
        return Unreachable(
            cluster,
            "no broker can be reached",
            hint="is it running, and are host and port those of its listener?",
        )
    if isinstance(error, (kafka.RequestTimedOutError, TimeoutError)):
        return Unreachable(cluster, "a broker has not answered in time")
    return Unreachable(cluster, f"{type(error).__name__}: {error}")
