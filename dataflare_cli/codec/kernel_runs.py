"""Runs of frames in the kernel: `run.rs`, `render.rs`, `merge.rs` and what drives them.

Hides where buffers lie in a kernel's memory:
lengths | index | frames | program | unpacked records | output

Invariants
- A run's bytes are in one place: in the kernel that loaded them until that needs the
  room, as bytes after that. Any number of runs may be alive, in any thread.
- A kernel that has grown beyond `KEEP_BYTES_MAX` for one large record is dropped.
"""

import ctypes
import struct
import threading
import weakref
from array import array
from collections.abc import Iterator, Sequence

from dataflare_cli.codec import merge
from dataflare_cli.codec.checksum import crc32c
from dataflare_cli.codec.compression import decompress
from dataflare_cli.codec.engine import Bytes
from dataflare_cli.codec.frame import (
    CODEC_MASK,
    CRC_AT,
    CRC_BEGIN,
    FRAME_HEADER_BYTES,
    HEADER_BYTES,
    KEY_BYTES,
    PREFIX_BYTES,
    seal,
)
from dataflare_cli.codec.kernel import (
    DAMAGED,
    DONE,
    MORE,
    NEED_OUTPUT,
    NEED_PLAIN,
    SLACK,
    Space,
    new_instance,
)
from dataflare_cli.codec.program import Op, Program
from dataflare_cli.codec.runs import Rendered, Run, load_run
from dataflare_cli.errors import Corruption
from dataflare_cli.model import BATCH_BYTES_MAX, KIB, MIB, UNPACKED_BYTES_MAX, Codec, Record

KEEP_BYTES_MAX = 48 * MIB
# Of one call; stays in a core's cache.
OUTPUT_BYTES = MIB
# Compressed batches are unpacked together up to this size.
PLAIN_BYTES = MIB
# A reader asks for the next run while it still holds the last one.
RUNNERS_MAX = 2
# From here on google_crc32c is faster than the kernel, for all that a call costs.
HOST_CRC_BYTES = 4 * KIB
# Shorter parts are joined before they are copied, so many at a time.
JOIN_BYTES_MAX = 8 * KIB
JOIN_PARTS = 1024

_UNLIMITED = _NEVER = 0xFFFFFFFF
_CRC = slice(PREFIX_BYTES + CRC_AT, PREFIX_BYTES + CRC_BEGIN)
# Where a frame has its low attributes byte.
_ATTRIBUTES_AT = PREFIX_BYTES + CRC_BEGIN + 1
_PLAIN_CREATE_TIME = 0
_INSTRUCTION = struct.Struct("<4I")


_OFFSETS_AND_TIMES = ("start", "end", "next_offset", "base_timestamp", "max_timestamp")
_PLACES_AND_COUNTS = (
    "frames",
    "frames_bytes",
    "lengths",
    "entry_count",
    "index",
    "program",
    "program_count",
    "partition",
    "output",
    "output_room",
    "record_count_max",
    "host_crc_bytes",
    "output_bytes",
    "record_count",
    "entry",
    "needed",
)


class _Control(ctypes.LittleEndianStructure):
    """`run::Control`: what the kernel is told, and what it answers."""

    _fields_ = [(name, ctypes.c_int64) for name in _OFFSETS_AND_TIMES] + [
        (name, ctypes.c_uint32) for name in _PLACES_AND_COUNTS
    ]


class _Entry(ctypes.LittleEndianStructure):
    """`run::Entry`."""

    _fields_ = [
        ("frame", ctypes.c_uint32),
        ("frame_bytes", ctypes.c_uint32),
        ("plain", ctypes.c_uint32),
        ("plain_bytes", ctypes.c_uint32),
        ("base_offset", ctypes.c_int64),
        ("record_count", ctypes.c_uint32),
        ("walked", ctypes.c_uint32),
    ]


_ENTRY_BYTES = ctypes.sizeof(_Entry)


