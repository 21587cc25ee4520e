"""The values everything else talks in: records, topics, names and limits.

Frozen structs without behaviour beyond their own validity. Units end names;
every limit is here, and its relations to the others are asserted at import.
"""

import re
from enum import IntEnum, StrEnum

import msgspec

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# Batches (FORMAT.md). Larger input is split; one record alone may be larger.
BATCH_BYTES_MAX = 1_000_000
# One transaction: beside larger ones, other writers wait noticeably (ARCHITECTURE.md).
COMMIT_BYTES_MAX = 8 * MIB
COMMIT_DROPS_MAX = 64
# LMDB holds the dirty pages of a transaction in memory.
ATOMIC_BYTES_MAX = 64 * MIB
# Fluvio's producer default and SPU limit.
REQUEST_BYTES_DEFAULT = 1_048_576
REQUEST_BYTES_MAX = 33_554_432
# What one batch may unpack to: a whole request and its overhead, or a dense batch.
UNPACKED_BYTES_MAX = 256 * MIB

# A SmartModule: the largest built-in one has 4 MB, and code is compiled to several times its size.
SMARTMODULE_BYTES_MAX = 64 * MIB
# Of one call, each a flag and a setting. Memory is Fluvio's; the time is that of a run of
# records that a person would call hung.
GUEST_MEMORY_BYTES_DEFAULT = 1_000_000_000
GUEST_MEMORY_BYTES_MAX = 4 * GIB
GUEST_TIME_S_DEFAULT = 10.0
GUEST_TIME_S_MAX = 3600.0
# Out per record in: a record of the largest request may be taken apart or blown up once.
GUEST_RECORDS_OUT_DEFAULT = 100_000
GUEST_BYTES_OUT_DEFAULT = REQUEST_BYTES_MAX

# Fluvio's defaults of `topic create --dedup`, and the built-in filter it means here.
DEDUP_COUNT_DEFAULT = 5
DEDUP_AGE_MS_DEFAULT = 5000
DEDUP_COUNT_MAX = 10_000_000
DEDUP_FILTER = "dedup"

PARTITIONS_MAX = 10_000
RETENTION_S_DEFAULT = 7 * 24 * 3600
RETENTION_S_MIN = 10
SEGMENT_BYTES_DEFAULT = GIB
SEGMENT_BYTES_MIN = 1024
PARTITION_BYTES_DEFAULT = 100 * GIB
PARTITION_BYTES_MIN = 2048
OFFSET_MAX = 2**63 - 1
NO_TIMESTAMP = -1

assert BATCH_BYTES_MAX < COMMIT_BYTES_MAX <= ATOMIC_BYTES_MAX
assert REQUEST_BYTES_DEFAULT <= REQUEST_BYTES_MAX < UNPACKED_BYTES_MAX
assert REQUEST_BYTES_MAX <= GUEST_BYTES_OUT_DEFAULT
assert SMARTMODULE_BYTES_MAX < GUEST_MEMORY_BYTES_DEFAULT < GUEST_MEMORY_BYTES_MAX
assert SEGMENT_BYTES_MIN < PARTITION_BYTES_MIN < SEGMENT_BYTES_DEFAULT < PARTITION_BYTES_DEFAULT

# Kafka's rule for topics; consumers, profiles and table formats follow it too.
NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")

Headers = tuple[tuple[bytes, bytes | None], ...]


def is_name(text: str) -> bool:
    """Tell whether a text may name a topic (Kafka's rule; "." and ".." are paths)."""
    return NAME.fullmatch(text) is not None and text not in (".", "..")


class Codec(IntEnum):
    """Compression of a batch's records part; the value is the id in its attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


class TimestampType(IntEnum):
    """Who set the timestamps of a batch."""

    CREATE = 0
    APPEND = 1


class Partitioner(IntEnum):
    """How a record without an explicit partition finds one."""

    SIP = 0  # Fluvio: SipHash-2-4 of the key; without a key round robin
    MURMUR2 = 1  # Kafka's Java client: murmur2 of the key; without a key round robin
    ROUND_ROBIN = 2  # never looks at the key


class SmartModuleKind(StrEnum):
    """What a SmartModule does to records; the value is the name of its export.

    A module has one; where it has several exports, the first of this order counts.
    """

    FILTER = "filter"
    MAP = "map"
    FILTER_MAP = "filter_map"
    ARRAY_MAP = "array_map"
    AGGREGATE = "aggregate"


LOOKBACK_LAST_MAX = 2**32 - 1


class Lookback(msgspec.Struct, frozen=True):
    """Which stored records a SmartModule is fed before the first new one.

    The last so many (0: all of that age), as old as `age_ms` at most (None: of any age).
    """

    last: int = 0
    age_ms: int | None = None


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """What a SmartModule.toml says of its package; a full name is group/name@version."""

    group: str
    name: str
    version: str
    description: str = ""
    license: str = ""
    repository: str = ""
    visibility: str = "private"

    @property
    def full_name(self) -> str:
        """Return group/name@version."""
        return f"{self.group}/{self.name}@{self.version}"


class SmartModule(msgspec.Struct, frozen=True, kw_only=True):
    """A SmartModule as the catalog has it; its bytes are found by their SHA-256."""

    name: str
    sha256: str  # hex
    size_bytes: int
    kind: SmartModuleKind
    package: Package | None = None
    created_ms: int

    @property
    def shown_name(self) -> str:
        """Return what lists call it: its package's full name, if it has one."""
        return self.name if self.package is None else self.package.full_name


class GuestLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one call of a SmartModule may take; what it gives is counted per record in."""

    memory_bytes: int = GUEST_MEMORY_BYTES_DEFAULT
    time_s: float = GUEST_TIME_S_DEFAULT
    records_out: int = GUEST_RECORDS_OUT_DEFAULT
    bytes_out: int = GUEST_BYTES_OUT_DEFAULT


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record. None is null (a tombstone, or no key), b"" is empty."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp_ms: int = NO_TIMESTAMP
    offset: int = 0
    timestamp_type: TimestampType = TimestampType.CREATE


class Secret(str):
    """A text that is not to be told: what SmartModules say of it is shown without it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return what may be seen of it."""
        return "***"


class Deduplication(msgspec.Struct, frozen=True, kw_only=True):
    """What a topic leaves out: records that a filter says were there already.

    The filter is fed the last `count` records, of at most `age_ms` (None: of any age).
    """

    count: int
    age_ms: int | None = None
    uses: str = DEDUP_FILTER
    params: dict[str, str] = {}


class TopicSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a topic is asked to be; sizes in bytes, retention in seconds (None: for ever)."""

    partitions: int = 1
    retention_s: int | None = RETENTION_S_DEFAULT
    segment_bytes: int = SEGMENT_BYTES_DEFAULT
    partition_bytes_max: int = PARTITION_BYTES_DEFAULT
    compression: Codec | None = None  # None: Fluvio's "any", the producer chooses
    deduplication: Deduplication | None = None


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic as the catalog has it. Ids are never used again."""

    name: str
    topic_id: int
    partition_ids: tuple[int, ...]
    spec: TopicSpec
    created_ms: int


class PartitionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What `partition list` shows. Offsets half-open: [start_offset, end_offset)."""

    topic: str
    partition: int
    start_offset: int
    end_offset: int
    record_count: int
    size_bytes: int
    batch_count: int
    first_timestamp_ms: int | None
    last_timestamp_ms: int | None


class ConsumerOffset(msgspec.Struct, frozen=True, kw_only=True):
    """One stored offset of a named consumer: the last record it has seen."""

    consumer: str
    topic: str
    partition: int
    offset: int
    modified_ms: int
