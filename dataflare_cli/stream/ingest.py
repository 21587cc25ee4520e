"""Ingest: input bytes become records of a topic.

Two kinds of input share one loop. Delimited text goes through the codec in blocks;
formats that carry keys, headers and times of their own go through an importer, record
by record. A raw input is one record.

The loop reads what is there. A block is encoded when it is full, or as soon as the
writer has nothing to do: a line that arrives alone is stored at once, and lines that
arrive while a commit is under way share the next one.
"""

import os
import select
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fcntl import fcntl
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dataflare_cli import codec
from dataflare_cli.codec.lines import Problem, TextOptions
from dataflare_cli.errors import DataError, RecordTooLarge
from dataflare_cli.model import KIB, MIB, NO_TIMESTAMP, Codec, Record
from dataflare_cli.stream.writer import Portion
from dataflare_cli.text.inputs import BadInput, Imported

if TYPE_CHECKING:
    from dataflare_cli.stream.stage import Order, Stage
    from dataflare_cli.text.inputs import Importer

BLOCK_BYTES = MIB
BLOCK_BYTES_MAX = 4 * MIB
READ_BYTES_MIN = 64 * KIB
# poll() counts milliseconds in 32 bits.
PAUSE_S_MAX = 1_000_000
WINDOW_BYTES_MIN = 64 * KIB
_F_SETPIPE_SZ = 1031
# What a record costs beyond key and value, at most, without headers (FORMAT.md).
_RECORD_OVERHEAD = 40


class BadRecord(NamedTuple):
    """Input that was not stored: its line (1-based) in its file, and why."""

    source: str
    line: int
    problem: str


@dataclass
class IngestOptions:
    """How input becomes records."""

    text: TextOptions = field(default_factory=TextOptions)
    compression: Codec = Codec.NONE
    timestamp_ms: int | None = None  # None: when it was read
    linger_s: float = 0.0
    rate: float | None = None  # records a second
    keep_partitions: bool = False  # records input: take the partition from the input
    keep_source: bool = False  # hand the input bytes on with its portion (--tee)


class Target(Protocol):
    """What takes portions: a `TopicWriter`, or whatever shows them."""

    wake_fd: int  # readable when `check` has something to say; -1: it never has

    @property
    def is_idle(self) -> bool:
        """Tell whether a portion put now would be taken at once."""
        ...

    def check(self) -> None:
        """Raise what keeps it from taking more, if anything does."""
        ...

    def put(self, portion: Portion) -> None:
        """Take a portion."""
        ...


