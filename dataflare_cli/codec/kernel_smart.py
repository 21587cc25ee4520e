"""Windows of runs in the kernel: `smart.rs` and what drives it; see `smart`.

Hides where buffers lie behind a run and its unpacked records:
sources | input | raw output | table | program | written output

Invariants
- A window's run stays resident while the window is used: nothing else is loaded in
  this thread meanwhile.
"""

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.codec.frame import FRAME_HEADER_BYTES, HEADER_BYTES
from dataflare_cli.codec.kernel import DAMAGED, DONE, NEED_OUTPUT, NEED_PLAIN, SLACK, Space
from dataflare_cli.codec.kernel_runs import OUTPUT_BYTES, KernelRun
from dataflare_cli.codec.program import Program
from dataflare_cli.codec.smart import (
    Checked,
    Outputs,
    Packed,
    PythonOutputs,
    Written,
    scan_records,
)
from dataflare_cli.model import Record

if TYPE_CHECKING:
    from dataflare_cli.codec.kernel_runs import Runner
    from dataflare_cli.codec.runs import Run

_SOURCE_BYTES, _OUTPUT_BYTES = 8, 20
# Length, attributes, two deltas, key tag, value length, header count.
_RECORD_BYTES_MIN = 7

_OFFSETS_AND_TIMES = (
    *("start", "end", "base_offset", "base_timestamp", "next_offset", "max_timestamp"),
    "timestamp_min",
)
_PLACES_AND_COUNTS = (
    *("input", "input_room", "input_bytes", "sources", "source_room", "source_count"),
    *("is_uniform", "null_count", "raw", "raw_bytes", "consumed", "table", "output_count"),
    *("source_outputs_max", "source_bytes_max", "first", "count_max", "batch_bytes_max"),
)


class _Control(ctypes.LittleEndianStructure):
    """`smart::Control`: what the kernel is told, and what it answers."""

    _fields_ = [(name, ctypes.c_int64) for name in _OFFSETS_AND_TIMES] + [
        (name, ctypes.c_uint32) for name in _PLACES_AND_COUNTS
    ]