class Runner:
    """One instance for runs; at most one run is resident."""

    def __init__(self) -> None:
        self.instance = new_instance()
        self.control = _Control.from_buffer(self.instance.memory, self.instance.call("run_control"))
        self.lock = threading.Lock()
        self._begin = self.instance.call("heap_base")
        self._resident: weakref.ref[KernelRun] | None = None
        self._program: Program | None = None
        self._free = 0  # where the program may begin
        self._plain = 0  # where unpacked records may begin
        self._plain_bytes = 0
        self._plain_entries: list[int] = []

    @property
    def resident(self) -> "KernelRun | None":
        """The run whose bytes are here, if anybody still has it."""
        return self._resident() if self._resident is not None else None

    def evict(self) -> None:
        """Hand the resident run its bytes."""
        run = self.resident
        if run is not None:
            run.take(bytes(self.frames()))
        self._resident = None

    def load(
        self,
        run: "KernelRun | None",
        parts: Sequence[Bytes],
        lengths: "array[int]",
        host_crc_bytes: int,
    ) -> bool:
        """Copy a run's bytes, verify and index them; tell whether they are whole.

        `parts` are all keys and frames, or everything in one. The CRC of frames of at
        least `host_crc_bytes` was checked before. Without a run, what is loaded is of
        use until the next call only.
        """
        self.evict()
        count = len(lengths)
        size = sum(lengths) + count * KEY_BYTES
        space = Space(self._begin)
        control = self.control
        control.lengths = space.take(4 * count)
        control.index = space.take(_ENTRY_BYTES * count)
        control.frames = space.take(size)
        control.frames_bytes = size
        control.entry_count = count
        control.host_crc_bytes = host_crc_bytes
        self._free = self._plain = space.end
        self._program = None
        self._plain_entries.clear()
        self._plain_bytes = 0
        self.instance.reserve(space.end)
        memory = self.instance.memory
        memory[control.lengths : control.lengths + 4 * count] = memoryview(lengths).cast("B")
        if not _copy(parts, memory, control.frames, size) or self.instance.call("load") != DONE:
            return False
        if run is not None:
            self._resident = weakref.ref(run)
        return True

    def frames(self) -> memoryview:
        """Return the resident run's bytes: key, frame, key, frame, ..."""
        begin = self.control.frames
        return self.instance.memory[begin : begin + self.control.frames_bytes]

    def entry(self, number: int) -> _Entry:
        """Return a place in the index."""
        at = self.control.index + number * _ENTRY_BYTES
        return _Entry.from_buffer(self.instance.memory, at)

    def render(self, program: Program) -> int | None:
        """Render what the control block says; return the number of a damaged entry."""
        control = self.control
        self._place_program(program)
        self.place_output(OUTPUT_BYTES)
        while (status := self.instance.call("render")) != DONE:
            entry: int = control.entry
            if status == DAMAGED:
                return entry
            if status == NEED_PLAIN:
                if not self.unpack(entry, control.end):
                    return entry
                self.place_output(OUTPUT_BYTES)
            else:
                assert status == NEED_OUTPUT
                # Room for this record only: what is touched stays in memory.
                self.place_output(control.needed)
                control.record_count_max = 1
        return None

    def _place_program(self, program: Program) -> None:
        """Place a program behind the frames."""
        if self._program is program:
            return
        self._forget_plain()
        self._plain = self.place_program_at(program, self._free)
        self._program = program

    def place_program_at(self, program: Program, begin: int) -> int:
        """Place a program from an address on; return where the next buffer may begin."""
        at = Space(begin).take(0)
        packed = _pack(program, at)
        end = at + len(packed) + SLACK
        self.instance.reserve(end)
        self.instance.memory[at : at + len(packed)] = packed
        self.control.program = at
        self.control.program_count = len(program)
        self._program = None
        return end

    @property
    def plain_end(self) -> int:
        """Where buffers may begin behind the frames and what is unpacked of them."""
        return self._plain + self._plain_bytes

    def place_output(self, room: int, begin: int | None = None) -> None:
        """Place the output behind everything else, or from an address on."""
        space = Space(self.plain_end if begin is None else begin)
        self.control.output = space.take(room)
        self.control.output_room = room
        self.instance.reserve(space.end)

    def output(self) -> memoryview:
        """Return what the last call has written."""
        begin = self.control.output
        return self.instance.memory[begin : begin + self.control.output_bytes]

    def _forget_plain(self) -> None:
        """Give up what was unpacked."""
        for number in self._plain_entries:
            self.entry(number).plain = 0
        self._plain_entries.clear()
        self._plain_bytes = 0

    def unpack(self, number: int, end: int) -> bool:
        """Unpack the records of an entry, and of those behind it while they are small.

        False if the first one can't be unpacked; the others will be asked for.
        """
        self._forget_plain()
        plains: list[bytes] = []
        size = 0
        while number + len(plains) < self.control.entry_count:
            entry = self.entry(number + len(plains))
            if plains and (entry.plain or size >= PLAIN_BYTES or entry.base_offset >= end):
                break
            frame = self.instance.memory[entry.frame : entry.frame + entry.frame_bytes]
            codec = Codec(frame[_ATTRIBUTES_AT] & CODEC_MASK)
            try:
                plains.append(decompress(codec, frame[FRAME_HEADER_BYTES:], UNPACKED_BYTES_MAX))
            except Corruption:
                break
            size += len(plains[-1])
        space = Space(self._plain)
        places = [space.take(len(plain)) for plain in plains]
        self.instance.reserve(space.end)
        for index, (place, plain) in enumerate(zip(places, plains, strict=True)):
            self.instance.memory[place : place + len(plain)] = plain
            entry = self.entry(number + index)
            entry.plain, entry.plain_bytes, entry.walked = place, len(plain), 0
            self._plain_entries.append(number + index)
        self._plain_bytes = space.end - self._plain
        return bool(plains)