class Ingest:
    """Feeds one target from any number of inputs."""

    def __init__(
        self,
        writer: Target,
        options: IngestOptions,
        *,
        on_bad: Callable[[BadRecord], None],
        stage: "Stage[Any] | None" = None,
    ) -> None:
        self.writer, self.options = writer, options
        # Where records go first; what it delivers goes to the writer.
        self._stage = stage
        # What goes through SmartModules is compressed afterwards.
        self._compression = Codec.NONE if stage is not None else options.compression
        self.bad_count = 0
        self.line_count = 0
        self.bytes_read = 0
        self._on_bad = on_bad
        self._round_robin = 0
        # Several partitions share a block; each should still come out with a large batch.
        count = 1 if options.text.partition is not None else options.text.partition_count
        self._block_bytes = min(BLOCK_BYTES * count, BLOCK_BYTES_MAX)
        self._wants_order = stage is not None and stage.wants_order and count > 1
        self._started = time.monotonic()

    def text(self, handle: int, name: str) -> None:
        """Store delimited text from a file descriptor, to its end.

        Raises:
            RecordTooLarge: a line above the limit; everything before it is stored.
        """
        first_line = self.line_count
        buffer = bytearray()
        for final in self._chunks(handle, buffer):
            # Of a full block a rest is kept for the next one, so that batches come out full.
            is_full = len(buffer) >= self._block_bytes and not final
            keep = self._block_bytes - 1 if is_full else 0
            consumed = self._encode(buffer, name, first_line, final=final, keep=keep)
            del buffer[:consumed]
            if not (is_full and consumed):
                self._drain()
                self._refuse_endless_line(buffer, name, first_line)

    def lines(self, data: bytes, name: str) -> None:
        """Store delimited text that is there already; its last line may lack the delimiter."""
        self.bytes_read += len(data)
        self._encode(bytearray(data), name, 0, final=True, keep=0)
        self._drain()

    def raw(self, data: bytes, name: str) -> None:
        """Store a whole input as one record."""
        text = self.options.text
        self._check_size(len(data) + len(text.key or b""), name, 1)
        value = None if data == text.null_value else data
        record = Record(value=value, key=text.key, headers=text.headers)
        self.line_count += 1
        self.bytes_read += len(data)
        self._put_records([(record, None)], data)
        self._drain()

    def imported(self, handle: int, name: str, importer: "Importer") -> None:
        """Store the records of an input format, to its end; bad ones are reported and left out.

        Raises:
            DataError: nothing that follows can be understood; what came before is stored.
        """
        buffer = bytearray()
        for final in self._chunks(handle, buffer):
            data = bytes(buffer)
            buffer.clear()
            records = self._good_ones(importer.feed(data), name)
            if final:
                records += self._good_ones(importer.finish(), name)
            self._put_records(records, data)
            if final or len(data) < self._block_bytes:
                self._drain()
            if importer.broken:
                raise DataError(f"{name} can't be read any further", hint="see the line above")

    def _good_ones(
        self, items: Iterator[Imported | BadInput], name: str
    ) -> list[tuple[Record, int | None]]:
        records = []
        for item in items:
            self.line_count += 1
            if isinstance(item, BadInput):
                self._report(BadRecord(name, item.line, item.problem))
                continue
            partition = item.partition if self.options.keep_partitions else None
            if partition is not None and partition >= self.options.text.partition_count:
                self._report(BadRecord(name, item.line, f"the topic has no partition {partition}"))
                continue
            records.append((item.record, partition))
        return records

    def _put_records(self, records: Sequence[tuple[Record, int | None]], source: bytes) -> None:
        """Encode records one by one, grouped by partition into batches."""
        text, stamped = self.options.text, self._timestamp_ms()
        groups: dict[int, list[Record]] = {}
        sizes: dict[int, int] = {}
        frames: list[tuple[int, bytearray]] = []
        order: list[int] = []
        for given, wanted in records:
            record = given
            if record.timestamp_ms == NO_TIMESTAMP or self.options.timestamp_ms is not None:
                record = _with_timestamp(record, stamped)
            partition, self._round_robin = self._pick(record.key, wanted)
            size = _RECORD_OVERHEAD + _size_of(record)
            order.append(partition)
            group = groups.setdefault(partition, [])
            if group and sizes[partition] + size > text.batch_bytes_max:
                frames.append((partition, self._seal(group)))
                group.clear()
            sizes[partition] = size + (sizes[partition] if group else codec.HEADER_BYTES)
            group.append(record)
        frames += [(partition, self._seal(group)) for partition, group in groups.items() if group]
        # A failure in one partition is looked for in all that was read with it.
        step = 4 if self._stage is None else max(1, len(frames))
        for start in range(0, len(frames), step):
            is_last = start + step >= len(frames)
            self._put(frames[start : start + step], source if is_last else b"", lambda: order)
        if not frames and source:
            self._put([], source, lambda: order)

    def _seal(self, records: list[Record]) -> bytearray:
        return codec.encode_frame(records, codec=self._compression)

    def _pick(self, key: bytes | None, wanted: int | None) -> tuple[int, int]:
        text = self.options.text
        partition = text.partition if wanted is None else wanted
        if partition is not None:
            return partition, self._round_robin
        return codec.pick(text.partitioner, key, text.partition_count, self._round_robin)

    def _timestamp_ms(self) -> int:
        given = self.options.timestamp_ms
        return time.time_ns() // 1_000_000 if given is None else given

    def _put(self, frames: list[tuple[int, bytearray]], source: bytes, order: "Order") -> None:
        kept = source if self.options.keep_source else b""
        if self._stage is not None:
            self._stage.put(frames, kept, order)
        else:
            self.writer.put(Portion(frames, kept))

    def _drain(self) -> None:
        """Hand on what the stage still works on: nothing more may come for long."""
        if self._stage is not None:
            self._stage.drain()

    def _encode(
        self, buffer: bytearray, name: str, first_line: int, *, final: bool, keep: int
    ) -> int:
        """Encode and hand over whole lines until at most `keep` bytes are left; return how many."""
        consumed = 0
        # A call ends with a full batch: what it is shown beyond that is looked at in vain.
        text = self.options.text
        window = max(2 * text.batch_bytes_max * text.partition_count, WINDOW_BYTES_MIN)
        while len(buffer) - consumed > keep:
            limit = min(self._allowed_end(buffer, consumed), consumed + window)
            with memoryview(buffer) as view, view[consumed:limit] as block:
                result = codec.encode_text(
                    block,
                    self.options.text,
                    final=final and limit == len(buffer),
                    round_robin=self._round_robin,
                )
                keeps = self.options.keep_source or self._wants_order
                source = bytes(block[: result.consumed]) if keeps else b""
            order = partial(codec.partitions_of, source, self.options.text, self._round_robin)
            self._round_robin = result.round_robin
            if result.payloads or source:
                self._put([self._sealed(payload) for payload in result.payloads], source, order)
            consumed += result.consumed
            self._report_bad(result, name, first_line)
            if not result.consumed:
                if limit == len(buffer) or self.options.rate is not None:
                    break
                window *= 2  # a line that is longer
        return consumed

    def _sealed(self, payload: "codec.Payload") -> tuple[int, bytearray]:
        timestamp_ms = self._timestamp_ms()
        frame = codec.seal(
            payload.frame,
            record_count=payload.record_count,
            base_timestamp_ms=timestamp_ms,
            max_timestamp_ms=timestamp_ms,
            codec=self._compression,
        )
        return payload.partition, frame

    def _report_bad(self, result: "codec.TextResult", name: str, first_line: int) -> None:
        for index, size, problem in result.bad:
            line = self.line_count + index + 1 - first_line
            if problem is Problem.TOO_LARGE:
                self._check_size(size, name, line)
            self._report(BadRecord(name, line, "no key separator"))
        self.line_count += result.line_count

    def _report(self, bad: BadRecord) -> None:
        self.bad_count += 1
        self._on_bad(bad)

    def _check_size(self, size: int, name: str, line: int) -> None:
        limit = self.options.text.record_bytes_max
        if size > limit:
            raise RecordTooLarge(size, limit, where=f"{name}, line {line}")

    def _refuse_endless_line(self, rest: bytearray, name: str, first_line: int) -> None:
        """What is left has no delimiter: stop before it fills the memory."""
        text = self.options.text
        most = text.record_bytes_max + len(text.key_separator or b"") + len(text.delimiter)
        if len(rest) > most:
            raise RecordTooLarge(
                len(rest),
                text.record_bytes_max,
                where=f"{name}, line {self.line_count - first_line + 1}, without an end so far",
            )

    def _allowed_end(self, buffer: bytearray, start: int) -> int:
        """Return how far --rate lets the buffer be read now; waits for its turn."""
        rate = self.options.rate
        if rate is None:
            return len(buffer)
        credit = (time.monotonic() - self._started) * rate - self.line_count
        if credit > max(rate, 1.0):
            # Idle time is not saved up for more than a second.
            self._started += (credit - max(rate, 1.0)) / rate
        due = int((time.monotonic() - self._started) * rate) + 1 - self.line_count
        if due <= 0:
            _wait_s(self.line_count / rate - (time.monotonic() - self._started))
            due = 1
        end = start
        delimiter = self.options.text.delimiter
        for _ in range(due):
            found = buffer.find(delimiter, end)
            if found < 0:
                return len(buffer)
            end = found + len(delimiter)
        return end

    def _chunks(self, handle: int, buffer: bytearray) -> Iterator[bool]:
        """Fill the buffer; yield whether that was the end, when it is time to encode."""
        poller, is_file = self._watch(handle)
        waiting_since: float | None = None
        fresh = 0
        while True:
            readable = is_file
            if not is_file:
                ready = poller.poll(self._pause_ms(waiting_since, fresh))
                self.writer.check()
                readable = any(descriptor == handle for descriptor, _ in ready)
            if readable:
                # A line longer than a block is read in growing steps.
                room = max(self._block_bytes - len(buffer), len(buffer) // 2, READ_BYTES_MIN)
                chunk = os.read(handle, room)
                self.bytes_read += len(chunk)
                if not chunk:
                    yield True
                    return
                buffer += chunk
                fresh += len(chunk)
                waiting_since = waiting_since or time.monotonic()
            is_full = len(buffer) >= self._block_bytes
            if is_full or (not is_file and self._is_due(waiting_since, fresh)):
                yield False
                # The rest of a full block may hold whole lines: they are due like new ones.
                fresh = len(buffer) if is_full else 0
                waiting_since = time.monotonic() if fresh else None

    def _is_due(self, waiting_since: float | None, fresh: int) -> bool:
        """Tell whether input that does not fill a block is stored now."""
        if not fresh or waiting_since is None:
            return False
        lingered = time.monotonic() - waiting_since >= self.options.linger_s
        return self.writer.is_idle and lingered

    def _pause_ms(self, waiting_since: float | None, fresh: int) -> float | None:
        """How long to wait for input: for ever, unless --linger holds something back."""
        if not fresh or waiting_since is None or not self.options.linger_s:
            return None
        left = self.options.linger_s - (time.monotonic() - waiting_since)
        return max(0.0, min(left, PAUSE_S_MAX) * 1000)

    def _watch(self, handle: int) -> tuple[select.poll, bool]:
        is_file = stat.S_ISREG(os.fstat(handle).st_mode)
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        if self.writer.wake_fd >= 0:
            poller.register(self.writer.wake_fd, select.POLLIN)
        with suppress(OSError):
            # A larger pipe lets the other side run while we encode; best effort.
            fcntl(handle, _F_SETPIPE_SZ, BLOCK_BYTES)
        return poller, is_file


def _size_of(record: Record) -> int:
    headers = sum(len(name) + len(value or b"") + 10 for name, value in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers


def _with_timestamp(record: Record, timestamp_ms: int) -> Record:
    return Record(
        value=record.value, key=record.key, headers=record.headers, timestamp_ms=timestamp_ms
    )


def _wait_s(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)
