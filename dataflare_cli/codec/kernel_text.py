"""Delimited text to records in the kernel: `encode.rs` and what drives it.

Hides where buffers lie in a kernel's memory:
options | states | pieces | table | bad lines | input | output

Invariants
- Input goes through a window of fixed size, grown only for a line that is longer.
- A kernel that has grown beyond `KEEP_BYTES_MAX` for one large record is dropped.
"""

import ctypes
import threading

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.codec.kernel import (
    DONE,
    MORE,
    NEED_OUTPUT,
    SLACK,
    STOPPED,
    Space,
    new_instance,
)
from dataflare_cli.codec.lines import BadLine, Payload, Problem, TextOptions, TextResult
from dataflare_cli.codec.partition import pick
from dataflare_cli.codec.records import encode_headers
from dataflare_cli.model import KIB, MIB, Partitioner

KEEP_BYTES_MAX = 48 * MIB
# Both stay in a core's cache.
INPUT_BYTES = MIB
OUTPUT_BYTES = MIB + 256 * KIB
LINES_MAX = 8192
BAD_LINES_MAX = 1024

_ABSENT = 0xFFFFFFFF
_LENGTH_MAX = 0x7FFFFFFF
_CHOICE_FIXED = 0
_CHOICES = {Partitioner.SIP: 1, Partitioner.MURMUR2: 2, Partitioner.ROUND_ROBIN: 3}
_STATE_BYTES, _PIECE_BYTES, _LINE_BYTES, _BAD_BYTES = 16, 12, 20, 12


_CONTROL = (
    "input",
    "input_bytes",
    "is_final",
    "delimiter",
    "delimiter_bytes",
    "separator",
    "separator_bytes",
    "null",
    "null_bytes",
    "key",
    "key_bytes",
    "headers",
    "headers_bytes",
    "choice",
    "partition",
    "partition_count",
    "round_robin",
    "batch_bytes_max",
    "record_bytes_max",
    "states",
    "table",
    "table_room",
    "bad",
    "bad_room",
    "output",
    "output_bytes",
    "pieces",
    "line_count",
    "consumed",
    "bad_count",
    "piece_count",
    "needed",
)


class _Control(ctypes.LittleEndianStructure):
    """`encode::Control`: what the kernel is told, and what it answers."""

    _fields_ = [(name, ctypes.c_uint32) for name in _CONTROL]