def _copy(parts: Sequence[Bytes], memory: memoryview, at: int, size: int) -> bool:
    """Copy parts side by side; tell whether they are as large as they should be."""
    end = at + size
    for part in parts if size >= len(parts) * JOIN_BYTES_MAX else _joined(parts):
        after = at + len(part)
        if after > end:
            return False
        memory[at:after] = part
        at = after
    return at == end


def _joined(parts: Sequence[Bytes]) -> Iterator[bytes]:
    """Join parts a thousand at a time: each piece uses the memory of the one before."""
    for first in range(0, len(parts), JOIN_PARTS):
        yield b"".join(parts[first : first + JOIN_PARTS])


def _pack(program: Program, at: int) -> bytes:
    """Return a program as the kernel reads it at an address: instructions, then their texts."""
    texts = [
        instruction.literal if instruction.op is Op.LITERAL else instruction.null
        for instruction in program
    ]
    at += len(program) * _INSTRUCTION.size
    packed = bytearray()
    for instruction, text in zip(program, texts, strict=True):
        packed += _INSTRUCTION.pack(instruction.op, instruction.encoding, at, len(text))
        at += len(text)
    return bytes(packed + b"".join(texts))


class KernelRun:
    """A run of frames in a kernel; see `runs.Run`."""

    def __init__(self, flat: Sequence[Bytes]) -> None:
        """Copy and verify a flat run.

        Raises:
            Corruption: a frame that is not whole.
        """
        self._lengths = array("I", map(len, flat[1::2]))
        self._runner: Runner | None = None
        self._frames: bytes | None = None  # while not in a kernel
        self._python: Run | None = None
        runner = _thread.runner()
        host_crc_bytes = _NEVER
        is_whole = True
        if sum(self._lengths) >= len(flat) * JOIN_BYTES_MAX:
            host_crc_bytes = HOST_CRC_BYTES
            is_whole = _host_crcs_hold(flat)
        with runner.lock:
            is_whole = is_whole and runner.load(self, flat, self._lengths, host_crc_bytes)
            if is_whole:
                self.start_offset: int = runner.control.start
                self.next_offset: int = runner.control.next_offset
                self.record_count = self.next_offset - self.start_offset
                self._runner = runner
        if not is_whole:
            load_run(list(flat), engine="python")
            raise AssertionError("the kernel refused a run that is whole")

    def records(self, start: int | None = None, end: int | None = None) -> Iterator[Record]:
        """Yield the records of a half-open offset range."""
        if self._python is None:
            self._python = load_run(_split(self._peek(), self._lengths), engine="python")
        return self._python.records(start, end)

    def render(
        self,
        program: Program,
        *,
        partition: int,
        start: int,
        end: int,
        record_count_max: int | None,
    ) -> Rendered:
        """Write records by a program; see `runs.Run`. Stops early when the output is full.

        Raises:
            Corruption: the batch at `start` is damaged inside; what came before was given.
        """
        low, high = max(start, self.start_offset), min(end, self.next_offset)
        count = _UNLIMITED if record_count_max is None else min(record_count_max, _UNLIMITED)
        if low >= high or not count:
            return Rendered(b"", 0, low)
        runner = self.enter()
        with runner.lock:
            control = runner.control
            control.start = low
            control.end = high
            control.partition = partition
            control.record_count_max = count
            damaged = runner.render(program)
            if damaged is None:
                return Rendered(runner.output(), control.record_count, control.next_offset)
        self.refuse(damaged)
        raise AssertionError("the kernel refused records that are whole")

    def take(self, frames: bytes) -> None:
        """Keep the bytes here from now on: the runner has other plans."""
        self._frames = frames
        self._runner = None

    def enter(self) -> Runner:
        """Return a runner of this thread in which the run is resident."""
        runner = self._runner
        if runner is not None and _thread.has(runner):
            return runner
        frames = self._leave()
        runner = _thread.runner()
        with runner.lock:
            is_whole = runner.load(self, [frames], self._lengths, 0)
            assert is_whole
            self._runner, self._frames = runner, None
        return runner

    def _leave(self) -> bytes:
        """Take the bytes from the runner, which may be another thread's, and return them."""
        runner = self._runner
        if runner is not None:
            with runner.lock:
                if runner.resident is self:
                    runner.evict()
        assert self._frames is not None
        return self._frames

    def _peek(self) -> bytes:
        """Return a copy of the bytes, wherever they are, and leave them there."""
        runner = self._runner
        if runner is not None:
            with runner.lock:
                if runner.resident is self:
                    return bytes(runner.frames())
        assert self._frames is not None
        return self._frames

    def refuse(self, number: int) -> None:
        """Raise what Python finds wrong with an entry."""
        parts = _split(self._peek(), self._lengths)[2 * number : 2 * number + 2]
        for _ in load_run(parts, engine="python").records():
            pass


