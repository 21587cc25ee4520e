"""Runs: neighbouring batches of one partition, copied out of the store and verified.

`load_run` is the door: few bytes are handled here in Python, many by the kernel, with
equal results.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from dataflare_cli.codec.engine import Bytes, Engine, wants_kernel
from dataflare_cli.codec.frame import (
    FRAME_HEADER_BYTES,
    BatchHeader,
    check_frame,
    name_place,
    unpack_records,
)
from dataflare_cli.codec.program import Program, render
from dataflare_cli.codec.records import decode_records
from dataflare_cli.errors import Corruption
from dataflare_cli.model import MIB, Record

# Below this, loading the kernel costs more than it saves.
PYTHON_BYTES_MAX = 128 * 1024
PYTHON_BATCHES_MAX = 1024
RENDER_BYTES_MAX = 4 * MIB


class Rendered(NamedTuple):
    """What a program wrote: `data` is valid until the next call of any run in this thread."""

    data: Bytes
    record_count: int
    next_offset: int


class Run(Protocol):
    """Batches with the offsets [start_offset, next_offset)."""

    start_offset: int
    next_offset: int
    record_count: int

    def records(self, start: int | None = None, end: int | None = None) -> Iterator[Record]:
        """Yield the records with offsets in [start, end); Corruption where one is damaged.

        A batch is wholly readable or wholly refused: none of a damaged one is given.
        """
        ...

    def render(
        self,
        program: Program,
        *,
        partition: int,
        start: int,
        end: int,
        record_count_max: int | None,
    ) -> Rendered:
        """Run a program over records in [start, end); may stop early: go on at `next_offset`.

        It does so before a damaged batch, too; the call that begins with it is Corruption.
        """
        ...


def load_run(flat: Sequence[Bytes], *, engine: Engine = "auto") -> Run:
    """Copy and verify entries, given flat: key, frame, key, frame, … of one partition, in order.

    Raises:
        Corruption: a frame does not verify, or the offsets have a gap.
    """
    is_large = len(flat) >= 2 * PYTHON_BATCHES_MAX or sum(map(len, flat)) >= PYTHON_BYTES_MAX
    if wants_kernel(engine, is_large=is_large):
        from dataflare_cli.codec import kernel

        return kernel.load_run(flat)
    return PythonRun(flat)


class PythonRun:
    """The readable reference of a run."""

    def __init__(self, flat: Sequence[Bytes]) -> None:
        self._batches: list[tuple[BatchHeader, bytes, str]] = []
        # Of the batch that was decoded last: who wants its records one by one decodes it once.
        self._decoded: tuple[int, list[Record]] = (-1, [])
        expected: int | None = None
        for number in range(0, len(flat), 2):
            key, frame = flat[number], bytes(flat[number + 1])
            where = name_place(key)
            header = check_frame(key, frame, where)
            if expected is not None and header.base_offset != expected:
                raise Corruption(where, expected=f"offset {expected}", found=header.base_offset)
            if bytes(key[:4]) != bytes(flat[0][:4]):
                partition_id = int.from_bytes(flat[0][:4], "big")
                raise Corruption(where, expected=f"partition id {partition_id}", found="another")
            expected = header.base_offset + header.record_count
            self._batches.append((header, frame, where))
        assert expected is not None, "a run has a batch"
        self.start_offset = self._batches[0][0].base_offset
        self.next_offset = expected
        self.record_count = expected - self.start_offset

    def records(self, start: int | None = None, end: int | None = None) -> Iterator[Record]:
        """Yield the records with offsets in [start, end)."""
        low = self.start_offset if start is None else start
        high = self.next_offset if end is None else end
        for header, frame, where in self._batches:
            if header.base_offset >= high:
                return
            if header.base_offset + header.record_count <= low:
                continue
            base_offset = header.base_offset
            if self._decoded[0] != base_offset:
                plain = unpack_records(header, frame[FRAME_HEADER_BYTES:], where)
                self._decoded = (base_offset, decode_records(plain, header, where))
            yield from self._decoded[1][max(low - base_offset, 0) : high - base_offset]

    def render(
        self,
        program: Program,
        *,
        partition: int,
        start: int,
        end: int,
        record_count_max: int | None,
    ) -> Rendered:
        """Run a program over records in [start, end)."""
        low, high = max(start, self.start_offset), min(end, self.next_offset)
        parts: list[bytes] = []
        size, position = 0, low
        if record_count_max is not None:
            high = min(high, low + record_count_max)
        try:
            for record in self.records(low, high):
                parts.append(render(program, record, partition))
                size += len(parts[-1])
                position = record.offset + 1
                if size >= RENDER_BYTES_MAX:
                    break
        except Corruption:
            if not parts:
                raise
        return Rendered(b"".join(parts), len(parts), position)