class KernelWindow:
    """A window of a run in the kernel."""

    def __init__(
        self,
        run: "Run",
        start: int,
        end: int,
        *,
        records_max: int,
        bytes_max: int,
        timestamp_min_ms: int,
    ) -> None:
        assert isinstance(run, KernelRun)
        self._run = run
        self._runner = run.enter()
        self._control = _Control.from_buffer(
            self._runner.instance.memory, self._runner.instance.call("smart_control")
        )
        self._checked_end = 0  # of what lies behind the input
        self._control.timestamp_min = timestamp_min_ms
        with self._runner.lock:
            self._open(start, end, records_max, bytes_max)
            control = self._control
            self.base_offset: int = control.base_offset
            self.base_timestamp_ms: int = control.base_timestamp
            self.next_offset: int = control.next_offset
            self.record_count: int = control.source_count
            self.is_uniform = bool(control.is_uniform)
            self.has_some_nulls = 0 < control.null_count < control.source_count
            size = control.input_bytes
            self.raw: Bytes = self._runner.instance.memory[control.input : control.input + size]
            self._input_end = control.input + size + SLACK

    def _open(self, start: int, end: int, records_max: int, bytes_max: int) -> None:
        runner, control = self._runner, self._control
        # Records are far smaller than what one of them may take at most, beside its bytes.
        room = bytes_max
        while True:
            space = Space(runner.plain_end)
            control.start, control.end = start, end
            control.sources = space.take(records_max * _SOURCE_BYTES)
            control.source_room = records_max
            control.input = space.take(room)
            control.input_room = room
            runner.instance.reserve(space.end)
            status = runner.instance.call("smart_input")
            if status == DONE:
                return
            entry = runner.control.entry
            if status == NEED_OUTPUT:
                room = runner.control.needed
            elif status == DAMAGED or not runner.unpack(entry, end):
                break
            else:
                assert status == NEED_PLAIN
        self._run.refuse(entry)
        raise AssertionError("the kernel refused records that are whole")

    def check(self, raw: Bytes) -> Checked:
        """Look what a module's output begins with."""
        runner, control = self._runner, self._control
        with runner.lock:
            self._take(raw)
            if runner.instance.call("smart_check") != DONE:
                self._refuse()
            return Checked(
                control.output_count,
                control.consumed,
                control.source_outputs_max,
                control.source_bytes_max,
            )

    def attach(self, raw: Bytes | None = None) -> Outputs:
        """Give outputs their sources."""
        if raw is not None:
            self.check(raw)
        return _KernelOutputs(self._run, self._runner, self._control, self._checked_end)

    def _take(self, raw: Bytes) -> None:
        """Copy a module's output in, and make room for the table."""
        assert self._runner.resident is self._run
        space = Space(self._input_end)
        control = self._control
        control.raw = space.take(len(raw))
        control.raw_bytes = len(raw)
        control.table = space.take((len(raw) // _RECORD_BYTES_MIN + 1) * _OUTPUT_BYTES)
        self._runner.instance.reserve(space.end)
        self._runner.instance.memory[control.raw : control.raw + len(raw)] = raw
        self._checked_end = space.end

    def _refuse(self) -> NoReturn:
        control = self._control
        raw = self._runner.instance.memory[control.raw : control.raw + control.raw_bytes]
        for _ in scan_records(raw, self.record_count):
            continue
        raise AssertionError("the kernel refused records that are whole")


class _KernelOutputs:
    """Outputs in the kernel."""

    def __init__(self, run: KernelRun, runner: "Runner", control: _Control, end: int) -> None:
        self._run, self._runner, self._control, self._end = run, runner, control, end
        self.record_count: int = control.output_count
        self._span = (control.base_offset, control.next_offset)
        self._program: Program | None = None
        self._python: PythonOutputs | None = None

    def render(self, program: Program, *, partition: int, first: int, count_max: int) -> Written:
        """Run a program over outputs from `first` on."""
        runner = self._runner
        assert runner.resident is self._run
        with runner.lock:
            if program is not self._program:
                self._end = runner.place_program_at(program, self._end)
                self._program = program
            runner.control.partition = partition
            self._write("smart_render", first, count_max, OUTPUT_BYTES)
            return Written(runner.output(), first + runner.control.record_count)

    def pack(self, *, first: int, batch_bytes_max: int) -> Packed:
        """Write outputs from `first` on as one batch."""
        runner, control = self._runner, self._control
        assert runner.resident is self._run
        with runner.lock:
            control.batch_bytes_max = batch_bytes_max
            self._write("smart_pack", first, self.record_count, max(batch_bytes_max, HEADER_BYTES))
            frame = bytearray(FRAME_HEADER_BYTES)
            frame += runner.output()
            count: int = runner.control.record_count
            return Packed(
                frame, count, control.base_timestamp, control.max_timestamp, first + count
            )

    def records(self, first: int = 0) -> Iterator[Record]:
        """Yield the outputs as records."""
        if self._python is None:
            control = self._control
            begin = control.raw
            raw = bytes(self._runner.instance.memory[begin : begin + control.raw_bytes])
            self._python = PythonOutputs(raw, list(self._run.records(*self._span)))
        return self._python.records(first)

    def offset_of(self, index: int) -> int:
        """Return the offset of an output's source."""
        at = self._control.table + index * _OUTPUT_BYTES
        source = int.from_bytes(self._runner.instance.memory[at : at + 4], "little")
        return int(self._control.base_offset) + source

    def _write(self, name: str, first: int, count_max: int, room: int) -> None:
        """Write outputs behind everything else, one at least."""
        control = self._control
        control.first = first
        control.count_max = min(count_max, self.record_count)
        self._runner.place_output(room, self._end)
        if self._runner.instance.call(name) == NEED_OUTPUT:
            self._runner.place_output(self._runner.control.needed, self._end)
            status = self._runner.instance.call(name)
            assert status == DONE
