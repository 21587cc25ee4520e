"""What a kafka:// URL may say after its question mark."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of a connection; names are Kafka's, with _ for its dots."""

    client_id: Annotated[str, Meta(description="What brokers' logs call this client")] = "dataflare"
    isolation_level: Annotated[
        Literal["read_committed", "read_uncommitted"],
        Meta(description="Whether records of open and aborted transactions are read"),
    ] = "read_committed"
    acks: Annotated[
        Literal["all", "1", "0"],
        Meta(description="Who has a record before it counts; all: idempotent, too"),
    ] = "all"
    delivery_timeout_ms: Annotated[
        int, Meta(description="How long it is tried to write a record", ge=1, le=86_400_000)
    ] = 120_000
    request_timeout_ms: Annotated[
        int, Meta(description="How long a broker may take to answer", ge=1, le=3_600_000)
    ] = 40_000
    fetch_max_bytes: Annotated[
        int, Meta(description="The most a broker gives at once", ge=1, le=1 << 30)
    ] = 32 << 20
    max_partition_fetch_bytes: Annotated[
        int, Meta(description="The most of one partition in it", ge=1, le=1 << 30)
    ] = 4 << 20
