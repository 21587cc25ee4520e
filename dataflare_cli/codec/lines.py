"""Text: delimited lines to the records of frames that are still to be sealed.

Hides how lines are found, split into key and value, and spread over partitions.

Invariants
- Every line of the consumed bytes is a record of one payload, or a `BadLine`.
- Without a partition in the options, equal keys go to the same partition.
- All records share the timestamp that `seal` is given: their deltas are 0.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from dataflare_cli.codec.engine import Bytes, Engine, wants_kernel
from dataflare_cli.codec.frame import FRAME_HEADER_BYTES, HEADER_BYTES
from dataflare_cli.codec.partition import pick
from dataflare_cli.codec.records import encode_headers
from dataflare_cli.codec.varint import encode_varint
from dataflare_cli.model import (
    BATCH_BYTES_MAX,
    KIB,
    REQUEST_BYTES_DEFAULT,
    Headers,
    Partitioner,
)

# A block that takes Python longer than loading the kernel does.
LARGE_BLOCK_BYTES = 64 * KIB


@dataclass(frozen=True)
class TextOptions:
    """How text becomes records.

    A line is split at the first `key_separator` into key and value; without one, `key`
    is the key of all. A value (never a key) that equals `null_value` is null.
    """

    delimiter: bytes = b"\n"
    key_separator: bytes | None = None
    null_value: bytes | None = None
    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None  # of all records; None: the partitioner's choice
    partition_count: int = 1
    partitioner: Partitioner = Partitioner.SIP
    batch_bytes_max: int = BATCH_BYTES_MAX
    record_bytes_max: int = REQUEST_BYTES_DEFAULT

    def __post_init__(self) -> None:
        assert self.delimiter
        assert self.key_separator != b""
        assert self.partition_count > 0


class Payload(NamedTuple):
    """A partition's records: 81 blank bytes, and the records as `seal` wants them."""

    partition: int
    record_count: int
    frame: bytearray


class Problem(IntEnum):
    """Why a line is no record."""

    NO_SEPARATOR = 1
    TOO_LARGE = 2


class BadLine(NamedTuple):
    """A line that is no record; `index` counts from 0 in this call, `size` in bytes."""

    index: int  # type: ignore[assignment]  # nobody asks where in a line something is
    size: int
    problem: Problem


class TextResult(NamedTuple):
    """What a call did. Payloads are by partition, at most one each; bad lines by index."""

    consumed: int  # bytes of the block
    line_count: int  # of the consumed bytes, bad ones included
    payloads: list[Payload]
    bad: list[BadLine]
    round_robin: int  # for the next call


def encode_text(
    block: Bytes,
    options: TextOptions,
    *,
    final: bool,
    round_robin: int = 0,
    engine: Engine = "auto",
) -> TextResult:
    """Make records of the lines of a block, as far as the first partition's batch fills.

    Lines end at the delimiter; an empty line is an empty record. A last line without
    a delimiter is left over, unless the input is `final`. Two things stop a call before
    the block's end, at the start of a line that `consumed` tells:
    - the record would make its partition's batch larger than `batch_bytes_max`: call
      again with the rest (a record that alone is larger has a batch of its own);
    - key and value are larger than `record_bytes_max`: the last of `bad` says so, and
      `line_count` does not count it.
    A line without its separator is passed over, and counted.
    """
    if wants_kernel(engine, is_large=len(block) >= LARGE_BLOCK_BYTES):
        from dataflare_cli.codec import kernel

        return kernel.encode_text(block, options, final=final, round_robin=round_robin)
    return _Encoder(options, round_robin).encode(bytes(block), final=final)


def partitions_of(source: bytes, options: TextOptions, round_robin: int = 0) -> list[int]:
    """Return the partitions of a block's records, in the order of its lines.

    `source` is what a call of `encode_text` consumed, `round_robin` what it was given.
    """
    order = _Order(options, round_robin)
    order.encode(source, final=True)
    return order.partitions


class _Batch:
    """One partition's records so far."""

    def __init__(self) -> None:
        self.parts: list[bytes] = [bytes(FRAME_HEADER_BYTES)]
        self.record_count = 0
        self.size = HEADER_BYTES


class _Encoder:
    """One call of `encode_text`."""

    def __init__(self, options: TextOptions, round_robin: int) -> None:
        self.options = options
        self.headers = encode_headers(options.headers)
        self.batches: dict[int, _Batch] = {}
        self.bad: list[BadLine] = []
        self.line_count = 0
        self.round_robin = round_robin

    def encode(self, data: bytes, *, final: bool) -> TextResult:
        """Take lines until one stops the call."""
        delimiter, at = self.options.delimiter, 0
        while at < len(data):
            end = data.find(delimiter, at)
            if end >= 0:
                after = end + len(delimiter)
            elif final:
                end = after = len(data)
            else:
                break
            if not self._take(data[at:end]):
                break
            self.line_count += 1
            at = after
        payloads = [
            Payload(partition, batch.record_count, bytearray().join(batch.parts))
            for partition, batch in sorted(self.batches.items())
        ]
        return TextResult(at, self.line_count, payloads, self.bad, self.round_robin)

    def _take(self, line: bytes) -> bool:
        """Add a line to its batch, or to the bad ones; False stops the call before it."""
        options = self.options
        key, value = options.key, line
        if options.key_separator is not None:
            key, separator, value = line.partition(options.key_separator)
            if not separator:
                self.bad.append(BadLine(self.line_count, len(line), Problem.NO_SEPARATOR))
                return True
        is_null = value == options.null_value
        size = (0 if key is None else len(key)) + (0 if is_null else len(value))
        if size > options.record_bytes_max:
            self.bad.append(BadLine(self.line_count, size, Problem.TOO_LARGE))
            return False
        partition, round_robin = options.partition, self.round_robin
        if partition is None:
            partition, round_robin = pick(
                options.partitioner, key, options.partition_count, round_robin
            )
        if not self._add(partition, key, None if is_null else value):
            return False
        self.round_robin = round_robin
        return True

    def _add(self, partition: int, key: bytes | None, value: bytes | None) -> bool:
        """Append a record to a partition's batch; False if the batch is full."""
        batch = self.batches.get(partition)
        if batch is None:
            batch = self.batches[partition] = _Batch()
        body = b"".join(
            (
                b"\0\0",  # attributes, timestamp delta
                encode_varint(batch.record_count),
                b"\1" if key is None else encode_varint(len(key)) + key,
                b"\1" if value is None else encode_varint(len(value)) + value,
                self.headers,
            )
        )
        length = encode_varint(len(body))
        size = batch.size + len(length) + len(body)
        if size > self.options.batch_bytes_max and batch.record_count:
            return False
        batch.parts += (length, body)
        batch.size = size
        batch.record_count += 1
        return True


class _Order(_Encoder):
    """Notes partitions, and makes nothing."""

    def __init__(self, options: TextOptions, round_robin: int) -> None:
        super().__init__(options, round_robin)
        self.partitions: list[int] = []

    def _add(self, partition: int, key: bytes | None, value: bytes | None) -> bool:  # noqa: ARG002
        self.partitions.append(partition)
        return True
