"""The program: a compiled template that turns a record into the text that people see.

Instructions are all that a program can say, so that the kernel can run it for millions
of records. `render` says what each one means.
"""

import base64
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from dataflare_cli.model import NO_TIMESTAMP, Record, TimestampType


class Op(IntEnum):
    """What an instruction writes."""

    LITERAL = 0
    KEY = 1
    VALUE = 2
    OFFSET = 3
    PARTITION = 4
    TIMESTAMP_MS = 5  # -1 when there is none
    TIME = 6  # 2023-01-02T03:04:05.678Z; NA when there is none; ms outside years 0 to 9999
    TIMESTAMP_TYPE = 7  # create, append
    KEY_SIZE = 8  # -1 for null
    VALUE_SIZE = 9  # -1 for null
    HEADER_COUNT = 10
    HEADERS_JSON = 11  # ,"headers":[["k","v"],["k",null]], or nothing
    TIMESTAMP_JSON = 12  # ,"timestamp":N,"timestamp_type":"create", or nothing


class Encoding(IntEnum):
    """How an instruction writes a key or value."""

    EXACT = 0
    JSON = 1  # a string, {"base64":"…"} for what is not UTF-8, null
    HEX = 2
    BASE64 = 3


class Instruction(NamedTuple):
    """One step. `null` is what KEY and VALUE write for null, but in JSON."""

    op: Op
    encoding: Encoding = Encoding.EXACT
    literal: bytes = b""
    null: bytes = b""


Program = tuple[Instruction, ...]


class Needs(NamedTuple):
    """What something shows of records beside key and value."""

    offsets: bool = False
    times_and_headers: bool = False


EVERYTHING = Needs(offsets=True, times_and_headers=True)
_TIMES_AND_HEADERS = frozenset(
    (
        *(Op.TIMESTAMP_MS, Op.TIME, Op.TIMESTAMP_TYPE, Op.TIMESTAMP_JSON),
        *(Op.HEADER_COUNT, Op.HEADERS_JSON),
    )
)


def needs_of(program: Program) -> Needs:
    """Return what a program shows beside keys and values."""
    ops = {instruction.op for instruction in program}
    return Needs(Op.OFFSET in ops, bool(ops & _TIMES_AND_HEADERS))


_DAY_MS = 86_400_000
_YEAR_0_MS = -62_167_219_200_000
_YEAR_10000_MS = 253_402_300_800_000

_SHORT_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F)} | _SHORT_ESCAPES


def render(program: Program, record: Record, partition: int) -> bytes:
    """Write one record by a program."""
    return b"".join([_WRITERS[step.op](step, record, partition) for step in program])


def _write_bytes(step: Instruction, data: bytes | None) -> bytes:
    if step.encoding is Encoding.JSON:
        return _json(data)
    if data is None:
        return step.null
    if step.encoding is Encoding.HEX:
        return data.hex().encode()
    return data if step.encoding is Encoding.EXACT else base64.b64encode(data)


def _json(data: bytes | None) -> bytes:
    if data is None:
        return b"null"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return b'{"base64":"%b"}' % base64.b64encode(data)
    return b'"%b"' % text.translate(_ESCAPES).encode()


def _size(data: bytes | None) -> bytes:
    return b"-1" if data is None else b"%d" % len(data)


def format_time(timestamp_ms: int) -> bytes:
    """Return a time in RFC 3339; the calendar has a year 0, which `datetime` lacks."""
    if timestamp_ms == NO_TIMESTAMP:
        return b"NA"
    if not _YEAR_0_MS <= timestamp_ms < _YEAR_10000_MS:
        return b"%d" % timestamp_ms
    days, ms = divmod(timestamp_ms, _DAY_MS)
    # Howard Hinnant's civil_from_days: years begin in March, so leap days end them.
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    year_of_era //= 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + (3 if shifted_month < 10 else -9)
    year = 400 * era + year_of_era + (month <= 2)
    minutes, ms = divmod(ms, 60_000)
    clock = (minutes // 60, minutes % 60, ms // 1000, ms % 1000)
    return b"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (year, month, day, *clock)


def _timestamp_type(record: Record) -> bytes:
    return b"append" if record.timestamp_type is TimestampType.APPEND else b"create"


def _headers_json(record: Record) -> bytes:
    if not record.headers:
        return b""
    pairs = [b"[%b,%b]" % (_json(name), _json(value)) for name, value in record.headers]
    return b',"headers":[%b]' % b",".join(pairs)


def _timestamp_json(record: Record) -> bytes:
    if record.timestamp_ms == NO_TIMESTAMP:
        return b""
    given = (record.timestamp_ms, _timestamp_type(record))
    return b',"timestamp":%d,"timestamp_type":"%b"' % given


_WRITERS: dict[Op, Callable[[Instruction, Record, int], bytes]] = {
    Op.LITERAL: lambda step, _record, _partition: step.literal,
    Op.KEY: lambda step, record, _partition: _write_bytes(step, record.key),
    Op.VALUE: lambda step, record, _partition: _write_bytes(step, record.value),
    Op.OFFSET: lambda _step, record, _partition: b"%d" % record.offset,
    Op.PARTITION: lambda _step, _record, partition: b"%d" % partition,
    Op.TIMESTAMP_MS: lambda _step, record, _partition: b"%d" % record.timestamp_ms,
    Op.TIME: lambda _step, record, _partition: format_time(record.timestamp_ms),
    Op.TIMESTAMP_TYPE: lambda _step, record, _partition: _timestamp_type(record),
    Op.KEY_SIZE: lambda _step, record, _partition: _size(record.key),
    Op.VALUE_SIZE: lambda _step, record, _partition: _size(record.value),
    Op.HEADER_COUNT: lambda _step, record, _partition: b"%d" % len(record.headers),
    Op.HEADERS_JSON: lambda _step, record, _partition: _headers_json(record),
    Op.TIMESTAMP_JSON: lambda _step, record, _partition: _timestamp_json(record),
}