def _split(frames: bytes, lengths: "array[int]") -> list[memoryview]:
    """Return a flat run of views."""
    view = memoryview(frames)
    flat = []
    at = 0
    for length in lengths:
        flat.append(view[at : at + KEY_BYTES])
        at += KEY_BYTES
        flat.append(view[at : at + length])
        at += length
    return flat


def _host_crcs_hold(flat: Sequence[Bytes]) -> bool:
    """Check the CRC of the long frames, which the kernel leaves to Python."""
    return all(
        crc32c(frame[_CRC.stop :]) == int.from_bytes(frame[_CRC], "big")
        for frame in flat[1::2]
        if len(frame) >= HOST_CRC_BYTES
    )


def merge_entries(flat: Sequence[Bytes]) -> bytearray | None:
    """Do what `merge.merge_entries` does.

    Batches that are compressed, or not as they should be, are left to Python.
    """
    attributes = {frame[_ATTRIBUTES_AT] for frame in flat[1::2] if len(frame) > _ATTRIBUTES_AT}
    if attributes != {_PLAIN_CREATE_TIME}:
        return merge.merge_entries(flat, engine="python")
    lengths = array("I", map(len, flat[1::2]))
    runner = _thread.runner()
    with runner.lock:
        if runner.load(None, flat, lengths, _NEVER):
            runner.place_output(BATCH_BYTES_MAX + SLACK)
            status = runner.instance.call("merge")
            if status == MORE:
                return None
            if status == DONE:
                return _seal_merged(runner)
    return merge.merge_entries(flat, engine="python")


def _seal_merged(runner: Runner) -> bytearray | None:
    control = runner.control
    if HEADER_BYTES + control.output_bytes > BATCH_BYTES_MAX:
        return None
    frame = bytearray(FRAME_HEADER_BYTES)
    frame += runner.output()
    return seal(
        frame,
        record_count=control.record_count,
        base_timestamp_ms=control.base_timestamp,
        max_timestamp_ms=control.max_timestamp,
    )


class _Thread(threading.local):
    """The runners of the current thread."""

    def __init__(self) -> None:
        self._runners: list[Runner] = []

    def has(self, runner: Runner) -> bool:
        return any(each is runner for each in self._runners)

    def runner(self) -> Runner:
        """Return a runner for a new run: a free one, or the one that was loaded first."""
        self._runners = [
            runner
            for runner in self._runners
            if runner.resident is not None or runner.instance.memory_bytes <= KEEP_BYTES_MAX
        ]
        for runner in self._runners:
            if runner.resident is None:
                return runner
        if len(self._runners) < RUNNERS_MAX:
            self._runners.append(Runner())
        else:
            self._runners.append(self._runners.pop(0))
        return self._runners[-1]


_thread = _Thread()