class _Encoder:
    """A thread's instance for `encode_text`."""

    def __init__(self) -> None:
        self.instance = new_instance()
        self.control = _Control.from_buffer(
            self.instance.memory, self.instance.call("encode_control")
        )
        self._begin = self.instance.call("heap_base")
        self._options: TextOptions | None = None
        self._input_room = INPUT_BYTES
        self._output_room = OUTPUT_BYTES
        self._states_bytes = 0

    @property
    def memory_bytes(self) -> int:
        """How much memory the instance has."""
        return self.instance.memory_bytes

    def encode(
        self, block: memoryview, options: TextOptions, *, final: bool, round_robin: int
    ) -> TextResult:
        if options is not self._options:
            self._lay_out(options)
        control = self.control
        states = control.states
        self.instance.memory[states : states + self._states_bytes] = bytes(self._states_bytes)
        control.round_robin = round_robin
        control.line_count = 0
        frames: dict[int, bytearray] = {}
        bad: list[BadLine] = []
        at, status = 0, DONE
        while True:
            window = block[at : at + self._input_room]
            is_last = at + len(window) == len(block)
            place = control.input
            self.instance.memory[place : place + len(window)] = window
            status, consumed = self._encode_window(
                len(window), frames, bad, is_final=final and is_last
            )
            at += consumed
            if status == STOPPED or is_last:
                break
            if not consumed:
                # No line ends in this window.
                self._input_room *= 2
                self._lay_out(options)
        payloads = [
            Payload(partition, self._record_count(partition), frames[partition])
            for partition in sorted(frames)
        ]
        round_robin = control.round_robin
        if payloads and options.partition is None and options.partition_count == 1:
            # What `pick` says after a turn of one.
            round_robin = 0 if _takes_turns(options) else round_robin
        return TextResult(at, control.line_count, payloads, bad, round_robin)

    def _encode_window(
        self, size: int, frames: dict[int, bytearray], bad: list[BadLine], *, is_final: bool
    ) -> tuple[int, int]:
        control = self.control
        begin = control.input
        consumed = 0
        control.is_final = is_final
        while True:
            control.input = begin + consumed
            control.input_bytes = size - consumed
            status = self.instance.call("encode")
            consumed += control.consumed
            self._take(frames, bad)
            if status == NEED_OUTPUT:
                self._output_room = max(2 * self._output_room, control.needed)
                output = control.output
                self.instance.reserve(output + self._output_room + SLACK)
                control.output_bytes = self._output_room
            elif status != MORE:
                control.input = begin
                return status, consumed

    def _take(self, frames: dict[int, bytearray], bad: list[BadLine]) -> None:
        """Take over what a call has written."""
        control, memory = self.control, self.instance.memory
        if control.piece_count:
            at = control.pieces
            words = memory[at : at + control.piece_count * _PIECE_BYTES].cast("I")
            for index in range(0, len(words), 3):
                partition, output, size = words[index], words[index + 1], words[index + 2]
                piece = memory[output : output + size]
                frame = frames.get(partition)
                if frame is None:
                    frames[partition] = bytearray(piece)
                else:
                    frame += piece
        if control.bad_count:
            at = control.bad
            words = memory[at : at + control.bad_count * _BAD_BYTES].cast("I")
            bad += [
                BadLine(words[index], words[index + 1], Problem(words[index + 2]))
                for index in range(0, len(words), 3)
            ]

    def _record_count(self, partition: int) -> int:
        at = self.control.states
        if self.control.choice != _CHOICE_FIXED:
            at += partition * _STATE_BYTES
        return int.from_bytes(self.instance.memory[at : at + 4], "little")

    def _lay_out(self, options: TextOptions) -> None:
        """Place the buffers and tell the kernel what to do; options change rarely."""
        self._options = None
        partition = _fixed_partition(options)
        states = options.partition_count if partition is None else 1
        lines_max = max(LINES_MAX, 4 * states)
        texts = {
            "delimiter": options.delimiter,
            "separator": options.key_separator or b"",
            "null": options.null_value or b"",
            "key": options.key or b"",
            "headers": encode_headers(options.headers),
        }
        space = Space(self._begin)
        places = {name: space.take(len(text)) for name, text in texts.items()}
        self._states_bytes = states * _STATE_BYTES
        control = self.control
        control.states = space.take(self._states_bytes)
        control.pieces = space.take(states * _PIECE_BYTES)
        control.table = space.take(lines_max * _LINE_BYTES if partition is None else 0)
        control.table_room = lines_max
        control.bad = space.take(BAD_LINES_MAX * _BAD_BYTES)
        control.bad_room = BAD_LINES_MAX
        control.input = space.take(self._input_room)
        control.output = space.take(self._output_room)
        control.output_bytes = self._output_room
        self.instance.reserve(space.end)
        for name, text in texts.items():
            self.instance.memory[places[name] : places[name] + len(text)] = text
            setattr(control, name, places[name])
            setattr(control, f"{name}_bytes", len(text))
        if options.null_value is None:
            control.null_bytes = _ABSENT
        if options.key is None:
            control.key_bytes = _ABSENT
        control.choice = _CHOICE_FIXED if partition is not None else _CHOICES[options.partitioner]
        control.partition = partition or 0
        control.partition_count = options.partition_count
        control.batch_bytes_max = min(options.batch_bytes_max, _LENGTH_MAX)
        control.record_bytes_max = min(options.record_bytes_max, _LENGTH_MAX)
        self._options = options


def _fixed_partition(options: TextOptions) -> int | None:
    """Return the partition of all records, if it is the same for all."""
    if options.partition is not None:
        return options.partition
    if options.partition_count == 1:
        return 0
    if not _takes_turns(options) and options.key_separator is None:
        return pick(options.partitioner, options.key, options.partition_count, 0)[0]
    return None


def _takes_turns(options: TextOptions) -> bool:
    """Tell whether records go round robin."""
    has_keys = options.key is not None or options.key_separator is not None
    return not has_keys or options.partitioner is Partitioner.ROUND_ROBIN


class _Thread(threading.local):
    """The encoder of the current thread."""

    encoder: _Encoder | None = None


_thread = _Thread()


def encode_text(block: Bytes, options: TextOptions, *, final: bool, round_robin: int) -> TextResult:
    """Do what `lines.encode_text` does."""
    encoder = _thread.encoder or _Encoder()
    # Kept only if all goes well, and it has not grown for one large record.
    _thread.encoder = None
    with memoryview(block) as view:
        result = encoder.encode(view, options, final=final, round_robin=round_robin)
    if encoder.memory_bytes <= KEEP_BYTES_MAX:
        _thread.encoder = encoder
    return result
